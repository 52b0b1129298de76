"""Result -> the small tables that the workbook and the report both show, so that a figure is worked out in one place.

Takes a `Result`; adds up and picks, but measures nothing that the result has not measured.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from planner.coverage import Bools, Coverage, Floats
from planner.draw import webdata
from planner.hours import week_mask
from planner.pipeline import Result
from planner.replanning import churn
from planner.standards import norm_beyond, norm_name, norms
from planner.study import LedgerDemand, LineDemand, PlanSettings, TierRule, ZoneDemand
from planner.tiers import tier_matrix
from planner.words import Lang, say, term
from planner.words.wording import hours, listed, metres, money, people, percent, sentences

# Every indicator of a moment, in the order they are shown; the report tells the first ones.
INDICATORS = (
    *("share", "covered_weight", "effective_share", "backup_share", "served_share", "circle_share", "open_share"),
    *("equipped_share", "all_hours_share", "mean_m", "p90_m", "worst_m", "unreachable_share", "gini"),
)
TOLD = frozenset(
    (
        "share",
        "covered_weight",
        "effective_share",
        "backup_share",
        "served_share",
        "mean_m",
        "p90_m",
        "worst_m",
        "unreachable_share",
    )
)


def indicators_of(result: Result) -> tuple[str, ...]:
    """Return the indicators that this result has: the served share only where capacity was judged."""
    return tuple(key for key in INDICATORS if key in result.indicators[0])


def moments(result: Result) -> tuple[int, ...]:
    """Return today (0) and the years of the plan; only today where no plan could be made."""
    made = result.plan is not None and result.plan.found
    return (0, *(result.years if made else ()))


def figures_of(result: Result, moment: int, group: str | None = None) -> dict[str, Any]:
    """Return the indicators of a moment, of all people or of one group."""
    everyone = result.indicators[moment]
    return everyone["by_group"][group] if group else everyone


def unit_name(result: Result) -> str:
    """Return what people are counted in; one word, since one study counts alike in all its groups."""
    return next(iter(result.study.groups.values())).unit_name


def scope(result: Result, group: str) -> str:
    """Return the area that a group's numbers speak of, as the study says it; or the study's own."""
    said = dict.fromkeys(d.scope for d in result.study.demand if d.group == group and d.scope)
    return "; ".join(said) or result.study.scope


def shift_shares(result: Result) -> pd.DataFrame:
    """Return how much of each shift is effectively covered.

    Returns:
        A row a shift: ``group``, ``shift``, ``hours`` (OSM syntax), ``within`` (of those who have a site within the radius today, the
        share of the shift with one open and equipped) and a column for each of `moments`: the same share of everybody. A share is
        Σ people × half-hours of the shift so covered ÷ Σ people × half-hours of the shift; None where nobody counts.
    """
    rows = []
    weight, group_of = result.demand["weight"].to_numpy(dtype=float), result.demand["group"].to_numpy()
    covered = result.coverage[0].covered
    for group in result.study.groups:
        for shift in result.study.shifts(group):
            mask = week_mask(shift.hours)
            row: dict[Any, Any] = {"group": group, "shift": shift.name, "hours": shift.hours}
            here = group_of == group
            row["within"] = _share(weight * (here & covered), result.coverage[0], mask)
            row |= {moment: _share(weight * here, result.coverage[moment], mask) for moment in moments(result)}
            rows.append(row)
    return pd.DataFrame(rows)


def _share(weight: Floats, coverage: Coverage, mask: Bools) -> float | None:
    of_week = coverage.weeks[:, mask].mean(axis=1)
    return float(weight @ of_week[coverage.week] / weight.sum()) if weight.sum() > 0 else None


def gaps_by_reason(result: Result) -> pd.DataFrame:
    """Return ``reason``, ``gaps`` (how many), ``weight`` (people-equivalents) and ``share`` of all gaps, heaviest first."""
    table: pd.DataFrame = result.gaps.groupby("reason").agg(gaps=("id", "size"), weight=("weight", "sum")).reset_index()
    table["share"] = table["weight"] / table["weight"].sum()
    return table.sort_values(["weight", "reason"], ascending=[False, True], ignore_index=True)


def norm_rows(result: Result, lang: Lang) -> list[dict[str, Any]]:
    """Return a row for each rule of the norms that the study is judged by.

    Returns:
        ``norm``, ``rule``, ``measures`` and ``source`` in words; ``kind`` of the rule; by moment (0 and the plan's last year), for the
        whole area, ``measured``, ``met`` and ``unknown`` (in words what is missing to judge it, "" where it is judged); ``zones`` judged
        and ``zones_met`` today; ``failing``: names of the zones that fail today, those that lack most first.
    """
    rows, names = [], zone_names(result, lang)
    for (norm, kind), part in (
        (map(str, key), part) for key, part in result.verdicts.groupby(["norm", "rule"], sort=False)
    ):
        whole = part[part["zone"] == ""].set_index("moment")
        today = part[(part["zone"] != "") & (part["moment"] == 0) & (part["unknown"] == "")]
        if whole.empty:
            continue
        rule = next(rule for rule in norms()[norm]["rules"] if rule["kind"] == kind)
        failing = today[~today["met"].astype(bool)]
        lacks = ((failing["measured"] - failing["required"]) / failing["required"]).abs()
        rows.append(
            {
                "norm": norm_name(norm, lang),
                "rule": norm_rule(rule, lang),
                "kind": kind,
                "measures": say(lang, f"rule.{kind}"),
                "source": f"{norms()[norm]['source']} ({norms()[norm]['confidence']})",
                "measured": whole["measured"].to_dict(),
                "met": whole["met"].to_dict(),
                "unknown": {
                    m: say(lang, f"workbook.unknown_{why}") if why else "" for m, why in whole["unknown"].items()
                },
                "zones": len(today),
                "zones_met": int(today["met"].sum()),
                "failing": [
                    names[failing["zone"].loc[n]] for n in lacks.sort_values(ascending=False, kind="stable").index
                ],
            }
        )
    return rows


def norm_rule(rule: Mapping[str, Any], lang: Lang) -> str:
    """Return what a norm's rule asks for, in words."""
    shown: dict[str, Any] = {key: f"{value:,g}" for key, value in rule.items() if isinstance(value, int | float)}
    if "share" in rule:
        shown["share"] = percent(rule["share"], 0)
    if "services" in rule:
        shown["services"] = listed(lang, [term(lang, "service", service) for service in rule["services"]])
    if "words" in rule:
        shown["words"] = rule["words"][0 if lang == "zh" else -1]
    if "steps" in rule:
        shown["steps"] = say(lang, "document.list_comma").join(_norm_step(step, lang) for step in rule["steps"])
    return say(lang, f"workbook.norm_{rule['kind']}{_variant(rule)}", **shown)


def _variant(rule: Mapping[str, Any]) -> str:
    """Return the ending of the sentence that fits what a rule names."""
    match rule["kind"]:
        case "within" if "services" in rule:
            return "_services"
        case "within" if "minutes" in rule:
            return "_both" if "within_m" in rule else "_minutes"
        case "floor_area" if "most" in rule:
            return "_range"
        case _:
            return ""


def _norm_step(step: Mapping[str, float], lang: Lang) -> str:
    key = "workbook.norm_step_over" if step["over"] else "workbook.norm_step_else"
    return say(lang, key, over=f"{step['over']:,g}", within_m=f"{step['within_m']:,g}")


def norms_beyond(result: Result, lang: Lang) -> list[tuple[str, str]]:
    """Return the norms that ask for more than can be judged, and what."""
    asked = ((norm_name(norm, lang), norm_beyond(norm, lang)) for norm in result.study.standard.judge)
    return [(name, what) for name, what in asked if what]


def tier_rows(result: Result, lang: Lang) -> list[dict[str, Any]]:
    """Return a row for each rule of the tiers.

    Returns:
        ``tier`` and ``rule`` in words; ``places`` judged; ``met`` by moment (0 and the plan's last year): how many have what the rule
        asks; ``missing``: names of those that lack it today.
    """
    rows = []
    for number, part in result.tiers.groupby("rule", sort=True):
        rule, today = result.study.tiers[int(str(number))], part[part["moment"] == 0]
        rows.append(
            {
                "tier": term(lang, "tier", rule.tier),
                "rule": tier_rule(rule, lang),
                "places": len(today),
                "met": part.groupby("moment")["met"].sum().to_dict(),
                "missing": today.loc[~today["met"].astype(bool), "name"].tolist(),
            }
        )
    return rows


def tier_rule(rule: TierRule, lang: Lang) -> str:
    """Return what a tier's rule asks for, in words."""
    roles = listed(lang, [term(lang, "role", role) for role in rule.roles]) or say(lang, "workbook.tier_any")
    counts = listed(lang, [term(lang, "tier", tier) for tier in rule.counts])
    parts = [
        say(lang, "workbook.tier_from", n=people(rule.from_workers)) if rule.from_workers else "",
        say(lang, "workbook.tier_least", n=rule.at_least, roles=roles),
        say(lang, "workbook.tier_per", n=people(rule.per_workers)) if rule.per_workers else "",
        _tier_walk(rule, lang),
        say(lang, "workbook.tier_counts", tiers=counts) if counts else "",
        rule.source,
    ]
    return say(lang, "workbook.tier_separator").join(part for part in parts if part)


def _tier_walk(rule: TierRule, lang: Lang) -> str:
    if rule.within_m is None:
        return ""
    if rule.tier in ("cluster", "enterprise"):
        return say(lang, "workbook.tier_at_door", walk=metres(rule.within_m))
    return say(lang, "workbook.tier_within", walk=metres(rule.within_m), share=percent(rule.share, 0))


def tier_cells(result: Result, lang: Lang) -> dict[int, pd.DataFrame]:
    """Return the tier matrix of each moment judged, in words: a row a zone, a column a tier."""
    words = {key: say(lang, f"workbook.tier_{key or 'nothing'}") for key in ("present", "missing", "")}
    parts = result.tiers.groupby("moment")
    return {int(str(m)): tier_matrix(part, result.zones).map(words.__getitem__) for m, part in parts}


def site_name(result: Result, site: Any) -> str:
    """Return the name of a place, or its id where it has none; nothing where there is none."""
    if pd.isna(site):
        return ""
    names = result.sites.loc[result.sites["id"] == site, "name"]
    return str(names.iat[0]) if len(names) and names.iat[0] else str(site)


def zone_names(result: Result, lang: Lang) -> dict[str, str]:
    """Return the names of the zones by id, and for "" that a place lies in none of them."""
    return webdata.zone_names(result, say(lang, "workbook.nowhere"))


def group_name(result: Result, group: str) -> str:
    """Return the name of a group of workers."""
    return result.study.groups[group].name


# A setting in words: its name, its value here and what it rests on.
Setting = tuple[str, str, str]


def standards(result: Result, lang: Lang) -> list[Setting]:
    """Return by which rules the study is judged and planned."""
    standard, plan, capacity = result.study.standard, result.study.plan, result.study.capacity
    rows = [
        _setting(lang, "standard", standard.name),
        _setting(lang, "service_radius_m", metres(standard.service_radius_m)),
        _setting(lang, "walking_speed_m_s", f"{standard.walking_speed_m_s:g}"),
        _setting(lang, "backup", str(standard.backup)),
        _setting(lang, "services", listed(lang, [term(lang, "service", s) for s in standard.services])),
        _setting(lang, "access_share", f"{standard.access_share:g}"),
    ]
    if capacity:
        held = {"minutes": capacity.visit_minutes, "hours": capacity.every_hours}
        rows.append(_setting(lang, "capacity", say(lang, "workbook.std_capacity_value", **held)))
    if plan is None:
        return rows
    rows.append(_setting(lang, "objective", term(lang, "objective", plan.objective), weights=_year_weights(plan, lang)))
    limits = {"gap": percent(plan.mip_gap, 2), "nodes": plan.work_limit, "seconds": plan.time_limit_s}
    timed = "_time" if plan.time_limit_s else ""
    limit = say(lang, f"workbook.std_limits{timed or '_value'}", **limits)
    return [*rows, (say(lang, "workbook.std_limits"), limit, say(lang, f"workbook.std_limits{timed}_basis"))]


def people_counted(result: Result, lang: Lang) -> list[Setting]:
    """Return whom the study counts: shifts, numbers of people and how they are spread."""
    study, rows = result.study, list[Setting]()
    for group in study.groups.values():
        for shift in group.shifts:
            whole = sum(other.share for other in group.in_season(shift.season or study.season_planned))
            season = say(lang, "workbook.std_season", season=_season(lang, shift.season)) if shift.season else ""
            name = {"group": group.name, "shift": shift.name + season}
            rows.append(_setting(lang, "shift", hours(lang, shift.hours), name, share=percent(shift.share / whole, 0)))
    for number, demand in enumerate(study.demand, 1):
        name = {"group": study.groups[demand.group].name}
        total = say(lang, "workbook.std_total", **name)
        place = demand.scope or study.scope or say(lang, "workbook.scope_none")
        counted = people(float(result.demand.loc[result.demand["id"].str.startswith(f"D{number}-"), "weight"].sum()))
        if isinstance(demand, LineDemand):
            basis = say(lang, "workbook.std_line_basis", piece=metres(demand.piece_m), scope=place)
            rows.append((total, counted, basis))
            widths = ", ".join(f"{street} {width:g}" for street, width in demand.width_m.items() if width > 0)
            rows.append(_setting(lang, "widths", widths, name))
            continue
        listed_in = " · ".join(filter(None, (demand.file, demand.sheet)))
        if isinstance(demand, LedgerDemand):
            key = "workbook.std_ledger_basis" if demand.total is None else "workbook.std_ledger_total_basis"
            rows.append((total, counted, say(lang, key, file=listed_in, piece=metres(demand.piece_m), scope=place)))
        elif isinstance(demand, ZoneDemand):
            over = say(lang, f"workbook.std_zone_{'points' if demand.points else 'streets'}")
            rows.append((total, counted, say(lang, "workbook.std_zone_basis", file=listed_in, over=over, scope=place)))
        else:
            rows.append((total, counted, say(lang, "workbook.std_point_basis", file=listed_in, scope=place)))
    return rows


def why_rows(result: Result, lang: Lang) -> list[dict[str, Any]]:
    """Return why each action is in the plan, in words and numbers, in the order of the programme; nothing where there is no plan.

    Returns:
        Keys: ``number``, ``site``, ``name``, ``action``, ``year``, ``loss`` (people), ``objective_loss``; as text ``groups``, ``zones``,
        ``closes`` (gaps), ``substitutes`` and ``needed`` (rules). Where robustness was asked for, ``stays`` (text), ``replanned_loss``
        (text where there is none) and ``price`` (likewise) too. What the aim keeps from being worked out says so (`not_told`).
    """
    why, programme = result.why, result.programme
    if why is None:
        return []
    zones, table = zone_names(result, lang), why.actions.to_dict("records")
    seats, priced = _seats_are_an_aim(result), _has_price(result)
    rows = []
    for at, needed in enumerate(result.why_needed(lang)):
        told, action = programme.iloc[at], table[at]["action_id"]
        serves = why.serves[(why.serves["action_id"] == action) & (why.serves["loss"].abs() >= _TOLD)]
        serves = serves.sort_values("loss", ascending=False, kind="stable")
        rows.append(
            {
                "number": int(told["number"]),
                "site": told["site"],
                "name": site_name(result, told["site"]),
                "action": term(lang, "action", told["action"]),
                "year": int(told["year"]),
                "loss": table[at]["loss"],
                "objective_loss": table[at]["objective_loss"],
                "groups": _served(serves[serves["of"] == "group"], lambda g: group_name(result, g), lang),
                "zones": _served(serves[serves["of"] == "zone"].head(3), zones.__getitem__, lang),
                "closes": _closed(
                    why.gaps[(why.gaps["action_id"] == action) & why.gaps["closes"]]["gap"].tolist(), lang
                ),
                "substitutes": say(lang, "why.with_seats")
                if seats
                else _swapped(result, why.substitutes[why.substitutes["action_id"] == action], lang),
                "needed": "; ".join(needed),
                **(_sure(result.robustness.actions.iloc[at], lang, priced=priced) if result.robustness else {}),
            }
        )
    return rows


def _seats_are_an_aim(result: Result) -> bool:
    return result.made is not None and result.made.problem.seats is not None


def _has_price(result: Result) -> bool:
    """Tell whether the aim is one for which `planner.robustness` knows a price from which an action could go."""
    settings = result.study.plan
    worst = settings is not None and not settings.mix and settings.objective in ("fairest", "worst_walk")
    return not worst and not _seats_are_an_aim(result)


def not_told(result: Result, lang: Lang) -> str:
    """Say why nothing could stand in for an action and no price is given, where the aim keeps both from being worked out."""
    return say(lang, "why.with_seats_why") if result.why is not None and _seats_are_an_aim(result) else ""


def how_sure(result: Result, lang: Lang) -> tuple[str, ...]:
    """Say how many actions stay when assumptions wobble, where that was asked for, and which single closing would hurt most."""
    told = []
    if result.robustness is not None:
        verdicts = result.robustness.actions["verdict"].tolist()
        counted = {"core": verdicts.count("core"), "doubtful": verdicts.count("doubtful")}
        told.append(say(lang, "why.core_told", trials=len(result.robustness.trials), **counted))
    if result.why is not None and len(result.why.closings):
        worst = result.why.closings.iloc[0]
        name = site_name(result, worst["site"])
        told.append(say(lang, "why.worst_closing", name=name, people=people(worst["loss"])))
    return tuple(told)


def _sure(row: pd.Series, lang: Lang, *, priced: bool) -> dict[str, Any]:
    told = {"verdict": say(lang, f"why.{row['verdict']}"), "share": percent(row["stays"], 0)}
    return {
        "stays": say(lang, "why.stays_told", **told),
        "replanned_loss": row["replanned_loss"]
        if row["replanned"] == "found"
        else say(lang, f"why.replanned_{row['replanned']}"),
        "price": row["price"] if priced else say(lang, "why.no_price"),
    }


def objective_value(lang: Lang, settings: PlanSettings, value: float) -> str:
    """Return a value of the objective in its unit: a share, metres or money."""
    if settings.mix or settings.objective not in ("mean_walk", "worst_walk", "least_cost"):
        return percent(value, 2)
    if settings.objective == "least_cost":
        return say(lang, "document.amount", n=money(value), unit=settings.cost_unit)
    return say(lang, "web.metres", metres=value)


def changes_told(result: Result, lang: Lang) -> str:
    """Say what has become of the last programme, and what a limit on changes costs; nothing where there is no progress table or no plan."""
    record, settings, made = result.record, result.study.plan, result.made
    if record is None or settings is None or made is None or not made.plan.found:
        return ""
    states = [
        term(lang, *(("progress", "closed") if row["progress"] == "closed" else ("change", row["change"])))
        for row in result.changes.to_dict("records")
    ]
    parts = [say(lang, "churn.part", what=state, n=states.count(state)) for state in dict.fromkeys(states)]
    told = {"year": settings.years[record.first], "changes": churn(result.changes)}
    return sentences(
        lang, say(lang, "churn.told", parts=say(lang, "document.list_comma").join(parts), **told), _bound(result, lang)
    )


def _bound(result: Result, lang: Lang) -> str:
    """Say what the limit on changes costs; nothing where there is none, or where that was left out."""
    settings, made = result.study.plan, result.made
    if settings is None or made is None or made.unbound is None:
        return ""
    loss = abs(made.unbound.objective - made.plan.objective)
    name = term(lang, "objective", "mix" if settings.mix else settings.objective)
    told = {"most": settings.max_changes, "objective": name, "loss": objective_value(lang, settings, loss)}
    return say(lang, "churn.limited" if loss > 1e-9 else "churn.free", **told)


def changes_table(result: Result, lang: Lang) -> dict[str, list[Any]]:
    """Return what has become of each row of the last programme and what is new, by column: key of the catalogue -> cells."""
    table = result.changes
    return {
        "programme.site": table["site"].tolist(),
        "programme.name": [site_name(result, site) for site in table["site"]],
        "workbook.change_action": [_action_words(action, lang) for action in table["action_id"]],
        "workbook.change_year": [year or None for year in table["year"].tolist()],
        "programme.progress": [term(lang, "progress", p) if p else "" for p in table["progress"]],
        "workbook.change_action_now": [_action_words(action, lang) for action in table["action_now"]],
        "workbook.change_year_now": [year or None for year in table["year_now"].tolist()],
        "programme.change": [term(lang, "change", change) for change in table["change"]],
        "programme.source": table["source"].tolist(),
    }


def _action_words(action: str, lang: Lang) -> str:
    """Return what an action's id (site/action/mode) says, in words; nothing for none."""
    if not action:
        return ""
    _, what, mode = action.rsplit("/", 2)
    return f"{term(lang, 'action', what)} · {term(lang, 'mode', mode.partition('#')[0])}"


def left_out(result: Result, lang: Lang) -> str:
    """Say what is not told of the plan because the search was ended, and by what; nothing where all is told."""
    told = []
    for by in ("interrupted", "time"):
        parts = [say(lang, f"left_out.{p.part}", done=p.done, of=p.of) for p in result.left_out if p.by == by]
        if parts:
            told.append(say(lang, f"left_out.{by}", parts=say(lang, "rules.semicolon").join(parts)))
    return sentences(lang, *told)


def _served(serves: pd.DataFrame, name: Callable[[str], str], lang: Lang) -> str:
    told = [
        say(lang, "why.share", name=name(i), value=people(loss))
        for i, loss in zip(serves["id"], serves["loss"], strict=True)
    ]
    return say(lang, "document.list_comma").join(told)


def _closed(gaps: list[str], lang: Lang) -> str:
    ids = say(lang, "document.list_comma").join(gaps[:3])
    return say(lang, "why.gaps_more", ids=ids, n=len(gaps)) if len(gaps) > 3 else ids


def _swapped(result: Result, swaps: pd.DataFrame, lang: Lang) -> str:
    told = [
        say(
            lang,
            "why.swap",
            name=site_name(result, swap["site"]),
            action=term(lang, "action", swap["substitute"].split("/")[-2]),
            year=swap["year"],
            keeps=percent(swap["keeps"], 0),
        )
        for swap in swaps.to_dict("records")
    ]
    return "; ".join(told)


# Less of a person is not told.
_TOLD = 0.05


def _season(lang: Lang, season: str) -> str:
    return term(lang, "season", season)


def season_rows(result: Result, lang: Lang) -> list[tuple[str, str, dict[int, float | None]]]:
    """Return season and group in words and the effective share by moment, for each season and group."""
    rows = []
    for key, part in result.seasons.groupby(["season", "group"], sort=False):
        season, group = map(str, key)
        name = _season(lang, season)
        if season == result.study.season_planned:
            name = say(lang, "document.season_planned", season=name)
        rows.append((name, group_name(result, group), dict(zip(part["moment"], part["effective_share"], strict=True))))
    return rows


def _setting(lang: Lang, key: str, value: str, name: Mapping[str, object] | None = None, **basis: object) -> Setting:
    return say(lang, f"workbook.std_{key}", **(name or {})), value, say(lang, f"workbook.std_{key}_basis", **basis)


def _year_weights(plan: PlanSettings, lang: Lang) -> str:
    weights = plan.normalised_year_weights
    if max(weights) - min(weights) < 1e-9:
        return say(lang, "workbook.std_weights_alike")
    return listed(lang, [f"{year} {weight:.0%}" for year, weight in zip(plan.years, weights, strict=True)])
