"""Plans that serve most people with the seats there are: capacity as the objective, under the same rules as everything else.

Takes a `SitingProblem` with ``seats``; gives what `solving` gives. Benders' decomposition: the actions and one number for each class of
half-hours and year are a small program; each point it proposes is answered by a largest flow, whose smallest cut says how much more
that number must give way. The program's bound holds whatever cuts are in it, and the cuts at a plan of whole actions are exact there.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import highspy
import numpy as np
from scipy import sparse

from planner.siting.milp import Outcome, Program, minimise
from planner.siting.planning import (
    Guide,
    Standing,
    beaten,
    better,
    concluded,
    first_standing,
    gap_of,
    guide_of,
    only,
    point_of_plan,
    rows_of,
    with_constants,
)
from planner.siting.problem import PROOF_TOLERANCE, Floats, Ints, Plan, Rule, SitingProblem, is_open
from planner.siting.seats import Bools, Cut, Seats, flow
from planner.siting.watch import Watch

# HiGHS works with absolute tolerances; all worth is scaled to this.
_SCALE = 1e4
# Rounds of cuts at points of the relaxation, and how little the last three must bring for it to be left.
_ROUNDS, _LITTLE = 60, 2e-4
# Programs over whole actions at most.
_WHOLES = 30
# Options that the first program over whole actions may take, and thrice as many each time that they do not settle it.
_CORE = 150
# A cut that lets through no more than this beyond the proposal, as a share of all that is wanted, says nothing new.
_SLACK = 1e-7


def solve_seated(problem: SitingProblem, watch: Watch, *, mip_gap: float, work_limit: int | None) -> Plan:
    """Find the plan in which most find a seat, and prove how good it is; arguments and plan like `planner.siting.planning`'s."""
    rules = with_constants(problem)
    work = {**problem.reductions, "actions": problem.n_actions, "rules": len(rules), "cuts": 0, "nodes": 0}
    return concluded(problem, watch, _standings(problem, rules, watch, mip_gap, work_limit, work), work)


def _standings(
    problem: SitingProblem,
    rules: Sequence[Rule],
    watch: Watch,
    mip_gap: float,
    work_limit: int | None,
    work: dict[str, int],
) -> Iterator[Standing]:
    """Cut the relaxation, then programs over whole actions, until plan and bound meet."""
    assert problem.seats is not None
    best = first_standing(problem, rules)
    yield best
    master = _Master(problem, rules)
    for done in (np.zeros(problem.n_actions), np.ones(problem.n_actions)):
        master.learn(np.repeat(done[:, None], problem.n_years, axis=1))
    guide: Guide | None = None
    bounds: list[float] = []
    while len(bounds) < _ROUNDS:
        relaxed = master.minimise(best, watch, relaxed=True)
        if relaxed.stopped == "conflict":
            yield replace(best, stopped="conflict")
            return
        if relaxed.x is None:
            break
        guide = master.guide(relaxed)
        bounds.append(master.constant + guide.bound)
        best = replace(best, step="bound", bound=min(best.bound, max(bounds[-1], best.objective)))
        yield best
        learned = master.learn(master.actions(relaxed))
        if not learned or watch.over() or (len(bounds) > 3 and bounds[-4] - min(bounds[-3:]) <= _LITTLE * bounds[-1]):
            break
    work["cuts"] = len(master.cuts)
    ceiling, size = math.inf if guide is None else master.constant + guide.bound, _CORE
    for turn in range(_WHOLES):
        allowed, far = np.ones(master.shape, bool), math.inf
        if guide is not None:
            left = allowed if best.years is None else ~beaten(problem, guide, best)
            shortest = np.sort(guide.short[left])
            far = float(shortest[size]) if size < len(shortest) else math.inf
            allowed = left & (guide.short <= far)
        outcome = master.minimise(
            best, watch, allowed=allowed, mip_gap=max(mip_gap * max(0.8**turn, 0.2), 1e-7), nodes=work_limit
        )
        work["nodes"] += outcome.nodes
        learned = 0
        if outcome.x is not None:
            z = np.rint(master.actions(outcome))
            best = better(problem, best, np.where(z.any(axis=1), z.argmax(axis=1) + 1, 0))
            learned = master.learn(z)
            work["cuts"] = len(master.cuts)
        # What was struck out is no better than the plan at hand, what was left outside no better than its shortfall lets it be.
        inside = -math.inf if outcome.stopped == "conflict" else master.value(outcome.bound)
        bound = max(inside, ceiling - far, best.objective)
        best = replace(best, step="settle", bound=min(best.bound, bound), stopped=outcome.stopped)
        yield best
        stuck = not learned and far == math.inf
        if watch.over() or stuck or (best.years is not None and gap_of(problem, best) <= max(mip_gap, PROOF_TOLERANCE)):
            return
        if not learned or outcome.stopped == "conflict" or ceiling - far > best.objective * (1 + 0.5 * mip_gap):
            size *= 3


class _Master:
    """The program of actions and, for each class of half-hours and year, of the seats taken; with the cuts learned so far."""

    def __init__(self, problem: SitingProblem, rules: Sequence[Rule]) -> None:
        assert problem.seats is not None
        self.seats: Seats = problem.seats
        self.problem, self.shape = problem, (problem.n_actions, problem.n_years)
        lean = _without_units(problem) if not any(rule.tally >= 0 for rule in rules) else problem
        self.lean = lean
        self.base = rows_of(lean, rules)
        self.scale = _SCALE
        self.constant = problem.constant * float(problem.year_weight.sum())
        self.cuts: list[Cut] = []
        self.known: set[bytes] = set()
        self.most = self.seats.want.sum(axis=1)
        # Seats taken in each class and year that the last point proposes.
        self.taken = np.full((self.seats.n_hours, problem.n_years), np.inf)

    def value(self, bound: float) -> float:
        """Return a bound of the program in the unit of the objective."""
        return self.constant - bound / self.scale if np.isfinite(bound) else math.inf

    def minimise(
        self,
        best: Standing,
        watch: Watch,
        *,
        relaxed: bool = False,
        allowed: Bools | None = None,
        mip_gap: float = 0.0,
        nodes: int | None = None,
    ) -> Outcome:
        """Solve the program as it stands, with the ``allowed`` options only."""
        program = self.program()
        outcome = minimise(
            program if allowed is None else only(program, self.lean, allowed),
            start=None if best.years is None or relaxed else self.point(best.years),
            relaxed=relaxed,
            mip_gap=mip_gap,
            nodes=nodes,
            time_limit_s=watch.left_s,
            tell=lambda *_: watch.tell(best.step, best.objective, best.bound),
        )
        if outcome.stopped == "interrupted" and best.years is None and watch.stopped is None:
            raise KeyboardInterrupt
        watch.heed(outcome.stopped)
        return outcome

    def guide(self, relaxed: Outcome) -> Guide:
        """Price the cuts by the relaxation's multipliers: what is left is a choice at each place."""
        assert relaxed.dual is not None
        years = self.shape[1]
        price = np.maximum(0.0, -relaxed.dual[len(self.base.program.upper) :] / self.scale).reshape(years, -1)
        hours = np.array([cut.hour for cut in self.cuts])
        more = np.array([cut.more for cut in self.cuts])
        worth = np.outer(self.problem.year_weight, self.seats.worth)
        priced = np.stack([np.bincount(hours, weights=row, minlength=self.seats.n_hours) for row in price])
        # Whatever a seat is worth beyond the price of its cuts counts in full, so that the bound holds at any multipliers.
        given = float(price.sum(axis=0) @ [cut.given for cut in self.cuts])
        given += float((np.maximum(worth - priced, 0.0) @ self.most).sum())
        base = replace(
            relaxed, x=relaxed.x, dual=relaxed.dual[: len(self.base.program.upper)] * self.base.scale / self.scale
        )
        return guide_of(self.lean, self.base, base, seats=(given, (price @ more).T))

    def point(self, years: Ints) -> Floats:
        """Return a plan as a point of the program."""
        stands = is_open(self.problem, years)
        taken = [[flow(self.seats, h, done)[0] for done in stands.T] for h in range(self.seats.n_hours)]
        return np.concatenate([point_of_plan(self.lean, years), np.ravel(taken)])

    def actions(self, outcome: Outcome) -> Floats:
        """Return how much of each action is done by the end of each year at a point; remember the seats that it proposes."""
        assert outcome.x is not None
        self.taken = outcome.x[-self.taken.size :].reshape(self.taken.shape)
        return np.clip(outcome.x[: self.shape[0] * self.shape[1]].reshape(self.shape), 0.0, 1.0)

    def learn(self, z: Floats) -> int:
        """Add the cuts that what is done (n_actions × n_years) calls for; return how many are new."""
        before = len(self.cuts)
        for t in range(self.shape[1]):
            for hour in range(self.seats.n_hours):
                if self.most[hour] <= 0:
                    continue
                _, cut = flow(self.seats, hour, z[:, t])
                key = np.append(cut.more, [cut.given, hour]).tobytes()
                if key not in self.known and cut.at(z[:, t]) < self.taken[hour, t] - _SLACK * self.most[hour]:
                    self.known.add(key)
                    self.cuts.append(cut)
        return len(self.cuts) - before

    def program(self) -> Program:
        """Return the program as it stands."""
        base, (n, years), n_hours = self.base.program, self.shape, self.seats.n_hours
        worth = np.outer(self.seats.worth, self.problem.year_weight).ravel()
        blocks = []
        for t in range(years):
            rows = len(self.cuts)
            more = sparse.csr_array(np.array([-cut.more for cut in self.cuts]).reshape(rows, n)).tocoo()
            over_z = sparse.csr_array((more.data, (more.row, more.col * years + t)), (rows, base.matrix.shape[1]))
            hours = np.array([cut.hour for cut in self.cuts], dtype=np.int64)
            theta = sparse.csr_array((np.ones(rows), (np.arange(rows), hours * years + t)), (rows, n_hours * years))
            blocks.append([over_z, theta])
        given = np.tile([cut.given for cut in self.cuts], years)
        return Program(
            cost=np.concatenate([base.cost / self.base.scale, -worth]) * self.scale,
            matrix=sparse.block_array([[base.matrix, None], *blocks], format="csc"),
            lower=np.concatenate([base.lower, np.full(len(given), -highspy.kHighsInf)]),
            upper=np.concatenate([base.upper, given]),
            x_lower=np.concatenate([base.x_lower, np.zeros(n_hours * years)]),
            x_upper=np.concatenate([base.x_upper, np.repeat(self.most, years)]),
            n_integer=base.n_integer,
            integer=np.concatenate([np.asarray(base.integer, bool), np.zeros(n_hours * years, bool)]),
        )


def _without_units(problem: SitingProblem) -> SitingProblem:
    """Return the problem without the units of coverage where they are worth nothing: no rule speaks of them either."""
    if problem.unit_weight.any():
        return problem
    nothing: Ints = np.zeros(0, np.int64)
    return replace(
        problem,
        unit_weight=np.zeros(0),
        cover=sparse.csr_array((0, problem.n_actions), dtype=np.int8),
        standing=None if problem.standing is None else nothing,
        need=None if problem.need is None else nothing,
        tally=None,
        tally_constant=np.zeros(0),
    )
