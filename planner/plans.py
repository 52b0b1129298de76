"""A study's aim × rules × what may be done -> the plan with its proof, and what there is to know about it.

Takes a `Terrain`; gives a `Plan` in the unit of its objective (a share, metres or money), what it loses by its phasing, what more and less
money would buy, why each action is in it, and why nothing fits. How it is found is `siting`'s.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from planner.coverage import Floats, offers, standing_sites
from planner.errors import InputError, plain_ctrl_c
from planner.evaluation import acceptance
from planner.programme import price_levels
from planner.replanning import barred, money_left
from planner.rulebook import Rulebook, Terrain, members_of, rulebook
from planner.siting import (
    Listener,
    Plan,
    Progress,
    Reason,
    Rule,
    SitingProblem,
    covering_problem,
    objective_of,
    objectives,
    rules,
)
from planner.siting.conflict import explain_conflict
from planner.siting.covering import Measure, Tally, seating_of
from planner.siting.problem import relative_gap
from planner.siting.seats import Seats
from planner.siting.solving import solve_watched
from planner.siting.watch import Watch
from planner.study import PlanSettings
from planner.words import Lang, has, say, term
from planner.words.wording import hours, listed

# Reasons that are said as a clause; the others are whole sentences.
_CLAUSES = (
    "budget", "limit", "required", "floor", "at_most", "at_least", "share_at_least", "spacing", "merging", "worst_walk",
    "settled", "past", "churn",
)  # fmt: skip
# A walk longer than this many service radii counts as this long, where the study doesn't say.
_WALK_RADII = 3.0
# Multiples of the yearly budgets at which the trade-off is computed.
_FACTORS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
TRADEOFF_COLUMNS = (
    "budget",  # money of all years together
    "cost",  # what the plan spends of it
    "objective",
    "bound",
    "status",
    "gain",  # objective more than at the point before, for each 10 of the cost unit
    "pays",  # whether the step still buys at least a tenth of what the first step bought, for the same money
)


@dataclass(frozen=True)
class LeftOut:
    """What is not told of a plan, or not all of it, because its search was ended.

    Attributes:
        part: ``phasing`` (what the phasing costs), ``churn`` (what a limit on changes costs), ``trade_off`` (what money buys), ``trials``
            (the plan under wobbling assumptions) or ``without`` (the plan made anew without each action).
        by: what ended it: the limit in seconds, or a hand.
        done, of: how much of it is told, of how much.
    """

    part: Literal["phasing", "churn", "trade_off", "trials", "without"]
    by: Literal["time", "interrupted"]
    done: int = 0
    of: int = 1


@dataclass(frozen=True)
class Made:
    """A plan, and what it was made for.

    Attributes:
        plan: objective and bound in the unit of the study's objective.
        problem: its objective is what `planner.siting` maximised.
        rulebook: the rules in it.
        last_bound: no plan under the same rules and money has a larger objective at the end of the last year; NaN where that is not asked.
        last: this plan's at that time.
        unbound: the plan if the last programme might be changed as much as helps; None where churn is not limited, or no time was left.
        left_out: which of these are missing because the search was ended.
    """

    plan: Plan
    problem: SitingProblem
    rulebook: Rulebook
    last: float = float("nan")
    last_bound: float = float("nan")
    unbound: Plan | None = None
    left_out: tuple[LeftOut, ...] = ()


def walk_cap_m(terrain: Terrain, settings: PlanSettings) -> float:
    """Return the longest walk that counts."""
    return settings.walk_cap_m or _WALK_RADII * terrain.study.standard.service_radius_m


def problem_of(
    terrain: Terrain,
    settings: PlanSettings,
    book: Rulebook,
    *,
    more: Sequence[Tally] = (),
    extra: Sequence[Rule] = (),
    radius_m: float | None = None,
) -> SitingProblem:
    """Return the covering problem of a study.

    Args:
        terrain: what is planned on.
        settings: aims, money and years; they may differ from the study's own.
        book: rules and the tallies they speak of.
        more, extra: tallies and rules after those of the book.
        radius_m: another service radius (``terrain.walks`` measures it).
    """
    counted = (*book.tallies, *more)
    far = "walk" in settings.aims or any(tally.within_m is not None for tally in counted) or radius_m is not None
    within_m = terrain.study.standard.service_radius_m if radius_m is None else radius_m
    farthest_m = max(
        [
            within_m,
            *(t.within_m or 0.0 for t in counted),
            walk_cap_m(terrain, settings) if "walk" in settings.aims else 0,
        ]
    )
    pairs = terrain.walks(farthest_m) if far else terrain.reach
    required = terrain.study.standard.services
    groups = list(terrain.profiles)
    code = {group: row for row, group in enumerate(groups)}
    weights = np.array([settings.group_weights.get(group, 1.0) for group in groups])
    return covering_problem(
        pairs.demand.astype(np.int64),
        pairs.site.astype(np.int64),
        pairs.n_demand,
        weight=terrain.demand["weight"].to_numpy(dtype=float),
        group=np.array([code[group] for group in terrain.demand["group"]], dtype=np.int64),
        profile=np.stack(list(terrain.profiles.values())),
        existing=standing_sites(terrain.sites, required),
        actions=offers(terrain.actions, terrain.place, required),
        capital_cost=terrain.actions["capital_cost"].to_numpy(dtype=float),
        operating_cost=terrain.actions["operating_cost"].to_numpy(dtype=float),
        budget=money_left(terrain.record, terrain.actions, settings),
        year_weight=settings.normalised_year_weights,
        carry_over=settings.carry_over,
        required=np.flatnonzero(terrain.sites["id"].isin(settings.required)).tolist(),
        objective=cast(Mapping[Measure, float], settings.aims),
        closes=terrain.closes if terrain.closes.any() else None,
        backup=terrain.study.standard.backup,
        reach_m=pairs.distance_m if far else None,
        radius_m=within_m,
        walk_cap_m=walk_cap_m(terrain, settings),
        group_weight=weights if settings.group_weights else None,
        tallies=counted,
        price_level=np.array(price_levels(settings)) if settings.price_change else None,
        rules=(*book.rules, *extra),
        seats=_seats(terrain) if settings.aims.get("served") else None,
    )


def _seats(terrain: Terrain) -> Seats:
    """Return who wants a seat when, and where there are some."""
    capacity, sites, required = terrain.study.capacity, terrain.sites, terrain.study.standard.services
    assert capacity is not None
    code = {group: row for row, group in enumerate(terrain.profiles)}
    existing = standing_sites(sites, required)
    return seating_of(
        terrain.reach.demand.astype(np.int64),
        terrain.reach.site.astype(np.int64),
        terrain.reach.n_demand,
        weight=terrain.demand["weight"].to_numpy(dtype=float),
        group=np.array([code[group] for group in terrain.demand["group"]], dtype=np.int64),
        profile=np.stack(list(terrain.profiles.values())),
        existing=existing,
        existing_seats=sites["capacity"].to_numpy(dtype=float)[existing.place],
        actions=offers(terrain.actions, terrain.place, required),
        action_seats=terrain.actions["capacity"].to_numpy(dtype=float),
        accepts=acceptance(capacity, list(terrain.profiles), sites),
        seat_share=capacity.seat_share,
    )


def make(terrain: Terrain, settings: PlanSettings, *, progress: Listener | None = None) -> Made:
    """Make the best plan by the study's own aim, and prove how good it is.

    Args:
        terrain: what is planned on.
        settings: the ``[plan]``.
        progress: told objective and bound of what is being solved while it is; returning True stops with the best plan so far.

    Raises:
        InputError: walks are the aim, and nobody walks as little as may count.
    """
    _need_walks(terrain, settings)
    watch = Watch(settings.time_limit_s, progress and _in_unit(progress, settings, walk_cap_m(terrain, settings)))
    made = best(terrain, settings, mip_gap=settings.mip_gap, work_limit=settings.work_limit, watch=watch)
    if not made.plan.found:
        return made
    covering = bool(settings.mix) or settings.objective in ("effective", "share", "backup")
    phased, churned = covering and made.problem.seats is None, settings.max_changes is not None
    # The plan is there: where a Ctrl-C ends what it is compared with, that is left out.
    with suppress(KeyboardInterrupt), plain_ctrl_c():
        if phased:
            made = _with_last(made, settings, watch)
        if churned and not watch.over():
            made = replace(made, unbound=_unbound(terrain, settings, made, Watch(watch.left_s)))
    by: Literal["time", "interrupted"] = "time" if watch.over() and watch.stopped == "time" else "interrupted"
    missing = (
        *((LeftOut("phasing", by),) if phased and math.isnan(made.last_bound) else ()),
        *((LeftOut("churn", by),) if churned and made.unbound is None else ()),
    )
    return replace(made, left_out=missing)


def _need_walks(terrain: Terrain, settings: PlanSettings) -> None:
    """Refuse a cap within which there is no walk to a place, where walks are the aim."""
    if settings.mix or settings.objective not in ("mean_walk", "worst_walk"):
        return
    cap_m = walk_cap_m(terrain, settings)
    pairs, weight = terrain.walks(cap_m), terrain.demand["weight"].to_numpy(dtype=float)
    useful = terrain.stands.copy()
    useful[terrain.place] = True
    if not (useful[pairs.site] & (weight[pairs.demand] > 0)).any():
        raise InputError("walk_cap_reaches_nobody", file=terrain.study.settings_file, metres=cap_m)


def best(
    terrain: Terrain, settings: PlanSettings, *, mip_gap: float, work_limit: int | None, watch: Watch | None = None
) -> Made:
    """Make the best plan by the study's aim, under limits of one's own; arguments like `planner.siting.solve`."""
    watch = watch or Watch()
    limits: dict[str, Any] = {"mip_gap": mip_gap, "work_limit": work_limit}
    book = rulebook(terrain, settings)
    if settings.objective == "worst_walk" and not settings.mix:
        return _worst_walk(terrain, settings, book, watch, limits)
    problem = problem_of(terrain, settings, book)
    if settings.mix or settings.objective in ("effective", "share", "backup", "served", "mean_walk"):
        plan = _explained(terrain, solve_watched(problem, watch, **limits), problem)
        if settings.objective == "mean_walk" and not settings.mix:
            cap_m = walk_cap_m(terrain, settings)
            walked, least = cap_m * (1 - plan.objective), cap_m * (1 - plan.bound)
            plan = replace(plan, objective=walked, bound=least, gap=_gap(walked, least))
        return Made(plan, problem, book)
    if settings.objective == "fairest":
        over = np.array(book.fair, dtype=np.int64)
        plan = objectives.fairest(problem, over, watch, levels=settings.fair_levels, **limits)
    else:
        plan = objectives.least_cost(problem, watch, **limits)
    return Made(_explained(terrain, plan, problem), problem, book)


def _in_unit(listener: Listener, settings: PlanSettings, cap_m: float) -> Listener:
    """Return a listener that hears objective and bound in the unit of the study's aim, whatever is maximised: metres, money or a share."""
    scale, shift = {"mean_walk": (-cap_m, cap_m), "least_cost": (-1.0, 0.0)}.get(
        "" if settings.mix else settings.objective, (1.0, 0.0)
    )

    def hear(now: Progress) -> bool | None:
        objective, bound = shift + scale * now.objective, shift + scale * now.bound
        return listener(replace(now, objective=objective, bound=bound, gap=relative_gap(objective, bound)))

    return hear


def _unbound(terrain: Terrain, settings: PlanSettings, made: Made, watch: Watch) -> Plan | None:
    """Return the plan that may change as much as helps, to say what keeping churn down costs; never worse than the one that may not.

    None where the search was stopped before it found one.
    """
    free = settings.model_copy(update={"max_changes": None})
    plan = best(terrain, free, mip_gap=settings.mip_gap, work_limit=settings.work_limit, watch=watch).plan
    if not plan.found:
        return None
    here, there = made.plan.objective, plan.objective
    behind = there > here if settings.minimises else there < here
    if behind:
        plan = replace(plan, build_year=made.plan.build_year, objective=here, gap=_gap(here, plan.bound))
    return plan


def _gap(objective: float, bound: float) -> float:
    if abs(bound - objective) <= 1e-9 * max(1.0, abs(objective)):
        return 0.0
    return abs(bound - objective) / abs(objective) if objective else float("inf")


def _explained(terrain: Terrain, plan: Plan, problem: SitingProblem) -> Plan:
    """Return an infeasible plan with its reasons: floors that no money reaches, else rules in conflict; then what would make room."""
    if plan.status != "infeasible":
        return plan
    missing = np.setdiff1d(problem.required, problem.place).tolist()
    if missing:
        # Whatever else conflicts, this comes first.
        return replace(plan, reasons=tuple(Reason("required_no_action", {"place": int(place)}) for place in missing))
    reasons = plan.reasons or explain_conflict(problem)
    eased = tuple(reason for reason in reasons if reason.key == "relax")
    floors = list(_hopeless(problem))
    conflict = [reason for reason in reasons if reason.key != "relax"]
    if not floors and len(conflict) == 1 and conflict[0].key == "floor":
        # A floor in conflict with nothing but what there is: what is left of it says how far one would get.
        short = [reason.values["by"] for reason in eased if reason.values["rule"] == conflict[0]]
        floors = [(conflict[0], conflict[0].values["share"] - by) for by in short]
    told = tuple(_out_of_reach(terrain, floor, most) for floor, most in floors)
    return replace(plan, reasons=(*told, *eased) if told else reasons)


def _hopeless(problem: SitingProblem) -> Iterator[tuple[Reason, float]]:
    """Tell which floors stay out of reach whatever is done, and how far one would get with everything."""
    if problem.tally is None:
        return
    most = problem.tally_constant + np.asarray(problem.tally.sum(axis=1)).ravel()
    for rule in problem.rules:
        if rule.reason.key == "floor" and most[rule.tally] < rule.reason.values["share"] - 1e-9:
            yield rule.reason, float(most[rule.tally])


def _out_of_reach(terrain: Terrain, floor: Reason, most: float) -> Reason:
    """Tell whether walks alone keep a floor out of reach; then for how many people, and how far it is to the nearest place at least."""
    values = {**floor.values, "most": most}
    nearest = _nearest_place_m(terrain, tuple(values.get("tier", ())))
    people = np.where(members_of(terrain, values["group"], values["zone"]), terrain.demand["weight"], 0.0)
    far = (nearest > terrain.reach.cutoff_m) & (people > 0)
    if people[~far].sum() >= (values["share"] - 1e-9) * people.sum():
        return Reason("floor_too_high", values)
    return Reason(
        "floor_unreachable", {**values, "metres": float(nearest[far].min()), "people": float(people[far].sum())}
    )


def _nearest_place_m(terrain: Terrain, tier: tuple[str, ...]) -> Floats:
    """Return the walk from each unit to the nearest place where something stands or may be done; ten radii where it is farther."""
    cap_m = 10 * terrain.reach.cutoff_m
    pairs = terrain.walks(cap_m)
    actions, sites = terrain.actions["tier"].isin(tier).to_numpy(), terrain.sites["tier"].isin(tier).to_numpy()
    useful = np.zeros(len(terrain.sites), dtype=bool)
    useful[terrain.place[actions | (not tier)]] = True
    useful |= terrain.stands & (sites | (not tier))
    nearest = np.full(pairs.n_demand, cap_m)
    near = useful[pairs.site]
    np.minimum.at(nearest, pairs.demand[near], pairs.distance_m[near])
    return nearest


def _with_last(made: Made, settings: PlanSettings, watch: Watch) -> Made:
    """Add what the phasing costs: the objective at the end of the last year against the best that these rules and budgets allow then."""
    plan, problem = made.plan, made.problem
    if watch.over() and problem.n_years > 1:
        return made
    only_last = replace(problem, year_weight=np.append(np.zeros(problem.n_years - 1), 1.0))
    last = objective_of(only_last, plan.build_year)
    if problem.n_years == 1:
        return replace(made, last=plan.objective, last_bound=plan.bound)
    inner = Watch(watch.left_s)
    best = solve_watched(only_last, inner, mip_gap=max(settings.mip_gap, 0.01), work_limit=0)
    # A search that was ended still knows a bound.
    watch.heed(inner.stopped or "")
    return replace(made, last=last, last_bound=max(best.bound, last))


def _worst_walk(
    terrain: Terrain, settings: PlanSettings, book: Rulebook, watch: Watch, limits: Mapping[str, Any]
) -> Made:
    """Find the shortest worst walk: everybody whom any place can reach within the cap has a site within it in the last year."""
    cap_m, n_years = walk_cap_m(terrain, settings), len(settings.years)
    pairs = terrain.walks(cap_m)
    useful = np.zeros(len(terrain.sites), dtype=bool)
    useful[terrain.place] = useful[np.flatnonzero(terrain.stands)] = True
    weight = terrain.demand["weight"].to_numpy(dtype=float)
    reachable = np.zeros(len(weight), dtype=bool)
    reachable[pairs.demand[useful[pairs.site]]] = True
    reachable &= weight > 0
    # No distance matters that is not a walk from somebody to a place, and no worst walk is shorter than the longest to the nearest place.
    nearest = np.full(len(weight), np.inf)
    near = useful[pairs.site]
    np.minimum.at(nearest, pairs.demand[near], pairs.distance_m[near])
    longest = float(nearest[reachable].max(initial=0.0))
    metres = np.unique(pairs.distance_m[near & (pairs.distance_m >= longest)])

    def within(distance_m: float) -> SitingProblem:
        everybody = Tally("share", reachable, within_m=distance_m)
        reason = Reason("worst_walk", {"metres": distance_m})
        # All of them, but for what sums in float64 lose.
        rule = rules.floor(reason, len(book.tallies), 1 - 1e-9, n_years, by=n_years - 1)
        return problem_of(terrain, settings, book, more=[everybody], extra=rule)

    if not len(metres):
        problem = problem_of(terrain, settings, book)
        return Made(_explained(terrain, solve_watched(problem, watch, **limits), problem), problem, book)
    plan, found = objectives.least_worst(within, metres.tolist(), watch, **limits)
    problem = found or within(float(metres[-1]))
    return Made(_explained(terrain, plan, problem), problem, book)


def trade_off(
    made: Made, settings: PlanSettings, *, factors: Sequence[float] = _FACTORS
) -> tuple[pd.DataFrame, tuple[LeftOut, ...]]:
    """Return what each further 10 of the cost unit buys: the study's programme at multiples of its yearly budgets.

    Returns:
        Columns `TRADEOFF_COLUMNS`, by budget; objective and bound in what the problem maximises (a share for coverage). And which points
        were left out, because Ctrl-C or the limit in seconds, which counts anew here, came before them.
    """
    watch = Watch(settings.time_limit_s)
    if made.plan.stopped == "interrupted":
        # Whoever ended the search wants the plan now.
        watch.stopped = "interrupted"
    limits: dict[str, Any] = {"mip_gap": settings.mip_gap, "work_limit": settings.work_limit}
    points, tried = objectives.trade_off(made.problem, factors, watch, **limits)
    missing: tuple[LeftOut, ...] = ()
    if tried < len(factors):
        assert watch.stopped is not None
        missing = (LeftOut("trade_off", watch.stopped, tried, len(factors)),)
    table = pd.DataFrame([vars(point) for point in points], columns=list(TRADEOFF_COLUMNS[:5]))
    steps = np.diff(table["budget"].to_numpy(dtype=float))
    buys = np.diff(table["objective"].to_numpy(dtype=float)) / np.where(steps > 0, steps, np.nan) * 10
    first = buys[0] if len(buys) else 0.0
    gain = np.concatenate([[np.nan], buys]) if len(table) else buys
    return table.assign(gain=gain, pays=[bool(np.isnan(g) or g >= 0.1 * first) for g in gain]), missing


def effective_gain(made: Made) -> Floats:
    """Return what each unit of the problem is worth as effective coverage, whatever the plan aims at."""
    assert made.problem.tally is not None
    return np.asarray(made.problem.tally[[0]].toarray()[0], dtype=float)


def reason_sentences(reasons: Sequence[Reason], terrain: Terrain, lang: Lang) -> tuple[str, ...]:
    """Return why no plan fits, as whole sentences with the places' own names: the conflict, then the least that would make room."""
    told = [reason for reason in reasons if reason.key != "relax"]
    rules_told = list(
        dict.fromkeys(reason_sentence(reason, terrain, lang) for reason in told if reason.key in _CLAUSES)
    )
    eased = list(dict.fromkeys(_eased(reason, terrain, lang) for reason in reasons if reason.key == "relax"))
    sentences = [reason_sentence(reason, terrain, lang) for reason in told if reason.key not in _CLAUSES]
    semicolon = say(lang, "rules.semicolon")
    if rules_told:
        key = "rules.alone" if len(rules_told) == 1 else "rules.together"
        sentences.append(say(lang, key, rules=semicolon.join(rules_told)))
    if eased:
        sentences.append(say(lang, "rules.ease", changes=semicolon.join(eased)))
    return tuple(dict.fromkeys(sentences))


def reason_sentence(reason: Reason, terrain: Terrain, lang: Lang) -> str:
    """Return a rule in words, with the places' own names."""
    key = _sentence_of(reason, terrain)
    section = "rules" if has(f"rules.{key}") else "programme"
    return say(lang, f"{section}.{key}", **_named(reason, terrain, lang))


def _sentence_of(reason: Reason, terrain: Terrain) -> str:
    """Return the key of a reason's sentence: why nothing may be done at a required place, or whether a limit ends."""
    if reason.key == "at_most" and reason.values.get("until"):
        return "at_most_until"
    if reason.key != "required_no_action":
        return reason.key
    site, plan, record = terrain.sites["id"].iat[int(reason.values["place"])], terrain.study.plan, terrain.record
    if plan is not None and site in plan.forbidden:
        return "required_forbidden"
    return "required_closed" if record is not None and site in barred(record.rows) else reason.key


def _eased(reason: Reason, terrain: Terrain, lang: Lang) -> str:
    """Say by how much a rule must give way: rounded so that it does make room."""
    rule, by = reason.values["rule"], float(reason.values["by"])
    clause, values = reason_sentence(rule, terrain, lang), rule.values
    match rule.key:
        case "floor" | "share_at_least":
            share = max(math.floor((float(values["share"]) - by) * 1000 + 1e-4), 0) / 1000
            return say(lang, "rules.ease_share", rule=clause, share=share)
        case "budget":
            more = math.ceil(by * 100 - 1e-4) / 100
            return say(lang, "rules.ease_budget", **{**_named(rule, terrain, lang), "by": more})
        case "at_most":
            return say(lang, "rules.ease_count", rule=clause, count=values["most"] + math.ceil(by - 1e-4))
        case "at_least":
            return say(lang, "rules.ease_count", rule=clause, count=max(values["least"] - math.ceil(by - 1e-4), 0))
        case _:
            return say(lang, "rules.ease_drop", rule=clause)


def _distance(metres: float, lang: Lang) -> str:
    """Return a distance within which there is nothing: rounded down."""
    if metres < 1_000:
        return say(lang, "rules.metres", n=math.floor(metres))
    return say(lang, "rules.kilometres", n=math.floor(metres / 100) / 10)


def _named(reason: Reason, terrain: Terrain, lang: Lang) -> dict[str, Any]:
    """Return a reason's values with the names that people know."""
    values = dict(reason.values)
    sites = terrain.sites

    def site(row: int) -> str:
        name, number = sites["name"].iat[row], sites["id"].iat[row]
        return f"{name}（{number}）" if lang == "zh" else f"{name} ({number})"

    for key in ("place", "other"):
        if isinstance(values.get(key), int | np.integer):
            values[key] = site(int(values[key]))
    if isinstance(values.get("year"), int) and terrain.study.plan:
        values["year"] = terrain.study.plan.years[values["year"] - 1]
    if reason.key in ("budget", "required_too_dear", "required_over_budget") and terrain.study.plan:
        values["unit"] = terrain.study.plan.cost_unit
    if "measure" in values:
        values["measure"] = say(lang, f"rules.measure_{values['measure']}")
    if reason.key == "floor_unreachable":
        values["distance"] = _distance(float(values["metres"]), lang)
    if reason.key in ("floor", "floor_unreachable", "floor_too_high", "at_most", "at_least", "share_at_least"):
        values["whose"] = _whose(values, terrain, lang)
    return values


def _whose(values: Mapping[str, Any], terrain: Terrain, lang: Lang) -> str:
    """Return whom or what a rule speaks of, in words."""
    what = {
        **values.get("what", {}),
        **{k: v for k, v in values.items() if k in ("zone", "group", "tier", "kind", "host")},
    }
    zones = dict(zip(terrain.zones["id"], terrain.zones["name"], strict=True))
    groups = {group: settings.name for group, settings in terrain.study.groups.items()}
    services = what.pop("services", ())
    words: list[str] = []
    for key, value in what.items():
        for word in (value if isinstance(value, tuple) else (value,)) if value else ():
            if key == "zone":
                words.append(zones.get(word) or word)
            elif key == "group":
                words.append(groups.get(str(word), str(word)))
            elif key == "hours":
                words.append(say(lang, "rules.open_then", hours=hours(lang, word)))
            else:
                words.append(term(lang, key, str(word)) if key in ("tier", "kind", "mode", "action") else str(word))
    if services:
        # All of them are asked for.
        offered = listed(lang, [term(lang, "service", service) for service in services])
        words.append(say(lang, "rules.offering", services=offered))
    if words:
        return listed(lang, words)
    anything = "anything_done" if values.get("counts") == "actions" else "everything"
    return say(lang, f"rules.{anything}" if "what" in values else "rules.everybody")
