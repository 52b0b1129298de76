"""Gaps × actions -> for each gap, the cheapest single action that would close it, or the one that helps most.

Takes gaps, their units, what covers them today and what could be done; gives a row for each gap. Weighs no budget: that is siting's.
"""

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array, csr_array

from planner.coverage import Coverage, Floats, Ints, Offers
from planner.reach import Reach

REMEDY_COLUMNS = (
    "remedy",
    "remedy_site",
    "remedy_mode",
    "remedy_cost",
    "remedy_operating_cost",
    "remedy_gain",
    "remedy_share",
)
# A gap counts as closed when an action leaves less than this of it: a door that opens at five closes a gap that begins at half past four.
CLOSED = 0.9


def gains_by_gap(
    member: Ints,
    weight: Floats,
    group: Ints,
    profiles: Floats,
    coverage: Coverage,
    reach: Reach,
    actions: Offers,
    *,
    n_gaps: int,
) -> csr_array:
    """Return what each action alone would give each gap: people × the share of their working time newly covered.

    Args:
        member: (n_units,) number of each unit's gap, -1 for none.
        weight, group: (n_units,) people and row of ``profiles``.
        profiles: (n_groups, 336) share of the group at work.
        coverage: what stands today.
        reach: pairs (unit, place) within the radius.
        actions: what each action would offer at its place.
        n_gaps: how many gaps there are.

    Returns:
        Sparse (n_gaps, n_actions).
    """
    masks, of_action = np.unique(actions.mask & actions.serves[:, None], axis=0, return_inverse=True)
    # What a mask adds to a week: few weeks, few masks, so a table holds all there is to know.
    adds = np.stack([(masks[None] & ~coverage.weeks[:, None]) @ (p / p.sum()) for p in profiles], axis=2)
    unit, action = _pairs(member, reach, actions)
    gain = weight[unit] * adds[coverage.week[unit], of_action.reshape(-1)[action], group[unit]]
    matrix: csr_array = coo_array((gain, (member[unit], action)), shape=(n_gaps, len(actions.place))).tocsr()
    return matrix


def _pairs(member: Ints, reach: Reach, actions: Offers) -> tuple[Ints, Ints]:
    """Return the pairs (unit in a gap, action in its reach)."""
    n_actions = len(actions.place)
    units, places = reach.demand.astype(np.int64), reach.site.astype(np.int64)
    lacking = member[units] >= 0
    units, places = units[lacking], places[lacking]
    at_place = csr_array((np.ones(n_actions), (actions.place, np.arange(n_actions))), shape=(reach.n_sites, n_actions))
    count = np.diff(at_place.indptr)[places]
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(units, count), at_place.indices[np.repeat(at_place.indptr[places], count) + within].astype(
        np.int64
    )


def seat_gains_by_gap(
    member: Ints,
    lost: Floats,
    weight: Floats,
    group: Ints,
    profiles: Floats,
    reach: Reach,
    actions: Offers,
    added: Floats,
    *,
    accepts: Floats,
    seat_share: float,
    n_gaps: int,
) -> csr_array:
    """Return what each action alone would give each gap that lacks seats or suitable hosts, at most.

    The seats that it adds serve whom it suits among those in its reach, as long as there are any; that others nearby use them too, or
    free theirs, is left aside. So no action that this leaves out can help, and one that it names may help less.

    Args:
        member: (n_units,) number of each unit's gap, -1 for none.
        lost: (n_units,) people × the share of their working time without a seat.
        weight, group: (n_units,) people and row of ``profiles``.
        profiles: (n_groups, 336) share of the group at work.
        reach: pairs (unit, place) within the radius.
        actions: what each action would offer at its place.
        added: (n_actions, 336) seats that it adds to what its place offers today.
        accepts: (n_groups, n_actions) share of the group that would go there at all.
        seat_share: share of working time that a worker spends on a seat.
        n_gaps: how many gaps there are.

    Returns:
        Sparse (n_gaps, n_actions).
    """
    unit, action = _pairs(member, reach, actions)
    work = profiles.sum(axis=1)
    overlap = ((added > 0) @ profiles.T) / work
    room = (added @ (profiles > 0).T) / (work * seat_share)
    of = group[unit]
    gain = np.minimum(lost[unit], weight[unit] * overlap[action, of] * accepts[of, action])
    matrix = coo_array((gain, (member[unit], action)), shape=(n_gaps, len(actions.place))).tocsr().tocoo()
    group_of_gap = np.zeros(n_gaps, dtype=np.int64)
    group_of_gap[member[member >= 0]] = group[member >= 0]
    at_most = np.minimum(matrix.data, room[matrix.col, group_of_gap[matrix.row]])
    limited: csr_array = coo_array((at_most, (matrix.row, matrix.col)), shape=matrix.shape).tocsr()
    return limited


def remedies(gain: csr_array, gap_weight: Floats, actions: pd.DataFrame) -> pd.DataFrame:
    """Choose a remedy for each gap.

    Among the actions that close it (leave less than a tenth) the cheapest in its first year; where none does, the one that gives most.
    Ties go to the cheaper, then to the lower id.

    Args:
        gain: what `gains_by_gap` gave.
        gap_weight: (n_gaps,) weight of each gap.
        actions: table of `planner.actions.possible_actions`, sorted by id.

    Returns:
        Columns `REMEDY_COLUMNS`, a row a gap; empty where nothing helps. ``remedy_share`` is the share of the gap that it takes away.
    """
    words = [actions[column].to_numpy(dtype=object) for column in ("id", "site", "mode")]
    capital, operating = (actions[column].to_numpy(dtype=float) for column in ("capital_cost", "operating_cost"))
    cost = capital + operating
    rows: list[tuple[Any, ...]] = []
    for gap in range(gain.shape[0]):
        span = slice(gain.indptr[gap], gain.indptr[gap + 1])
        action, given = gain.indices[span], gain.data[span]
        helps = given > 1e-9
        action, given = action[helps], given[helps]
        if not len(action):
            rows.append((None, None, None, None, None, 0.0, 0.0))
            continue
        closes = given >= CLOSED * gap_weight[gap]
        if closes.any():
            best = min(np.flatnonzero(closes), key=lambda k: (cost[action[k]], -given[k], action[k]))
        else:
            best = min(np.arange(len(action)), key=lambda k: (-round(given[k], 9), cost[action[k]], action[k]))
        chosen = action[best]
        figures = (capital[chosen], operating[chosen], given[best], given[best] / gap_weight[gap])
        rows.append((*(column[chosen] for column in words), *map(float, figures)))
    table = pd.DataFrame(rows, columns=list(REMEDY_COLUMNS))
    for number, column in enumerate(REMEDY_COLUMNS[:3]):
        # As objects, so that nothing is None: a column of text would say NaN, which is true.
        table[column] = pd.Series([row[number] for row in rows], dtype=object)
    return table
