import numpy as np
from toys import toy

from planner.chains import Chains, link
from planner.kernels import AGAINST, FARTHEST
from planner.network import from_lines

BEGIN, LENGTH, WAY = 4, 5, 6


def chains_of(*edges: tuple[int, int, int], oneway: tuple[int, ...] = ()) -> Chains:
    """Link edges given as start, stop and metres."""
    start, stop, length_m = np.array(edges).T
    one = np.isin(np.arange(len(edges)), oneway)
    return link(start, stop, (length_m * 1000).astype(np.uint32), one, int(max(start.max(), stop.max())) + 1)


def summed_up(chains: Chains) -> list[tuple[int, int, int, bool]]:
    """Start, stop, metres and dead end of each chain, in order."""
    columns = (chains.start, chains.stop, chains.length // 1000, chains.dead_end)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_a_bent_street_between_two_junctions_is_one_chain_and_a_dead_end_hangs_from_its_junction() -> None:
    drawn = toy("""
        +--+-----+
        |  |     |
        +--+     +--A
           |     |
           +-----+
    """)
    network = from_lines(drawn.streets)
    chains = network.chains
    assert (network.n_nodes, chains.n_nodes, chains.n_chains) == (9, 3, 5)
    assert sorted((chains.length // 1000).tolist()) == [200, 300, 800, 800, 1000]
    assert (chains.length[chains.dead_end] // 1000).tolist() == [300]
    assert int(chains.length.sum()) == int(network.length.sum())


def test_edges_lie_one_behind_the_other_whichever_way_they_are_drawn() -> None:
    # 3 ways meet at 0 and at 4; between them 0 -> 1 <- 2 -> 4, a parallel street, and a dead end at each.
    chains = chains_of((0, 1, 10), (2, 1, 20), (2, 4, 30), (0, 4, 100), (5, 0, 7), (4, 6, 8))
    assert summed_up(chains) == [(0, 0, 7, True), (0, 1, 60, False), (0, 1, 100, False), (1, 1, 8, True)]
    assert (chains.edges[:3, BEGIN] // 1000).tolist() == [0, 10, 30]
    assert (chains.edges[:, WAY] & AGAINST > 0).tolist() == [False, True, False, False, True, False]
    assert (chains.edges[:, LENGTH] // 1000).tolist() == [10, 20, 30, 100, 7, 8]
    # An even number of arcs a node: the two streets between the junctions, from both sides; dead ends lead nowhere.
    assert chains.first_arc.tolist() == [0, 2, 4]
    assert np.diff(chains.first_chain).tolist() == [3, 3]


def test_a_ring_and_a_street_by_itself_keep_one_node() -> None:
    assert summed_up(chains_of((0, 1, 10), (1, 2, 20), (2, 0, 30))) == [(0, 0, 60, False)]
    assert summed_up(chains_of((0, 1, 10), (2, 1, 20))) == [(0, 0, 30, True)]
    assert summed_up(chains_of((0, 0, 10))) == [(0, 0, 10, False)]


def test_a_one_way_is_a_chain_of_its_own() -> None:
    chains = chains_of((0, 1, 10), (1, 2, 20), (2, 3, 30), oneway=(1,))
    assert summed_up(chains) == [(0, 0, 10, True), (0, 1, 20, False), (1, 1, 30, True)]
    assert chains.oneway.tolist() == [False, True, False]
    assert chains.first_arc.tolist() == [0, 0, 2]  # walked to its stop only; the other arc there fills up


def test_no_chain_is_longer_than_any_walk() -> None:
    third = FARTHEST // 3000 + 1
    chains = chains_of(*((i, i + 1, third) for i in range(7)))
    two, last = 2 * third, third
    assert summed_up(chains) == [(0, 1, two, False), (1, 2, two, False), (2, 3, two, False), (3, 3, last, True)]
