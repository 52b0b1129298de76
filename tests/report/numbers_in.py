"""Every number that a paper may show: those of summary.json, sums of them worked out here anew, and those of the user's own words."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from planner.hours import week_mask
from planner.pipeline import Result
from planner.summary import summary_json
from planner.words import catalogue

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?%?")


def leaves(value: Any) -> Iterator[float]:
    """Every number in json, counts of lists included."""
    match value:
        case dict():
            for item in value.values():
                yield from leaves(item)
        case list():
            yield len(value)
            for item in value:
                yield from leaves(item)
        case bool() | None | str():
            pass
        case _:
            yield value


def known_numbers(result: Result) -> set[float]:
    """Numbers of summary.json and the sums that the papers make of them."""
    summary = json.loads(summary_json(result))
    known = set(leaves(summary))
    known |= shifts(result) | set(leaves(json.loads(result.study.model_dump_json())))
    by_reason, by_zone = defaultdict(float), defaultdict(float)
    for gap in summary["gaps"]:
        by_reason[gap["reason"]] += gap["weight"]
        by_zone[gap["zone"]] += gap["weight"]
    whole = sum(by_reason.values())
    known |= {whole, *by_reason.values(), *by_zone.values(), *(part / whole for part in by_reason.values())}
    known |= {float(n) for n in range(1, len(summary["gaps"]) + 1)}
    known.add(sum(gap["weight"] for gap in summary["gaps"][10:]))
    speed = result.study.standard.walking_speed_m_s
    known |= {float(max(1, round(gap["nearest_m"] / speed / 60))) for gap in summary["gaps"] if gap["nearest_m"]}
    known |= {float((result.sites["status"].isin(["existing", "upgraded"])).sum()), float(len(result.sites))}
    plan = summary["plan"]
    if plan:
        actions, years = plan["actions"], plan["cost_by_year"]
        spent = sum(years.values())
        known |= {spent, sum(plan["budget_by_year"].values()), *map(float, years)}
        for key in ("cost", "operating_cost", "gain"):
            for column in ("year", "mode", "tier", "action", ""):
                sums = defaultdict(float)
                for action in actions:
                    sums[action.get(column)] += action[key]
                known |= set(sums.values())
        capital = {year: sum(a["cost"] for a in actions if a["year"] == int(year)) for year in years}
        known |= {spent - sum(capital.values()), *(years[year] - capital[year] for year in years)}
        known |= {float(n) for n in range(len(actions) + 1)}
        left = 0.0
        for year, budget in plan["budget_by_year"].items():
            left = (left if plan["carry_over"] else 0.0) + budget - years[year]
            known.add(left)
        last = summary["coverage"]["plan"][max(years)]
        known.add(last["total_weight"] - last["covered_weight"])
    return known


def shifts(result: Result) -> set[float]:
    """Effective coverage by shift, half-hour by half-hour and unit by unit."""
    found = set()
    for group, settings in result.study.groups.items():
        for shift in settings.shifts:
            found.add(shift.share)
            halves = [h for h, works in enumerate(week_mask(shift.hours)) if works]
            for coverage in result.coverage.values():
                for covered_only in (False, True):
                    people = served = 0.0
                    for unit, weight in enumerate(result.demand["weight"]):
                        if result.demand["group"].iat[unit] != group or (
                            covered_only and not result.coverage[0].covered[unit]
                        ):
                            continue
                        people += weight * len(halves)
                        served += weight * sum(bool(coverage.open_mask[unit, h]) for h in halves)
                    if people:
                        found.add(served / people)
    return found


def shown(numbers: set[float]) -> set[str]:
    """Every way in which a paper may write these numbers."""
    ways: set[str] = set()
    for number in numbers:
        if not math.isfinite(number):
            continue
        # A sum of halves may fall on either side of .5, as its parts are added in one order or another.
        for near in (number * (1 - 1e-9), number, number * (1 + 1e-9)):
            ways |= {f"{near:,.{digits}f}" for digits in range(3)} | {f"{near:g}"}
            ways |= {f"{near:.{digits}%}" for digits in range(3)}
            ways |= {f"{near:,.{digits}f}".rstrip("0").rstrip(".") for digits in (1, 2)}
    return ways | fixed()


def fixed() -> set[str]:
    """Numbers that stand in the catalogue's own sentences: norms, and how many half-hours a week has."""
    sections = ("document.", "workbook.", "indicator.")
    texts = (text for key, texts in catalogue().items() if key.startswith(sections) for text in texts.values())
    return {found.rstrip(",") for text in texts for found in NUMBER.findall(re.sub(r"{.*?}", " ", text))}


def numbers_in(text: str, result: Result) -> Iterator[str]:
    """The numbers of a text, those left out that stand in words of the user's: names, ids, hours, sources, norms."""
    words = {
        *result.sites["id"],
        *result.sites["name"],
        *result.zones["name"],
        *result.study.files(),
        result.study.crs,
        result.study.standard.name,
        result.run_id,
        *(demand.scope for demand in result.study.demand if demand.scope),
        *("双15工程", "HiGHS", "GB 50180-2018", "programme.xlsx"),
    }
    for word in sorted(filter(None, words), key=lambda word: (-len(word), word)):
        text = text.replace(word, " ")
    # Times of day, and versions.
    text = re.sub(r"\d{1,2}:\d\d|\d+\.\d+\.\d+", " ", text)
    yield from (found.rstrip(",") for found in NUMBER.findall(text))
