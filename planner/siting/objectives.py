"""What else a plan may aim at than most coverage: least cost, the worst-off first, the shortest worst walk; and what money buys.

Each takes a `SitingProblem` and gives a `Plan` whose objective and bound are in the aim's own unit.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import highspy
import numpy as np
from scipy import sparse

from planner.errors import plain_ctrl_c
from planner.siting.milp import Program, minimise
from planner.siting.planning import option_prices, point_of_plan, rows_of, solve_with_rules, with_constants
from planner.siting.problem import (
    PROOF_TOLERANCE,
    Floats,
    Ints,
    Plan,
    SitingProblem,
    broken_rules,
    objective_of,
    relative_gap,
    spending,
    tallies,
)
from planner.siting.seating import solve_seated
from planner.siting.watch import Watch


def least_cost(problem: SitingProblem, watch: Watch, *, mip_gap: float, work_limit: int | None) -> Plan:
    """Return the cheapest plan that keeps all rules; objective and bound are what it costs over all years, running costs included."""
    price = option_prices(problem).sum(axis=2)
    cheap = replace(problem, unit_weight=np.zeros(problem.n_units), constant=0.0, option_value=-price)
    plan = solve_with_rules(cheap, watch, mip_gap=mip_gap, work_limit=work_limit)
    return replace(plan, objective=0.0 - plan.objective, bound=0.0 - plan.bound)


def fairest(
    problem: SitingProblem,
    over: Ints,
    watch: Watch,
    *,
    mip_gap: float,
    work_limit: int | None,
    levels: int | None = None,
) -> Plan:
    """Return the plan in which the worst-off tally is best off, then the worst two together, three, …; then the objective decides.

    Raising the sum of the k worst for k = 1, 2, … is raising the worst, then the next worst (Ogryczak & Śliwiński 2003). Tallies count
    by the weights of the years. Those that no action changes are left out.

    Args:
        problem: what to plan; its objective decides between plans that are equally fair.
        over: rows of `SitingProblem.tally`.
        watch, mip_gap, work_limit: like `planner.siting.solve`, for each level.
        levels: how many of the worst to raise; None is all of them.

    Returns:
        A plan; its objective is the worst-off tally's share, its bound no plan's worst is better than. ``optimal`` only where every level
        is proven.
    """
    assert problem.tally is not None
    over = over[np.asarray(problem.tally[over].sum(axis=1)).ravel() > 1e-12]
    inner = watch.inner("search", -math.inf, math.inf)
    first = solve_with_rules(problem, inner, mip_gap=max(mip_gap, 0.02), work_limit=work_limit)
    watch.stopped = watch.stopped or inner.stopped
    if not first.found or not len(over):
        return first
    best, proven = first.build_year, True
    ladder = _Ladder(problem, over)
    # With everything covered.
    bound = float((ladder.constant + ladder.shares_of_y.sum(axis=1)).min())
    steps = min(levels or len(over), len(over))
    for k in range(1, steps + 2):
        if watch.over():
            proven = False
            break
        worst = float(ladder.shares(best).min())
        program = ladder.program(k if k <= steps else 0)
        outcome = minimise(
            program,
            start=ladder.point(best, min(k, steps)),
            mip_gap=mip_gap if k > steps else 0.0,
            abs_gap=1e-7,
            nodes=work_limit,
            time_limit_s=watch.left_s,
            tell=lambda *_, worst=worst, most=bound: watch.tell("settle", worst, most),
        )
        if outcome.x is not None:
            found = ladder.plan(outcome.x)
            # The solver may trade the worst-off for its tolerance; what is really fairer counts.
            if not broken_rules(problem, found) and ladder.worth(found, k) >= ladder.worth(best, k) - 1e-9:
                best = found
        level_bound = -outcome.bound
        if k == 1:
            bound = min(bound, level_bound)
        if k <= steps:
            reached = float(np.sort(ladder.shares(best))[:k].sum())
            proven &= level_bound - reached <= 1e-6 * max(1.0, reached)
            ladder.keep(k, reached)
        else:
            proven &= outcome.stopped in ("gap", "conflict") and mip_gap <= PROOF_TOLERANCE
        if outcome.stopped in ("time", "interrupted"):
            watch.heed(outcome.stopped)
            proven = False
            break
    worst = float(ladder.shares(best).min())
    bound = worst if bound - worst <= 1e-6 else bound
    return replace(
        first,
        build_year=best,
        objective=worst,
        bound=bound,
        gap=relative_gap(worst, bound),
        status="optimal" if proven and bound == worst else "feasible",
        seconds=watch.seconds,
        stopped="proof" if proven else watch.stopped or "work",
    )


class _Ladder:
    """The program of fairness: level by level, with what was reached kept.

    Level k has columns r (free) and d_z ≥ r − share_z; k·r − Σ d_z is the sum of the k smallest shares at its maximum.
    """

    def __init__(self, problem: SitingProblem, over: Ints) -> None:
        assert problem.tally is not None
        self.problem, self.over = problem, over
        self.base = rows_of(problem, with_constants(problem))
        years, n_z = problem.n_years, problem.n_actions * problem.n_years
        part = sparse.kron(problem.tally[over], problem.year_weight[None, :], format="csr")
        assert part.shape[1] == problem.n_units * years
        self.shares_of_y = sparse.hstack([sparse.csr_array((len(over), n_z)), part], format="csr")
        self.constant = problem.tally_constant[over] * problem.year_weight.sum()
        self.kept: list[tuple[int, float]] = []

    def keep(self, k: int, reached: float) -> None:
        """Never again let the sum of the ``k`` worst fall below what was reached."""
        self.kept.append((k, reached))

    def shares(self, build_year: Ints) -> Floats:
        """Return the weighted share of each tally under a plan."""
        return np.asarray(tallies(self.problem, build_year)[self.over] @ self.problem.year_weight)

    def worth(self, build_year: Ints, k: int) -> float:
        """Return what a plan is worth at level ``k``; beyond the levels, its objective."""
        broken = sum(max(0.0, low - 1e-7 - float(np.sort(self.shares(build_year))[:n].sum())) for n, low in self.kept)
        if broken > 0:
            return -math.inf
        if any(n == k for n, _ in self.kept) or k > len(self.kept) + 1 or k > len(self.over):
            return objective_of(self.problem, build_year)
        return float(np.sort(self.shares(build_year))[:k].sum())

    def program(self, k: int) -> Program:
        """Return the program that raises the sum of the ``k`` worst; with 0 the problem's own objective."""
        base, n_over = self.base.program, len(self.over)
        levels = [n for n, _ in self.kept] + ([k] if k else [])
        cost = base.cost / self.base.scale if not k else np.zeros_like(base.cost)
        blocks: list[list[sparse.sparray | None]] = [[base.matrix] + [None] * len(levels)]
        lower, upper = [base.lower], [base.upper]
        x_lower, x_upper, integer = [base.x_lower], [base.x_upper], [np.asarray(base.integer)]
        costs = [cost]
        for at, n in enumerate(levels):
            ours = sparse.hstack([sparse.csr_array(np.ones((n_over, 1))), -sparse.eye_array(n_over)], format="csr")
            row: list[sparse.sparray | None] = [-self.shares_of_y] + [None] * len(levels)
            row[1 + at] = ours
            blocks.append(row)
            lower.append(np.full(n_over, -highspy.kHighsInf))
            upper.append(self.constant)
            worth = np.concatenate([[float(n)], -np.ones(n_over)])
            if at < len(self.kept):
                sums: list[sparse.sparray | None] = [None] * (1 + len(levels))
                sums[1 + at] = sparse.csr_array(worth[None, :])
                sums[0] = sparse.csr_array((1, base.matrix.shape[1]))
                blocks.append(sums)
                lower.append(np.array([self.kept[at][1] - 1e-8]))
                upper.append(np.array([highspy.kHighsInf]))
            x_lower.append(np.zeros(1 + n_over))
            x_upper.append(np.full(1 + n_over, 2.0))
            integer.append(np.zeros(1 + n_over, bool))
            costs.append(-worth if at == len(self.kept) else np.zeros(1 + n_over))
        return Program(
            cost=np.concatenate(costs),
            matrix=sparse.block_array(blocks, format="csc"),
            lower=np.concatenate(lower),
            upper=np.concatenate(upper),
            x_lower=np.concatenate(x_lower),
            x_upper=np.concatenate(x_upper),
            n_integer=base.n_integer,
            integer=np.concatenate(integer),
        )

    def point(self, build_year: Ints, k: int) -> Floats:
        """Return a plan as a point of the program whose last level is ``k``."""
        shares = self.shares(build_year)
        levels = [n for n, _ in self.kept]
        levels += [k] if k not in levels else []
        parts = [point_of_plan(self.problem, build_year)]
        for n in levels:
            r = float(np.sort(shares)[n - 1])
            parts.append(np.concatenate([[r], np.maximum(0.0, r - shares)]))
        return np.concatenate(parts)

    def plan(self, x: Floats) -> Ints:
        """Return the plan in a point."""
        problem = self.problem
        z = x[: problem.n_actions * problem.n_years].reshape(problem.n_actions, problem.n_years) > 0.5
        return np.where(z.any(axis=1), z.argmax(axis=1) + 1, 0)


def least_worst(
    problem_within: Callable[[float], SitingProblem],
    metres: Sequence[float],
    watch: Watch,
    *,
    mip_gap: float,
    work_limit: int | None,
) -> tuple[Plan, SitingProblem | None]:
    """Return the plan with the shortest worst walk (p-center), and among those the best by the problems' own objective.

    Halves the list of distances: the shortest within which a plan has everybody who can be reached at all.

    Args:
        problem_within: a distance -> the problem with the rule that everybody has a site within it.
        metres: distances to choose from, ascending; within the last one everybody is covered if anybody can be.
        watch, mip_gap, work_limit: like `planner.siting.solve`.

    Returns:
        The plan, its objective and bound in metres, and the problem it was made for; infeasible, and None, where none keeps the rules.
    """
    low, high = 0, len(metres) - 1
    best: tuple[Plan, SitingProblem] | None = None
    # Shorter than ``metres[sure]`` is proven to be impossible; what was only given up is not.
    sure, at = 0, high
    while low <= high:
        middle = (low + high) // 2 if best is not None else high
        problem = problem_within(metres[middle])
        inner = watch.inner("settle", math.inf if best is None else float(metres[at]), float(metres[sure]))
        plan = solve_with_rules(problem, inner, mip_gap=mip_gap, work_limit=work_limit)
        watch.stopped = watch.stopped or inner.stopped
        if plan.found:
            best, at, high = (plan, problem), middle, middle - 1
        elif best is None:
            return plan, None
        else:
            low = middle + 1
            sure = low if plan.status == "infeasible" else sure
        if watch.over():
            break
    assert best is not None
    plan, problem = best
    reached, bound = float(metres[at]), float(metres[sure])
    plan = replace(
        plan,
        objective=reached,
        bound=bound,
        gap=relative_gap(reached, bound),
        status="optimal" if sure == at else "feasible",
        seconds=watch.seconds,
        stopped="proof" if sure == at else watch.stopped or "work",
    )
    return plan, problem


@dataclass(frozen=True)
class Point:
    """A point of the trade-off between money and coverage.

    Attributes:
        budget: money of all years together.
        cost: what the plan spends of it.
        objective, bound: as in `Plan`.
        status: as in `Plan`.
    """

    budget: float
    cost: float
    objective: float
    bound: float
    status: str


def trade_off(
    problem: SitingProblem, factors: Sequence[float], watch: Watch, *, mip_gap: float, work_limit: int | None
) -> tuple[tuple[Point, ...], int]:
    """Return what is covered for each multiple of all yearly budgets, each point with its own bound, and how many multiples were tried.

    A plan that fits a smaller budget fits a larger one too, so no point is worse than the one before it, and no bound better than the next.
    At multiples that leave no plan there is no point; fewer are tried where the watch or Ctrl-C ends the search.
    """
    points: list[Point] = []
    best: Ints | None = None
    tried = 0
    for factor in sorted(factors):
        if watch.over():
            break
        scaled = replace(problem, budget=problem.budget * factor)
        solve_rules = solve_with_rules if problem.seats is None else solve_seated
        inner = Watch(watch.left_s)
        try:
            with plain_ctrl_c():
                plan = solve_rules(scaled, inner, mip_gap=mip_gap, work_limit=work_limit)
        except KeyboardInterrupt:
            watch.stopped = "interrupted"
            break
        watch.heed(inner.stopped or plan.stopped)
        if plan.status == "unknown" and watch.over():
            break
        tried += 1
        if not plan.found:
            continue
        year, objective = plan.build_year, plan.objective
        if best is not None and objective_of(scaled, best) > objective and not broken_rules(scaled, best):
            year, objective = best, objective_of(scaled, best)
        best = year
        cost = float(spending(problem, year).sum())
        status = "optimal" if plan.bound - objective <= PROOF_TOLERANCE * abs(objective) else "feasible"
        points.append(Point(float(scaled.budget.sum()), cost, objective, max(plan.bound, objective), status))
    for k in range(len(points) - 2, -1, -1):
        if points[k].bound > points[k + 1].bound:
            points[k] = replace(points[k], bound=points[k + 1].bound)
    return tuple(points), tried
