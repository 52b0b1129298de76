"""What each action is worth in a plan: what is lost without it alone, and what could stand in for it.

Takes a `SitingProblem` and a plan for it; gives exact figures by the same arithmetic as `objective_of`, without any search. Problems with
an action left out are for whoever plans again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from planner.siting.planning import standard_rules
from planner.siting.problem import (
    RULE_TOLERANCE,
    Floats,
    Ints,
    Reason,
    Rule,
    SitingProblem,
    broken_rules,
    excess,
    is_open,
    objective_of,
    tallies,
)


@dataclass(frozen=True)
class Drop:
    """What leaving one action of a plan undone would do.

    Attributes:
        action: its number.
        loss: how much smaller the objective would be.
        breaks: the rules that would then be broken.
    """

    action: int
    loss: float
    breaks: tuple[Reason, ...]


@dataclass(frozen=True)
class Swap:
    """Another action in the place of one of a plan's.

    Attributes:
        action: number of the other.
        year: 1 … n_years, in which it is done.
        loss: how much smaller the objective would be; below zero where it would be larger.
    """

    action: int
    year: int
    loss: float


def without(build_year: Ints, action: int) -> Ints:
    """Return a plan in which one action is left undone."""
    fewer = build_year.copy()
    fewer[action] = 0
    return fewer


def drops(problem: SitingProblem, build_year: Ints) -> tuple[Drop, ...]:
    """Return, for each action of a plan, what leaving it alone undone would do; in the order of their numbers."""
    whole, kept = objective_of(problem, build_year), set(map(_said, broken_rules(problem, build_year)))
    found = []
    for action in np.flatnonzero(build_year).tolist():
        fewer = without(build_year, action)
        broken = tuple(reason for reason in broken_rules(problem, fewer) if _said(reason) not in kept)
        found.append(Drop(action, whole - objective_of(problem, fewer), broken))
    return tuple(found)


def _said(reason: Reason) -> str:
    return f"{reason.key} {sorted(reason.values.items(), key=str)}"


class Swaps:
    """Looks for the actions that could best stand in for one of a plan's, every other staying as it is."""

    def __init__(self, problem: SitingProblem) -> None:
        self.problem, self.rules = problem, standard_rules(problem)
        by_action = problem.cover.T.tocsr()
        self.adds, self.takes = (by_action > 0).astype(np.int8), (by_action < 0).astype(np.int8)

    def best(self, build_year: Ints, action: int, *, most: int = 3) -> tuple[Swap, ...]:
        """Return the best actions that may be done instead of ``action``, least loss first, ties by number.

        Each is done in the year in which it is worth most; the plan with it keeps every rule. None where seats are an aim: who would find
        one is a flow of its own for each.
        """
        if self.problem.seats is not None:
            return ()
        problem, fewer = self.problem, without(build_year, action)
        whole, rest = objective_of(problem, build_year), objective_of(problem, fewer)
        busy = np.zeros(int(problem.place.max(initial=-1)) + 1, bool)
        busy[problem.place[fewer > 0]] = True
        free = ~busy[problem.place]
        free[action] = False
        before, after = self._turning(fewer)
        worth = np.outer(problem.unit_weight, problem.year_weight)
        value = _from_year_on(self._change(before * worth, after * worth))
        if problem.option_value is not None:
            value = value + problem.option_value
        value = np.where(free[:, None] & self._allowed(fewer, before, after), value, -np.inf)
        best, year = value.max(axis=1), value.argmax(axis=1)
        found: list[Swap] = []
        for other in np.argsort(-best, kind="stable").tolist():
            if len(found) == most or not np.isfinite(best[other]):
                break
            swapped = fewer.copy()
            swapped[other] = year[other] + 1
            if not broken_rules(problem, swapped):
                found.append(Swap(other, int(year[other]) + 1, whole - (rest + float(best[other]))))
        return tuple(found)

    def _turning(self, build_year: Ints) -> tuple[Floats, Floats]:
        """Return which units one more site would cover, and which one less would uncover, (n_units × n_years) each."""
        problem = self.problem
        count = problem.cover @ is_open(problem, build_year)
        if problem.standing is not None:
            count = count + problem.standing[:, None]
        need = np.ones((problem.n_units, 1)) if problem.need is None else problem.need[:, None]
        return (np.rint(count) == need - 1).astype(float), (np.rint(count) == need).astype(float)

    def _change(self, gained: Floats, lost: Floats) -> Floats:
        """Return what each action changes of sums over the units that turn, (n_actions × n_years)."""
        return np.asarray(self.adds @ gained - self.takes @ lost)

    def _allowed(self, build_year: Ints, before: Floats, after: Floats) -> np.ndarray:
        """Tell which further options keep every rule, (n_actions × n_years)."""
        problem = self.problem
        counted, changes = tallies(problem, build_year), self._tally_changes(before, after)
        allowed = np.ones((problem.n_actions, problem.n_years), bool)
        for rule in self.rules:
            room = RULE_TOLERANCE * max(1.0, abs(rule.most)) - excess(problem, rule, build_year, counted)
            if rule.tally < 0:
                # Whoever takes nothing leaves the rule as it is.
                some = np.zeros_like(allowed) if room < 0 else np.ones_like(allowed)
                some[rule.action] = rule.take <= room
                allowed &= some
                continue
            more = np.zeros(allowed.shape)
            more[rule.action] = rule.take
            more[:, : rule.year + 1] -= changes[rule.tally, rule.year][:, None]
            allowed &= more <= room
        return allowed

    def _tally_changes(self, before: Floats, after: Floats) -> dict[tuple[int, int], Floats]:
        """Return what each action changes of each (tally, year) that a rule speaks of."""
        asked = {(rule.tally, rule.year) for rule in self.rules if rule.tally >= 0}
        changes = {}
        for tally, year in asked:
            assert self.problem.tally is not None
            share = self.problem.tally[[tally]].toarray()[0]
            changes[tally, year] = self._change(share * before[:, year], share * after[:, year])
        return changes


def _from_year_on(by_year: Floats) -> Floats:
    """Return what an action adds if it is done in each year: what it changes in that year and all later ones."""
    return np.asarray(np.cumsum(by_year[:, ::-1], axis=1)[:, ::-1])


def with_actions(problem: SitingProblem, kept: Ints) -> SitingProblem:
    """Return the problem in which only ``kept`` actions may be done, numbered anew in their order."""
    number = np.full(problem.n_actions, -1, np.int64)
    number[kept] = np.arange(len(kept))
    seats = problem.seats
    return replace(
        problem,
        cover=sparse.csr_array(problem.cover[:, kept]),
        capital_cost=problem.capital_cost[kept],
        operating_cost=problem.operating_cost[kept],
        place=problem.place[kept],
        limit_use=None if problem.limit_use is None else sparse.csr_array(problem.limit_use[:, kept]),
        option_value=None if problem.option_value is None else problem.option_value[kept],
        seats=None if seats is None else replace(seats, after=seats.after[:, kept], place=seats.place[kept]),
        rules=_renumbered(problem.rules, number),
    )


def _renumbered(rules: Sequence[Rule], number: Ints) -> tuple[Rule, ...]:
    here = [number[rule.action] >= 0 for rule in rules]
    return tuple(
        replace(rule, action=number[rule.action][some], take=rule.take[some])
        for rule, some in zip(rules, here, strict=True)
    )


def leaving_out(problem: SitingProblem, action: int) -> SitingProblem:
    """Return the problem in which an action may not be done; those after it are numbered one less."""
    return with_actions(problem, np.delete(np.arange(problem.n_actions), action))
