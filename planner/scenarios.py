"""What-ifs kept beside a study: a file each in its folder ``scenarios``; and a what-if as a study of its own.

Takes edits and a study's folder; gives files, and edits again. Measures nothing: that is `whatif`'s.
"""

import csv
import io
import itertools
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import geopandas as gpd
import pandas as pd
import shapely
import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from planner.errors import InputError, PlannerError
from planner.saving import revision, save
from planner.study import STUDY_FILE, Study
from planner.whatif import Edit

FOLDER = "scenarios"
LONGEST_NAME = 60
MOST_EDITS = 1000
MOST_BYTES = 5_000_000
# What of a place a table of sites says, with the heading that intake reads it by.
_HEADINGS = {
    "id": "编号", "name": "名称", "tier": "级别", "kind": "类别", "role": "阵地类型", "host": "依托单位", "mode": "建设方式",
    "modes": "可选方式", "opening_hours": "开放时间", "services": "服务项目", "capacity": "座位数", "address": "地址",
}  # fmt: skip
_EAST, _NORTH = "东坐标", "北坐标"


class Scenario(BaseModel):
    """A what-if with a name.

    Attributes:
        name: what it is called; no two of a study share one.
        moment: what it starts from: 0 for today, or a year of the plan: its end.
        edits: what is done, in that order.
        run_id: the run that it was made on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    form: Literal[1] = Field(default=1, alias="schema")
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    moment: int = 0
    edits: Annotated[tuple[Edit, ...], Field(max_length=MOST_EDITS)] = ()
    run_id: str = ""


@dataclass(frozen=True)
class Kept:
    """A file of the folder: its scenario and its revision, or what is wrong with it."""

    path: Path
    scenario: Scenario | None
    revision: str = ""
    error: PlannerError | None = None


def kept(study_folder: Path) -> list[Kept]:
    """Return the scenarios beside a study, by name; a damaged file is told, and hides no other."""
    found = [read(path) for path in sorted((study_folder / FOLDER).glob("*.json"))]
    return sorted(found, key=lambda one: one.scenario.name if one.scenario else one.path.name)


def read(path: Path) -> Kept:
    """Return what a file holds; what is wrong with it is told, not raised."""
    try:
        seen = revision(path)
        if path.stat().st_size > MOST_BYTES:
            raise InputError("scenario_damaged", file=path.name)
        return Kept(path, Scenario.model_validate_json(path.read_text(encoding="utf-8")), seen)
    except PlannerError as error:
        return Kept(path, None, error=error)
    except (OSError, ValueError, ValidationError, RecursionError):
        return Kept(path, None, error=InputError("scenario_damaged", file=path.name))


def keep(study_folder: Path, scenario: Scenario, *, seen: str = "") -> Kept:
    """Save a scenario under its name, whole or not at all.

    Args:
        study_folder: where study.toml is.
        scenario: what to save.
        seen: revision of the file that was opened; "" for a new one.

    Raises:
        ConflictError: somebody has saved another scenario of this name meanwhile.
        SurroundingsError: the folder cannot be written.
    """
    path = study_folder / FOLDER / f"{file_name(scenario.name)}.json"
    content = scenario.model_dump(mode="json", by_alias=True, exclude_defaults=False)
    content["edits"] = [edit.model_dump(mode="json", exclude_none=True) for edit in scenario.edits]
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    return Kept(path, scenario, save(path, text, seen=seen))


def free_name(study_folder: Path, name: str) -> str:
    """Return a name like this one, "name (2)", under which nothing is kept."""
    taken = {path.name.lower() for path in (study_folder / FOLDER).glob("*.json")}
    for number in itertools.count(2):
        free = f"{name[: LONGEST_NAME - 6]} ({number})"
        if f"{file_name(free)}.json".lower() not in taken:
            return free
    raise AssertionError


def file_name(name: str) -> str:
    """Return a name that every file system takes: what is no letter, digit or simple sign becomes a dash."""
    plain = re.sub(r"[^\w()（）·.-]+", "-", name.strip()).strip(". -")[:LONGEST_NAME]
    # Windows keeps some names to itself.
    return f"_{plain}" if not plain or re.fullmatch(r"(?i)con|prn|aux|nul|(com|lpt)\d", plain.split(".")[0]) else plain


def write_study(study: Study, sites: gpd.GeoDataFrame, folder: Path) -> Path:
    """Write a study with other places: the same files, but for its tables of sites and candidates.

    Args:
        study: where everything else comes from.
        sites: the places as `planner.whatif.edited` gives them; those that are closed are left out.
        folder: an empty folder, or one that is not there yet.

    Returns:
        The folder; `planner run` takes it.
    """
    shutil.copytree(study.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(FOLDER, ".planner*", "out"))
    settings = tomlkit.parse((folder / STUDY_FILE).read_text(encoding="utf-8"))
    candidate = (sites["status"] == "candidate").to_numpy()
    standing = sites[~candidate & (sites["status"] != "closed").to_numpy()]
    for section, rows in (("sites", standing), ("candidates", sites[candidate])):
        file = f"whatif-{section}.csv"
        (folder / file).write_text(_table(rows), encoding="utf-8-sig", newline="")
        settings.pop(section, None)
        if section == "sites" or len(rows):
            settings[section] = {"file": file, "crs": study.crs}
    (folder / STUDY_FILE).write_text(tomlkit.dumps(settings), encoding="utf-8", newline="\n")
    return folder


def _table(sites: gpd.GeoDataFrame) -> str:
    """Return places as a table that intake reads back to the last bit: metres in the study's own system."""
    said = [column for column in _HEADINGS if column in sites]
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow([*(_HEADINGS[column] for column in said), _EAST, _NORTH])
    xy = shapely.get_coordinates(sites.geometry.to_numpy())
    for site, (x, y) in zip(sites[said].itertuples(index=False), xy, strict=True):
        rows.writerow([*(_cell(value) for value in site), repr(float(x)), repr(float(y))])
    return text.getvalue()


def _cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
