"""The compiled searches: arrays in, arrays out.

Shortest walks in whole millimetres held in uint32, so that sums don't depend on their order and two searches that meet the same
pair give the same number. The queue is a ring of buckets (Dial 1969; Denardo & Fox 1979), each a linked list of entries in flat
arrays; a node that gets nearer is entered once more, and its older entries are passed over. The inner loop has no branch to
guess wrong: every arc is written as if it were an improvement, and kept only if it is. Nodes not reached hold the limit plus one,
so one comparison tells both that a walk is shorter and that it is not too long. Unsigned indices spare the check for
negative ones. Together 4–5× over the textbook's form, at 12–16 ns a node.

A place on the network is a row of seven whole numbers: the nodes at the start and the stop of its edge, the length from the place
back to the start and on to the stop (BLOCKED against a one-way), the walk to the street, the edge, and how far along it. What is
called an edge here is a chain of them in most searches (`planner.chains`).
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
NUMBER, NEAR, OTHER, BEYOND = range(4)  # columns of an entry: see `list_at_nodes`

AGAINST, ONE_WAY, DEAD_END = U32(1), U32(2), U32(4)  # what an edge is on its chain: see `planner.chains`

UNITS_PER_M = 1000
FARTHEST = 2_000_000_000  # 2,000 km: the longest walk that is counted; twice as much still fits into 32 bits
BLOCKED = U64(FARTHEST + 1)

END = U32(0xFFFFFFFF)  # end of a list
NO_EDGE = U32(0xFFFFFFFF)
FREE = U64(0xFFFFFFFFFFFFFFFF)  # no site yet
ONE = U64(1)
HALF = U64(32)
LOW = U64(0xFFFFFFFF)
# A bucket is 2^15 mm ≈ 33 m wide, half a usual street edge. Answers don't depend on it, and times hardly do.
BUCKET_BITS = U64(15)


def compiled(function: F) -> F:
    """Compile for use in threads, and keep the result on disk."""
    return cast(F, njit(nogil=True, cache=True, error_model="numpy")(function))


def scratch(n_nodes: int, longest: int, limit: int, room: int) -> tuple[Whole, Whole, Keys, Whole]:
    """Return the arrays one thread searches with: nearest, buckets, entries (length and node), and which entry comes after each.

    Args:
        n_nodes: nodes of the network.
        longest: the longest arc or first step; the ring of buckets must span it.
        limit: the longest walk that is wanted.
        room: how many entries fit; a search that needs more says so.
    """
    n_buckets = 1 << (int(longest >> int(BUCKET_BITS)) + 2).bit_length()
    nearest, buckets = np.full(n_nodes, limit + 1, dtype=U32), np.full(n_buckets, END, dtype=U32)
    return nearest, buckets, np.empty(room, dtype=U64), np.empty(room, dtype=U32)


@compiled
def _sow(place: Whole, nearest: Whole, buckets: Whole, queue: Keys, after: Whole) -> U64:
    """Queue the two ends of a place's edge; return how many were."""
    mask = U64(buckets.size - 1)
    n = U64(0)
    for end in range(2):
        node = place[end]
        distance = U64(place[2 + end]) + U64(place[ACCESS])
        if distance < U64(nearest[node]):
            bucket = (distance >> BUCKET_BITS) & mask
            nearest[node] = U32(distance)
            queue[n], after[n], buckets[bucket] = distance << HALF | U64(node), buckets[bucket], U32(n)
            n += ONE
    return n


@compiled
def _spread(
    first_arc: Whole, arcs: Keys, far: U32, n: U64, nearest: Whole, buckets: Whole, queue: Keys, after: Whole
) -> U64:
    """Settle all nodes nearer than ``far``; return how many entries were made, or the size of the queue if it was too small.

    The last entry of each node that was reached is the one that holds its length.
    """
    mask = U64(buckets.size - 1)
    bucket, done = U64(0), U64(0)
    while done < n:
        at = buckets[bucket & mask]
        if at == END:
            bucket += ONE
            continue
        buckets[bucket & mask] = END
        while at != END:
            entry = queue[at]
            at = after[at]
            done += ONE
            node = entry & LOW
            if U32(entry >> HALF) != nearest[node]:
                continue
            arc, last = U64(first_arc[node]), U64(first_arc[node + ONE])
            if n + (last - arc) >= U64(queue.size):
                _reset(n, far, nearest, queue)
                buckets[:] = END
                return U64(queue.size)
            so_far = entry & ~LOW
            while arc < last:
                for _ in range(2):
                    reached = arcs[arc] + so_far
                    arc += ONE
                    head, distance = reached & LOW, U32(reached >> HALF)
                    old = nearest[head]
                    nearer = distance < old
                    nearest[head] = min(distance, old)
                    into = (reached >> (HALF + BUCKET_BITS)) & mask
                    first = buckets[into]
                    queue[n], after[n] = reached, first
                    buckets[into] = U32(n) if nearer else first
                    n += U64(nearer)
    return n


@compiled
def _reset(n: U64, far: U32, nearest: Whole, queue: Keys) -> None:
    """Forget a search that made ``n`` entries."""
    for i in range(n):
        nearest[queue[i] & LOW] = far


@compiled
def pack(
    edge: Counts, offset_m: Floats, access_m: Floats, access_share: float, edges: Whole, is_site: bool, lo: int, hi: int,
    places: Whole,
) -> None:  # fmt: skip
    """Write positions ``lo`` to ``hi`` as places on their chains; ``edges`` is `planner.chains.Chains.edges`.

    On a one-way demand can only walk on, and a site can only be come to from the start. What is at the end of a chain is at that
    node, where a one-way binds nobody; demand there is on no chain: then a node is all that needs to be looked at.
    """
    for i in range(lo, hi):
        start, stop, chain, total, begin, length, way = edges[edge[i]]
        along = min(U64(np.rint(offset_m[i] * UNITS_PER_M)), U64(length))
        along = U64(begin) + (U64(length) - along if way & AGAINST else along)
        back, on = along, U64(total) - along
        if way & DEAD_END:
            on = BLOCKED
        if not is_site and (back == U64(0) or on == U64(0)):
            start, stop, chain = (start, start, NO_EDGE) if back == U64(0) else (stop, stop, NO_EDGE)
            back, on = U64(0), U64(0)
        elif way & ONE_WAY:
            if not is_site:
                back = BLOCKED
            elif on > U64(0):
                on = BLOCKED
        places[i, START], places[i, STOP], places[i, BACK], places[i, ON] = start, stop, back, on
        places[i, ACCESS] = U64(np.rint(min(access_m[i] * access_share * UNITS_PER_M, float(FARTHEST))))
        places[i, EDGE], places[i, ALONG] = chain, along


@compiled
def list_at_nodes(demand: Whole, n_nodes: int) -> tuple[Whole, Whole]:
    """List the demand places at the ends of their edges: those at node v are ``entries[first[v]:first[v + 1]]``.

    An entry is a demand's number, its length to v, the other end of its edge and its length to that (the walk to the street
    included). A place on a loop or at a node has one entry, and v for its other end.
    """
    first = np.zeros(n_nodes + 1, dtype=np.uint32)
    for i in range(len(demand)):
        first[demand[i, START] + ONE] += U32(1)
        first[demand[i, STOP] + ONE] += U32(demand[i, START] != demand[i, STOP])
    for v in range(n_nodes):
        first[v + 1] += first[v]
    cursor = first.copy()
    entries = np.empty((first[n_nodes], 4), dtype=np.uint32)
    for i in range(len(demand)):
        access = U64(demand[i, ACCESS])
        back = min(U64(demand[i, BACK]) + access, BLOCKED)
        on = min(U64(demand[i, ON]) + access, BLOCKED)
        start, stop = demand[i, START], demand[i, STOP]
        at = cursor[start]
        cursor[start] += U32(1)
        if start == stop:
            entries[at, NUMBER], entries[at, NEAR], entries[at, OTHER], entries[at, BEYOND] = (
                i,
                min(back, on),
                start,
                BLOCKED,
            )
            continue
        entries[at, NUMBER], entries[at, NEAR], entries[at, OTHER], entries[at, BEYOND] = i, back, stop, on
        at = cursor[stop]
        cursor[stop] += U32(1)
        entries[at, NUMBER], entries[at, NEAR], entries[at, OTHER], entries[at, BEYOND] = i, on, start, back
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
    """Return the length to a demand place by way of the nearer end of its edge; beyond the limit if neither was reached."""
    start = U64(nearest[demand[START]]) + U64(demand[BACK])
    stop = U64(nearest[demand[STOP]]) + U64(demand[ON])
    return min(start, stop) + U64(demand[ACCESS])


@compiled
def search_block(
    sites: Whole, demand: Whole, entry_first: Whole, entries: Whole, first_arc: Whole, arcs: Keys, limit: int,
    nearest: Whole, buckets: Whole, queue: Keys, after: Whole,
    pair_demand: Whole, pair_distance: Whole, pairs_of_site: Counts,
) -> int:  # fmt: skip
    """Write the demand places within ``limit`` of each site in turn, until there is no room for more.

    Args:
        sites, demand: places; ``entry_first`` and ``entries`` list the demand at each node.
        nearest, buckets, queue, after: `scratch` for this limit, left as it was found.
        pair_demand, pair_distance: room for the pairs.
        pairs_of_site: how many pairs each site got.

    Returns:
        The number of sites done. The next one needs more room than was left, for its pairs or its search.
    """
    far = U32(limit + 1)
    used = U64(0)
    for s in range(len(sites)):
        site, begin = sites[s], used
        n = _sow(site, nearest, buckets, queue, after)
        n = _spread(first_arc, arcs, far, n, nearest, buckets, queue, after)
        if n == U64(queue.size):
            return s
        used = _gather(n, site, entry_first, entries, far, nearest, queue, pair_demand, pair_distance, used)
        used = _gather_at_site(site, demand, entry_first, entries, far, nearest, pair_demand, pair_distance, used)
        _reset(n, far, nearest, queue)
        if used >= U64(pair_demand.size):
            return s
        pairs_of_site[s] = used - begin
    return len(sites)


@compiled
def _gather(
    n: U64, site: Whole, entry_first: Whole, entries: Whole, far: U32,
    nearest: Whole, queue: Keys, pair_demand: Whole, pair_distance: Whole, used: U64,
) -> U64:  # fmt: skip
    """Write the demand places on the edges at the nodes reached, but for the ends of the site's own edge.

    A pair is written and then kept or not, so one place must stay free; where it does not, return the size of the room.
    """
    for i in range(n):
        node = queue[i] & LOW
        so_far = nearest[node]
        if U32(queue[i] >> HALF) != so_far or node == U64(site[START]) or node == U64(site[STOP]):
            continue
        entry, last = U64(entry_first[node]), U64(entry_first[node + ONE])
        if used + (last - entry) >= U64(pair_demand.size):
            return U64(pair_demand.size)
        while entry < last:
            other = U64(entries[entry, OTHER])
            distance = min(so_far + entries[entry, NEAR], nearest[other] + entries[entry, BEYOND])
            pair_demand[used] = entries[entry, NUMBER]
            pair_distance[used] = distance
            # A place whose two ends were both reached is met twice; the meeting at the lower one counts.
            used += U64(distance < far) & (U64(node <= other) | U64(nearest[other] == far))
            entry += ONE
    return used


@compiled
def _gather_at_site(
    site: Whole, demand: Whole, entry_first: Whole, entries: Whole, far: U32,
    nearest: Whole, pair_demand: Whole, pair_distance: Whole, used: U64,
) -> U64:  # fmt: skip
    """Write the demand places at the ends of the site's own edge, those on that edge among them, whose ends may be out of reach."""
    for end in range(U64(1) if site[START] == site[STOP] else U64(2)):
        node = site[end]
        entry, last = U64(entry_first[node]), U64(entry_first[node + ONE])
        if used + (last - entry) >= U64(pair_demand.size):
            return U64(pair_demand.size)
        while entry < last:
            number, other = entries[entry, NUMBER], entries[entry, OTHER]
            entry += ONE
            distance = _through_ends(demand[number], nearest)
            counts = nearest[node] != far and (node <= other or nearest[other] == far)
            if demand[number, EDGE] == site[EDGE]:
                distance, counts = min(distance, _between(demand[number], site)), end == 0
            if counts and distance < U64(far):
                pair_demand[used], pair_distance[used] = number, U32(distance)
                used += ONE
    return used


@compiled
def scatter(
    site_of: Counts, pairs_of_site: Counts, pair_demand: Whole, pair_distance: Whole,
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
def sort_rows(first: Counts, lo: int, hi: int, demand: Pairs, site: Pairs, distance: Whole) -> None:
    """Sort the pairs of rows ``lo`` to ``hi`` by distance, then site, and write the number of each row into ``demand``."""
    longest = 1
    for row in range(lo, hi):
        longest = max(longest, first[row + 1] - first[row])
    bins = np.zeros(2 * longest + 2, dtype=np.int64)
    keys, binned = np.empty(longest, dtype=np.uint64), np.empty(longest, dtype=np.uint64)
    for row in range(U64(lo), U64(hi)):
        begin = U64(first[row])
        n = U64(first[row + ONE]) - begin
        for i in range(n):
            keys[i] = U64(distance[begin + i]) << HALF | U64(site[begin + i])
            demand[begin + i] = row
        if n <= U64(24):
            # A few keys go behind as many as are smaller: that compares all, but never guesses.
            for i in range(n):
                key, at = keys[i], U64(begin)
                for j in range(n):
                    at += U64(keys[j] < key)
                site[at], distance[at] = key & LOW, key >> HALF
            continue
        _bin(keys[:n], bins, binned)
        for i in range(n):
            key, at = binned[i], U64(i)
            while at > U64(0) and binned[at - ONE] > key:
                binned[at] = binned[at - ONE]
                at -= ONE
            binned[at] = key
        for i in range(n):
            site[begin + i], distance[begin + i] = binned[i] & LOW, binned[i] >> HALF


@compiled
def _bin(keys: Keys, bins: Counts, binned: Keys) -> None:
    """Put keys in rough order by their distance, into about as many bins as there are keys."""
    n = len(keys)
    shift, farthest = HALF, U64(0)
    for i in range(n):
        farthest = max(farthest, keys[i])
    while farthest >> shift > U64(2 * n - 1):
        shift += ONE
    bins[: 2 * n + 1] = 0
    for i in range(n):
        bins[(keys[i] >> shift) + ONE] += 1
    for i in range(1, 2 * n):
        bins[i] += bins[i - 1]
    for i in range(n):
        a_bin = keys[i] >> shift
        binned[bins[a_bin]] = keys[i]
        bins[a_bin] += 1


@compiled
def settle_owners(sites: Whole, first_arc: Whole, arcs: Keys, longest: int, limit: int, room: int) -> tuple[Keys, bool]:
    """Give every node within ``limit`` of a site the length and the number of its nearest one; the lower number wins ties.

    The same search as `_spread`, on labels (length << 32 | site) in the place of lengths.

    Args:
        sites: places to search from.
        first_arc, arcs: the network.
        longest: the longest arc or first step.
        limit: the longest walk.
        room: how many entries the queue holds.

    Returns:
        The labels, FREE where no site is; and whether the room was enough.
    """
    label = np.full(len(first_arc) - 1, U64(limit + 1) << HALF, dtype=np.uint64)
    n_buckets = 2
    while n_buckets < (U64(longest) >> BUCKET_BITS) + U64(2):
        n_buckets *= 2
    buckets, mask = np.full(n_buckets, END, dtype=np.uint32), U64(n_buckets - 1)
    nodes, queue, after = np.empty(room, np.uint32), np.empty(room, np.uint64), np.empty(room, np.uint32)
    n, done = U64(0), U64(0)
    for s in range(len(sites)):
        for end in range(2):
            node = sites[s, end]
            new = (U64(sites[s, 2 + end]) + U64(sites[s, ACCESS])) << HALF | U64(s)
            if new < label[node]:
                bucket = (new >> (HALF + BUCKET_BITS)) & mask
                label[node] = new
                nodes[n], queue[n], after[n], buckets[bucket] = node, new, buckets[bucket], U32(n)
                n += ONE
    bucket = U64(0)
    while done < n:
        at = buckets[bucket & mask]
        if at == END:
            bucket += ONE
            continue
        buckets[bucket & mask] = END
        while at != END:
            node, so_far = nodes[at], queue[at]
            at = after[at]
            done += ONE
            if so_far != label[node]:
                continue
            arc, last = U64(first_arc[node]), U64(first_arc[node + ONE])
            if n + (last - arc) >= U64(room):
                return label, False
            while arc < last:
                for _ in range(2):
                    head, new = arcs[arc] & LOW, so_far + (arcs[arc] & ~LOW)
                    arc += ONE
                    old = label[head]
                    nearer = new < old
                    label[head] = min(new, old)
                    into = (new >> (HALF + BUCKET_BITS)) & mask
                    first_in = buckets[into]
                    nodes[n], queue[n], after[n] = head, new, first_in
                    buckets[into] = U32(n) if nearer else first_in
                    n += U64(nearer)
    return label, True


@compiled
def assign(demand: Whole, label: Keys, limit: int, lo: int, hi: int, best: Keys) -> None:
    """Give the demand places ``lo`` to ``hi`` the better label of the two ends of their edges, FREE where that is too far."""
    far = U64(limit + 1) << HALF
    for d in range(lo, hi):
        access = U64(demand[d, ACCESS])
        start = label[demand[d, START]] + (min(U64(demand[d, BACK]) + access, BLOCKED) << HALF)
        stop = label[demand[d, STOP]] + (min(U64(demand[d, ON]) + access, BLOCKED) << HALF)
        nearer = min(start, stop)
        best[d] = nearer if nearer < far else FREE


@compiled
def assign_along(demand: Whole, sites: Whole, site_first: Whole, site_order: Counts, limit: int, best: Keys) -> None:
    """Let sites on a demand place's own edge improve its label; those on edge e are ``site_order[site_first[e]:site_first[e + 1]]``."""
    for d in range(len(demand)):
        edge = demand[d, EDGE]
        if edge != NO_EDGE:
            for i in range(site_first[edge], site_first[edge + ONE]):
                s = site_order[i]
                length = _between(demand[d], sites[s])
                if length <= U64(limit):
                    best[d] = min(best[d], length << HALF | U64(s))


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
def settle_k(sites: Whole, first_arc: Whole, arcs: Keys, k: int, limit: int) -> tuple[Keys, Counts]:
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
            head, distance = arcs[arc] & LOW, (key >> HALF) + (arcs[arc] >> HALF)
            if distance <= U64(limit) and count[head] < k:
                _push(heap, nodes, size, distance << HALF | key & LOW, U32(head))
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
    demand: Whole, sites: Whole, site_first: Whole, site_order: Counts, settled: Keys, count: Counts, limit: int, best: Keys
) -> None:  # fmt: skip
    """Give each demand place its nearest sites: fill the rows of ``best``, FREE so far, with keys of (distance, site)."""
    for d in range(len(demand)):
        for end in range(2):
            node = demand[d, end]
            for i in range(count[node]):
                distance = (settled[node, i] >> HALF) + U64(demand[d, 2 + end]) + U64(demand[d, ACCESS])
                if distance <= U64(limit):
                    _insert(best[d], distance << HALF | settled[node, i] & LOW)
        edge = demand[d, EDGE]
        if edge != NO_EDGE:
            for i in range(site_first[edge], site_first[edge + ONE]):
                s = site_order[i]
                distance = _between(demand[d], sites[s])
                if distance <= U64(limit):
                    _insert(best[d], distance << HALF | U64(s))


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
def _reached_on_chain(
    chain: U32, limit: I64, start: Whole, stop: Whole, length: Whole, oneway: Flags, dead_end: Flags,
    site: Whole, nearest: Whole, out: Counts,
) -> int:  # fmt: skip
    """Write the stretches of a chain from which the site is within ``limit``: rows of (from, to), sorted, none touching."""
    total, n = I64(length[chain]), 0
    ahead = I64(-1)  # how far the stretch at the chain's start goes
    if not oneway[chain]:
        ahead = min(limit - I64(nearest[start[chain]]), total)
    behind = total + 1  # where the stretch at its stop begins
    if not dead_end[chain] and I64(nearest[stop[chain]]) <= limit:
        behind = max(total - (limit - I64(nearest[stop[chain]])), I64(0))
    if ahead >= 0:
        out[n, 0], out[n, 1] = 0, ahead
        n += 1
    spare = limit - I64(site[ACCESS])
    if site[EDGE] == chain and spare >= 0:
        low, high = max(I64(site[ALONG]) - spare, I64(0)), min(I64(site[ALONG]) + spare, total)
        if oneway[chain]:
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
def reach_chains(
    sites: Whole, limits: Counts, start: Whole, stop: Whole, length: Whole, oneway: Flags, dead_end: Flags,
    first_arc: Whole, arcs: Keys, first_chain: Whole, chain_at: Whole,
    nearest: Whole, buckets: Whole, queue: Keys, after: Whole,
    chains: Whole, bands: Whole, low: Whole, high: Whole, pieces_of_site: Counts,
) -> int:  # fmt: skip
    """Write the stretches of chains from which each site in turn is within ``limits`` (ascending), until they run out of room.

    A stretch belongs to the first limit that it is within, so that those of one site don't overlap. Returns the number of sites done.
    """
    far = U32(limits[-1] + 1)
    inner, outer = np.empty((3, 2), dtype=np.int64), np.empty((3, 2), dtype=np.int64)
    used = 0
    for s in range(len(sites)):
        site, begin = sites[s], used
        n = _sow(site, nearest, buckets, queue, after)
        n = _spread(first_arc, arcs, far, n, nearest, buckets, queue, after)
        if n == U64(queue.size):
            return s
        fits = True
        for i in range(-1, int(n)):
            # The site's own chain first: its ends may be out of reach.
            node, at_node, last = U64(0), U64(0), ONE
            if i >= 0:
                node = queue[i] & LOW
                if U32(queue[i] >> HALF) != nearest[node]:
                    continue
                at_node, last = U64(first_chain[node]), U64(first_chain[node + ONE])
            while at_node < last:
                chain = site[EDGE] if i < 0 else chain_at[at_node]
                at_node += ONE
                # A chain whose two ends were both reached is met twice; the meeting at its stop counts.
                if i >= 0 and (chain == site[EDGE] or (node != U64(stop[chain]) and nearest[stop[chain]] != far)):
                    continue
                if used + 6 * len(limits) > len(chains):
                    fits = False
                    break
                n_inner = 0
                for band in range(len(limits)):
                    n_outer = _reached_on_chain(
                        chain, limits[band], start, stop, length, oneway, dead_end, site, nearest, outer
                    )
                    k = 0
                    for j in range(n_outer):
                        at = outer[j, 0]
                        while k < n_inner and inner[k, 1] <= outer[j, 1]:
                            if inner[k, 0] > at:
                                chains[used], bands[used], low[used], high[used] = chain, band, at, inner[k, 0]
                                used += 1
                            at = inner[k, 1]
                            k += 1
                        if at < outer[j, 1]:
                            chains[used], bands[used], low[used], high[used] = chain, band, at, outer[j, 1]
                            used += 1
                    inner[:n_outer] = outer[:n_outer]
                    n_inner = n_outer
            if not fits:
                break
        _reset(n, far, nearest, queue)
        if not fits:
            return s
        pieces_of_site[s] = used - begin
    return len(sites)


@compiled
def cut_at_edges(
    chain: Counts, low: Counts, high: Counts, first_edge: Whole, edge_at: Whole, edges: Whole
) -> tuple[Counts, Counts, Counts, Counts]:
    """Cut stretches of chains where their edges end: the stretch each piece is of, its edge, and from where to where on that.

    The last three arguments are attributes of `planner.chains.Chains`; lengths are whole millimetres.
    """
    room = I64(0)
    for i in range(len(chain)):
        room += I64(first_edge[chain[i] + 1]) - I64(first_edge[chain[i]])
    pieces, n = np.empty((4, room), dtype=np.int64), 0
    for i in range(len(chain)):
        for at in range(U64(first_edge[chain[i]]), U64(first_edge[chain[i] + 1])):
            edge = U64(edge_at[at])
            begin, length, way = I64(edges[edge, 4]), I64(edges[edge, 5]), edges[edge, 6]
            from_, to = I64(max(low[i] - begin, 0)), I64(min(high[i] - begin, length))
            if from_ < to:
                if way & AGAINST:
                    from_, to = length - to, length - from_
                pieces[0, n], pieces[1, n], pieces[2, n], pieces[3, n] = i, edge, from_, to
                n += 1
    return pieces[0, :n], pieces[1, :n], pieces[2, :n], pieces[3, :n]


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
