"""Rules as rows: what a planner says in words -> linear conditions on which action is done in which year.

Every function takes arrays over actions and gives a tuple of `Rule`; each rule carries the reason that a sentence is made of when it
cannot be kept. Years are 0 … n_years − 1 here.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from planner.siting.problem import Floats, Ints, Reason, Rule

Bools = NDArray[np.bool_]


def by_year_end(change: Floats, year: int, n_years: int) -> tuple[Ints, Floats]:
    """Return the actions that change something, and by how much if done by the end of ``year``: what a rule takes."""
    action = np.flatnonzero(change)
    done = (np.arange(n_years) <= year).astype(float)
    return action, np.asarray(change[action, None] * done)


def at_most(
    reason: Reason, change: Floats, standing: float, most: float, n_years: int, *, until: int | None = None
) -> tuple[Rule, ...]:
    """Keep a count at or below ``most`` at the end of every year up to ``until``; where more stand today, let it not grow.

    Args:
        reason: what it is called.
        change: (n_actions,) by how much each action changes the count.
        standing: the count today.
        most: the most there may be.
        n_years: years of the plan.
        until: the last year in which it holds, counted from 0; default: the plan's last.
    """
    room, last = max(most - standing, 0.0), n_years - 1 if until is None else until
    # Where nothing lowers the count, the last year says it for all.
    years = range(last + 1) if (change < 0).any() else (last,)
    return tuple(Rule(reason, room, *by_year_end(change, t, n_years)) for t in years)


def at_least(
    reason: Reason, change: Floats, standing: float, least: float, n_years: int, *, by: int
) -> tuple[Rule, ...]:
    """Keep a count at or above ``least`` from the end of year ``by`` on; arguments like `at_most`."""
    years = range(by, n_years) if (change < 0).any() else (by,)
    return tuple(Rule(reason, standing - least, *by_year_end(-change, t, n_years)) for t in years)


def at_least_share(
    reason: Reason,
    part_change: Floats,
    change: Floats,
    standing: tuple[float, float],
    share: float,
    n_years: int,
    *,
    by: int,
) -> tuple[Rule, ...]:
    """Keep a part at or above a share of the whole from the end of year ``by`` on ("24-hour sites ≥ 15 %").

    Args:
        reason: what it is called.
        part_change, change: (n_actions,) by how much each action changes the part and the whole.
        standing: the part and the whole today.
        share: least part ÷ whole.
        n_years: years of the plan.
        by: first year in which it must hold.
    """
    part, whole = standing
    return tuple(
        Rule(reason, part - share * whole, *by_year_end(share * change - part_change, t, n_years), worth=1.0)
        for t in range(by, n_years)
    )


def floor(reason: Reason, tally: int, share: float, n_years: int, *, by: int, falls: bool = False) -> tuple[Rule, ...]:
    """Keep a tally at or above ``share`` from the end of year ``by`` on.

    Args:
        reason: what it is called.
        tally: row of `SitingProblem.tally`.
        share: least share.
        n_years: years of the plan.
        by: first year in which it must hold.
        falls: whether the tally may fall again in later years (where sites may close).
    """
    nothing: Ints = np.zeros(0, np.int64)
    years = range(by, n_years) if falls else (by,)
    return tuple(Rule(reason, -share, nothing, np.zeros((0, n_years)), tally, t) for t in years)


def exactly(reason: Reason, action: int, year: int, n_years: int, *, worth: float = 1.0) -> tuple[Rule, ...]:
    """Have an action done in a year: it has been decided. ``worth`` as in `Rule`."""
    take = np.zeros((1, n_years))
    take[0, year] = -1.0
    return (Rule(reason, -1.0, np.array([action]), take, worth=worth),)


def never(reason: Reason, actions: Ints, n_years: int) -> tuple[Rule, ...]:
    """Leave actions undone."""
    return (Rule(reason, 0.0, actions, np.ones((len(actions), n_years))),) if len(actions) else ()


def relieved(reason: Reason, closing: int, takers: Ints, n_years: int) -> tuple[Rule, ...]:
    """Close a site no earlier than one of the ``takers`` is done: 整合 closes one and widens another."""
    rules = []
    for t in range(n_years):
        change = np.zeros(max([closing, *takers.tolist()]) + 1)
        change[takers] = -1.0
        change[closing] = 1.0
        rules.append(Rule(reason, 0.0, *by_year_end(change, t, n_years)))
    return tuple(rules)


def apart(
    reason: Reason,
    place: Ints,
    builds: Bools,
    closes: Bools,
    standing: Bools,
    near: Iterable[tuple[int, int]],
    n_years: int,
) -> tuple[Rule, ...]:
    """Keep new sites apart from each other and from what stands.

    Args:
        reason: what it is called; ``place`` and ``other`` are added.
        place: (n_actions,).
        builds, closes: (n_actions,) which actions open a site, which close one.
        standing: (n_places,) where a site stands today.
        near: pairs of places that are too near each other.
        n_years: years of the plan.
    """
    new_at, close_at = _actions_at(place, builds), _actions_at(place, closes)
    rivals: dict[int, set[int]] = {}
    rules: list[Rule] = []
    for a, b in near:
        for here, other in ((a, b), (b, a)):
            if here not in new_at:
                continue
            if other in new_at:
                rivals.setdefault(here, set()).add(other)
            elif standing[other]:
                says = Reason(reason.key, {**reason.values, "place": here, "other": other})
                for t in range(n_years) if other in close_at else (n_years - 1,):
                    change = np.zeros(len(place))
                    change[new_at[here]] = 1.0
                    change[close_at.get(other, [])] = -1.0
                    rules.append(Rule(says, 0.0, *by_year_end(change, t, n_years)))
    for clique in _cliques(rivals):
        change = np.zeros(len(place))
        for member in clique:
            change[new_at[member]] = 1.0
        says = Reason(reason.key, {**reason.values, "place": clique[0], "other": clique[1]})
        rules.append(Rule(says, 1.0, *by_year_end(change, n_years - 1, n_years)))
    return tuple(rules)


def _actions_at(place: Ints, which: Bools) -> dict[int, list[int]]:
    at: dict[int, list[int]] = {}
    for action in np.flatnonzero(which).tolist():
        at.setdefault(int(place[action]), []).append(action)
    return at


def _cliques(rivals: dict[int, set[int]]) -> list[list[int]]:
    """Cover all pairs of rivals by sets that are all rivals of each other: far fewer and tighter rows than pairs."""
    left = {(a, b) for a, others in rivals.items() for b in others if a < b}
    cliques = []
    while left:
        a, b = min(left)
        clique, common = [a, b], rivals[a] & rivals[b]
        while common:
            # Whoever brings most pairs that are not covered yet, the first of them.
            best = max(sorted(common), key=lambda c: sum((min(c, m), max(c, m)) in left for m in clique))
            clique.append(best)
            common &= rivals[best]
        left -= {(min(x, y), max(x, y)) for x in clique for y in clique if x != y}
        cliques.append(sorted(clique))
    return cliques
