"""Solve a siting problem: reduce, search, bound, prove. Gives a `Plan` whose status claims no more than its bound proves."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.siting.bound import (
    Multipliers,
    Relaxation,
    compressed,
    first_multipliers,
    option_values,
    relaxation,
    strike_out,
    tighten,
)
from planner.siting.conflict import explain_conflict
from planner.siting.kernels import Model
from planner.siting.milp import covering_program, minimise, plan_of
from planner.siting.narrowing import narrowed
from planner.siting.planning import solve_with_rules
from planner.siting.problem import (
    MONEY_TOLERANCE,
    PROOF_TOLERANCE,
    Floats,
    Ints,
    Plan,
    Reason,
    SitingProblem,
    broken_rules,
    objective_of,
    relative_gap,
)
from planner.siting.search import Found, improve, model_of, prices, same_price, search, search_near, set_toll, walk_on
from planner.siting.seating import solve_seated
from planner.siting.watch import Listener, Step, Watch

# HiGHS works with absolute tolerances of 1e-6 to 1e-7; with all weight scaled to this, the lightest unit still shows.
_SCALE = 1e4
# Rounds of the Lagrangian bound between two looks at plans near it; the first few looks are always taken.
_ROUNDS = (100, 100, 200, 200, 400, 400, 600, 1000, 1000)
_LOOKS = 5
# Long walks of the search: before which look, how many then, and how many after the last. Where all places cost the same they take
# longer than the first looks at the bound, which are often enough; elsewhere one walk pays at once.
_WALKS, _WALKS_SAME_PRICE = (0, 1, 3), (2, 3, 3)
# The model is made anew when no more than this share of its actions is left.
_COMPRESS = 0.8
# So few pairs of option and unit are quicker settled by HiGHS at once.
_SMALL = 6_000
# HiGHS is asked only where its linear programs stay below this many nonzeros; beyond, they take minutes and prove little.
_MOST_NONZEROS = 4_000_000


def solve(
    problem: SitingProblem,
    *,
    mip_gap: float = 0.005,
    work_limit: int | None = 200,
    time_limit_s: float | None = None,
    progress: Listener | None = None,
) -> Plan:
    """Find the best plan and prove how good it is. The same problem gives the same plan, unless a limit in seconds strikes.

    Swap search finds a plan, a Lagrangian bound closes in on it and strikes out options that no better plan contains, and HiGHS
    settles what is left.

    Args:
        problem: what to plan.
        mip_gap: stop when the gap is proven to be no more than this fraction.
        work_limit: most branch-and-bound nodes of a program and, under rules, a measure of the work on a large one before it branches;
            None is no limit.
        time_limit_s: a limit in seconds; None is no limit.
        progress: called with a `Progress` while searching, in the caller's thread; returning True stops the search.

    Returns:
        A plan; ``optimal`` only if proven to 1e-6, ``infeasible`` with its reasons if the rules leave none. A search that is stopped by the
        limit in seconds, by ``progress`` or by Ctrl-C gives the best plan so far with the bound so far; before there is any plan Ctrl-C
        raises KeyboardInterrupt or, under rules, gives a plan that is ``unknown``.
    """
    return solve_watched(problem, Watch(time_limit_s, progress), mip_gap=mip_gap, work_limit=work_limit)


def solve_watched(problem: SitingProblem, watch: Watch, *, mip_gap: float, work_limit: int | None) -> Plan:
    """Do what `solve` does, under a watch that began earlier."""
    if not problem.plain:
        solve_rules = solve_with_rules if problem.seats is None else solve_seated
        plan = solve_rules(problem, watch, mip_gap=mip_gap, work_limit=work_limit)
        return replace(plan, reasons=explain_conflict(problem)) if plan.status == "infeasible" else plan
    kept = useful_actions(problem)
    small = narrowed(problem, kept)
    work = {**problem.reductions, **_sizes(problem, small)}
    race = None
    if set(problem.required) <= set(small.place.tolist()):
        race = watch.follow(_races(small, watch, mip_gap, work_limit))
    if race is None:
        return Plan(
            build_year=np.zeros(problem.n_actions, np.int64),
            objective=math.nan,
            bound=math.nan,
            gap=math.inf,
            status="infeasible",
            seconds=watch.seconds,
            work=work,
            reasons=conflict(problem),
            stopped="conflict",
            time_limit_s=watch.limit_s,
        )
    whole = np.zeros(problem.n_actions, np.int64)
    whole[kept] = tidy(small, np.where(race.years < problem.n_years, race.years + 1, 0))
    objective = objective_of(problem, whole)
    bound = max(race.bound, objective)
    gap = relative_gap(objective, bound)
    proven = gap <= PROOF_TOLERANCE
    return Plan(
        build_year=whole,
        objective=objective,
        bound=objective if proven else bound,
        gap=0.0 if proven else gap,
        status="optimal" if proven else "feasible",
        seconds=watch.seconds,
        work={**work, **race.work},
        stopped="proof" if proven else watch.stopped or race.stopped,
        time_limit_s=watch.limit_s,
    )


@dataclass(frozen=True)
class _Race:
    """The best plan and the least bound at one moment of a solve. Values are shares of the units' weight.

    Attributes:
        model: what search and bound work on; its allowed options only ever become fewer.
        actions: the problem's actions that the model still has.
        constant, weight: objective = constant + weight × value.
        grain: every plan's value is a whole number of grains; 0 where that is not known.
        years, value: the best plan, over all of the problem's actions.
        least: no plan among the allowed options is better.
        floor: no plan with an option that was struck out is better.
        reduced: the options' reduced values at the last bound.
        step, stopped, work: what the search tells of itself.
    """

    model: Model
    actions: Ints
    constant: float
    weight: float
    grain: float
    years: Ints
    value: float
    least: float
    floor: float
    reduced: Floats
    step: Step
    stopped: str
    work: Mapping[str, int]

    @property
    def objective(self) -> float:
        return self.constant + self.weight * self.value

    @property
    def bound(self) -> float:
        highest = max(self.least, self.floor, self.value)
        # Where every value is a whole number of grains, nothing lies between one and the next.
        return self.constant + self.weight * (self.value if highest < self.value + self.grain * (1 - 1e-6) else highest)

    @property
    def gap(self) -> float:
        return relative_gap(self.objective, self.bound)

    def taking(self, found: Found | None) -> "_Race":
        """Return the race with a plan over the model's actions, if that is the best so far."""
        if found is None or found[1] <= self.value:
            return self
        years = np.full(len(self.years), self.model.allowed.shape[1])
        years[self.actions] = found[0]
        return replace(self, years=years, value=found[1])

    def walking(self, seeds: Iterable[int], watch: Watch) -> "_Race":
        """Return the race after long walks: from the best plan, or from one near the bound where the model has lost that."""
        race, never = self, self.model.allowed.shape[1]
        for seed in seeds:
            if watch.over():
                break
            begin: Ints | None = race.years[race.actions]
            if (begin < never).sum() < (race.years < never).sum():
                near = search_near(race.model, race.reduced)
                begin = None if near is None else near[0]
            if begin is not None:
                race = race.taking(walk_on(race.model, begin, seed))
        return race


def _start(problem: SitingProblem) -> _Race | None:
    """Find a first plan; None where no plan keeps the rules."""
    model = model_of(problem)
    reduced = np.zeros(model.allowed.shape)
    found = search(model)
    if found is None:
        # Greedy could not place what is required: ask for any plan that keeps the rules.
        program, action, year = covering_program(model, 0.0)
        outcome = minimise(program)
        if outcome.x is None:
            return None
        years = plan_of(action, year, outcome.x, problem.n_actions, problem.n_years)
        found = improve(model, years, reduced)
        if found is None:
            return None
    weight, all_years = float(problem.unit_weight.sum()), float(problem.year_weight.sum())
    return _Race(
        model=model,
        actions=np.arange(problem.n_actions),
        constant=problem.constant * all_years,
        weight=weight,
        grain=_grain(problem) / max(weight, 1e-300),
        years=found[0],
        value=found[1],
        least=all_years,
        floor=-math.inf,
        reduced=reduced,
        step="search",
        stopped="gap",
        work={"rounds": 0, "options": int(model.allowed.sum()), "nodes": 0},
    )


def _races(problem: SitingProblem, watch: Watch, mip_gap: float, work_limit: int | None) -> Iterator[_Race]:
    """Search, bound, settle: yield where the race stands after each step, nothing where no plan keeps the rules."""
    race = _start(problem)
    if race is None:
        return
    yield race
    if _pairs_left(race.model) > _SMALL:
        for closer in _close_in(race, watch, mip_gap):
            race = closer
            yield race
    if race.gap > max(mip_gap, PROOF_TOLERANCE):
        yield _settle(problem, race, watch, mip_gap, work_limit)


def _close_in(race: _Race, watch: Watch, mip_gap: float) -> Iterator[_Race]:
    """Lower the bound and look for plans near it, until the gap is small enough or the bound stalls."""
    relaxed = relaxation(race.model)
    at = first_multipliers(race.model, relaxed)
    walk_look, walks, walks_later = _WALKS_SAME_PRICE if same_price(race.model) else _WALKS
    for look, rounds in enumerate(_ROUNDS):
        if look == walk_look:
            race = race.walking(range(walks), watch)
            yield race
        at = tighten(race.model, relaxed, at, race.value + 0.5 * race.grain, rounds, watch.over)
        set_toll(race.model, at.row)
        race = replace(
            race, step="bound", least=min(race.least, at.bound), reduced=option_values(race.model, relaxed, at)[0]
        )
        race = _struck_out(race.taking(search_near(race.model, race.reduced)), relaxed, at)
        race = replace(race, work={**race.work, "rounds": at.ascent.rounds})
        yield race
        enough = race.gap <= (PROOF_TOLERANCE if look < _LOOKS else max(mip_gap, PROOF_TOLERANCE))
        if enough or at.ascent.spent or _pairs_left(race.model) <= _SMALL:
            break
        if race.model.allowed.any(axis=1).mean() <= _COMPRESS:
            model, at, left = compressed(race.model, at)
            race = replace(race, model=model, actions=race.actions[left], reduced=race.reduced[left])
            # Of the same kind as before, so that the multipliers fit.
            relaxed = replace(relaxation(model), knapsack=relaxed.knapsack)
    if race.gap > max(mip_gap, PROOF_TOLERANCE) and _pairs_left(race.model) > _SMALL:
        yield _struck_out(race.walking(range(walks, walks + walks_later), watch), relaxed, at)


def _struck_out(race: _Race, relaxed: Relaxation, at: Multipliers) -> _Race:
    """Return the race with the options struck out that no better plan contains."""
    known = race.value + max(1e-8 * abs(race.value) + 1e-12, race.grain * (1 - 1e-6))
    options = strike_out(race.model, relaxed, at, known)
    if options == race.work["options"]:
        return race
    floor = max(race.floor, race.value if race.grain > 0 else known)
    return replace(race, floor=floor, work={**race.work, "options": options})


def _pairs_left(model: Model) -> int:
    """Return how many pairs of option and unit are left: what HiGHS would have to carry."""
    return int(np.diff(model.action_ptr) @ model.allowed.sum(axis=1))


def _settle(problem: SitingProblem, race: _Race, watch: Watch, mip_gap: float, work_limit: int | None) -> _Race:
    """Let HiGHS decide among the options that are left."""
    race = replace(race, step="settle")
    if race.work["options"] == 0:
        return replace(race, least=race.floor)
    program, action, year = covering_program(race.model, _SCALE)
    work = {**race.work, "rows": program.matrix.shape[0], "pairs_left": int(program.matrix.nnz)}
    if program.matrix.nnz > _MOST_NONZEROS:
        return replace(race, work=work, stopped="work")
    shift = race.constant / race.weight

    def tell(_: float, bound: float) -> bool:
        now = replace(race, least=min(race.least, -bound / _SCALE - shift)) if math.isfinite(bound) else race
        return watch.tell(now.step, now.objective, now.bound)

    outcome = minimise(
        replace(program, offset=-_SCALE * shift),
        below=-_SCALE * (race.value + shift + max(0.5 * race.grain, 1e-9 * race.value)),
        mip_gap=mip_gap,
        abs_gap=race.grain * _SCALE * (1 - 1e-4),
        nodes=work_limit,
        time_limit_s=watch.left_s,
        tell=tell,
    )
    watch.heed(outcome.stopped)
    race = replace(race, work={**work, "nodes": outcome.nodes}, stopped=outcome.stopped)
    if outcome.stopped == "conflict":
        # Nothing that keeps the rules is left: nothing is better than the plan at hand.
        return replace(race, least=race.floor)
    if outcome.x is not None:
        found = plan_of(action, year, outcome.x, len(race.actions), problem.n_years)
        whole = np.full(problem.n_actions, problem.n_years)
        whole[race.actions] = found
        if not broken_rules(problem, np.where(whole < problem.n_years, whole + 1, 0)):
            race = race.taking(improve(race.model, found, race.reduced))
    if math.isfinite(outcome.bound):
        race = replace(race, least=min(race.least, -outcome.bound / _SCALE - shift))
    return race


def _grain(problem: SitingProblem) -> float:
    """Return the greatest whole number that divides every plan's value, 0 where values are not whole."""
    if problem.n_years > 1 or problem.n_units == 0:
        return 0.0
    worth = problem.unit_weight * problem.year_weight[0]
    whole = np.rint(worth)
    return float(np.gcd.reduce(whole.astype(np.int64))) if (worth == whole).all() and whole.max() < 2**53 else 0.0


def useful_actions(problem: SitingProblem) -> Ints:
    """Return the actions that some best plan may contain; exact.

    Left out are actions that no budget can pay, those that cover nothing at a place that is not required, and those
    dominated at their own place: another covers at least as much and costs no more, now and every year.
    """
    price, money = prices(problem)
    payable = np.any(np.all(price <= money * (1 + MONEY_TOLERANCE) + MONEY_TOLERANCE, axis=2), axis=1)
    covers = np.asarray(problem.cover.sum(axis=0)).ravel() > 0
    useful = payable & (covers | np.isin(problem.place, problem.required))
    rivals = np.flatnonzero(
        useful & (np.bincount(problem.place[useful], minlength=problem.place.max(initial=-1) + 1)[problem.place] > 1)
    )
    useful[rivals[_dominated(problem, rivals)]] = False
    return np.flatnonzero(useful)


def _dominated(problem: SitingProblem, rivals: Ints) -> NDArray[np.bool_]:
    """Tell which of the actions another one at the same place beats or equals in everything; of equals the first stays."""
    units = problem.cover[:, rivals].astype(np.int32)
    shared = (units.T @ units).tocoo()
    k, j = shared.coords
    size, place = np.asarray(units.sum(axis=0)), problem.place[rivals]
    capital, operating = problem.capital_cost[rivals], problem.operating_cost[rivals]
    # better: k covers all that j covers, and is nowhere dearer.
    better = (k != j) & (place[k] == place[j]) & (shared.data == size[j])
    better &= (capital[k] <= capital[j]) & (operating[k] <= operating[j])
    k, j = k[better], j[better]
    if problem.limit_use is not None:
        use = problem.limit_use[:, rivals].tocsc()
        no_more = np.asarray((use[:, k] > use[:, j]).sum(axis=0)).ravel() == 0
        k, j = k[no_more], j[no_more]
    alike = set(zip(k.tolist(), j.tolist(), strict=True))
    beaten = np.zeros(len(rivals), bool)
    beaten[[b for a, b in alike if (b, a) not in alike or a < b]] = True
    return beaten


def tidy(problem: SitingProblem, build_year: Ints) -> Ints:
    """Close actions without which the plan covers as much, dearest first, so that no money is spent for nothing."""
    plan, value = build_year.copy(), objective_of(problem, build_year)
    total = problem.capital_cost + problem.operating_cost
    for j in sorted(np.flatnonzero(plan), key=lambda j: (-total[j], j)):
        if problem.place[j] in problem.required:
            continue
        without = plan.copy()
        without[j] = 0
        if objective_of(problem, without) >= value - 1e-12 * abs(value):
            plan = without
    return plan


def conflict(problem: SitingProblem) -> tuple[Reason, ...]:
    """Say why no plan fits: required places without an action, or the cheapest way to have them all against the money."""
    missing = [place for place in problem.required if place not in problem.place]
    if missing:
        return tuple(Reason("required_no_action", {"place": place}) for place in missing)
    price, money = prices(problem)
    last = price[:, :, -1].min(axis=1)
    cheapest = {place: float(last[problem.place == place].min()) for place in problem.required}
    dear = [place for place in problem.required if cheapest[place] > money[-1]]
    if dear:
        return tuple(
            Reason("required_too_dear", {"place": p, "cost": cheapest[p], "budget": float(money[-1])}) for p in dear
        )
    needed = float(sum(cheapest.values()))
    if needed > money[-1]:
        return (Reason("required_over_budget", {"cost": needed, "budget": float(money[-1])}),)
    return (Reason("required_conflict"),)


def _sizes(problem: SitingProblem, small: SitingProblem) -> dict[str, int]:
    return {
        "units": small.n_units,
        "actions_before": problem.n_actions,
        "actions": small.n_actions,
        "pairs": int(small.cover.nnz),
    }
