"""summary.json of an earlier run -> what this year is compared with.

Takes a file that somebody may have edited; gives a `Last`, or one sentence. Compares only what means the same in both: indicators of the
existing state, and gaps by their place.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from planner.errors import InputError
from planner.gaps import CHANGES, compare_gaps

# A summary of 100,000 gaps has 50 MB.
_MOST_BYTES = 200_000_000
FIGURES = (
    "share",
    "effective_share",
    "backup_share",
    "served_share",
    "mean_m",
    "p90_m",
    "worst_m",
    "unreachable_share",
)


@dataclass(frozen=True)
class Last:
    """An earlier run.

    Attributes:
        name: of its study.
        run_id: of the run.
        radius_m: its service radius: gaps are compared place by place only where it is the same.
        figures: indicators of its existing state (those of `FIGURES` that it has).
        gaps: its gaps: ``id``, ``place``, ``zone``, ``group``, ``reason``, ``weight``.
        scope: the area that its totals speak of; "" where it names none.
    """

    name: str
    run_id: str
    radius_m: float
    figures: dict[str, float]
    gaps: tuple[dict[str, Any], ...]
    scope: str = ""


def read_summary(file: Path, name: str) -> dict[str, Any]:
    """Return the content of a summary.json of schema 1.

    Args:
        file: where it is.
        name: what messages call it.

    Raises:
        InputError: nothing is there, or it is no such summary.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InputError("summary_unreadable", file=name)
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["schema"] != 1 or not {"study", "coverage", "gaps"} <= content.keys():
            raise InputError("summary_unreadable", file=name)
    except FileNotFoundError as error:
        raise InputError("summary_missing", file=name) from error
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise InputError("summary_unreadable", file=name) from error
    return dict(content)


def last_run(content: dict[str, Any], name: str) -> Last:
    """Return what a summary says of its run.

    Raises:
        InputError: something in it is not what a summary has there.
    """
    try:
        existing = content["coverage"]["existing"]
        return Last(
            name=str(content["study"]["name"]),
            run_id=str(content["study"]["run_id"]),
            scope=str(content["study"].get("scope", "")).strip(),
            radius_m=_number(content["standard"]["service_radius_m"]),
            figures={key: _number(existing[key]) for key in FIGURES if existing.get(key) is not None},
            gaps=tuple(_gap(gap) for gap in content["gaps"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError("summary_unreadable", file=name) from error


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(value)
    return float(value)


def _gap(gap: dict[str, Any]) -> dict[str, Any]:
    words = {key: str(gap[key]) for key in ("id", "zone", "group", "reason")}
    return {**words, "place": str(gap.get("place", "")), "weight": _number(gap["weight"])}


def scopes_differ(one: str, other: str) -> bool:
    """Tell whether two runs speak of different areas: what they count is not compared then. One that names none is taken at its word."""
    return bool(one.strip() and other.strip()) and one.strip() != other.strip()


def changes(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return, of what `planner.gaps.compare_gaps` gave, how many gaps changed in which way, and by which weight in all."""
    found = {}
    for change in CHANGES:
        part = table[table["change"] == change]
        found[change] = {"gaps": len(part), "before": float(part["before"].sum()), "after": float(part["after"].sum())}
    return found


def since(last: Last, gaps: pd.DataFrame) -> pd.DataFrame:
    """Return what became of the gaps of an earlier run (columns of `planner.gaps.compare_gaps`).

    Args:
        last: the earlier run.
        gaps: the gaps of this one.
    """
    columns = ["id", "place", "zone", "group", "reason", "weight"]
    now = [{str(key): value for key, value in gap.items()} for gap in gaps[columns].to_dict("records")]
    return compare_gaps(last.gaps, now)
