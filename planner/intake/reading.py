"""A study's files -> checked tables, and a record of what was noticed on the way.

Takes a `Study`; gives `Inputs`. Nothing is dropped silently: every row ends in a table or among the rejects.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import geopandas as gpd
import pandas as pd

from planner.evidence import Ground
from planner.intake.demand import read_demand
from planner.intake.layers import (
    no_polygons,
    no_streets,
    read_polygons,
    read_streets,
    read_zones,
    shapefile_parts,
    zone_of,
)
from planner.intake.notes import Notes
from planner.intake.places import (
    extent,
    note_doubts,
    note_idle,
    read_options,
    read_sites,
    refuse_repeats,
    refuse_unoffered,
    walkable_area,
)
from planner.intake.progress import no_progress, read_progress
from planner.intake.survey import no_survey, read_survey
from planner.study import Study
from planner.tables import (
    EVIDENCE_COLUMNS,
    HEADING_COLUMNS,
    OPTION_COLUMNS,
    REJECT_COLUMNS,
    SITE_COLUMNS,
    as_table,
)
from planner.words import term


@dataclass(frozen=True)
class Inputs:
    """What a study's files hold, checked and in the study's CRS.

    Attributes:
        streets: the lines people walk on (columns id, highway, name, source, geometry).
        zones: reporting zones; one row per zone; empty frame where the study names none.
        water: polygons for the map, or an empty frame.
        sites: existing places first, then candidates.
        demand: units of demand.
        options: what can be done where, at which cost.
        rejects: rows that could not be used (`tables.REJECT_COLUMNS`).
        warnings: sentences for the data-quality notes.
        topics: of each warning, what it speaks of: its key in the catalogue's section ``quality``.
        hashes: sha256 of every file of the study, each part of a shapefile too.
        evidence: how likely each reading of each table's coordinates is (`tables.EVIDENCE_COLUMNS`).
        survey: what was asked and counted at existing sites (`tables.SURVEY_COLUMNS`).
        progress: what has become of the last programme (`planner.intake.progress.PROGRESS_COLUMNS`).
        headings: which heading was understood as which field (`tables.HEADING_COLUMNS`).
        hours_said: source of each site and option whose opening hours hang on the season -> these hours, for every season; the tables
            hold those of the season that is planned for.
    """

    streets: gpd.GeoDataFrame
    zones: gpd.GeoDataFrame
    water: gpd.GeoDataFrame
    sites: gpd.GeoDataFrame
    demand: gpd.GeoDataFrame
    options: pd.DataFrame
    rejects: pd.DataFrame
    warnings: tuple[str, ...]
    topics: tuple[str, ...]
    hashes: dict[str, str]
    evidence: pd.DataFrame
    headings: pd.DataFrame
    survey: pd.DataFrame
    progress: pd.DataFrame
    hours_said: dict[str, str]


def read_inputs(study: Study) -> Inputs:
    """Read and check every file of the study.

    Raises:
        InputError: a file is missing or unreadable, lacks what is needed, or holds what would make results wrong; the sentence
            names file, row and column and says what to do.
    """
    notes = Notes(study.language)
    zones = read_zones(study, notes)
    if study.streets:
        streets = read_streets(study, study.streets, zones, notes)
    else:
        streets = no_streets(study)
        notes.tell("approximate", study.approximation)
    water = read_polygons(study, study.water, notes) if study.water else no_polygons(study)
    ground = Ground(streets, water, extent(study, streets, zones))
    area = zones.union_all() if len(zones) else walkable_area(study, ground)
    places = [read_sites(study, study.sites, "existing", ground, zones, notes)]
    if study.candidates:
        places.append(read_sites(study, study.candidates, "candidate", ground, zones, notes))
    sites = pd.concat(places, ignore_index=True)
    refuse_repeats(sites)
    sites["zone"] = zone_of(sites.geometry, zones)
    note_doubts(study, sites, water, notes)
    demand = read_demand(study, ground, zones, area, notes)
    options = read_options(study, study.options, notes) if study.options else pd.DataFrame(columns=list(OPTION_COLUMNS))
    refuse_unoffered(study, sites, options)
    note_idle(study, sites, options, notes)
    _note_empty_tiers(study, zones, demand, notes)
    survey = read_survey(study, study.evaluation, sites, notes) if study.evaluation else no_survey()
    plan = study.plan
    progress = read_progress(study, plan, plan.progress, sites, notes) if plan and plan.progress else no_progress()
    for count in ("surveyed", "took_part"):
        sites[count] = sites["id"].map(dict(zip(survey["site"], survey[count], strict=True))).astype(float)
    return Inputs(
        streets=streets,
        zones=zones,
        water=water,
        sites=as_table(sites, SITE_COLUMNS, study.crs),
        demand=demand,
        options=options,
        rejects=pd.DataFrame(notes.rejects, columns=list(REJECT_COLUMNS)),
        warnings=tuple(notes.warnings),
        topics=tuple(notes.topics),
        hashes={name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in _all_files(study).items()},
        evidence=pd.DataFrame(notes.evidence, columns=list(EVIDENCE_COLUMNS)),
        headings=pd.DataFrame(notes.headings, columns=list(HEADING_COLUMNS)),
        survey=survey,
        progress=progress,
        hours_said=notes.hours_said,
    )


def _note_empty_tiers(study: Study, zones: gpd.GeoDataFrame, demand: gpd.GeoDataFrame, notes: Notes) -> None:
    """Note rules of tiers that no place belongs to: they judge nothing."""
    there = {"city", *demand["tier"].unique()}
    there |= {"township"} if len(zones) else set()
    there |= {"county"} if (zones["county"] != "").any() else set()
    for number, rule in enumerate(study.tiers, 1):
        if rule.tier not in there:
            notes.warn("tier_nowhere", number=number, tier=term(study.language, "tier", rule.tier))


def _all_files(study: Study) -> dict[str, Path]:
    """Return where each file of the study is; beside a .shp the other files it is made of."""
    files: dict[str, Path] = {}
    for file in study.files():
        files[file] = path = study.path(file)
        if path.suffix.lower() == ".shp":
            files |= {str(PurePosixPath(file).with_name(p.name)): p for p in shapefile_parts(path).values()}
    return files
