"""Who finds a seat: the people of each half-hour, the seats that stand and those that actions bring, and the cuts between them.

What is served at some open places is a largest flow from people to seats. Every cut bounds it for whatever is done, and as a site
has one of a few numbers of seats, the cut's capacity is linear in the actions (Benders' cuts; max-flow min-cut, Ford & Fulkerson 1956).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
# scipy's flows are 32-bit integers; the largest total of a problem is scaled to this.
_WHOLE = 500_000_000
# Less of an action than this is none.
_NOTHING = 1e-9


@dataclass(frozen=True)
class Seats:
    """People who want seats and places that have some, in classes of half-hours that are alike.

    Attributes:
        row, column: (n_pairs,) who can walk where, sorted by row, then column.
        accepts: (n_pairs,) share of them who would go there at all.
        want: (n_hours × n_kinds) seats wanted.
        today: (n_hours × n_places) seats that stand and are open.
        after: (n_hours × n_actions) seats at the action's place once it is done.
        place: (n_actions,).
        worth: (n_hours,) what a seat taken adds to the objective.
    """

    row: Ints
    column: Ints
    accepts: Floats
    want: Floats
    today: Floats
    after: Floats
    place: Ints
    worth: Floats

    @property
    def n_hours(self) -> int:
        """Number of classes of half-hours."""
        return len(self.worth)


@dataclass(frozen=True)
class Cut:
    """``seats taken in the class of half-hours ≤ given + Σ_j more_j · [action j is done]``, whatever is done."""

    hour: int
    given: float
    more: Floats

    def at(self, done: Floats) -> float:
        """Return what it lets through, (n_actions,) parts of actions being done."""
        return self.given + float(self.more @ done)


def flow(seats: Seats, hour: int, done: Floats) -> tuple[float, Cut]:
    """Return how many seats are taken, and a smallest cut.

    Args:
        seats: who and where.
        hour: class of half-hours.
        done: (n_actions,) how much of each action is done; parts of one count as that part of its seats for that part of the people.
    """
    want, today, after = seats.want[hour], seats.today[hour], seats.after[hour]
    stays = np.maximum(1.0 - np.bincount(seats.place, weights=done, minlength=len(today)), 0.0)
    old, new = np.flatnonzero((today > 0) & (stays > _NOTHING)), np.flatnonzero((after > 0) & (done > _NOTHING))
    at = np.concatenate([old, seats.place[new]])
    part = np.concatenate([stays[old], done[new]])
    rooms = np.concatenate([today[old], after[new]]) * part
    order = np.argsort(at, kind="stable")
    at, part, rooms = at[order], part[order], rooms[order]
    # Each pair once for every state that its place is in.
    first, last = np.searchsorted(at, seats.column, "left"), np.searchsorted(at, seats.column, "right")
    times = np.where(want[seats.row] > 0, last - first, 0)
    pair = np.repeat(np.arange(len(times)), times)
    state = first[pair] + np.arange(len(pair)) - np.repeat(np.cumsum(times) - times, times)
    who = seats.row[pair]
    most = want[who] * seats.accepts[pair] * part[state]
    taken, reached = _largest(want, rooms, who, state, most)
    return taken, cut_of(seats, hour, reached)


def cut_of(seats: Seats, hour: int, reached: Bools) -> Cut:
    """Return the cut with the people ``reached`` on the source's side: a valid one whoever they are."""
    want, today = seats.want[hour], seats.today[hour]
    use = reached[seats.row]
    most = np.bincount(
        seats.column[use], weights=want[seats.row[use]] * seats.accepts[use], minlength=len(today)
    )  # what they could hand on to each place
    passed = np.minimum(today, most)
    more = np.minimum(seats.after[hour], most[seats.place]) - passed[seats.place]
    return Cut(hour, float(want[~reached].sum() + passed.sum()), more)


def served(seats: Seats, done: Floats) -> float:
    """Return the worth of all seats that are taken when whole actions are ``done``."""
    return float(sum(seats.worth[h] * flow(seats, h, done)[0] for h in range(seats.n_hours)))


def _largest(want: Floats, rooms: Floats, who: Ints, state: Ints, most: Floats) -> tuple[float, Bools]:
    """Return the largest flow from people to seats, and the people whom more could still reach."""
    n, m = len(want), len(rooms)
    if not want.any():
        return 0.0, np.zeros(n, bool)
    scale = _WHOLE / float(want.sum())
    whole = np.floor(want * scale).astype(np.int64)
    room = np.floor(np.minimum(rooms, want.sum()) * scale).astype(np.int64)
    arcs = np.minimum(np.ceil(most * scale).astype(np.int64), whole[who])
    source, sink = n + m, n + m + 1
    tails = np.concatenate([who, np.arange(n, n + m), np.full(n, source)])
    heads = np.concatenate([state + n, np.full(m, sink), np.arange(n)])
    start = np.searchsorted(tails, np.arange(sink + 2)).astype(np.int32)
    data = np.concatenate([arcs, room, whole]).astype(np.int32)
    graph = csr_array((data, heads.astype(np.int32), start), shape=(sink + 1, sink + 1))
    found = maximum_flow(graph, source, sink)
    flows = np.asarray(found.flow[who, state + n]).reshape(-1).astype(np.int64) if len(who) else np.zeros(0, np.int64)
    reached = np.bincount(who, weights=flows, minlength=n) < whole
    while True:
        onto = reached[who] & (flows < arcs)
        open_states = np.bincount(state[onto], minlength=m) > 0
        back = open_states[state] & (flows > 0)
        more = reached | (np.bincount(who[back], minlength=n) > 0)
        if (more == reached).all():
            return float(found.flow_value) / scale, reached
        reached = more
