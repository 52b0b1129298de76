"""Result -> the tables that pages show, with headings in the reader's language. Computes nothing."""

from typing import Any

import pandas as pd

from planner.draw.webdata import remedy, zone_names
from planner.gaps import left_over
from planner.pipeline import Result
from planner.report.figures import changes_table
from planner.whatif import Outcome
from planner.words import Lang, say, term
from planner.words.wording import capital, label, percent

SHARES = ("share", "effective_share", "backup_share", "unreachable_share")
METRES = ("mean_m", "p90_m", "worst_m")


def indicators(result: Result, lang: Lang) -> pd.DataFrame:
    """Return the indicators: a row each, a column for the earlier run where the study names one, for today and each year's end."""
    rows: list[dict[str, str]] = []
    for key in (*SHARES, *METRES):
        row = {label(lang, "app.indicator"): label(lang, f"indicator.{key}")}
        if result.last:
            row[label(lang, "app.last_run", name=result.last.name)] = shown(result.last.figures.get(key), key, lang)
        for moment, figures in result.indicators.items():
            row[moment_name(moment, lang)] = shown(figures[key], key, lang)
        rows.append(row)
    return pd.DataFrame(rows)


def moment_name(moment: int, lang: Lang) -> str:
    """Return "today", or the year."""
    return str(moment) if moment else say(lang, "web.today")


def shown(value: float | None, key: str, lang: Lang) -> str:
    """Return a share or a distance as it is printed."""
    if key in METRES:
        return "–" if value is None else say(lang, "web.metres", metres=value)
    return percent(value)


def programme(result: Result, lang: Lang) -> pd.DataFrame:
    """Return the construction programme in the columns that a screen has room for."""
    table = result.programme
    unit = result.study.plan.cost_unit if result.study.plan else ""
    columns: dict[str, Any] = {
        label(lang, "programme.number"): table["number"],
        label(lang, "programme.year"): table["year"].astype(str),
        label(lang, "programme.name"): table["name"],
        label(lang, "programme.action"): [capital(term(lang, "action", action)) for action in table["action"]],
        label(lang, "programme.mode"): [capital(term(lang, "mode", mode)) for mode in table["mode"]],
        label(lang, "programme.opening_hours"): table["opening_hours"],
        label(lang, "programme.capital_cost", cost_unit=unit): table["capital_cost"],
        label(lang, "programme.operating_cost", cost_unit=unit): table["operating_cost"],
        label(lang, "programme.gain"): table["gain"].astype(float).round(1),
        label(lang, "programme.site"): table["site"],
        label(lang, "programme.source"): table["source"],
    }
    return pd.DataFrame(columns)


def since_last_programme(result: Result, lang: Lang) -> pd.DataFrame:
    """Return what has become of each row of the last programme, and what is new."""
    # A year is no amount: it has no separator, and where there is none its cell is empty.
    told = changes_table(result, lang)
    return pd.DataFrame({say(lang, key): ["" if c is None else str(c) for c in cells] for key, cells in told.items()})


def gaps(result: Result, lang: Lang) -> pd.DataFrame:
    """Return the ranked gaps; the index is their rank less one."""
    table, names = result.gaps, dict(zip(result.sites["id"], result.sites["name"], strict=True))
    groups, zones = result.study.groups, zone_names(result, say(lang, "sheet.no_zone"))
    columns: dict[str, Any] = {
        label(lang, "app.rank"): range(1, len(table) + 1),
        label(lang, "app.zone"): table["zone"].map(zones),
        label(lang, "app.group"): [groups[group].name for group in table["group"]],
        label(lang, "app.without"): table["weight"].round(1),
        **_left(result, lang),
        label(lang, "app.reason"): [label(lang, f"reason.{reason}") for reason in table["reason"]],
        label(lang, "web.remedy"): [remedy(result, gap, names, lang) for gap in table.to_dict("records")],
        label(lang, "app.nearest"): [names.get(site, "") for site in table["nearest_site"]],
        label(lang, "app.metres"): table["nearest_m"].astype(float).round(0),
        label(lang, "app.length"): table["length_m"].astype(float).round(0),
        label(lang, "app.source"): table["source"],
    }
    return pd.DataFrame(columns)


def zone_name(result: Result, zone: str, lang: Lang) -> str:
    """Return the name of a zone; of what lies in none, a word for that."""
    return result.zone_name(zone) if zone else say(lang, "sheet.no_zone")


def _left(result: Result, lang: Lang) -> dict[str, Any]:
    if not result.years:
        return {}
    left = left_over(result.demand, result.coverage[result.years[-1]])
    return {label(lang, "app.left", year=result.years[-1]): result.gaps["id"].map(left).round(1)}


def zones(result: Result, moment: int, lang: Lang) -> pd.DataFrame:
    """Return the indicators by zone at a moment (0 or a year), most people first; the index is the zone's id."""
    by_zone = result.indicators[moment]["by_zone"]
    ids = sorted(by_zone, key=lambda zone: (-by_zone[zone]["total_weight"], zone))
    names = zone_names(result, say(lang, "sheet.no_zone"))
    columns = {
        label(lang, "app.zone"): [names[zone] for zone in ids],
        label(lang, "app.people"): [round(by_zone[zone]["total_weight"]) for zone in ids],
        **{label(lang, f"indicator.{key}"): [by_zone[zone][key] for zone in ids] for key in SHARES[:3]},
        label(lang, "indicator.mean_m"): [by_zone[zone]["mean_m"] for zone in ids],
    }
    return pd.DataFrame(columns, index=pd.Index(ids))


def changes(outcome: Outcome, lang: Lang) -> pd.DataFrame:
    """Return who gains and who loses, by zone and group."""
    result, table = outcome.ground.result, outcome.by("zone", "group")
    groups, names = result.study.groups, zone_names(result, say(lang, "sheet.no_zone"))
    columns = {
        label(lang, "app.zone"): table["zone"].map(names),
        label(lang, "app.group"): [groups[group].name for group in table["group"]],
        **{label(lang, f"whatif.{key}"): table[key].round(1) for key in ("gained", "lost", "reached", "unreached")},
    }
    return pd.DataFrame(columns)


def comparison(left: Outcome, right: Outcome, cost_unit: str, lang: Lang) -> pd.DataFrame:
    """Return two what-ifs side by side, and what differs between them."""
    rows = []
    for key in (*SHARES, *METRES):
        a, b = left.indicators[key], right.indicators[key]
        both = a is not None and b is not None
        if key in METRES:
            difference = say(lang, "whatif.metres", metres=b - a) if both else "–"
        else:
            difference = say(lang, "whatif.points", points=100 * (b - a)) if both else "–"
        rows.append((label(lang, f"indicator.{key}"), shown(a, key, lang), shown(b, key, lang), difference))
    for key, a, b in (
        ("capital", left.capital_cost, right.capital_cost),
        ("operating", left.operating_cost, right.operating_cost),
    ):
        rows.append((label(lang, f"whatif.{key}", unit=cost_unit), f"{a:,.2f}", f"{b:,.2f}", f"{b - a:+,.2f}"))
    heads = [label(lang, key) for key in ("app.indicator", "whatif.left", "whatif.right", "whatif.difference")]
    return pd.DataFrame(rows, columns=heads)
