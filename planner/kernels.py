"""The compiled searches: arrays in, arrays out.

Shortest walks in whole millimetres held in uint32, so that sums don't depend on their order and two searches that meet the same
pair give the same number. The queue is a ring of buckets (Dial 1969; Denardo & Fox 1979), each a doubly linked list in flat
arrays: a node that gets nearer moves in place. Unsigned indices spare the check for negative ones, and the hot loops
rebind no array: together worth 3×.

A place on the network is a row of six whole numbers: the nodes at the start and the stop of its edge, the length from the place
back to the start and on to the stop, the walk to the street, and the edge.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., object])
U32 = np.uint32
U64 = np.uint64
Whole = NDArray[np.uint32]
Counts = NDArray[np.int64]

START, STOP, BACK, ON, ACCESS, EDGE = range(6)  # columns of a place

FAR = U32(0xFFFFFFFF)  # not reached
END = U32(0xFFFFFFFF)  # end of a list
OUT = U32(0xFFFFFFFE)  # not queued
ONE = U64(1)
# A bucket is 2^15 mm ≈ 33 m wide, half a usual street edge. Answers don't depend on it, and times hardly do.
BUCKET_BITS = U64(15)


def compiled(function: F) -> F:
    """Compile for use in threads, and keep the result on disk."""
    return cast(F, njit(nogil=True, cache=True, error_model="numpy")(function))


def scratch(n_nodes: int, longest: int) -> tuple[Whole, Whole, Whole, Whole, Whole]:
    """Return the arrays one thread searches with: nearest, after, before, buckets, touched.

    ``longest`` is the longest arc or first step; the ring of buckets must span it.
    """
    n_buckets = 1 << (int(longest >> int(BUCKET_BITS)) + 2).bit_length()
    return (
        np.full(n_nodes, FAR, dtype=U32),
        np.empty(n_nodes, dtype=U32),
        np.full(n_nodes, OUT, dtype=U32),
        np.full(n_buckets, END, dtype=U32),
        np.empty(n_nodes, dtype=U32),
    )


@compiled
def _enqueue(node: U32, bucket: U64, after: Whole, before: Whole, buckets: Whole) -> None:
    first = buckets[bucket]
    after[node] = first
    before[node] = END
    if first != END:
        before[first] = node
    buckets[bucket] = node


@compiled
def _dequeue(node: U32, bucket: U64, after: Whole, before: Whole, buckets: Whole) -> None:
    left, right = before[node], after[node]
    if left == END:
        buckets[bucket] = right
    else:
        after[left] = right
    if right != END:
        before[right] = left
    before[node] = OUT


@compiled
def _sow(place: Whole, limit: U64, nearest: Whole, after: Whole, before: Whole, buckets: Whole, touched: Whole) -> U64:
    """Queue the two ends of a place's edge; return how many were."""
    mask = U64(buckets.size - 1)
    n = U64(0)
    for end in range(2):
        node = place[end]
        distance = U64(place[2 + end]) + U64(place[ACCESS])
        if distance <= limit and distance < nearest[node]:
            if nearest[node] == FAR:
                touched[n] = node
                n += ONE
            else:  # both ends of a loop are one node
                _dequeue(node, (U64(nearest[node]) >> BUCKET_BITS) & mask, after, before, buckets)
            nearest[node] = U32(distance)
            _enqueue(node, (distance >> BUCKET_BITS) & mask, after, before, buckets)
    return n


@compiled
def _spread(
    first_arc: Whole, arcs: Whole, limit: U64, n: U64,
    nearest: Whole, after: Whole, before: Whole, buckets: Whole, touched: Whole,
) -> U64:  # fmt: skip
    """Settle all nodes within ``limit`` of the ``n`` queued ones; return how many were touched."""
    mask = U64(buckets.size - 1)
    bucket = U64(0)
    queued = n
    while queued > U64(0):
        node = buckets[bucket & mask]
        if node == END:
            bucket += ONE
            continue
        _dequeue(node, bucket & mask, after, before, buckets)
        queued -= ONE
        so_far = U64(nearest[node])
        arc, last = U64(first_arc[node]), U64(first_arc[node + ONE])
        while arc < last:
            head = arcs[arc, 0]
            distance = so_far + U64(arcs[arc, 1])
            arc += ONE
            old = nearest[head]
            if distance < U64(old) and distance <= limit:
                old_bucket, new_bucket = U64(old) >> BUCKET_BITS, distance >> BUCKET_BITS
                nearest[head] = U32(distance)
                if old == FAR:
                    touched[n] = head
                    n += ONE
                    queued += ONE
                elif before[head] == OUT:
                    queued += ONE
                elif old_bucket == new_bucket:
                    continue
                else:
                    _dequeue(head, old_bucket & mask, after, before, buckets)
                _enqueue(head, new_bucket & mask, after, before, buckets)
    return n


@compiled
def _between(demand: Whole, site: Whole) -> U64:
    """Return the length along the one edge that both places are on."""
    farther, nearer = max(demand[BACK], site[BACK]), min(demand[BACK], site[BACK])
    return U64(farther) - U64(nearer) + U64(demand[ACCESS]) + U64(site[ACCESS])


@compiled
def _through_ends(demand: Whole, nearest: Whole) -> U64:
    """Return the length to a demand place by way of the nearer end of its edge; beyond uint32 if neither was reached."""
    by_start = U64(nearest[demand[START]]) + U64(demand[BACK])
    by_stop = U64(nearest[demand[STOP]]) + U64(demand[ON])
    if nearest[demand[START]] == FAR:
        by_start = U64(1) << U64(40)
    if nearest[demand[STOP]] == FAR:
        by_stop = U64(1) << U64(40)
    return min(by_start, by_stop) + U64(demand[ACCESS])


@compiled
def search_block(
    sites: Whole, same_first: Counts, same_last: Counts,
    demand: Whole, by_edge: Whole, entry_first: Whole, entries: Whole,
    first_arc: Whole, arcs: Whole, limit: int,
    nearest: Whole, after: Whole, before: Whole, buckets: Whole, touched: Whole,
    pair_demand: Whole, pair_distance: Whole, pairs_of_site: Counts,
) -> int:  # fmt: skip
    """Write the demand places within ``limit`` of each site in turn, until the pairs run out of room.

    Args:
        sites: (n, 6) places; ``by_edge[same_first[s]:same_last[s]]`` are the demand places on site s's own edge.
        demand: (m, 6) places; demand places at node v are ``entries[entry_first[v]:entry_first[v + 1]]``, rows of (number,
            length to v, other end of the edge, length to that), access included, 0 in the fifth column where v is the edge's start.
        pair_demand, pair_distance: room for the pairs.
        pairs_of_site: how many pairs each site got.

    Returns:
        The number of sites done. The next one needs more room than was left.
    """
    bound = U64(limit)
    room = U64(pair_demand.size)
    used = U64(0)
    for s in range(len(sites)):
        site = sites[s]
        n = _sow(site, bound, nearest, after, before, buckets, touched)
        n = _spread(first_arc, arcs, bound, n, nearest, after, before, buckets, touched)
        most = U64(same_last[s] - same_first[s])
        for i in range(n):
            node = touched[i]
            most += U64(entry_first[node + ONE]) - U64(entry_first[node])
        fits = most <= room - used
        begin = used
        if fits:
            used = _gather(
                n, site, demand, entry_first, entries, bound, nearest, touched, pair_demand, pair_distance, used
            )
            for i in range(same_first[s], same_last[s]):
                place = demand[by_edge[i]]
                distance = min(_between(place, site), _through_ends(place, nearest))
                if distance <= bound:
                    pair_demand[used] = by_edge[i]
                    pair_distance[used] = U32(distance)
                    used += ONE
            pairs_of_site[s] = used - begin
        for i in range(n):
            nearest[touched[i]] = FAR
        if not fits:
            return s
    return len(sites)


@compiled
def _gather(
    n: U64, site: Whole, demand: Whole, entry_first: Whole, entries: Whole, limit: U64,
    nearest: Whole, touched: Whole, pair_demand: Whole, pair_distance: Whole, used: U64,
) -> U64:  # fmt: skip
    """Write the demand places on the edges at the touched nodes, but for those on the site's own edge."""
    for i in range(n):
        node = touched[i]
        so_far = U64(nearest[node])
        at_site = node == site[START] or node == site[STOP]
        entry, last = U64(entry_first[node]), U64(entry_first[node + ONE])
        while entry < last:
            number, other = entries[entry, 0], entries[entry, 2]
            distance = so_far + U64(entries[entry, 1])
            from_other = nearest[other]
            if from_other != FAR:
                distance = min(distance, U64(from_other) + U64(entries[entry, 3]))
            # A place whose two ends were both touched is met twice; the meeting at its edge's start counts.
            counts = entries[entry, 4] == 0 or from_other == FAR
            entry += ONE
            if counts and distance <= limit and not (at_site and demand[number, EDGE] == site[EDGE]):
                pair_demand[used] = number
                pair_distance[used] = U32(distance)
                used += ONE
    return used


@compiled
def scatter(
    site_of: Whole, pairs_of_site: Counts, pair_demand: Whole, pair_distance: Whole,
    cursor: Counts, site: NDArray[np.int32], distance: Whole,
) -> None:  # fmt: skip
    """Move pairs from the order of the searches into their demand's row; ``cursor`` is where each row is written next."""
    i = U64(0)
    for s in range(len(site_of)):
        for _ in range(pairs_of_site[s]):
            row = pair_demand[i]
            at = cursor[row]
            site[at] = site_of[s]
            distance[at] = pair_distance[i]
            cursor[row] = at + 1
            i += ONE


@compiled
def sort_rows(first: Counts, lo: int, hi: int, site: NDArray[np.int32], distance: Whole) -> None:
    """Sort the pairs of rows ``lo`` to ``hi`` by distance, then site (shellsort with Ciura's gaps: rows are short)."""
    for row in range(lo, hi):
        begin, end = first[row], first[row + 1]
        gap = 1
        for wider in (4, 10, 23, 57, 132, 301, 701, 1750, 4376, 10941, 27353, 68383, 170958, 427396):
            if wider < end - begin:
                gap = wider
        while True:
            for i in range(begin + gap, end):
                d, s = distance[i], site[i]
                j = i
                while j >= begin + gap and (distance[j - gap] > d or (distance[j - gap] == d and site[j - gap] > s)):
                    distance[j], site[j] = distance[j - gap], site[j - gap]
                    j -= gap
                distance[j], site[j] = d, s
            if gap == 1:
                break
            narrower = 1
            for tighter in (4, 10, 23, 57, 132, 301, 701, 1750, 4376, 10941, 27353, 68383, 170958):
                if tighter < gap:
                    narrower = tighter
            gap = narrower


@compiled
def settle_owners(
    sites: Whole, first_arc: Whole, arcs: Whole, limit: int,
    nearest: Whole, after: Whole, before: Whole, buckets: Whole, owner: Whole,
) -> None:  # fmt: skip
    """Give every node within ``limit`` of a site its nearest one and the distance; the lower site wins ties."""
    mask = U64(buckets.size - 1)
    bound = U64(limit)
    queued = 0
    for s in range(len(sites)):
        for end in range(2):
            node = sites[s, end]
            distance = U64(sites[s, 2 + end]) + U64(sites[s, ACCESS])
            if distance <= bound and distance < U64(nearest[node]):
                if nearest[node] == FAR:
                    queued += 1
                else:
                    _dequeue(node, (U64(nearest[node]) >> BUCKET_BITS) & mask, after, before, buckets)
                nearest[node], owner[node] = U32(distance), U32(s)
                _enqueue(node, (distance >> BUCKET_BITS) & mask, after, before, buckets)
    bucket = U64(0)
    while queued > 0:
        node = buckets[bucket & mask]
        if node == END:
            bucket += ONE
            continue
        _dequeue(node, bucket & mask, after, before, buckets)
        queued -= 1
        so_far, by = U64(nearest[node]), owner[node]
        arc, last = U64(first_arc[node]), U64(first_arc[node + ONE])
        while arc < last:
            head = arcs[arc, 0]
            distance = so_far + U64(arcs[arc, 1])
            arc += ONE
            old = nearest[head]
            if distance <= bound and (distance < U64(old) or (distance == U64(old) and by < owner[head])):
                old_bucket, new_bucket = U64(old) >> BUCKET_BITS, distance >> BUCKET_BITS
                nearest[head], owner[head] = U32(distance), by
                if old == FAR or before[head] == OUT:
                    queued += 1
                elif old_bucket == new_bucket:
                    continue
                else:
                    _dequeue(head, old_bucket & mask, after, before, buckets)
                _enqueue(head, new_bucket & mask, after, before, buckets)


@compiled
def assign(
    demand: Whole, same_first: Counts, same_last: Counts, sites: Whole, by_edge: Whole, limit: int,
    nearest: Whole, owner: Whole, site: NDArray[np.int64], distance: Whole,
) -> None:  # fmt: skip
    """Give each demand place its nearest site (-1: none) by the ends of its edge or along the edge itself."""
    bound = U64(limit)
    for d in range(len(demand)):
        best, by = bound + ONE, np.int64(-1)
        for end in range(2):
            node = demand[d, end]
            if nearest[node] != FAR:
                length = U64(nearest[node]) + U64(demand[d, 2 + end]) + U64(demand[d, ACCESS])
                if length < best or (length == best and np.int64(owner[node]) < by):
                    best, by = length, np.int64(owner[node])
        for i in range(same_first[d], same_last[d]):
            s = np.int64(by_edge[i])
            length = _between(demand[d], sites[s])
            if length < best or (length == best and s < by):
                best, by = length, s
        site[d] = by
        if by >= 0:
            distance[d] = U32(best)
