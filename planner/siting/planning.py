"""Problems with rules: every condition a row, one linear relaxation for the bound, exchanges for the plan, HiGHS for what is left.

Takes a `SitingProblem` that is not plain; gives what `solving` gives. At the size of a planning study (hundreds of actions, ten thousand
units) the relaxation of cover rows is nearly whole: its value bounds every plan, its point is a plan but for a few actions, and its
reduced costs strike out the actions that no better plan contains.

Columns are z_jt (action j is done by the end of year t) and y_it (unit i is covered then).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from planner.siting.cross import CrossCuts
from planner.siting.exchange import Board, Stand, exchange, move, wander
from planner.siting.milp import Cutter, Outcome, Program, minimise, with_cuts
from planner.siting.narrowing import narrowed
from planner.siting.problem import (
    MONEY_TOLERANCE,
    PROOF_TOLERANCE,
    Floats,
    Ints,
    Plan,
    Reason,
    Rule,
    SitingProblem,
    Status,
    broken_rules,
    covered_units,
    is_open,
    objective_of,
    relative_gap,
)
from planner.siting.watch import Step, Watch

# HiGHS works with absolute tolerances of 1e-6 to 1e-7; with all worth scaled to this, the lightest unit still shows.
_SCALE = 1e4
# Options that each pass of the search tries by force, and passes at most.
_FORCED = 200
_PASSES = 30
# Options that the search fills up with: those that fall least short of the best at their place.
_OPTIONS = 600
# What the relaxation takes of an option, above its dirt.
_TAKEN = 1e-6
# Options beyond those of plan and relaxation among which HiGHS is asked to decide, and among how many when that does not settle it.
_CORES = (100, 800, None)
# The same of each walk.
_WALKS = (0, 100, 200, 300, 100, 200, 300)
# Walks in a row that find nothing better before no more are made.
_IDLE = 2
# Turns in a walk, as many as this many elementary operations allow, within limits.
_OPERATIONS, _FEWEST, _MOST = 1.5e8, 300, 20_000
# Most actions that a turn undoes, and what it may lose at first, as a share of what an action is worth.
_MOST_OUT, _HEAT = 4, 0.3
# How often HiGHS may look at its limits in a core for each node that it may open, times the nonzeros of the core's program: work in the
# root counts here too.
_LOOKING = 5e4
# With a plan at hand, HiGHS is asked about programs of more nonzeros only where what is left outside weighs more than the gap aimed at.
_MOST_NONZEROS = 400_000
_INFINITY = highspy.kHighsInf
Bools = NDArray[np.bool_]


def standard_rules(problem: SitingProblem) -> tuple[Rule, ...]:
    """Return budgets, limits and required places as rules, before those that the problem brings along."""
    everything = np.arange(problem.n_actions)
    rules = []
    prices, money = option_prices(problem), problem.budget
    if problem.carry_over:
        prices, money = np.cumsum(prices, axis=2), np.cumsum(money)
    for t in np.flatnonzero(np.isfinite(money)):
        reason = Reason("budget", {"year": int(t) + 1, "budget": float(money[t])})
        rules.append(Rule(reason, float(money[t]), everything, prices[:, :, t], worth=1 / max(1.0, float(money[t]))))
    if problem.limit_use is not None:
        for number, use in enumerate(problem.limit_use.toarray()):
            actions = np.flatnonzero(use)
            take = np.repeat(use[actions, None], problem.n_years, axis=1)
            rules.append(Rule(Reason("limit", {"limit": number}), float(problem.limit[number]), actions, take))
    for place in problem.required:
        at = np.flatnonzero(problem.place == place)
        rules.append(Rule(Reason("required", {"place": place}), -1.0, at, -np.ones((len(at), problem.n_years))))
    return (*rules, *problem.rules)


def option_prices(problem: SitingProblem) -> Floats:
    """Return what doing action j in year t takes from the money of year s, (n_actions × n_years × n_years)."""
    years = np.arange(problem.n_years)
    level = np.ones(problem.n_years) if problem.price_level is None else problem.price_level
    opened = (years[:, None] == years[None, :]) * level
    running = (years[:, None] <= years[None, :]) * level
    return np.asarray(
        problem.capital_cost[:, None, None] * opened + problem.operating_cost[:, None, None] * running, dtype=float
    )


@dataclass(frozen=True)
class Rows:
    """A problem as a program, and what its rows are.

    Attributes:
        program: minimise −objective × ``scale``, the first ``n_actions × n_years`` columns being z, the next y.
        scale: see there.
        first_rule: number of the row of the first rule.
        rules: all of them, in the order of their rows.
    """

    program: Program
    scale: float
    first_rule: int
    rules: tuple[Rule, ...]


def rows_of(problem: SitingProblem, rules: Sequence[Rule]) -> Rows:
    """Return the program of a problem under ``rules``."""
    n_actions, years, m = problem.n_actions, problem.n_years, problem.n_units
    n = n_actions * years
    need = np.ones(m) if problem.need is None else problem.need.astype(float)
    standing = np.zeros(m) if problem.standing is None else problem.standing.astype(float)
    cover = problem.cover.tocoo()
    unit, action = cover.coords
    t = np.arange(years)
    wide = ((unit[:, None] * years + t).ravel(), (action[:, None] * years + t).ravel())
    covers = sparse.csr_array((np.repeat(-cover.data.astype(float), years), wide), (m * years, n))
    # What is done stays done.
    later = np.flatnonzero(np.arange(n) % years > 0)
    steps = sparse.csr_array(
        (np.tile([1.0, -1.0], len(later)),
         (np.repeat(np.arange(len(later)), 2), np.column_stack([later, later - 1]).ravel())),
        (len(later), n),
    )  # fmt: skip
    last = np.arange(n_actions) * years + years - 1
    place, number, size = np.unique(problem.place, return_inverse=True, return_counts=True)
    at_place = sparse.csr_array((np.ones(n_actions), (number, last)), (len(place), n))[size > 1]
    z_rules, y_rules = _rule_rows(problem, rules)
    program_rows = sparse.block_array(
        [
            [covers, sparse.diags_array(np.repeat(need, years))],
            [steps, None],
            [at_place, None],
            [z_rules, y_rules],
        ],
        format="csc",
    )
    most = np.array([rule.most for rule in rules], dtype=float)
    lower = [np.full(m * years, -_INFINITY), np.zeros(len(later)), np.full(at_place.shape[0] + len(rules), -_INFINITY)]
    upper = [np.repeat(standing, years), np.full(len(later), _INFINITY), np.ones(at_place.shape[0]), most]
    worth = np.outer(problem.unit_weight, problem.year_weight).ravel()
    value = np.zeros((n_actions, years)) if problem.option_value is None else problem.option_value
    of_z = value - np.concatenate([value[:, 1:], np.zeros((n_actions, 1))], axis=1)
    total = float(worth.sum() + np.abs(value).max(axis=1).sum())
    scale = _SCALE / total if total > 0 else 1.0
    integer = np.zeros(n + m * years, bool)
    integer[:n] = True
    integer[n:] = np.repeat(need > 1, years)
    program = Program(
        cost=-scale * np.concatenate([of_z.ravel(), worth]),
        matrix=program_rows,
        lower=np.concatenate(lower),
        upper=np.concatenate(upper),
        x_lower=np.zeros(n + m * years),
        x_upper=np.ones(n + m * years),
        n_integer=n,
        integer=integer,
    )
    return Rows(program, scale, m * years + len(later) + at_place.shape[0], tuple(rules))


def _rule_rows(problem: SitingProblem, rules: Sequence[Rule]) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return the rules as rows over z and over y: what an option takes is taken when z steps up."""
    years, n, m = problem.n_years, problem.n_actions * problem.n_years, problem.n_units
    z: list[tuple[Ints, Ints, Floats]] = []
    y: list[tuple[Ints, Ints, Floats]] = []
    for row, rule in enumerate(rules):
        step = rule.take - np.concatenate([rule.take[:, 1:], np.zeros((len(rule.action), 1))], axis=1)
        columns = (rule.action[:, None] * years + np.arange(years)).ravel()
        z.append((np.full(columns.size, row), columns, step.ravel()))
        if rule.tally >= 0 and problem.tally is not None:
            units, amounts = _row(problem.tally, rule.tally)
            y.append((np.full(len(units), row), units * years + rule.year, -amounts))
    return _sparse(z, (len(rules), n)), _sparse(y, (len(rules), m * years))


def _row(matrix: sparse.csr_array, row: int) -> tuple[Ints, Floats]:
    part = slice(matrix.indptr[row], matrix.indptr[row + 1])
    return matrix.indices[part].astype(np.int64), matrix.data[part].astype(float)


def _sparse(parts: list[tuple[Ints, Ints, Floats]], shape: tuple[int, int]) -> sparse.csr_array:
    if not parts:
        return sparse.csr_array(shape)
    row, column, value = (np.concatenate(side) for side in zip(*parts, strict=True))
    matrix = sparse.csr_array((value, (row, column)), shape)
    matrix.eliminate_zeros()
    return matrix


def with_constants(problem: SitingProblem) -> tuple[Rule, ...]:
    """Return all rules, what is covered in any case moved to their right-hand sides."""
    return tuple(
        rule if rule.tally < 0 else replace(rule, most=rule.most + float(problem.tally_constant[rule.tally]))
        for rule in standard_rules(problem)
    )


def board_of(problem: SitingProblem, rules: Sequence[Rule], toll: Floats) -> Board:
    """Return the arrays that the compiled search works on."""
    years, n, m = problem.n_years, problem.n_actions * problem.n_years, problem.n_units
    by_action = problem.cover.tocsc()
    worth = np.outer(problem.unit_weight, problem.year_weight)
    value = np.zeros(n) if problem.option_value is None else problem.option_value.ravel()
    scale = float(worth.sum() + np.abs(value).sum()) or 1.0
    parts = [
        ((rule.action[:, None] * years + np.arange(years)).ravel(), np.full(rule.take.size, row), rule.take.ravel())
        for row, rule in enumerate(rules)
    ]
    takes = _sparse(parts, (n, len(rules)))
    units = []
    for row, rule in enumerate(rules):
        if rule.tally >= 0 and problem.tally is not None:
            unit, amount = _row(problem.tally, rule.tally)
            units.append((unit * years + rule.year, np.full(len(unit), row), -amount))
    counts = _sparse(units, (m * years, len(rules)))
    most = np.array([rule.most for rule in rules], dtype=float)
    size = np.maximum(np.abs(most), 1e-3)
    return Board(
        action_ptr=by_action.indptr.astype(np.int64),
        action_unit=by_action.indices.astype(np.int32),
        action_sign=by_action.data.astype(np.int8),
        standing=np.zeros(m, np.int32) if problem.standing is None else problem.standing.astype(np.int32),
        need=np.ones(m, np.int32) if problem.need is None else problem.need.astype(np.int32),
        worth=worth / scale,
        option_value=value / scale,
        option_ptr=takes.indptr.astype(np.int64),
        option_rule=takes.indices.astype(np.int64),
        option_take=takes.data.astype(float),
        unit_ptr=counts.indptr.astype(np.int64),
        unit_rule=counts.indices.astype(np.int64),
        unit_take=counts.data.astype(float),
        most=most + MONEY_TOLERANCE * np.maximum(1.0, np.abs(most)),
        scale=1.0 / size,
        place=problem.place.astype(np.int64),
        toll=toll / scale,
    )


@dataclass(frozen=True)
class Guide:
    """What the relaxation says of the plan to look for. Values are in the units of the objective, without its constant.

    Attributes:
        bound: no plan is better: the Lagrangian at the relaxation's own multipliers, which holds whatever the solver's tolerances.
        short: (n_actions × n_years) a plan with this option is worse than ``bound`` by as much at least.
        part: (n_actions × n_years) how much of each option the relaxation takes.
        toll: (n_options,) what an option takes of money and other rules, at the relaxation's prices.
    """

    bound: float
    short: Floats
    part: Floats
    toll: Floats


def guide_of(
    problem: SitingProblem, rows: Rows, relaxed: Outcome, *, seats: tuple[float, Floats] | None = None
) -> Guide:
    """Price covering and rules by the relaxation's multipliers; what is left falls apart into one choice a place.

    ``seats`` says what seats are worth in any case, and how much more with each action once it is done, (n_actions × n_years).
    """
    assert relaxed.x is not None and relaxed.dual is not None
    years, m, n_actions = problem.n_years, problem.n_units, problem.n_actions
    price = np.maximum(0.0, -relaxed.dual / rows.scale)
    cover, rule = price[: m * years].reshape(m, years), price[rows.first_rule : len(rows.program.upper)]
    need = np.ones((m, 1)) if problem.need is None else problem.need[:, None]
    worth = np.outer(problem.unit_weight, problem.year_weight)
    toll = np.zeros((n_actions, years))
    given = 0.0
    for condition, mu in zip(rows.rules, rule.tolist(), strict=True):
        if mu <= 0:
            continue
        given += mu * condition.most
        np.add.at(toll, condition.action, mu * condition.take)
        if condition.tally >= 0 and problem.tally is not None:
            units, amounts = _row(problem.tally, condition.tally)
            worth[units, condition.year] += mu * amounts
    if problem.standing is not None:
        given += float(problem.standing @ cover.sum(axis=1))
    served = problem.cover.T @ cover
    if seats is not None:
        given, served = given + seats[0], served + seats[1]
    paid = need * cover
    if relaxed.cut is not None:
        of_cut = price[len(rows.program.upper) :]
        takes = relaxed.cut.T @ of_cut
        given += float(of_cut @ relaxed.cut_most)
        served = served - takes[: n_actions * years].reshape(served.shape)
        paid = paid + takes[n_actions * years :].reshape(paid.shape)
    value = np.cumsum(served[:, ::-1], axis=1)[:, ::-1] - toll
    if problem.option_value is not None:
        value = value + problem.option_value
    best = np.zeros(int(problem.place.max(initial=-1)) + 1)
    np.maximum.at(best, problem.place, value.max(axis=1))
    bound = given + float(np.maximum(worth - paid, 0.0).sum()) + float(best.sum())
    z = relaxed.x[: n_actions * years].reshape(n_actions, years)
    return Guide(bound, best[problem.place][:, None] - value, np.diff(z, axis=1, prepend=0.0), toll.ravel())


def search(problem: SitingProblem, rules: Sequence[Rule], guide: Guide, allowed: Bools, *, passes: int) -> Ints | None:
    """Take what the relaxation takes for the most part, fill up and exchange; None where that keeps not every rule."""
    board = board_of(problem, rules, guide.toll)
    part, short = guide.part.ravel(), np.where(allowed, guide.short, np.inf).ravel()
    first = np.argsort(-part, kind="stable")
    stand = _stand(problem, board, len(rules), first[part[first] >= 0.5])
    order = np.argsort(short, kind="stable")
    options = order[np.isfinite(short[order])][:_OPTIONS].astype(np.int64)
    exchange(board, stand, options, options[:_FORCED], np.int64(passes))
    found = np.where(stand.year < problem.n_years, stand.year + 1, 0)
    return None if broken_rules(problem, found) else found


def search_near(problem: SitingProblem, guide: Guide, left: Bools) -> Ints | None:
    """Do what `search` does among those options ``left`` that fall least short."""
    core, _ = core_of(guide, None, left, _OPTIONS)
    actions, small, near = _narrowed(problem, guide, core)
    found = search(small, with_constants(small), near, core[actions], passes=_PASSES)
    return None if found is None else _widened(problem, actions, found)


def walk_in(problem: SitingProblem, guide: Guide, core: Bools, plan: Ints, seed: int) -> Ints:
    """Return the best plan seen on a long walk from ``plan`` among the options of a ``core``."""
    actions, small, near = _narrowed(problem, guide, core)
    years, rules = problem.n_years, with_constants(small)
    board = board_of(small, rules, near.toll)
    options, known = np.flatnonzero(core[actions].ravel()).astype(np.int64), plan[actions]
    per_turn = len(options) * years * small.cover.nnz / max(len(actions), 1)
    turns = int(np.clip(_OPERATIONS / max(per_turn, 1.0), _FEWEST, _MOST))
    done = np.flatnonzero(known)
    nothing = _stand(small, board, len(rules), done[:0])
    stand = _stand(small, board, len(rules), done * years + known[done] - 1)
    heat = _HEAT * abs(float(stand.merit[1] - nothing.merit[1])) / max(len(done), 1)
    year = wander(board, stand, options, np.int64(turns), heat, np.int64(_MOST_OUT), np.int64(seed))
    return _widened(problem, actions, np.where(year < years, year + 1, 0))


def _narrowed(problem: SitingProblem, guide: Guide, core: Bools) -> tuple[Ints, SitingProblem, Guide]:
    """Return the actions of a core, and problem and guide with these alone."""
    actions = np.flatnonzero(core.any(axis=1))
    toll = guide.toll.reshape(core.shape)[actions].ravel()
    near = replace(guide, short=guide.short[actions], part=guide.part[actions], toll=toll)
    return actions, narrowed(problem, actions), near


def _widened(problem: SitingProblem, actions: Ints, build_year: Ints) -> Ints:
    """Return a plan among some actions as one of the whole problem."""
    whole = np.zeros(problem.n_actions, np.int64)
    whole[actions] = build_year
    return whole


def _stand(problem: SitingProblem, board: Board, n_rules: int, options: Ints) -> Stand:
    """Return what there is when ``options`` are done one after another, those at a busy place left out."""
    years = problem.n_years
    stand = Stand(
        year=np.full(problem.n_actions, years, np.int64),
        covers=np.repeat(board.standing[:, None], years, axis=1).astype(np.int64),
        used=np.zeros(n_rules),
        busy=np.zeros(int(problem.place.max(initial=-1)) + 1, np.int64),
        merit=np.zeros(2),
    )
    # What covers in any case, and what nothing done already breaks.
    _begin(board, stand)
    for option in options:
        if stand.busy[problem.place[option // years]] == 0:
            move(board, stand, np.int64(option // years), np.int64(option % years), np.int64(1))
    return stand


def core_of(guide: Guide, plan: Ints | None, left: Bools, more: int | None) -> tuple[Bools, float]:
    """Return the options of plan and relaxation with ``more`` of those ``left`` that fall least short, and how short the rest falls."""
    core = left & (guide.part > _TAKEN)
    if plan is not None:
        done = np.flatnonzero(plan)
        core[done, plan[done] - 1] = True
    rest = np.where(left & ~core, guide.short, np.inf).ravel()
    if more is None or more >= np.isfinite(rest).sum():
        return core | left, math.inf
    order = np.argsort(rest, kind="stable")
    core.ravel()[order[:more]] = True
    return core, float(rest[order[more]])


def first_plan(problem: SitingProblem, rules: Sequence[Rule]) -> Ints | None:
    """Take what covers most for its money until nothing more fits; None where that keeps not every rule."""
    alone = problem.cover.T @ np.outer(problem.unit_weight, problem.year_weight)
    gain = np.cumsum(alone[:, ::-1], axis=1)[:, ::-1]
    if problem.option_value is not None:
        gain = gain + problem.option_value
    toll = np.maximum(option_prices(problem).sum(axis=2), 1e-9)
    guide = Guide(math.inf, -gain / toll, np.zeros(gain.shape), toll.ravel())
    return search(problem, rules, guide, np.ones(gain.shape, bool), passes=0)


def _begin(board: Board, stand: Stand) -> None:
    """Count what stands and is covered with nothing done."""
    years = board.worth.shape[1]
    units, at = np.nonzero(stand.covers >= board.need[:, None])
    cells = units * years + at
    for cell in cells[board.unit_ptr[cells + 1] > board.unit_ptr[cells]]:
        part = slice(board.unit_ptr[cell], board.unit_ptr[cell + 1])
        np.add.at(stand.used, board.unit_rule[part], board.unit_take[part])
    stand.merit[0] = float((board.scale * np.maximum(0.0, stand.used - board.most)).sum())
    stand.merit[1] = float(board.worth[units, at].sum())


@dataclass(frozen=True)
class Standing:
    """The best plan and the bound at one moment; ``years`` is None as long as nothing keeps all rules."""

    step: Step
    years: Ints | None
    objective: float
    bound: float
    stopped: str


def solve_with_rules(problem: SitingProblem, watch: Watch, *, mip_gap: float, work_limit: int | None) -> Plan:
    """Find the best plan that keeps every rule, and prove how good it is; what `planner.siting.solving.solve` does for plain problems.

    Returns:
        A plan; ``infeasible`` without reasons where the rules leave none (`planner.siting.conflict` finds them); ``unknown`` where the
        search was stopped, or its work was done, before it found one.
    """
    work = {**problem.reductions, "units": problem.n_units, "actions": problem.n_actions, "pairs": int(problem.cover.nnz),
            "rules": len(standard_rules(problem)), "nodes": 0}  # fmt: skip
    return concluded(problem, watch, _standings(problem, watch, mip_gap, work_limit, work), work)


def concluded(problem: SitingProblem, watch: Watch, standings: Iterator["Standing"], work: dict[str, int]) -> Plan:
    """Run a search to its end; return its plan, or that there is none."""
    last = watch.follow(standings)
    common: dict[str, Any] = {"seconds": watch.seconds, "work": work, "time_limit_s": watch.limit_s}
    if last is None or last.years is None:
        none, stopped = (
            np.zeros(problem.n_actions, np.int64),
            watch.stopped or ("work" if last is None else last.stopped),
        )
        status: Status = "infeasible" if stopped == "conflict" else "unknown"
        reasons = () if status == "infeasible" else (Reason("no_plan_yet"),)
        return Plan(none, math.nan, math.nan, math.inf, status, stopped=stopped, reasons=reasons, **common)
    gap = gap_of(problem, last)
    proven = gap <= PROOF_TOLERANCE
    return Plan(
        build_year=last.years,
        objective=last.objective,
        bound=last.objective if proven else last.bound,
        gap=0.0 if proven else gap,
        status="optimal" if proven else "feasible",
        stopped="proof" if proven else watch.stopped or last.stopped,
        **common,
    )


def _standings(
    problem: SitingProblem, watch: Watch, mip_gap: float, work_limit: int | None, work: dict[str, int]
) -> Iterator[Standing]:
    """Relax, search, and settle what is left."""
    rules = with_constants(problem)
    rows = rows_of(problem, rules)
    best = first_standing(problem, rules)
    yield best
    relaxed = minimise(
        rows.program,
        relaxed=True,
        cutter=cutter_of(problem),
        time_limit_s=watch.left_s,
        tell=lambda *_: watch.tell("bound", best.objective, best.bound),
    )
    if relaxed.stopped == "conflict":
        yield replace(best, stopped="conflict")
        return
    if relaxed.stopped == "interrupted" and watch.stopped is None and relaxed.dual is None:
        raise KeyboardInterrupt
    watch.heed(relaxed.stopped)
    guide = None
    if relaxed.dual is not None:
        guide = guide_of(problem, rows, relaxed)
        best = replace(best, bound=min(best.bound, _constant(problem) + guide.bound))
        best = better(problem, best, search_near(problem, guide, _left(problem, guide, best)))
        yield best
        idle = 0
        for seed, more in enumerate(_WALKS):
            if watch.over() or _enough(problem, best, mip_gap) or idle == _IDLE:
                break
            core, _ = core_of(guide, best.years, _left(problem, guide, best), more)
            plan = np.zeros(problem.n_actions, np.int64) if best.years is None else best.years
            found = better(problem, best, walk_in(problem, guide, core, plan, seed))
            idle = idle + 1 if found is best else 0
            best = found
            yield best
    if watch.over() or _enough(problem, best, mip_gap):
        yield replace(best, stopped=watch.stopped or "gap")
        return
    yield from _settle(problem, guide, best, watch, mip_gap, work_limit, work)


def cutter_of(problem: SitingProblem) -> Cutter | None:
    """Return what cuts a problem's relaxation; None where no unit needs several sites."""
    return None if problem.need is None or (problem.need <= 1).all() else CrossCuts(problem).broken


def first_standing(problem: SitingProblem, rules: Sequence[Rule]) -> Standing:
    """Return a first plan, if one is found at once, under the bound of everything being covered."""
    most = _constant(problem) + float(problem.unit_weight.sum() * problem.year_weight.sum())
    if problem.option_value is not None:
        most += float(np.maximum(problem.option_value, 0.0).max(axis=1, initial=0.0).sum())
    if problem.seats is not None:
        most += float(problem.seats.worth @ problem.seats.want.sum(axis=1) * problem.year_weight.sum())
    return better(problem, Standing("search", None, -math.inf, most, "work"), first_plan(problem, rules))


def better(problem: SitingProblem, best: Standing, years: Ints | None) -> Standing:
    """Return the better of the best plan and another."""
    if years is None or broken_rules(problem, years):
        return best
    objective = objective_of(problem, years)
    if best.years is not None and objective <= best.objective:
        return best
    return replace(best, years=years, objective=objective, bound=max(best.bound, objective))


def _settle(
    problem: SitingProblem,
    guide: Guide | None,
    best: Standing,
    watch: Watch,
    mip_gap: float,
    work_limit: int | None,
    work: dict[str, int],
) -> Iterator[Standing]:
    """Let HiGHS decide among the options that fall least short, and among ever more until the rest cannot matter."""
    # What each option falls short of.
    ceiling = best.bound if guide is None else _constant(problem) + guide.bound
    inside, everything = -math.inf, np.ones((problem.n_actions, problem.n_years), bool)
    for more in _CORES:
        core, far = everything, math.inf
        if guide is not None:
            left = _left(problem, guide, best)
            core, far = core_of(guide, best.years, left, more)
            work["options"] = int(left.sum())
        actions = np.flatnonzero(core.any(axis=1))
        small = narrowed(problem, actions)
        rows = rows_of(small, with_constants(small))
        # What the options left out before might add at most.
        open_still = best.bound - max(inside, best.objective)
        # Without a plan, nothing but finding one or that there is none is worth anything.
        limited = work_limit is not None and best.years is not None
        looks = int((work_limit or 0) * _LOOKING / max(rows.program.matrix.nnz, 1)) if limited else None
        large = rows.program.matrix.nnz > _MOST_NONZEROS and open_still <= mip_gap * abs(best.objective)
        if best.years is not None and large:
            yield replace(best, stopped="work")
            return

        def tell(value: float, bound: float, scale: float = rows.scale, known: Standing = best) -> bool:
            return watch.tell("settle", max(known.objective, -value / scale), min(known.bound, -bound / scale))

        program, cutter = only(rows.program, small, core[actions]), cutter_of(small)
        if cutter is not None:
            cut = minimise(program, relaxed=True, cutter=cutter, time_limit_s=watch.left_s, tell=tell)
            if cut.stopped == "interrupted" and watch.stopped is None:
                raise KeyboardInterrupt
            program = with_cuts(program, cut)
        outcome = minimise(
            replace(program, offset=-rows.scale * _constant(small)),
            start=None if best.years is None else point_of_plan(small, best.years[actions]),
            mip_gap=mip_gap,
            abs_gap=1e-9 * _SCALE,
            nodes=work_limit,
            looks=looks,
            # Less than what is left outside lets it be says nothing.
            enough=-rows.scale * (ceiling - far) if math.isfinite(far) else math.inf,
            time_limit_s=watch.left_s,
            tell=tell,
        )
        work["nodes"] += outcome.nodes
        if outcome.x is not None:
            z = outcome.x[: core[actions].size].reshape(-1, problem.n_years) > 0.5
            found = np.zeros(problem.n_actions, np.int64)
            found[actions] = np.where(z.any(axis=1), z.argmax(axis=1) + 1, 0)
            best = better(problem, best, found)
        # What was struck out is no better than the plan at hand, what was left outside no better than its shortfall lets it be.
        inside = -math.inf if outcome.stopped == "conflict" else -outcome.bound / rows.scale
        highest = max(inside, ceiling - far, best.objective if best.years is not None else -math.inf)
        best = replace(best, step="settle", bound=min(best.bound, highest), stopped=outcome.stopped)
        if outcome.stopped == "interrupted" and best.years is None and watch.stopped is None:
            raise KeyboardInterrupt
        watch.heed(outcome.stopped)
        yield best
        # Where the work in a core was not enough, a larger one says nothing new.
        spent = outcome.stopped == "work" and best.years is not None and inside > ceiling - far
        over = outcome.stopped in ("time", "interrupted") or far == math.inf
        if spent or over or _enough(problem, best, mip_gap):
            return


def point_of_plan(problem: SitingProblem, build_year: Ints) -> Floats:
    """Return a plan as a point of `rows_of`."""
    return np.concatenate([is_open(problem, build_year).ravel(), covered_units(problem, build_year).ravel()])


def beaten(problem: SitingProblem, guide: Guide, best: Standing) -> Bools:
    """Tell which options no plan better than ``best`` contains."""
    known = best.objective - _constant(problem)
    return np.asarray(guide.bound - guide.short <= known + 1e-10 * _size(problem))


def _enough(problem: SitingProblem, best: Standing, mip_gap: float) -> bool:
    """Tell whether there is a plan, and its gap small enough."""
    return best.years is not None and gap_of(problem, best) <= max(mip_gap, PROOF_TOLERANCE)


def _left(problem: SitingProblem, guide: Guide, best: Standing) -> Bools:
    """Tell which options a better plan than ``best`` may contain."""
    return np.ones(guide.short.shape, bool) if best.years is None else ~beaten(problem, guide, best)


def only(program: Program, problem: SitingProblem, allowed: Bools) -> Program:
    """Return the program in which only ``allowed`` options may be taken: elsewhere z may not step up."""
    years, m = problem.n_years, problem.n_units
    x_upper, upper = program.x_upper.copy(), program.upper.copy()
    first = np.arange(problem.n_actions) * years
    x_upper[first[~allowed[:, 0]]] = 0.0
    if years > 1:
        upper[m * years : m * years + problem.n_actions * (years - 1)][~allowed[:, 1:].ravel()] = 0.0
    return replace(program, x_upper=x_upper, upper=upper)


def _constant(problem: SitingProblem) -> float:
    return problem.constant * float(problem.year_weight.sum())


def _size(problem: SitingProblem) -> float:
    value = 0.0 if problem.option_value is None else float(np.abs(problem.option_value).sum())
    if problem.seats is not None:
        value += float(problem.seats.worth @ problem.seats.want.sum(axis=1) * problem.year_weight.sum())
    return float(problem.unit_weight.sum() * problem.year_weight.sum()) + abs(_constant(problem)) + value


def gap_of(problem: SitingProblem, best: Standing) -> float:
    """Return the gap; what sums in float64 cannot tell apart is none."""
    return relative_gap(best.objective, best.bound) if best.bound - best.objective > 1e-9 * _size(problem) else 0.0
