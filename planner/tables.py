"""The three checked tables that everything after intake works on: sites, demand and zones.

Plain GeoDataFrames in the study's projected CRS, with a RangeIndex. A row only ever gains columns and keeps `id` and `source`
("stations.xlsx#37") to the last report, so that any figure can be traced to a line of somebody's file.
"""

import geopandas as gpd
import pandas as pd

# What the programme passes on as it is written, and what norms ask for; empty (floor area: NaN) where no table says it.
NOTE_COLUMNS = ("floor_area_m2", "kit_level", "funding", "lead_unit", "support_unit", "due", "note")
SITE_COLUMNS = (
    "id",  # unique text
    "name",
    "tier",  # city, county, township, cluster, enterprise
    "role",  # what it is: rest_station, service_centre, venue
    "kind",  # what kind of place hosts it: bank, post_office, …
    "status",  # existing or candidate
    "mode",  # build mode of an existing site
    "modes",  # allowed build modes of a candidate, joined by ";"
    "host",
    "opening_hours",  # OSM syntax; empty: unknown
    "services",  # joined by ";"
    "capacity",  # seats; NaN: unknown
    "surveyed",  # people asked about it; NaN: nobody
    "took_part",  # of them, who have used it
    "address",
    "community",  # 社区/网格
    *NOTE_COLUMNS,
    "zone",  # id of its zone; empty: outside all zones
    "source",
    "geometry",  # point
)
DEMAND_COLUMNS = (
    "id",
    "group",
    "weight",  # people
    "zone",
    "street_class",  # of line demand
    "length_m",  # of line demand
    "tier",  # of enterprise demand: cluster or enterprise
    "name",  # of enterprise demand
    "source",
    "geometry",  # point: where the walk is measured from; the midpoint of a piece of street
    "line",  # the piece of street itself, or None
)
ZONE_COLUMNS = (
    "id",
    "name",
    "county",  # the county it lies in; empty: not said
    "residents",  # NaN: unknown
    "source",
    "geometry",
)
OPTION_COLUMNS = (
    "action",  # build or extend_hours
    "kind",
    "mode",
    "opening_hours",  # empty: the host's
    "services",  # empty: as they are
    "capacity",
    "capital_cost",  # in the study's cost unit
    "operating_cost",  # a year
    "tier",
    *NOTE_COLUMNS,
    "source",
)
SURVEY_COLUMNS = (
    "site",
    "surveyed",  # people asked
    "aware",  # of them, who know the site 知晓
    "took_part",  # of them, who have used it 参与
    "satisfied",  # of those who have used it 满意
    "visits",  # a day
    "source",
)
REJECT_COLUMNS = (
    "file",
    "row",  # number in the file
    "reason",  # what is wrong, in the study's language
    "repair",  # what to do about it
    "values",  # the row on one line
    "cells",  # the row as a dict: the user's heading -> text
)
EVIDENCE_COLUMNS = (
    "file",
    "reading",  # WGS-84, GCJ-02, BD-09 or an EPSG code
    "median_m",  # median distance to the nearest street under this reading
    "near",  # share of the points within 20 km of the streets
    "likelihood",  # among the readings weighed
    "points",
    "chosen",  # whether this is how the file was read
)
HEADING_COLUMNS = ("file", "field", "heading")


def as_table(frame: pd.DataFrame, columns: tuple[str, ...], crs: str) -> gpd.GeoDataFrame:
    """Return ``frame`` with exactly ``columns`` and a RangeIndex, as points or polygons in ``crs``."""
    return gpd.GeoDataFrame(frame.reset_index(drop=True)[list(columns)], geometry="geometry", crs=crs)


def service_set(text: str) -> frozenset[str]:
    """Return the services written in one cell: "rest;water" -> {"rest", "water"}."""
    return frozenset(part for part in text.split(";") if part)
