"""Edges -> chains: the smaller graph that searches run on.

Most nodes of real streets only join two pieces of one street, or end one; a search has nothing to choose there. A chain is the run of
edges between two nodes where there is a choice, and a position on an edge is one on its chain. Lengths are whole millimetres, so
walks are to the millimetre what they are on the edges. (Known from route planners as the contraction of nodes of degree two.)

One-ways are chains of their own. A chain that ends in a dead end leads back to where it starts, and can't be left at its far end.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.kernels import (
    AGAINST,
    DEAD_END,
    FARTHEST,
    HALF,
    NO_EDGE,
    ONE,
    ONE_WAY,
    U32,
    U64,
    Flags,
    Keys,
    Whole,
    compiled,
)

Ints = NDArray[np.int64]

PASSED, ENDS, CHOICE = 0, 1, 2  # what a node is to a search


@dataclass(frozen=True, eq=False)
class Chains:
    """The graph of chains, and where each edge lies on it.

    Attributes:
        n_nodes: nodes where there is a choice, numbered in the order of the network's.
        start, stop, length, oneway, dead_end: (n_chains,) nodes, millimetres, flags.
        first_arc: (n_nodes + 1,) arcs ``first_arc[v]:first_arc[v + 1]`` are those of node ``v``, an even number: where there are an
            odd one, the last leads back to ``v`` over no length (searches take two at a time).
        arcs: (n_arcs,) length << 32 | the node that an arc's walk comes from (searches run from site to demand).
        first_chain, chain_at: chains ``chain_at[first_chain[v]:first_chain[v + 1]]`` are walked to node ``v``, dead ends among them.
        edges: (n_edges, 7) what a search wants of an edge in one row: start, stop, number and length of its chain, how far along that it
            begins, its own length, and whether it is drawn against its chain, a one-way, on a dead end (bits, see `planner.kernels`).
        first_edge, edge_at: edges ``edge_at[first_edge[c]:first_edge[c + 1]]`` lie on chain ``c``, in this order.
    """

    n_nodes: int
    edges: Whole
    start: Whole
    stop: Whole
    length: Whole
    oneway: Flags
    dead_end: Flags
    first_arc: Whole
    arcs: Keys
    first_chain: Whole
    chain_at: Whole
    first_edge: Whole
    edge_at: Whole

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return len(self.start)


def link(start: Ints, stop: Ints, length: Whole, oneway: Flags, n_nodes: int) -> Chains:
    """Link a network's edges into chains; the arguments are attributes of `planner.network.Network`."""
    first, edge_at_node = _list_at_nodes(start, stop, n_nodes)
    met = np.diff(first)
    bound = np.zeros(n_nodes, dtype=bool)
    for end in (start, stop):
        bound[end[oneway | (start == stop)]] = True
    node = np.where(bound | (met > 2), CHOICE, np.where(met == 2, PASSED, ENDS)).astype(np.uint8)
    n = len(start)
    chain, begin, against = np.full(n, NO_EDGE, dtype=U32), np.zeros(n, dtype=U32), np.zeros(n, dtype=bool)
    (begins, ends_at, total), dead_end = np.empty((3, n), dtype=U32), np.zeros(n, dtype=bool)
    streets = (start.astype(U32), stop.astype(U32), length, first, edge_at_node, node)
    n_chains = _walk(*streets, chain, begin, against, begins, ends_at, total, dead_end)
    begins, ends_at, total, dead_end = begins[:n_chains], ends_at[:n_chains], total[:n_chains], dead_end[:n_chains]
    one = np.zeros(n_chains, dtype=bool)
    one[chain[oneway]] = True
    kept = np.cumsum(node == CHOICE)
    n_kept = int(kept[-1]) if n_nodes else 0
    start, stop = kept[begins] - 1, kept[ends_at] - 1
    way = against * AGAINST + oneway * ONE_WAY + dead_end[chain] * DEAD_END
    order = np.lexsort([length, begin, chain])
    return Chains(
        n_kept,
        np.column_stack([start[chain], stop[chain], chain, total[chain], begin, length, way]).astype(U32),
        start.astype(U32),
        stop.astype(U32),
        total,
        one,
        dead_end,
        *_arcs(start, stop, total, one, ~dead_end, n_kept),
        *_list_at_nodes(start, stop, n_kept, one | (start == stop)),
        np.searchsorted(chain[order], np.arange(n_chains + 1)).astype(U32),
        order.astype(U32),
    )


def _list_at_nodes(start: Ints, stop: Ints, n_nodes: int, only_stop: Flags | None = None) -> tuple[Whole, Whole]:
    """List what meets at each node as CSR arrays, by number; ``only_stop`` says what is listed at its stop alone."""
    there = np.arange(len(start))
    both = there if only_stop is None else there[~only_stop]
    node, what = np.concatenate([stop, start[both]]), np.concatenate([there, both])
    first = np.zeros(n_nodes + 1, dtype=U32)
    first[1:] = np.cumsum(np.bincount(node, minlength=n_nodes))
    return first, what[np.lexsort([what, node])].astype(U32)


def _arcs(start: Ints, stop: Ints, length: Whole, oneway: Flags, through: Flags, n_nodes: int) -> tuple[Whole, Keys]:
    """Return the arcs of the chains that lead ``through``."""
    there = np.flatnonzero(through)
    on = there[(start != stop)[there] & ~oneway[there]]
    chain, tail = np.concatenate([there, on]), np.concatenate([stop[there], start[on]])
    head = np.concatenate([start[there], stop[on]])
    order = np.lexsort([chain, tail])
    odd = np.flatnonzero(np.bincount(tail, minlength=n_nodes) % 2)
    last = np.searchsorted(tail[order], odd, side="right")
    first = np.zeros(n_nodes + 1, dtype=U32)
    first[1:] = np.cumsum(np.bincount(np.concatenate([tail, odd]), minlength=n_nodes))
    arcs = length[chain].astype(U64) << HALF | head.astype(U64)
    return first, np.insert(arcs[order], last, odd.astype(U64))


@compiled
def _walk(
    start: Whole, stop: Whole, length: Whole, first: Whole, edge_at_node: Whole, node: NDArray[np.uint8],
    chain: Whole, begin: Whole, against: Flags, begins: Whole, ends_at: Whole, total: Whole, dead_end: Flags,
) -> int:  # fmt: skip
    """Walk along each chain from a node where there is a choice, and write what lies on it; return how many chains there are.

    Where a part of the network has no such node (a ring, or a street by itself), its first end or node becomes one; so does a
    node at which a chain would get longer than any walk.
    """
    n = 0
    for least in (CHOICE, ENDS, PASSED):
        for seed in range(len(start)):
            if chain[seed] != NO_EDGE:
                continue
            at = start[seed]
            if node[at] < least:
                at = stop[seed]
                if node[at] < least:
                    continue
            node[at] = CHOICE
            edge, along = U32(seed), U64(0)
            begins[n] = at
            while True:
                chain[edge], begin[edge], against[edge] = n, along, start[edge] != at
                along += U64(length[edge])
                at = stop[edge] if start[edge] == at else start[edge]
                if node[at] == ENDS:
                    ends_at[n], total[n], dead_end[n] = begins[n], along, True
                    n += 1
                    break
                onward = edge
                if node[at] == PASSED:
                    two = U64(first[at])
                    onward = edge_at_node[two] if edge_at_node[two] != edge else edge_at_node[two + ONE]
                    if along + U64(length[onward]) > U64(FARTHEST):
                        node[at] = CHOICE
                if node[at] == CHOICE:
                    ends_at[n], total[n] = at, along
                    n += 1
                    if onward == edge:
                        break
                    along = U64(0)
                    begins[n] = at
                edge = onward
    return n
