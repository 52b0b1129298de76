"""Result -> what the report says: headings, sentences and tables in order, before anybody thinks of fonts and pages.

Takes a `Result` and a language, gives blocks. Sentences are made from data by rules: each says no more than its figures carry, zero is
worded and not counted, and "proven optimal" stands only where it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from planner import __version__
from planner.coverage import clock
from planner.draw.webdata import planned_hours
from planner.evaluation import SHARES
from planner.hours import label
from planner.last import changes, scopes_differ, since
from planner.pipeline import Result, hosts_open
from planner.report import figures
from planner.study import PlanSettings
from planner.words import Lang, say, term
from planner.words.wording import amount, count, hours, listed, metres, money, people, percent, sentences

MISSING_NAMED = SITES_NAMED = 2
# Half-hours of an ordinary working day.
WEDNESDAY = slice(2 * 48, 3 * 48)
TOP_GAPS, TOLD_GAPS, TOP_PLACES, TOP_ZONES, TOP_HOURS = 10, 3, 3, 5, 2
MOST_ACTIONS = 40
# A share of those at work below which an hour is told of.
FEW = 0.5
# What makes a reason a main one, of all that is lacking.
MAIN_SHARE = 0.1
# Coverage within this fraction of the other counts as alike in words.
_ALIKE = 0.95
# Seats are shared out in whole millionths.
_PROVEN = 1e-5


@dataclass(frozen=True)
class Heading:
    """A numbered heading of level 1 or 2."""

    level: int
    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph; ``lead`` opens it and is set off. A ``note`` belongs to the table above it and is set as small as that."""

    text: str
    lead: str = ""
    note: bool = False


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes:
        caption: what stands above it, after its number.
        head: headings.
        rows: cells as text.
        widths: relative to each other.
        align: a letter a column: l, c or r.
        total: the last row is a total.
        compact: a long table of its own pages, set smaller.
    """

    caption: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    widths: tuple[float, ...]
    align: str
    total: bool = False
    compact: bool = False


Block = Heading | Text | Grid


def story(result: Result, lang: Lang) -> list[Block]:
    """Return the report's text, conclusion first."""
    shifts = figures.shift_shares(result)
    told = (_conclusion(result, lang, shifts), _state(result, lang, shifts))
    rest = (part(result, lang) for part in (_gaps, _actions, _quality, _method))
    return [block for part in (*told, *rest) for block in part]


def annex(result: Result, lang: Lang) -> list[Block]:
    """Return the programme as a table for the report's last pages; nothing where there is none."""
    programme, unit = result.programme, _unit(result)
    if programme.empty:
        return []
    head = ("column_rank", "column_name", "column_zone", "column_mode", "column_state", "column_open")
    amounts = [f"{_say(lang, key)}\n({unit})" for key in ("column_capital", "column_operating")]
    shown, open_then = programme.head(MOST_ACTIONS), planned_hours(result, lang)
    rows = [
        (
            str(row["number"]),
            _say(lang, "place_named", name=row["name"], site=row["site"]),
            row["town"],
            term(lang, "mode", row["mode"]),
            term(lang, "status", row["state"]),
            open_then[row["site"]],
            amount(row["capital_cost"]),
            amount(row["operating_cost"]),
            str(row["year"]),
            people(row["gain"]),
        )
        for row in shown.to_dict("records")
    ]
    grid = Grid(
        _say(lang, "h_programme_caption"),
        (*(_say(lang, key) for key in head), *amounts, _say(lang, "column_year"), _gain(result, lang)),
        rows,
        (4, 23, 9, 8.6, 10.4, 24.5, 6, 7.4, 5, 9),
        "cllcclrrcr",
        compact=True,
    )
    more = len(programme) - len(shown)
    note = [Text(_say(lang, "programme_more", more=count(lang, more, "more_action")))] if more else []
    return [Heading(1, _say(lang, "h_programme")), grid, *note]


def _say(lang: Lang, key: str, **values: object) -> str:
    return say(lang, f"document.{key}", **values)


def _unit(result: Result) -> str:
    return result.study.plan.cost_unit if result.study.plan else ""


def _amount(result: Result, lang: Lang, value: float) -> str:
    return _say(lang, "amount", n=money(value), unit=_unit(result))


def _weight(lang: Lang, value: float) -> str:
    return _say(lang, "equivalents", n=people(value))


def _gain(result: Result, lang: Lang) -> str:
    return _say(lang, "gain_effective")


def _period(result: Result, lang: Lang) -> str:
    first, last = result.years[0], result.years[-1]
    return _say(lang, "period", first=first, last=last) if first != last else count_year(lang, first)


def count_year(lang: Lang, year: int) -> str:
    """Return a year as it stands in a sentence."""
    return _say(lang, "in_year", year=year)


def _moment(lang: Lang, moment: int) -> str:
    return say(lang, "workbook.year_end", year=moment) if moment else say(lang, "workbook.today")


def _groups(result: Result, lang: Lang) -> list[tuple[str, str, float]]:
    """Return id, name and people of each group."""
    by_group = result.indicators[0]["by_group"]
    return [
        (group, figures.group_name(result, group), by_group[group]["total_weight"]) for group in result.study.groups
    ]


# --- conclusion -------------------------------------------------------------------------------------------------------


def _conclusion(result: Result, lang: Lang, shifts: pd.DataFrame) -> Iterator[Block]:
    yield Heading(1, _say(lang, "h_conclusion"))
    yield Text(_who_is_covered(result, lang, shifts), _say(lang, "lead_covered"))
    yield Text(_who_is_not(result, lang), _say(lang, "lead_gaps"))
    if result.plan is None or not result.plan.found or result.programme.empty:
        yield Text(_why_no_plan(result, lang), _say(lang, "lead_plan"))
        return
    yield Text(_what_to_do(result, lang), _say(lang, "lead_plan"))
    yield Text(_what_it_costs(result, lang), _say(lang, "lead_cost"))
    yield Text(_how_good_in_short(result, lang), _say(lang, "lead_proof"))


def _who_is_covered(result: Result, lang: Lang, shifts: pd.DataFrame) -> str:
    today = figures.figures_of(result, 0)
    groups = listed(lang, [_say(lang, "group_people", group=name, n=people(n)) for _, name, n in _groups(result, lang)])
    scope = result.study.scope
    opening = _say(lang, "population_at" if scope else "population", groups=groups, scope=scope)
    standing = int(result.sites["status"].isin(["existing", "upgraded", "closed"]).sum())
    if not standing:
        return sentences(lang, opening, _say(lang, "no_sites"))
    covered = _say(
        lang,
        "covered_one" if standing == 1 else "covered",
        sites=count(lang, standing, "site"),
        radius=metres(result.study.standard.service_radius_m),
        covered=_say(lang, "people", n=people(today["covered_weight"])),
        share=percent(today["share"]),
    )
    less = today["effective_share"] < _ALIKE * today["share"]
    effective = _say(lang, "effective_less" if less else "effective_like", effective=percent(today["effective_share"]))
    return sentences(
        lang, opening, covered, effective, _groups_apart(result, lang), _weakest_shift(result, lang, shifts)
    )


def _groups_apart(result: Result, lang: Lang) -> str:
    """Return the groups' effective coverage, where there are several."""
    shares = result.indicators[0]["by_group"]
    told = [
        _say(lang, "group_share", group=name, share=percent(shares[group]["effective_share"]))
        for group, name, weight in _groups(result, lang)
        if weight > 0
    ]
    return _say(lang, "by_group", shares=_say(lang, "reasons_comma").join(told)) if len(told) > 1 else ""


def _weakest_shift(result: Result, lang: Lang, shifts: pd.DataFrame) -> str:
    shifts = shifts.dropna(subset=[0])
    if len(shifts) < 2 or round(shifts[0].max(), 3) == round(shifts[0].min(), 3):
        return ""
    weakest = shifts.iloc[int(shifts[0].to_numpy(dtype=float).argmin())]
    return _say(
        lang, "weakest_shift" if weakest[0] > 0 else "weakest_shift_none", **_shift(result, lang, weakest, weakest[0])
    )


def _shift(result: Result, lang: Lang, shift: Any, share: float) -> dict[str, str]:
    group = figures.group_name(result, shift["group"])
    return {"group": group, "shift": shift["shift"], "hours": hours(lang, shift["hours"]), "share": percent(share)}


def _who_is_not(result: Result, lang: Lang) -> str:
    gaps = result.gaps
    if gaps.empty:
        return _say(lang, "no_gaps")
    total = _say(lang, "gaps_all", weight=_weight(lang, gaps["weight"].sum()), gaps=count(lang, len(gaps), "gap"))
    places = [_place(result, lang, gap, "gaps_place") for gap in gaps.head(TOP_PLACES).to_dict("records")]
    return sentences(lang, total, _main_reasons(result, lang), _say(lang, "gaps_top", places=listed(lang, places)))


def _main_reasons(result: Result, lang: Lang) -> str:
    """Return the reasons that make up most of what is lacking; the others stand in the chapter on gaps."""
    table = figures.gaps_by_reason(result)
    if len(table) == 1:
        return _reasons(result, lang)
    main = table[table["share"] >= MAIN_SHARE]
    told = [
        _say(lang, "gaps_main_reason", reason=term(lang, "reason", row["reason"]), share=percent(row["share"]))
        for row in main.to_dict("records")
    ]
    return _say(lang, "gaps_main_one" if len(told) == 1 else "gaps_main", reasons=listed(lang, told))


def _reasons(result: Result, lang: Lang) -> str:
    table = figures.gaps_by_reason(result)
    words = [term(lang, "reason", reason) for reason in table["reason"]]
    if len(words) == 1:
        return _say(lang, "gaps_one_reason", reason=words[0])
    told = [
        _say(lang, "gaps_reason", reason=word, share=percent(row["share"]), n=people(row["weight"]))
        for word, row in zip(words, table.to_dict("records"), strict=True)
    ]
    return _say(lang, "gaps_reasons", reasons=_say(lang, "reasons_comma").join(told))


def _place(result: Result, lang: Lang, gap: dict[str, Any], key: str) -> str:
    return _say(
        lang,
        key,
        zone=figures.zone_names(result, lang)[gap["zone"]],
        group=figures.group_name(result, gap["group"]),
        reason=term(lang, "reason", gap["reason"]),
        n=people(gap["weight"]),
    )


def _why_no_plan(result: Result, lang: Lang) -> str:
    if result.plan is None:
        return _say(lang, "plan_none")
    if not result.plan.found:
        return _say(lang, "plan_infeasible", reasons=sentences(lang, *result.plan_reasons(lang)))
    return _say(lang, "plan_empty")


def _kinds(lang: Lang, programme: pd.DataFrame) -> str:
    """Return what is done how often: 新建22个站点(共建14个、共享8个)和延长5个现有站点的开放时间."""
    told = []
    for action, part in programme.groupby("action", sort=True):
        kind = count(lang, len(part), str(action))
        modes = part["mode"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        if action == "build" and len(part) > 1:
            named = [_say(lang, "mode_count", mode=term(lang, "mode", str(mode)), n=n) for mode, n in modes.items()]
            kind = _say(lang, "kind_modes", kind=kind, modes=say(lang, "document.list_comma").join(named))
        told.append(kind)
    return listed(lang, told)


def _what_to_do(result: Result, lang: Lang) -> str:
    first, last = figures.figures_of(result, 0), figures.figures_of(result, result.years[-1])
    plan = _say(
        lang,
        "plan_actions",
        period=_period(result, lang),
        actions=count(lang, len(result.programme), "action"),
        kinds=_kinds(lang, result.programme),
    )
    changes = [_change(lang, key, first[key], last[key]) for key in ("share", "effective_share")]
    effect = _say(lang, "plan_effect", year=result.years[-1], changes=_say(lang, "changes_comma").join(changes))
    without = last["total_weight"] - last["covered_weight"]
    left = ""
    if round(without) > 0:
        radius = metres(result.study.standard.service_radius_m)
        left = _say(lang, "plan_left", people=_say(lang, "people", n=people(without)), radius=radius)
    return sentences(lang, plan, effect, left)


def _change(lang: Lang, key: str, before: float | None, after: float | None) -> str:
    told = {"name": say(lang, f"indicator.{key}"), "before": percent(before), "after": percent(after)}
    if told["before"] == told["after"]:
        return _say(lang, "unchanged", **told)
    return _say(lang, "changed" if (after or 0) > (before or 0) else "changed_down", **told)


def _what_it_costs(result: Result, lang: Lang) -> str:
    funds = result.funds
    keys = {
        "spent": "spent",
        "capital": "capital_cost",
        "operating": "operating_cost",
        "sunk": "sunk",
        "budget": "budget",
    }
    amounts = {key: _amount(result, lang, float(funds[column].sum())) for key, column in keys.items()}
    return _say(lang, "plan_cost_sunk" if funds["sunk"].any() else "plan_cost", **amounts)


def _worst_off_proven(result: Result) -> bool:
    """Tell whether only what comes after the worst-off is not proven: then the gap, which is theirs, is nothing."""
    plan, settings = result.plan, result.study.plan
    fair = settings is not None and not settings.mix and settings.objective == "fairest"
    return fair and plan is not None and plan.status == "feasible" and plan.gap <= 1e-9


def _how_good_in_short(result: Result, lang: Lang) -> str:
    plan, settings = result.plan, result.study.plan
    assert plan is not None and settings is not None
    if _worst_off_proven(result):
        return _say(lang, "proof_fair", objective=figures.objective_value(lang, settings, plan.objective))
    least = "_least" if settings.minimises and plan.status == "feasible" else ""
    return _say(lang, f"short_{plan.status}{least}", gap=_gap(plan.gap))


def _gap(gap: float) -> str:
    """Return a gap to the bound; one too small to show still is one."""
    return percent(max(gap, 0.0001), 2)


def _how_good(result: Result, lang: Lang) -> str:
    plan, settings = result.plan, result.study.plan
    assert plan is not None and settings is not None
    shown = partial(figures.objective_value, lang, settings)
    if plan.status == "optimal":
        proof = _say(lang, "proof_optimal")
    elif _worst_off_proven(result):
        proof = _say(lang, "proof_fair", objective=shown(plan.objective))
    else:
        # Rounded away from the plan, so that neither figure promises too much.
        gap = percent(max(plan.gap, 0.0001), 2)
        least = "_least" if settings.minimises else ""
        proof = _say(lang, f"proof_feasible{least}", bound=shown(plan.bound), objective=shown(plan.objective), gap=gap)
    limit = _say(lang, "proof_limit", seconds=settings.time_limit_s) if settings.time_limit_s else ""
    broken_off = _say(lang, "proof_interrupted") if plan.verdict == "interrupted" else ""
    missing = figures.left_out(result, lang)
    return sentences(lang, broken_off, proof, _objective_said(lang, settings), _phasing(result, lang), limit, missing)


def _objective_said(lang: Lang, settings: PlanSettings) -> str:
    indicator = {
        "effective": "effective_share",
        "share": "share",
        "backup": "backup_share",
        "served": "served_share",
    }.get(settings.objective)
    if indicator and not settings.mix and not settings.group_weights:
        return _say(lang, "proof_objective", name=say(lang, f"indicator.{indicator}"))
    return _say(lang, "proof_aim", name=term(lang, "objective", "mix" if settings.mix else settings.objective))


def _phasing(result: Result, lang: Lang) -> str:
    """Say what the phasing costs at most, where it is known."""
    made = result.made
    if made is None or len(result.years) < 2 or not made.last_bound > 0:
        return ""
    return _say(
        lang, "proof_phasing", year=result.years[-1], last=percent(made.last, 2), bound=percent(made.last_bound, 2)
    )


# --- coverage ---------------------------------------------------------------------------------------------------------


def _state(result: Result, lang: Lang, shifts: pd.DataFrame) -> Iterator[Block]:
    yield Heading(1, _say(lang, "h_state"))
    yield Heading(2, _say(lang, "h_indicators"))
    yield _indicator_grid(result, lang)
    yield Text(_definitions(result, lang), note=True)
    yield Text(_beside_indicators(result, lang))
    if result.last is not None:
        yield Heading(2, _say(lang, "h_last"))
        yield Text(_since_last(result, lang))
    if len(result.study.groups) > 1:
        yield Heading(2, _say(lang, "h_groups"))
        yield _group_grid(result, lang)
    yield Heading(2, _say(lang, "h_shifts"))
    yield from _shifts(result, lang, shifts)
    if len(result.evaluation):
        yield Heading(2, _say(lang, "h_evaluation"))
        yield Text(_evaluation(result, lang))
    if len(result.verdicts):
        yield Heading(2, _say(lang, "h_norms"))
        yield _norm_grid(result, lang)
        unjudged = _unjudged(result, lang)
        if unjudged:
            yield Text(unjudged, note=True)
    if len(result.tiers):
        yield Heading(2, _say(lang, "h_tiers"))
        yield _tier_grid(result, lang)


def _definitions(result: Result, lang: Lang) -> str:
    standard = result.study.standard
    scopes = {group: figures.scope(result, group) for group, _, _ in _groups(result, lang)}
    alike = len(set(scopes.values())) == 1
    told = [
        _say(
            lang,
            "definition_scope" if scopes[group] and not alike else "definition_no_scope",
            group=name,
            n=people(n),
            scope=scopes[group],
        )
        for group, name, n in _groups(result, lang)
    ]
    services = listed(lang, [term(lang, "service", s) for s in standard.services])
    return sentences(
        lang,
        _say(lang, "definition_people", groups=_say(lang, "scopes_comma").join(told)),
        _say(lang, "definition_scope_alike", scope=next(iter(scopes.values())))
        if alike and any(scopes.values())
        else "",
        "" if alike else _say(lang, "definition_mixed"),
        _say(lang, "definition_share", radius=metres(standard.service_radius_m)),
        _say(lang, "definition_effective", services=services),
        _say(lang, "definition_backup", backup=standard.backup),
        _say(lang, "definition_walk"),
    )


def _indicator_grid(result: Result, lang: Lang) -> Grid:
    moments = figures.moments(result)
    rows = []
    for key in figures.indicators_of(result):
        if key not in figures.TOLD:
            continue
        values = [figures.figures_of(result, moment)[key] for moment in moments]
        if key == "unreachable_share" and not any(values):
            continue
        form = percent if key.endswith("share") else metres if key.endswith("_m") else people
        name = say(lang, f"workbook.{key}" if key == "covered_weight" else f"indicator.{key}")
        unit = _say(lang, "in_metres") if key.endswith("_m") else ""
        rows.append((name + unit, *(form(value) for value in values)))
    weight = _say(lang, "people", n=people(figures.figures_of(result, 0)["total_weight"]))
    head = (_say(lang, "column_indicator"), *(_moment(lang, moment) for moment in moments))
    widths = (24, *[12] * len(moments))
    return Grid(_say(lang, "table_indicators", people=weight), head, rows, widths, "l" + "r" * len(moments))


def _beside_indicators(result: Result, lang: Lang) -> str:
    """Return what circles would claim, who is served through all of their hours, and what seats make of it."""
    today = figures.figures_of(result, 0)
    circle = ""
    if round(today["circle_share"], 3) > round(today["share"], 3):
        circle = _say(lang, "circle", circle=percent(today["circle_share"]), share=percent(today["share"]))
    walk, straight = today["mean_m"], today["mean_straight_m"]
    detour = _say(lang, "detour", walk=metres(walk), straight=metres(straight)) if walk and walk > straight else ""
    always = percent(today["all_hours_share"])
    all_hours = _say(lang, "all_hours_none") if always == percent(0) else _say(lang, "all_hours", share=always)
    served = _served(today, lang)
    return sentences(lang, circle, detour, all_hours, served, _equity(result, lang))


def _served(today: dict[str, Any], lang: Lang) -> str:
    """Return what seats make of it; that no other sharing serves more only where the cut says so."""
    if "served_share" not in today:
        return ""
    used, at_most = today["seat_hours"]["used"], today["seat_hours"]["at_most"]
    proven = used >= at_most * (1 - _PROVEN)
    return _say(lang, "served_most" if proven else "served", share=percent(today["served_share"]))


def _equity(result: Result, lang: Lang) -> str:
    """Return the zones that have most and least effective coverage, and how evenly it is spread over the people of each group."""
    today, names = result.indicators[0], figures.zone_names(result, lang)
    shares = {zone: f["effective_share"] for zone, f in today["by_zone"].items() if zone}
    ranked = sorted((-share, names[zone]) for zone, share in shares.items() if share is not None)
    apart = ""
    if len(ranked) > 1 and ranked[0][0] < ranked[-1][0]:
        least = [name for share, name in ranked if share == ranked[-1][0]]
        ends = {
            "best": ranked[0][1],
            "most": percent(-ranked[0][0]),
            "worst": least[0],
            "least": percent(-ranked[-1][0]),
        }
        apart = _say(lang, "zones_apart" if len(least) == 1 else "zones_apart_several", n=len(least), **ends)
    ginis = [
        _say(lang, "group_share", group=name, share=f"{today['by_group'][group]['gini']:.2f}")
        for group, name, _ in _groups(result, lang)
        if today["by_group"][group]["gini"] is not None
    ]
    uneven = _say(lang, "uneven", ginis=_say(lang, "reasons_comma").join(ginis)) if ginis else ""
    return sentences(lang, apart, uneven)


def _since_last(result: Result, lang: Lang) -> str:
    """Return how the indicators and the gaps changed since the run that the study names."""
    last, today = result.last, figures.figures_of(result, 0)
    assert last is not None
    if scopes_differ(last.scope, result.study.scope):
        return _say(lang, "last_scope", name=last.name, before=last.scope, after=result.study.scope)
    known = [key for key in ("share", "effective_share", "served_share") if key in last.figures and key in today]
    moved = [_change(lang, key, last.figures[key], today[key]) for key in known]
    told = _say(
        lang, "last_figures", name=last.name, run_id=last.run_id, changes=_say(lang, "changes_comma").join(moved)
    )
    radius_m = result.study.standard.service_radius_m
    if last.radius_m != radius_m:
        return sentences(lang, told, _say(lang, "last_radius", before=metres(last.radius_m), after=metres(radius_m)))
    found = changes(since(last, result.gaps))
    totals = {when: people(sum(part[when] for part in found.values())) for when in ("before", "after")}
    counts = {change: f"{part['gaps']:,.0f}" for change, part in found.items()}
    return sentences(lang, told, _say(lang, "last_gaps", **counts, **totals))


def _norm_grid(result: Result, lang: Lang) -> Grid:
    rows, told = figures.norm_rows(result, lang), []
    moments = sorted({moment for row in rows for moment in row["measured"]})
    for row in (row for row in rows if not all(row["unknown"].values())):
        verdicts = [_verdict(row, moment, lang) for moment in moments]
        told.append((row["norm"], row["rule"], *verdicts, _failing(row, lang)))
    head = (
        _say(lang, "column_norm"),
        _say(lang, "column_rule"),
        *(_moment(lang, moment) for moment in moments),
        say(lang, "workbook.norm_failing"),
    )
    widths = (32, 34, *[11] * len(moments), 13)
    return Grid(_say(lang, "table_norms"), head, told, widths, "ll" + "c" * len(moments) + "c")


def _unjudged(result: Result, lang: Lang) -> str:
    """Return which rules of the norms could not be judged, and for want of what."""
    rows = [row for row in figures.norm_rows(result, lang) if all(row["unknown"].values())]
    told = [
        _say(lang, "norm_unjudged", norm=r["norm"], rule=r["rule"], why=next(iter(r["unknown"].values()))) for r in rows
    ]
    beyond = [_say(lang, "norm_beyond", norm=norm, what=what) for norm, what in figures.norms_beyond(result, lang)]
    return sentences(lang, *told, *beyond)


def _verdict(row: dict[str, Any], moment: int, lang: Lang) -> str:
    if row["unknown"].get(moment):
        return str(row["unknown"][moment])
    met = say(lang, f"workbook.met_{'yes' if row['met'].get(moment) else 'no'}")
    return _say(lang, "verdict", value=_norm_figure(row["kind"], row["measured"].get(moment)), met=met)


def _failing(row: dict[str, Any], lang: Lang) -> str:
    """Return how many zones fail a rule today, of those judged by it; the workbook names them."""
    return _say(lang, "tier_met", met=len(row["failing"]), places=row["zones"]) if row["failing"] else ""


def _tier_grid(result: Result, lang: Lang) -> Grid:
    rows, told = figures.tier_rows(result, lang), []
    moments = sorted({moment for row in rows for moment in row["met"]})
    for row in rows:
        met = [_say(lang, "tier_met", met=int(row["met"].get(moment, 0)), places=row["places"]) for moment in moments]
        named = listed(lang, row["missing"][:MISSING_NAMED])
        rest = len(row["missing"]) - MISSING_NAMED
        if any(row["missing"]) and rest > 0:
            named = _say(
                lang,
                "tier_missing_more",
                names=say(lang, "document.list_comma").join(row["missing"][:MISSING_NAMED]),
                n=len(row["missing"]),
            )
        told.append((row["tier"], row["rule"], *met, named))
    head = (
        _say(lang, "column_tier"),
        _say(lang, "column_rule"),
        *(_moment(lang, m) for m in moments),
        _say(lang, "column_missing"),
    )
    widths = (12.4, 33, *[9.8] * len(moments), 28)
    return Grid(_say(lang, "table_tiers"), head, told, widths, "ll" + "c" * len(moments) + "l")


def _evaluation(result: Result, lang: Lang) -> str:
    """Return which sites would be missed most and which by nobody, which are full and which empty, and what a survey found."""
    card = result.evaluation.sort_values(["closing_loss", "site"], ascending=[False, True])
    vital = [
        _say(
            lang,
            "evaluation_site",
            name=figures.site_name(result, row["site"]),
            n=people(row["closing_loss"]),
        )
        for row in card[_found(card, "vital")].to_dict("records")
    ]
    told = [_say(lang, "evaluation_vital", sites=listed(lang, vital)) if vital else ""]
    for finding in ("dispensable", "overloaded", "idle"):
        names = [figures.site_name(result, site) for site in card.loc[_found(card, finding), "site"]]
        if names:
            counted, named = count(lang, len(names), "site"), listed(lang, names[:SITES_NAMED])
            examples = _say(lang, "examples" if len(names) > SITES_NAMED else "namely", names=named)
            told.append(_say(lang, f"evaluation_{finding}", n=counted, names=examples))
    asked = card[card["surveyed"] > 0]
    if len(asked):
        told.append(_surveyed(lang, asked))
    return sentences(lang, *told)


def _found(card: pd.DataFrame, finding: str) -> pd.Series:
    return card["finding"].map(lambda found: finding in found.split(";"))


def _surveyed(lang: Lang, asked: pd.DataFrame) -> str:
    shares = [
        _say(lang, "evaluation_share", name=say(lang, f"workbook.score_{key}"), share=percent(asked[key].mean(), 0))
        for key in SHARES
        if asked[key].notna().any()
    ]
    counted, small = count(lang, len(asked), "site"), int(asked["small_sample"].sum())
    return _say(lang, "evaluation_survey", sites=counted, shares=_say(lang, "changes_comma").join(shares), small=small)


def _norm_figure(kind: str, value: float | None) -> str:
    if kind in ("within", "backup", "all_day", "by_density", "offers", "kit", "floor_area"):
        return percent(value)
    return metres(value) if kind in ("spacing", "people", "residents") else amount(value)


def _group_grid(result: Result, lang: Lang) -> Grid:
    moments = figures.moments(result)
    ends = moments[:1] + moments[-1:] if len(moments) > 1 else moments
    columns = [(key, moment) for key in ("share", "effective_share", "mean_m") for moment in ends]
    rows = []
    for group, name, n in _groups(result, lang):
        cells = [(key, figures.figures_of(result, moment, group)[key]) for key, moment in columns]
        rows.append((name, people(n), *(metres(v) if key == "mean_m" else percent(v) for key, v in cells)))
    heads = [
        _say(
            lang,
            "at",
            name=say(lang, f"indicator.{key}") + (_say(lang, "in_metres") if key == "mean_m" else ""),
            moment=_moment(lang, moment),
        )
        for key, moment in columns
    ]
    head = (_say(lang, "column_group"), _say(lang, "column_people"), *heads)
    return Grid(_say(lang, "table_groups"), head, rows, (14.8, 9.6, *[11.8] * len(columns)), "lr" + "r" * len(columns))


def _shifts(result: Result, lang: Lang, shifts: pd.DataFrame) -> Iterator[Block]:
    moments = figures.moments(result)
    ends = moments[:1] + moments[-1:] if len(moments) > 1 else moments
    rows = [
        (
            figures.group_name(result, shift["group"]),
            shift["shift"],
            hours(lang, shift["hours"]),
            percent(shift[0]),
            percent(shift["within"]),
            *(percent(shift[moment]) for moment in ends[1:]),
        )
        for shift in shifts.to_dict("records")
    ]
    head = ("column_group", "column_shift", "column_hours")
    heads = (
        *(_say(lang, key) for key in head),
        _moment(lang, 0),
        _say(lang, "column_within"),
        *(_moment(lang, m) for m in ends[1:]),
    )
    yield Grid(_say(lang, "table_shifts"), heads, rows, (14.8, 8, 25, 10, 13, 10)[: len(heads)], "lllrrr"[: len(heads)])
    told = shifts[shifts["within"].notna()]
    if len(told):
        worst = told.iloc[int(told["within"].to_numpy(dtype=float).argmin())]
        if worst["within"] < 0.5:
            key = "shift_within" if worst["within"] > 0 else "shift_within_none"
            yield Text(_say(lang, key, **_shift(result, lang, worst, worst["within"])))
    told_hours = sentences(lang, _hosts_shut(result, lang), _worst_hours(result, lang))
    if told_hours:
        yield Text(told_hours)
    if _apart(figures.season_rows(result, lang)):
        yield _season_grid(result, lang)


def _hosts_shut(result: Result, lang: Lang) -> str:
    """Return the shift that the commonest hosts miss most, and how much of it; nothing where they are open half of each."""
    table = hosts_open(result)
    commonest = table[(table["kind"] != "") & (table["sites"] == table["sites"].max())]
    if commonest.empty or commonest["open_share"].min() >= 0.5:
        return ""
    row = commonest.iloc[int(commonest["open_share"].to_numpy(dtype=float).argmin())]
    open_then = next(shift.hours for shift in result.study.shifts(row["group"]) if shift.name == row["shift"])
    told = {
        "kind": term(lang, "kind", row["kind"]),
        "missed": percent(row["missed_share"]),
        "sites": int(row["sites"]),
    }
    return _say(
        lang, "hosts_shut", **told, **_shift(result, lang, row.to_dict() | {"hours": open_then}, row["open_share"])
    )


def _worst_hours(result: Result, lang: Lang) -> str:
    """Return, for the groups worst off, the half-hour of a Wednesday in which least of them are covered, in words."""
    hour_by_hour, low = clock(result.demand, result.coverage[0], result.profiles), list[tuple[float, int, str]]()
    for group in result.study.groups:
        day = hour_by_hour[group].to_numpy()[WEDNESDAY]
        if np.isfinite(day).any() and np.nanmin(day) < FEW:
            low.append((float(np.nanmin(day)), int(np.nanargmin(day)), figures.group_name(result, group)))
    told = []
    for share, at, group in sorted(low)[:TOP_HOURS]:
        key = "clock_none" if share == 0 else "clock_few" if share < 0.005 else "clock"
        told.append(_say(lang, key, time=label(at).removeprefix("0"), group=group, share=percent(share, 0)))
    return sentences(lang, *told)


def _apart(rows: list[tuple[str, str, dict[int, float | None]]]) -> list[tuple[str, str, dict[int, float | None]]]:
    """Return the rows of those groups whose shares hang on the season."""
    shares: dict[str, set[str]] = {}
    for _, group, by_moment in rows:
        shares.setdefault(group, set()).add(" ".join(percent(share) for share in by_moment.values()))
    return [row for row in rows if len(shares[row[1]]) > 1]


def _season_grid(result: Result, lang: Lang) -> Grid:
    rows = _apart(figures.season_rows(result, lang))
    moments = sorted(rows[0][2])
    told = [(season, group, *(percent(shares[m]) for m in moments)) for season, group, shares in rows]
    head = (_say(lang, "column_season"), _say(lang, "column_group"), *(_moment(lang, m) for m in moments))
    return Grid(_say(lang, "table_seasons"), head, told, (22, 16, *[12] * len(moments)), "ll" + "r" * len(moments))


# --- gaps -------------------------------------------------------------------------------------------------------------


def _gaps(result: Result, lang: Lang) -> Iterator[Block]:
    gaps = result.gaps
    yield Heading(1, _say(lang, "h_gaps"))
    if gaps.empty:
        yield Text(_say(lang, "no_gaps"))
        return
    total = _say(lang, "gaps_all", weight=_weight(lang, gaps["weight"].sum()), gaps=count(lang, len(gaps), "gap"))
    yield Text(sentences(lang, total, _reasons(result, lang), _zones_that_lack(result, lang)))
    yield _gap_grid(result, lang)
    more = gaps.iloc[TOP_GAPS:]
    if len(more):
        weight = _weight(lang, more["weight"].sum())
        told = _say(lang, "gaps_more", more=count(lang, len(more), "more_gap"), weight=weight)
        yield Text(sentences(lang, _say(lang, "remedies"), told))
    for gap in gaps.head(TOLD_GAPS).to_dict("records"):
        yield Text(_told(result, lang, gap))


def _zones_that_lack(result: Result, lang: Lang) -> str:
    by_zone = result.gaps[result.gaps["zone"] != ""].groupby("zone")["weight"].sum()
    if len(by_zone) < 2:
        return ""
    ranked = sorted(by_zone.items(), key=lambda item: (-item[1], item[0]))[:TOP_ZONES]
    names = figures.zone_names(result, lang)
    told = [_say(lang, "zone_weight", zone=names[zone], n=people(weight)) for zone, weight in ranked]
    return _say(lang, "gaps_zones", zones=listed(lang, told))


def _gap_grid(result: Result, lang: Lang) -> Grid:
    names = figures.zone_names(result, lang)
    rows = [
        (
            str(rank),
            names[gap["zone"]],
            figures.group_name(result, gap["group"]),
            people(gap["weight"]),
            term(lang, "reason", gap["reason"]),
            figures.site_name(result, gap["nearest_site"]),
            metres(gap["nearest_m"]),
            _remedy(result, lang, gap),
        )
        for rank, gap in enumerate(result.gaps.head(TOP_GAPS).to_dict("records"), 1)
    ]
    keys = ("rank", "zone", "group", "weight", "reason", "nearest", "walk", "remedy")
    head = tuple(_say(lang, f"column_{key}") for key in keys)
    return Grid(_say(lang, "table_gaps"), head, rows, (6.8, 13, 14.8, 10.3, 11, 16.5, 8.6, 19), "cllrllrl")


def _remedy(result: Result, lang: Lang, gap: dict[str, Any]) -> str:
    if pd.isna(gap["remedy"]):
        return say(lang, "workbook.remedy_none")
    name, mode = figures.site_name(result, gap["remedy_site"]), term(lang, "mode", gap["remedy_mode"])
    return _say(lang, "remedy", name=name, mode=mode, share=percent(gap["remedy_share"], 0))


def _told(result: Result, lang: Lang, gap: dict[str, Any]) -> str:
    minutes = 0
    if pd.notna(gap["nearest_site"]):
        minutes = max(1, round(gap["nearest_m"] / result.study.standard.walking_speed_m_s / 60))
    return _say(
        lang,
        f"gap_{gap['reason']}",
        place=_place(result, lang, gap, "gap_place"),
        site=figures.site_name(result, gap["nearest_site"]),
        walk=metres(gap["nearest_m"]),
        minutes=count(lang, minutes, "minute"),
    )


# --- plan -------------------------------------------------------------------------------------------------------------


def _actions(result: Result, lang: Lang) -> Iterator[Block]:
    yield Heading(1, _say(lang, "h_actions"))
    settings, programme = result.study.plan, result.programme
    if result.plan is None or settings is None or not result.plan.found or programme.empty:
        yield Text(sentences(lang, _why_no_plan(result, lang), figures.changes_told(result, lang)))
        return
    yield _year_grid(result, lang)
    yield Text(_say(lang, "carry" if settings.carry_over else "no_carry"))
    for year in result.years:
        yield Text(_told_year(result, lang, year))
    if result.record is not None:
        yield Text(figures.changes_told(result, lang))
    sure = figures.how_sure(result, lang)
    yield Text(sentences(lang, _how_good(result, lang), *sure, figures.not_told(result, lang)))


def _year_grid(result: Result, lang: Lang) -> Grid:
    """Return what each year does, costs (as `Result.funds` says it) and reaches."""
    funds = result.funds
    # What was spent in vain has a column only where there is any.
    costs = ["capital_cost", "operating_cost", *(["sunk"] if funds["sunk"].any() else []), "spent", "budget"]
    rows = []
    for year, actions, *amounts in funds[["year", "actions", *costs]].itertuples(index=False):
        then = figures.figures_of(result, year)
        shares = (percent(then["share"]), percent(then["effective_share"]))
        rows.append((str(year), str(actions), *map(amount, amounts), *shares))
    totals = map(amount, funds[costs].sum())
    rows.append((_say(lang, "column_total"), str(funds["actions"].sum()), *totals, "", ""))
    names = {"capital_cost": "column_capital", "operating_cost": "column_operating"}
    keys = ("column_year", "column_actions", *(names.get(cost, f"column_{cost}") for cost in costs))
    ends = [_say(lang, "at_end", name=say(lang, f"indicator.{key}")) for key in ("share", "effective_share")]
    head = (*(_say(lang, key) for key in keys), *ends)
    widths = {"capital_cost": 10.5, "sunk": 10.5}
    return Grid(
        _say(lang, "table_years", unit=_unit(result)),
        head,
        rows,
        (7, 9, *(widths.get(cost, 9) for cost in costs), 11, 13),
        "cr" + "r" * (len(head) - 2),
        total=True,
    )


def _told_year(result: Result, lang: Lang, year: int) -> str:
    part, spent = result.programme[result.programme["year"] == year], result.cost_by_year[year]
    if part.empty:
        key = "year_idle" if round(spent, 6) > 0 else "year_idle_free"
        return _say(lang, key, year=year, spent=_amount(result, lang, spent))
    best = part.iloc[int(part["gain"].to_numpy(dtype=float).argmax())]
    told = _say(
        lang,
        "year_actions",
        year=year,
        actions=count(lang, len(part), "action"),
        kinds=_kinds(lang, part),
        spent=_amount(result, lang, spent),
        effective=percent(figures.figures_of(result, year)["effective_share"]),
    )
    # A year of closings alone gains nobody anything.
    gained = best["gain"] >= 0.05
    name = best["name"] or best["site"]
    return sentences(lang, told, _say(lang, "year_best", best=name, gain=_weight(lang, best["gain"])) if gained else "")


# --- data and method --------------------------------------------------------------------------------------------------


def _quality(result: Result, lang: Lang) -> Iterator[Block]:
    network, lost = result.walks.network, figures.figures_of(result, 0)["unreachable_share"] or 0.0
    yield Heading(1, _say(lang, "h_quality"))
    rejected = len(result.rejects)
    parts = [
        _say(lang, "quality_rejects", rows=count(lang, rejected, "row")) if rejected else _say(lang, "quality_all"),
        _say(lang, "quality_network", source=result.study.base_map, length=f"{network.length_km:,.0f}"),
        _say(lang, "quality_components", components=f"{network.n_components:,}") if network.n_components > 1 else "",
        _say(lang, "quality_unreachable", share=percent(lost)) if lost >= 0.0005 else "",
        "" if result.study.capacity else _say(lang, "quality_no_capacity"),
    ]
    yield Text(sentences(lang, *parts))
    # What is illustrative stands at the head of every page.
    for warning in result.warnings:
        yield Text(warning)


def _method(result: Result, lang: Lang) -> Iterator[Block]:
    yield Heading(1, _say(lang, "h_method"))
    parts = [
        _say(lang, "method_reach", crs=result.study.crs),
        _say(lang, "method_gaps"),
        _say(lang, "method_plan") if result.plan else "",
        _say(lang, "method_repeat", run_id=result.run_id, version=__version__),
    ]
    # When the solver stops is for the analyst: it stands in the workbook.
    limits = say(lang, "workbook.std_limits")
    rows = [row for row in figures.standards(result, lang) if row[0] != limits]
    head = (_say(lang, "column_setting"), _say(lang, "column_value"), _say(lang, "column_basis"))
    yield Grid(_say(lang, "table_standards"), head, rows, (22, 26, 46), "lll")
    yield Text(sentences(lang, *parts), note=True)
