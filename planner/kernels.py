"""The compiled searches: arrays in, arrays out.

Shortest walks in whole millimetres held in uint32, so that sums don't depend on their order and two searches that meet the same
pair give the same number. The queue is a ring of buckets (Dial 1969; Denardo & Fox 1979), each a doubly linked list in flat
arrays: a node that gets nearer moves in place. Unsigned indices spare the check for negative ones, and the hot loops
rebind no array: together worth 3×.

A place on the network is a row of seven whole numbers: the nodes at the start and the stop of its edge, the length from the place
back to the start and on to the stop (BLOCKED against a one-way), the walk to the street, the edge, and how far along it.
Walks go from demand to site; searches start at the site and run against them.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., object])
U32 = np.uint32
U64 = np.uint64
I64 = np.int64
Whole = NDArray[np.uint32]
Counts = NDArray[np.int64]
Pairs = NDArray[np.int32]
Keys = NDArray[np.uint64]
Floats = NDArray[np.float64]
Grid = NDArray[np.float64]
Flags = NDArray[np.bool_]

START, STOP, BACK, ON, ACCESS, EDGE, ALONG = range(7)  # columns of a place
NUMBER, NEAR, OTHER, BEYOND, AT_STOP = range(5)  # columns of an entry: see `list_at_nodes`

UNITS_PER_M = 1000
FARTHEST = 4_000_000_000  # 4,000 km: the longest walk that is counted
BLOCKED = U64(FARTHEST + 1)

FAR = U32(0xFFFFFFFF)  # not reached
END = U32(0xFFFFFFFF)  # end of a list
OUT = U32(0xFFFFFFFE)  # not queued
FREE = U64(0xFFFFFFFFFFFFFFFF)  # no site yet
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
def pack(
    edge: Counts, offset_m: Floats, access_m: Floats, access_share: float,
    start: Counts, stop: Counts, length: Whole, oneway: Flags, is_site: bool,
) -> Whole:  # fmt: skip
    """Return positions as places. On a one-way demand can only walk on, and a site can only be come to from the start."""
    places = np.empty((len(edge), 7), dtype=np.uint32)
    for i in range(len(edge)):
        e = edge[i]
        along = min(U64(np.rint(offset_m[i] * UNITS_PER_M)), U64(length[e]))
        back, on = along, U64(length[e]) - along
        if oneway[e]:
            if is_site:
                on = BLOCKED
            else:
                back = BLOCKED
        places[i, START] = start[e]
        places[i, STOP] = stop[e]
        places[i, BACK] = back
        places[i, ON] = on
        places[i, ACCESS] = U64(np.rint(min(access_m[i] * access_share * UNITS_PER_M, float(FARTHEST))))
        places[i, EDGE] = e
        places[i, ALONG] = along
    return places


@compiled
def list_at_nodes(demand: Whole, n_nodes: int) -> tuple[Whole, Whole]:
    """List the demand places at the ends of their edges: those at node v are ``entries[first[v]:first[v + 1]]``.

    An entry is a demand's number, its length to v, the other end of its edge, its length to that (the walk to the street included),
    and 1 if v is the edge's stop. A place on a loop has one entry.
    """
    first = np.zeros(n_nodes + 1, dtype=np.uint32)
    for i in range(len(demand)):
        first[demand[i, START] + ONE] += U32(1)
        if demand[i, START] != demand[i, STOP]:
            first[demand[i, STOP] + ONE] += U32(1)
    for v in range(n_nodes):
        first[v + 1] += first[v]
    cursor = first.copy()
    entries = np.empty((first[n_nodes], 5), dtype=np.uint32)
    for i in range(len(demand)):
        access = U64(demand[i, ACCESS])
        back = min(U64(demand[i, BACK]) + access, BLOCKED)
        on = min(U64(demand[i, ON]) + access, BLOCKED)
        start, stop = demand[i, START], demand[i, STOP]
        at = cursor[start]
        cursor[start] += U32(1)
        entries[at, NUMBER], entries[at, OTHER], entries[at, BEYOND], entries[at, AT_STOP] = i, stop, on, 0
        entries[at, NEAR] = min(back, on) if start == stop else back
        if start != stop:
            at = cursor[stop]
            cursor[stop] += U32(1)
            entries[at, NUMBER], entries[at, OTHER], entries[at, BEYOND], entries[at, AT_STOP] = i, start, back, 1
            entries[at, NEAR] = on
    return first, entries


@compiled
def _between(demand: Whole, site: Whole) -> U64:
    """Return the length along the one edge that both places are on."""
    here, there = U64(demand[ALONG]), U64(site[ALONG])
    if demand[BACK] == BLOCKED and here > there:
        return BLOCKED
    return max(here, there) - min(here, there) + U64(demand[ACCESS]) + U64(site[ACCESS])


@compiled
def _through_ends(demand: Whole, nearest: Whole) -> U64:
    """Return the length to a demand place by way of the nearer end of its edge."""
    best = BLOCKED
    for end in range(2):
        so_far = nearest[demand[end]]
        if so_far != FAR:
            best = min(best, U64(so_far) + U64(demand[2 + end]) + U64(demand[ACCESS]))
    return best


@compiled
def search_block(
    sites: Whole, demand: Whole, entry_first: Whole, entries: Whole, first_arc: Whole, arcs: Whole, limit: int,
    nearest: Whole, after: Whole, before: Whole, buckets: Whole, touched: Whole,
    pair_demand: Whole, pair_distance: Whole, pairs_of_site: Counts,
) -> int:  # fmt: skip
    """Write the demand places within ``limit`` of each site in turn, until the pairs run out of room.

    Args:
        sites, demand: places; ``entry_first`` and ``entries`` list the demand at each node.
        nearest, after, before, buckets, touched: `scratch`, left as it was found.
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
        most = U64(entry_first[site[START] + ONE]) - U64(entry_first[site[START]])
        for i in range(n):
            node = touched[i]
            most += U64(entry_first[node + ONE]) - U64(entry_first[node])
        fits = most <= room - used
        if fits:
            begin = used
            used = _gather(
                n, site, demand, entry_first, entries, bound, nearest, touched, pair_demand, pair_distance, used
            )
            used = _gather_same_edge(
                site, demand, entry_first, entries, bound, nearest, pair_demand, pair_distance, used
            )
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
            number = entries[entry, NUMBER]
            distance = so_far + U64(entries[entry, NEAR])
            from_other = nearest[entries[entry, OTHER]]
            if from_other != FAR:
                distance = min(distance, U64(from_other) + U64(entries[entry, BEYOND]))
            # A place whose two ends were both touched is met twice; the meeting at its edge's start counts.
            counts = entries[entry, AT_STOP] == 0 or from_other == FAR
            entry += ONE
            if counts and distance <= limit and not (at_site and demand[number, EDGE] == site[EDGE]):
                pair_demand[used] = number
                pair_distance[used] = U32(distance)
                used += ONE
    return used


@compiled
def _gather_same_edge(
    site: Whole, demand: Whole, entry_first: Whole, entries: Whole, limit: U64,
    nearest: Whole, pair_demand: Whole, pair_distance: Whole, used: U64,
) -> U64:  # fmt: skip
    """Write the demand places on the site's own edge: straight along it, or round by its ends."""
    entry, last = U64(entry_first[site[START]]), U64(entry_first[site[START] + ONE])
    while entry < last:
        number, at_stop = entries[entry, NUMBER], entries[entry, AT_STOP]
        entry += ONE
        if at_stop == 0 and demand[number, EDGE] == site[EDGE]:
            distance = min(_between(demand[number], site), _through_ends(demand[number], nearest))
            if distance <= limit:
                pair_demand[used] = number
                pair_distance[used] = U32(distance)
                used += ONE
    return used


@compiled
def scatter(
    site_of: Whole, pairs_of_site: Counts, pair_demand: Whole, pair_distance: Whole,
    cursor: Counts, site: Pairs, distance: Whole,
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
def sort_rows(first: Counts, lo: int, hi: int, site: Pairs, distance: Whole) -> None:
    """Sort the pairs of rows ``lo`` to ``hi`` by distance, then site: into about as many bins as pairs, then by insertion."""
    longest = 1
    for row in range(lo, hi):
        longest = max(longest, first[row + 1] - first[row])
    bins = np.zeros(2 * longest + 2, dtype=np.int64)
    sites, distances = np.empty(longest, dtype=np.int32), np.empty(longest, dtype=np.uint32)
    for row in range(lo, hi):
        begin, n = first[row], first[row + 1] - first[row]
        if n > 12:
            shift, farthest = U64(0), U64(0)
            for i in range(begin, begin + n):
                farthest = max(farthest, U64(distance[i]))
            while farthest >> shift > U64(2 * n - 1):
                shift += ONE
            for i in range(2 * n + 1):
                bins[i] = 0
            for i in range(begin, begin + n):
                bins[(U64(distance[i]) >> shift) + ONE] += 1
            for i in range(1, 2 * n):
                bins[i] += bins[i - 1]
            for i in range(begin, begin + n):
                a_bin = U64(distance[i]) >> shift
                at = bins[a_bin]
                bins[a_bin] = at + 1
                sites[at], distances[at] = site[i], distance[i]
            for i in range(n):
                site[begin + i], distance[begin + i] = sites[i], distances[i]
        for i in range(begin + 1, begin + n):
            d, s = distance[i], site[i]
            j = i
            while j > begin and (distance[j - 1] > d or (distance[j - 1] == d and site[j - 1] > s)):
                distance[j], site[j] = distance[j - 1], site[j - 1]
                j -= 1
            distance[j], site[j] = d, s


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
    demand: Whole, entry_first: Whole, entries: Whole, sites: Whole, limit: int,
    nearest: Whole, owner: Whole, site: Counts, distance: Whole,
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
        site[d] = by
        distance[d] = U32(best)
    for s in range(len(sites)):
        entry, last = U64(entry_first[sites[s, START]]), U64(entry_first[sites[s, START] + ONE])
        while entry < last:
            number, at_stop = entries[entry, NUMBER], entries[entry, AT_STOP]
            entry += ONE
            if at_stop == 0 and demand[number, EDGE] == sites[s, EDGE]:
                length = _between(demand[number], sites[s])
                best, by = U64(distance[number]), site[number]
                if length < best or (length == best and s < by):
                    site[number] = s
                    distance[number] = U32(length)


@compiled
def _push(heap: Keys, nodes: Whole, size: int, key: U64, node: U32) -> None:
    """Put an entry into a binary heap that holds ``size``."""
    at = size
    while at > 0 and heap[(at - 1) >> 1] > key:
        heap[at], nodes[at] = heap[(at - 1) >> 1], nodes[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at], nodes[at] = key, node


@compiled
def _pop(heap: Keys, nodes: Whole, size: int) -> None:
    """Take the first entry out of a binary heap that holds ``size``."""
    key, node = heap[size - 1], nodes[size - 1]
    at, child = 0, 1
    while child < size - 1:
        if child + 1 < size - 1 and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= key:
            break
        heap[at], nodes[at] = heap[child], nodes[child]
        at, child = child, 2 * child + 1
    heap[at], nodes[at] = key, node


@compiled
def settle_k(sites: Whole, first_arc: Whole, arcs: Whole, k: int, limit: int) -> tuple[Keys, Counts]:
    """Give every node its ``k`` nearest sites, nearest first: keys of (distance, site), and how many there are.

    Sites spread together; a node passes each of its first k on (many-label Dijkstra).
    """
    n_nodes = len(first_arc) - 1
    settled = np.zeros((n_nodes, k), dtype=np.uint64)
    count = np.zeros(n_nodes, dtype=np.int64)
    low = U64(0xFFFFFFFF)
    heap, nodes, size = (
        np.empty(max(1024, 4 * len(sites)), dtype=np.uint64),
        np.empty(max(1024, 4 * len(sites)), dtype=np.uint32),
        0,
    )
    for s in range(len(sites)):
        for end in range(2):
            distance = U64(sites[s, 2 + end]) + U64(sites[s, ACCESS])
            if distance <= U64(limit):
                _push(heap, nodes, size, distance << U64(32) | U64(s), sites[s, end])
                size += 1
    while size > 0:
        key, node = heap[0], nodes[0]
        _pop(heap, nodes, size)
        size -= 1
        known = count[node] == k
        for i in range(count[node]):
            known = known or settled[node, i] & low == key & low
        if known:
            continue
        settled[node, count[node]] = key
        count[node] += 1
        arc, last = U64(first_arc[node]), U64(first_arc[node + ONE])
        if size + int(last - arc) > len(heap):
            heap, nodes = np.concatenate((heap, heap)), np.concatenate((nodes, nodes))
        while arc < last:
            distance = (key >> U64(32)) + U64(arcs[arc, 1])
            if distance <= U64(limit) and count[arcs[arc, 0]] < k:
                _push(heap, nodes, size, distance << U64(32) | key & low, arcs[arc, 0])
                size += 1
            arc += ONE
    return settled, count


@compiled
def _insert(best: Keys, key: U64) -> None:
    """Put a site into a sorted row of the best unless it is there already or too far; a nearer way to it replaces a longer."""
    low = U64(0xFFFFFFFF)
    at = len(best) - 1
    for i in range(len(best)):
        if best[i] & low == key & low and best[i] != FREE:
            at = i
            break
    if key >= best[at]:
        return
    while at > 0 and best[at - 1] > key:
        best[at] = best[at - 1]
        at -= 1
    best[at] = key


@compiled
def assign_k(
    demand: Whole,
    entry_first: Whole,
    entries: Whole,
    sites: Whole,
    settled: Keys,
    count: Counts,
    limit: int,
    best: Keys,
) -> None:
    """Give each demand place its nearest sites: fill the rows of ``best``, FREE so far, with keys of (distance, site)."""
    low = U64(0xFFFFFFFF)
    for d in range(len(demand)):
        for end in range(2):
            node = demand[d, end]
            for i in range(count[node]):
                distance = (settled[node, i] >> U64(32)) + U64(demand[d, 2 + end]) + U64(demand[d, ACCESS])
                if distance <= U64(limit):
                    _insert(best[d], distance << U64(32) | settled[node, i] & low)
    for s in range(len(sites)):
        entry, last = U64(entry_first[sites[s, START]]), U64(entry_first[sites[s, START] + ONE])
        while entry < last:
            number, at_stop = entries[entry, NUMBER], entries[entry, AT_STOP]
            entry += ONE
            if at_stop == 0 and demand[number, EDGE] == sites[s, EDGE]:
                distance = _between(demand[number], sites[s])
                if distance <= U64(limit):
                    _insert(best[number], distance << U64(32) | U64(s))


@compiled
def search_one(
    site: Whole, demand: Whole, first_arc: Whole, arcs: Whole, limit: int,
    nearest: Whole, after: Whole, before: Whole, buckets: Whole, touched: Whole,
) -> tuple[Counts, Whole]:  # fmt: skip
    """Return the demand places within ``limit`` of one site, in their order, and the lengths to them."""
    bound = U64(limit)
    n = _sow(site, bound, nearest, after, before, buckets, touched)
    _spread(first_arc, arcs, bound, n, nearest, after, before, buckets, touched)
    found, length, n_found = np.empty(len(demand), dtype=np.int64), np.empty(len(demand), dtype=np.uint32), 0
    for d in range(len(demand)):
        distance = _through_ends(demand[d], nearest)
        if demand[d, EDGE] == site[EDGE]:
            distance = min(distance, _between(demand[d], site))
        if distance <= bound:
            found[n_found], length[n_found] = d, U32(distance)
            n_found += 1
    return found[:n_found].copy(), length[:n_found].copy()


@compiled
def splice(
    demand: Pairs, site: Pairs, distance: Whole, dropped: Counts, add: int, new_demand: Counts, new_distance: Whole,
    out_demand: Pairs, out_site: Pairs, out_distance: Whole,
) -> None:  # fmt: skip
    """Copy sorted pairs, run by run, without the ``dropped`` ones (ascending) and with new ones of site ``add``."""
    n, i, k = 0, 0, 0
    for j in range(len(new_demand) + 1):
        # Where the new pair belongs: by demand, then distance, then site.
        low, high = i, len(demand)
        while j < len(new_demand) and low < high:
            at = (low + high) >> 1
            later = demand[at] > new_demand[j]
            if demand[at] == new_demand[j]:
                later = distance[at] > new_distance[j] or (distance[at] == new_distance[j] and site[at] > add)
            if later:
                high = at
            else:
                low = at + 1
        while True:
            end = high
            if k < len(dropped) and dropped[k] < high:
                end = dropped[k]
            m = end - i
            out_demand[n : n + m], out_site[n : n + m], out_distance[n : n + m] = (
                demand[i:end],
                site[i:end],
                distance[i:end],
            )
            n, i = n + m, end
            if end == high:
                break
            i, k = i + 1, k + 1
        if j < len(new_demand):
            out_demand[n], out_site[n], out_distance[n] = new_demand[j], add, new_distance[j]
            n += 1


@compiled
def count_rows(pair_demand: Whole, per_demand: Counts) -> None:
    """Count the pairs of each demand place."""
    for i in range(len(pair_demand)):
        per_demand[pair_demand[i]] += 1


@compiled
def _reached_on_edge(
    edge: U32,
    limit: I64,
    start: Counts,
    stop: Counts,
    length: Whole,
    oneway: Flags,
    site: Whole,
    nearest: Whole,
    out: Counts,
) -> int:
    """Write the stretches of an edge from which the site is within ``limit``: rows of (from, to), sorted, none touching."""
    total, n = I64(length[edge]), 0
    ahead = I64(-1)  # how far the stretch at the edge's start goes
    if nearest[start[edge]] != FAR and not oneway[edge]:
        ahead = min(limit - I64(nearest[start[edge]]), total)
    behind = total + 1  # where the stretch at its stop begins
    if nearest[stop[edge]] != FAR and I64(nearest[stop[edge]]) <= limit:
        behind = max(total - (limit - I64(nearest[stop[edge]])), I64(0))
    if ahead >= 0:
        out[n, 0], out[n, 1] = 0, ahead
        n += 1
    spare = limit - I64(site[ACCESS])
    if site[EDGE] == edge and spare >= 0:
        low, high = max(I64(site[ALONG]) - spare, I64(0)), min(I64(site[ALONG]) + spare, total)
        if oneway[edge]:
            high = I64(site[ALONG])
        if n > 0 and low <= out[n - 1, 1]:
            out[n - 1, 1] = max(out[n - 1, 1], high)
        else:
            out[n, 0], out[n, 1] = low, high
            n += 1
    if behind <= total:
        if n > 0 and behind <= out[n - 1, 1]:
            out[n - 1, 1] = total
        else:
            out[n, 0], out[n, 1] = behind, total
            n += 1
    return n


@compiled
def reach_edges(
    sites: Whole, limits: Counts, start: Counts, stop: Counts, length: Whole, oneway: Flags,
    first_arc: Whole, arcs: Whole, arc_edge: Whole,
    nearest: Whole, after: Whole, before: Whole, buckets: Whole, touched: Whole,
    edges: Whole, bands: Whole, low: Whole, high: Whole, pieces_of_site: Counts,
) -> int:  # fmt: skip
    """Write the stretches of edges from which each site in turn is within ``limits`` (ascending), until they run out of room.

    A stretch belongs to the first limit that it is within, so that those of one site don't overlap. Returns the number of sites done.
    """
    bound = U64(limits[-1])
    inner, outer = np.empty((3, 2), dtype=np.int64), np.empty((3, 2), dtype=np.int64)
    used = 0
    for s in range(len(sites)):
        site, begin = sites[s], used
        n = _sow(site, bound, nearest, after, before, buckets, touched)
        n = _spread(first_arc, arcs, bound, n, nearest, after, before, buckets, touched)
        fits = True
        for i in range(-1, int(n)):
            # The site's own edge first: its ends may be out of reach.
            arc, last = U64(0), ONE
            if i >= 0:
                arc, last = U64(first_arc[touched[i]]), U64(first_arc[touched[i] + ONE])
            while arc < last:
                edge = site[EDGE] if i < 0 else arc_edge[arc]
                arc += ONE
                if i >= 0:
                    # An edge whose two ends were both touched is met twice; the meeting at its stop counts.
                    met_again = touched[i] != stop[edge] and nearest[stop[edge]] != FAR
                    if met_again or edge == site[EDGE]:
                        continue
                if used + 6 * len(limits) > len(edges):
                    fits = False
                    break
                n_inner = 0
                for band in range(len(limits)):
                    n_outer = _reached_on_edge(edge, limits[band], start, stop, length, oneway, site, nearest, outer)
                    k = 0
                    for j in range(n_outer):
                        at = outer[j, 0]
                        while k < n_inner and inner[k, 1] <= outer[j, 1]:
                            if inner[k, 0] > at:
                                edges[used], bands[used], low[used], high[used] = edge, band, at, inner[k, 0]
                                used += 1
                            at = inner[k, 1]
                            k += 1
                        if at < outer[j, 1]:
                            edges[used], bands[used], low[used], high[used] = edge, band, at, outer[j, 1]
                            used += 1
                    inner[:n_outer] = outer[:n_outer]
                    n_inner = n_outer
            if not fits:
                break
        for i in range(n):
            nearest[touched[i]] = FAR
        if not fits:
            return s
        pieces_of_site[s] = used - begin
    return len(sites)


@compiled
def stamp(field: Grid, west: float, south: float, cell_m: float, segments: Floats, beyond_m: float) -> None:
    """Lower a raster of distances to the line segments (rows of x0, y0, x1, y1) in all cells within ``beyond_m`` of one."""
    n_rows, n_columns = field.shape
    for i in range(len(segments)):
        x0, y0 = segments[i, 0] - west, segments[i, 1] - south
        dx, dy = segments[i, 2] - segments[i, 0], segments[i, 3] - segments[i, 1]
        squared = dx * dx + dy * dy
        left, right = min(x0, x0 + dx) - beyond_m, max(x0, x0 + dx) + beyond_m
        bottom, top = min(y0, y0 + dy) - beyond_m, max(y0, y0 + dy) + beyond_m
        for row in range(max(0, int(np.ceil(bottom / cell_m))), min(n_rows - 1, int(np.floor(top / cell_m))) + 1):
            for column in range(
                max(0, int(np.ceil(left / cell_m))), min(n_columns - 1, int(np.floor(right / cell_m))) + 1
            ):
                px, py = column * cell_m - x0, row * cell_m - y0
                along = 0.0
                if squared > 0.0:
                    along = min(max((px * dx + py * dy) / squared, 0.0), 1.0)
                distance = np.hypot(px - along * dx, py - along * dy)
                field[row, column] = min(field[row, column], distance)
