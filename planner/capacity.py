"""Reach × hours × seats -> who is served: a fair assignment of people to seats, with the proof that no other serves more.

Takes the pairs within the radius, what stands with how many seats, and who needs a seat when; gives shares served and loads. Coverage
knows nothing of it: capacity and acceptability have figures of their own.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, maximum_flow

from planner.coverage import Bools, Floats, Ints, Offers
from planner.reach import Reach

# scipy's flows are 32-bit integers; the largest total of a problem is scaled to this.
_WHOLE = 500_000_000


@dataclass(frozen=True)
class Service:
    """Who is served, over a week.

    Attributes:
        served_share: (n_units,) share of each unit's working time in which its people find a free seat when they need one.
        accepted_share: (n_units,) the same if no seat were ever taken: the share whom the hosts in reach suit.
        load: (n_sites,) seat-time used ÷ seat-time open, in the order of the standing sites; NaN where never open.
        served, wanted: seat-half-hours of the week, over all units.
        limit: no assignment serves more seat-half-hours than this (the capacity of a cut; max-flow min-cut, Ford & Fulkerson 1956).
    """

    served_share: Floats
    accepted_share: Floats
    load: Floats
    served: float
    wanted: float
    limit: float


def serve(
    reach: Reach,
    standing: Offers,
    seats: Floats,
    weight: Floats,
    group: Ints,
    profiles: Floats,
    *,
    seat_share: float,
    acceptance: Floats | None = None,
) -> Service:
    """Assign people to seats, half-hour by half-hour, fairly.

    In each half-hour a unit wants weight × (share of its group at work) × ``seat_share`` seats at sites in reach that are open and offer
    what is required. Among all assignments that serve most, the one is taken in which the worst served are served best, then the next
    worst, and so on (lexicographic max-min; such an assignment always serves most: Megiddo 1974).

    Args:
        reach: pairs (unit, place) within the service radius.
        standing: the sites that stand.
        seats: (n_sites,) in their order; NaN is unknown and counts as none.
        weight: (n_units,) people.
        group: (n_units,) row of ``profiles``.
        profiles: (n_groups, 336) share of the group at work.
        seat_share: share of working time that a worker spends at a site (minutes of a visit ÷ minutes between visits).
        acceptance: (n_groups, n_sites) share of the group that would go to that site at all; default everybody to each. Whoever would go
            to a site would go to each that more of the group accept: a second bank suits no more people than the first.
    """
    n_groups, n_sites = len(profiles), len(standing.place)
    accepts = np.ones((n_groups, n_sites)) if acceptance is None else acceptance
    index = np.full(reach.n_sites, -1, dtype=np.int64)
    # A site without seats serves nobody, but whom it would suit are kept out by want of seats, not by the host.
    index[standing.place[standing.serves]] = np.flatnonzero(standing.serves)
    here = index[reach.site]
    unit, site = reach.demand[here >= 0].astype(np.int64), here[here >= 0]
    kind, of_unit = _kinds(unit, site, group, reach.n_demand)
    people = np.bincount(of_unit, weights=weight, minlength=len(kind))

    columns = np.vstack([standing.mask, profiles > 0, profiles])
    classes, hours = np.unique(columns, axis=1, return_counts=True)
    served = np.zeros(len(kind))
    accepted = np.zeros(len(kind))
    used, total, limit, wanted = np.zeros(n_sites), 0.0, 0.0, 0.0
    kind_group = np.array([g for g, _ in kind], dtype=np.int64)
    kind_row = np.repeat(np.arange(len(kind)), [len(reached) for _, reached in kind])
    kind_site = np.array([s for _, reached in kind for s in reached], dtype=np.int64)
    for c, n_hours in enumerate(hours):
        is_open, at_work = classes[:n_sites, c] > 0, classes[n_sites + n_groups :, c]
        want = people * at_work[kind_group] * seat_share
        wanted += n_hours * want.sum()
        using = is_open[kind_site] & (want[kind_row] > 0)
        if not using.any():
            continue
        row, column = kind_row[using], kind_site[using]
        most = want[row] * accepts[kind_group[row], column]
        suited = np.zeros(len(kind))
        np.maximum.at(suited, row, most)
        accepted += n_hours * suited
        got, flows, cut = fair_shares(want, np.nan_to_num(seats), row, column, most)
        served += n_hours * got
        used += n_hours * np.bincount(column, weights=flows, minlength=n_sites)
        total, limit = total + n_hours * got.sum(), limit + n_hours * cut
    work = people * (profiles.sum(axis=1) * seat_share)[kind_group]
    share_of_kind, accepted_of_kind = (
        np.clip(np.divide(part, work, out=np.zeros(len(kind)), where=work > 0), 0, 1) for part in (served, accepted)
    )
    open_seats = standing.mask.sum(axis=1) * np.nan_to_num(seats)
    return Service(
        served_share=share_of_kind[of_unit],
        accepted_share=accepted_of_kind[of_unit],
        load=np.divide(used, open_seats, out=np.full(n_sites, np.nan), where=open_seats > 0),
        served=total,
        wanted=wanted,
        limit=limit,
    )


def _kinds(unit: Ints, site: Ints, group: Ints, n_units: int) -> tuple[list[tuple[int, tuple[int, ...]]], Ints]:
    """Merge units of one group that reach the same sites: the kinds, and the kind of each unit."""
    bounds = np.searchsorted(unit, np.arange(n_units + 1))
    numbers: dict[tuple[int, tuple[int, ...]], int] = {}
    of_unit = np.empty(n_units, dtype=np.int64)
    for u in range(n_units):
        key = (int(group[u]), tuple(sorted(site[bounds[u] : bounds[u + 1]].tolist())))
        of_unit[u] = numbers.setdefault(key, len(numbers))
    return list(numbers), of_unit


def fair_shares(want: Floats, seats: Floats, row: Ints, column: Ints, most: Floats) -> tuple[Floats, Floats, float]:
    """Share seats out fairly in one half-hour.

    Args:
        want: (n,) seats wanted.
        seats: (m,) seats there are.
        row, column: pairs (who, where), sorted by row, then column.
        most: (n_pairs,) most seats that a unit may use there and at whatever places suit no more of it.

    Returns:
        got: (n,) seats got; the smallest got ÷ want is as large as can be, then the next smallest.
        flows: (n_pairs,) seats used by each pair.
        cut: the capacity of a smallest cut: nobody can hand out more seats than this.
    """
    if not want.any():
        return np.zeros(len(want)), np.zeros(len(row)), 0.0
    # Seats beyond what all want together change nothing, but would coarsen the scale.
    seats = np.minimum(seats, want.sum())
    scale = _WHOLE / max(want.sum(), seats.sum(), 1e-300)
    whole = np.floor(want * scale).astype(np.int64)
    arcs, rooms = np.rint(most * scale).astype(np.int64), np.floor(seats * scale).astype(np.int64)
    hall = _Hall(rooms, row, column, arcs, len(want))
    source = hall.fill(whole)[1]
    cut = (whole[~source[: len(want)]].sum() + hall.onward(source).sum()) / scale

    # Fill all at the same pace; whoever a full cut holds back stops there, the others go on. Districts that share no site go each at
    # their own pace, all in the same flow. In each the highest common level is found by Newton's method on the smallest cut: a level
    # that is too high gives a cut, and the cut the highest level that it lets through (Dinkelbach 1967), after finitely many cuts.
    got = np.zeros_like(whole)
    free = (whole > 0) & (np.bincount(row, minlength=len(want)) > 0)
    held, level = free.copy(), np.ones(hall.n_districts)
    while free.any():
        give = np.where(free, np.floor(level[hall.district] * whole).astype(np.int64), got)
        source = hall.fill(give)[1]
        behind, passing = source[: len(want)] & free, source[: len(want)] & ~free
        asked, through = hall.by_district(whole * behind), hall.onward(source) - hall.by_district(got * passing)
        lower = np.divide(through, asked, out=np.full(len(level), np.inf), where=asked > 0)
        # A cut that lets through what is asked, but for rounding down to whole units, holds nobody back: that district's level is found.
        found = lower >= level
        settled = held & found[hall.district]
        got[settled] = give[settled]
        free &= ~settled
        held = np.where(found[hall.district], free, behind)
        level = np.where(found, 1.0, np.maximum(lower, 0.0))
    flow = hall.fill(got)[0]
    return got / scale, flow / scale, float(cut)


class _Hall:
    """The seats of one half-hour and who may sit where, as a flow network that is filled again and again.

    Between a unit and its places lie levels, one for each different number of people whom places suit, from the largest down: each lets
    through so many, to its own places and to the next level.

    Args:
        rooms: (m,) seats.
        row, column: pairs (who, where), sorted by row, then column.
        arcs: most that each pair may use, with those of the same unit that may use no more.
        n: number of units.
    """

    def __init__(self, rooms: Ints, row: Ints, column: Ints, arcs: Ints, n: int) -> None:
        levels, level = np.unique(np.column_stack([row, -arcs]), axis=0, return_inverse=True)
        (unit, most), k, m = (levels[:, 0], -levels[:, 1]), len(levels), len(rooms)
        first = np.flatnonzero(np.diff(unit, prepend=-1))
        above = np.arange(k) + n - 1
        above[first] = unit[first]
        # Units, levels, sites, then the source and the sink; arcs into levels, from levels to sites, from sites to the sink.
        source, sink = n + k + m, n + k + m + 1
        self.tails = np.concatenate([above, level.reshape(-1) + n, np.arange(n + k, n + k + m)])
        self.heads = np.concatenate([np.arange(n, n + k), column + n + k, np.full(m, sink)])
        self.most = np.concatenate([most, arcs, rooms])
        self.pairs, self.n, self.ends = slice(k, k + len(row)), n, (source, sink)
        inner = self.heads < sink
        links = csr_array(
            (np.ones(inner.sum(), dtype=np.int8), (self.tails[inner], self.heads[inner])), shape=(sink, sink)
        )
        self.n_districts, label = connected_components(links, directed=False)
        self.district, self.tail_district = label[:n], label[self.tails]
        tails, heads = np.append(self.tails, np.full(n, source)), np.append(self.heads, np.arange(n))
        # csr wants its rows in order, and sorted inside.
        self.order = np.lexsort((heads, tails))
        starts = np.searchsorted(tails[self.order], np.arange(sink + 2)).astype(np.int32)
        capacity = np.zeros(len(heads), dtype=np.int32)
        self.graph = csr_array((capacity, heads[self.order].astype(np.int32), starts), shape=(sink + 1, sink + 1))

    def fill(self, give: Ints) -> tuple[Ints, Bools]:
        """Return the largest flow on each pair if units have ``give``, and the nodes on the source's side of a smallest cut."""
        self.graph.data[:] = np.concatenate([self.most, give])[self.order]
        found = maximum_flow(self.graph, *self.ends).flow
        flow = np.asarray(found[self.tails, self.heads]).reshape(-1).astype(np.int64)
        handed = np.asarray(found[np.full(self.n, self.ends[0]), np.arange(self.n)]).reshape(-1)
        # From every unit that has more than it could hand on: along arcs with room left, and back along arcs in use.
        reached = np.zeros(self.ends[1] + 1, dtype=bool)
        reached[: self.n] = handed < give
        room, used = flow < self.most, flow > 0
        while True:
            more = reached.copy()
            more[self.heads[reached[self.tails] & room]] = True
            more[self.tails[reached[self.heads] & used]] = True
            if (more == reached).all():
                return flow[self.pairs], reached
            reached = more

    def by_district(self, of_units: Ints) -> Floats:
        """Sum what units have, for each district of units and sites that are linked with each other."""
        return np.bincount(self.district, weights=of_units, minlength=self.n_districts).astype(float)

    def onward(self, source: Bools) -> Floats:
        """Return, for each district, how much crosses from the source's side of a cut to the other at most."""
        across = source[self.tails] & ~source[self.heads]
        crossing = np.bincount(self.tail_district, weights=self.most * across, minlength=self.n_districts)
        return np.asarray(crossing, dtype=float)
