"""Network × positions -> who can walk to which site, and how far.

Takes positions on a network; gives the nearest site, or all pairs within a cutoff. Distances run along streets from where a
place projects on its edge to the same on the other side, both walks to the street included. Unreachable is absent, never a big
number. Knows nothing of streets' names nor of planning.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from weakref import WeakKeyDictionary, ref

import geopandas as gpd
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from planner import kernels
from planner.errors import InputError
from planner.kernels import FARTHEST, UNITS_PER_M
from planner.network import Network, Positions, locate, selector, without_streets

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Whole = NDArray[np.uint32]
T = TypeVar("T")

# Straight line to walking distance where no streets are loaded: practitioner's figure, see the study's `detour_factor`.
DETOUR_FACTOR = 1.3

# Sites whose searches one thread does in a row; pairs it makes room for at a time; entries that its queue holds to begin with, or
# that of the search for owners, which meets every node; rows it sorts in a row.
BLOCK_SITES = 256
BLOCK_PAIRS = 1 << 18
QUEUE_ROOM = 1 << 14
ENTRIES_PER_NODE = 2
BLOCK_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Reach:
    """All pairs of demand and site within a cutoff, sorted by demand, then distance, then site.

    Attributes:
        n_demand, n_sites: how many places were searched from and to.
        cutoff_m: pairs at most this far are in.
        demand, site: (n_pairs,) int32, positions in the tables of demand and sites.
        distance_mm: (n_pairs,) uint32, whole millimetres: 12 bytes a pair in all. Zero is a distance like any other.
        access_share: how much of the walk between a place and its street was counted.
        approximate: distances are straight lines × a detour factor, for want of streets.
    """

    n_demand: int
    n_sites: int
    cutoff_m: float
    demand: NDArray[np.int32]
    site: NDArray[np.int32]
    distance_mm: Whole
    access_share: float = 1.0
    approximate: bool = False

    @property
    def distance_m(self) -> Floats:
        """(n_pairs,) metres."""
        return self.distance_mm / UNITS_PER_M

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.demand)


def nearest(network: Network, demand: Positions, sites: Positions, *, access_share: float = 1.0) -> tuple[Ints, Floats]:
    """Find the nearest site of every demand place, however far; of sites equally near, the first.

    Args:
        access_share: how much of the walk between a place and its street counts, on both sides.

    Returns:
        site: (n_demand,) position of the nearest site, -1 where none can be reached (or only after 2,000 km).
        distance_m: (n_demand,) metres, NaN where none can be reached. The same numbers as `reach` gives.
    """
    if network.detour_factor is not None:
        return _straight_nearest(_xy(demand), _xy(sites), network.detour_factor)
    from_, to = place_sites(network, sites, access_share), prepare(network, demand, access_share).places
    best = np.full(len(to), kernels.FREE, dtype=np.uint64)
    if len(from_):
        label = _label_nodes(network, from_)
        blocks = range(0, len(to), BLOCK_ROWS)
        on_all_cores(lambda rows: _assign(rows, to, label, best), blocks)
        kernels.assign_along(to, from_, *_by_chain(network, from_), FARTHEST, best)
    return _site_and_metres(best)


def _label_nodes(network: Network, sites: Whole) -> NDArray[np.uint64]:
    """Return every node's nearest site, as ``length << 32 | site``."""
    chains = network.chains
    room, enough = ENTRIES_PER_NODE * chains.n_nodes + 2 * len(sites) + 1, False
    while not enough:
        graph = (chains.first_arc, chains.arcs, longest_step(chains.length, sites))
        label, enough = kernels.settle_owners(sites, *graph, FARTHEST, room)
        room *= 2
    return label


def _assign(blocks: Iterator[int], demand: Whole, label: NDArray[np.uint64], best: NDArray[np.uint64]) -> None:
    for lo in blocks:
        kernels.assign(demand, label, FARTHEST, lo, min(lo + BLOCK_ROWS, len(demand)), best)


def _by_chain(network: Network, sites: Whole) -> tuple[Whole, Ints]:
    """Return ``first`` (n_chains + 1) and ``order``: the sites on chain ``c`` are ``order[first[c]:first[c + 1]]``."""
    first = np.zeros(network.chains.n_chains + 1, dtype=np.uint32)
    first[1:] = np.cumsum(np.bincount(sites[:, kernels.EDGE], minlength=network.chains.n_chains))
    return first, np.argsort(sites[:, kernels.EDGE], kind="stable")


def _site_and_metres(best: NDArray[np.uint64]) -> tuple[Ints, Floats]:
    """Split ``length << 32 | site`` into the site, -1 where there is none, and metres, NaN there."""
    there = best != kernels.FREE
    site = np.where(there, best & kernels.LOW, 0).astype(np.int64)
    return np.where(there, site, -1), np.where(there, (best >> kernels.HALF) / UNITS_PER_M, np.nan)


def k_nearest(
    network: Network, demand: Positions, sites: Positions, k: int, *, access_share: float = 1.0
) -> tuple[Ints, Floats]:
    """Find the ``k`` nearest sites of every demand place, however far; of sites equally near, the first.

    Returns:
        site: (n_demand, k) positions of the sites, nearest first, -1 where there are fewer; ``k`` = 1 is `nearest`.
        distance_m: (n_demand, k) metres, NaN where there are fewer.
    """
    if network.detour_factor is not None:
        return _straight_k_nearest(_xy(demand), _xy(sites), k, network.detour_factor)
    from_, to = place_sites(network, sites, access_share), prepare(network, demand, access_share).places
    n = min(k, len(from_))  # nodes hold as many; a caller who wants all asks for more than there are
    best = np.full((len(to), n), kernels.FREE, dtype=np.uint64)
    if n > 0:
        settled = kernels.settle_k(from_, network.chains.first_arc, network.chains.arcs, n, FARTHEST)
        kernels.assign_k(to, from_, *_by_chain(network, from_), *settled, FARTHEST, best)
    return _site_and_metres(np.pad(best, ((0, 0), (0, k - n)), constant_values=kernels.FREE))


def reach(
    network: Network, demand: Positions, sites: Positions, *, cutoff_m: float, access_share: float = 1.0
) -> Reach:
    """Find all pairs of demand and site at most ``cutoff_m`` apart.

    One bounded search a site, in blocks of sites on all cores; the result doesn't depend on how many there are. Needs 16 bytes a
    pair while it runs and 12 afterwards.

    Args:
        cutoff_m: metres, both walks to the street included; infinite for no other bound than 2,000 km.
        access_share: how much of the walk between a place and its street counts, on both sides: 0 to 1.

    Raises:
        ValueError: the cutoff or the share is out of range, or positions lie on another network.
    """
    if network.detour_factor is not None:
        return _straight_reach(_xy(demand), _xy(sites), cutoff_m, network.detour_factor)
    from_, to = place_sites(network, sites, access_share), prepare(network, demand, access_share)
    # Searches that follow each other along the curve find their streets still in the cache: 1.3× at a million nodes.
    order = np.argsort(from_[:, kernels.START], kind="stable")
    limit = whole_limit(cutoff_m)
    parts = _search(network, to, from_[order], limit)
    begin = np.concatenate([[0], np.cumsum(sum(part.pairs_of_demand for part in parts), dtype=np.int64)])
    site, distance = np.empty(begin[-1], dtype=np.int32), np.empty(begin[-1], dtype=np.uint32)
    first = begin.copy()
    for part in parts:  # each thread writes its share of a demand's pairs behind those of the threads before it
        begin[:-1] += part.pairs_of_demand
        part.pairs_of_demand[:] = begin[:-1] - part.pairs_of_demand
    on_all_cores(lambda numbers: _scatter(numbers, parts, order, site, distance), range(len(parts)))
    who = np.empty(first[-1], dtype=np.int32)
    on_all_cores(lambda rows: _sort_rows(rows, first, who, site, distance), range(0, len(demand), BLOCK_ROWS))
    return Reach(
        n_demand=len(demand),
        n_sites=len(from_),
        cutoff_m=cutoff_m,
        demand=who,
        site=site,
        distance_mm=distance,
        access_share=access_share,
    )


def _scatter(
    numbers: Iterator[int], parts: "list[Found]", order: Ints, site: NDArray[np.int32], distance: Whole
) -> None:
    """Move what threads found into the rows of the demand, forgetting it on the way."""
    for number in numbers:
        pieces, cursor = parts[number].pieces, parts[number].pairs_of_demand
        while pieces:
            lo, pairs_of_site, pair_demand, pair_distance = pieces.pop()
            block = order[lo : lo + len(pairs_of_site)]
            kernels.scatter(block, pairs_of_site, pair_demand, pair_distance, cursor, site, distance)


def _sort_rows(
    blocks: Iterator[int], first: Ints, demand: NDArray[np.int32], site: NDArray[np.int32], distance: Whole
) -> None:
    for lo in blocks:
        kernels.sort_rows(first, lo, min(lo + BLOCK_ROWS, len(first) - 1), demand, site, distance)


def only_sites(reach: Reach, which: ArrayLike) -> Reach:
    """Keep the pairs of some sites: ``which`` is an index or mask array over the sites, whose numbers stay as they are."""
    chosen = np.zeros(reach.n_sites, dtype=bool)
    chosen[selector(which)] = True
    return _keep(reach, chosen[reach.site], reach.cutoff_m)


def within(reach: Reach, cutoff_m: float) -> Reach:
    """Keep the pairs at most ``cutoff_m`` apart.

    Raises:
        ValueError: the pairs were searched with a shorter cutoff, so some would be missing.
    """
    if cutoff_m > reach.cutoff_m:
        raise ValueError(f"pairs were searched up to {reach.cutoff_m} m; search again for {cutoff_m} m")
    return _keep(reach, reach.distance_mm <= whole_limit(cutoff_m), cutoff_m)


def _keep(reach: Reach, pairs: NDArray[np.bool_], cutoff_m: float) -> Reach:
    kept = (reach.demand[pairs], reach.site[pairs], reach.distance_mm[pairs])
    return Reach(reach.n_demand, reach.n_sites, cutoff_m, *kept, reach.access_share, reach.approximate)


def add_site(found: Reach, network: Network, demand: Positions, site: Positions) -> Reach:
    """Add one site after all others: what `reach` gives with it, for the price of one search and a copy.

    Raises:
        ValueError: more than one position, or another demand than was searched for.
    """
    return _replace(found, network, demand, site, number=found.n_sites)


def move_site(found: Reach, network: Network, demand: Positions, site: Positions, number: int) -> Reach:
    """Move site ``number`` to another position (the only one in ``site``).

    Raises:
        ValueError: there is no such site, more than one position, or another demand than was searched for.
    """
    _refuse_unknown(found, number)
    return _replace(found, network, demand, site, number=number)


def remove_site(found: Reach, number: int) -> Reach:
    """Close site ``number``: it keeps its number and has no pairs.

    Raises:
        ValueError: there is no such site.
    """
    _refuse_unknown(found, number)
    return _keep(found, found.site != number, found.cutoff_m)


def _refuse_unknown(found: Reach, number: int) -> None:
    if not 0 <= number < found.n_sites:
        raise ValueError(f"there is no site {number}: sites are numbered from 0 to {found.n_sites - 1}")


def _replace(found: Reach, network: Network, demand: Positions, site: Positions, *, number: int) -> Reach:
    if len(site) != 1 or len(demand) != found.n_demand:
        raise ValueError(f"wanted 1 site and {found.n_demand} demand places, got {len(site)} and {len(demand)}")
    limit = whole_limit(found.cutoff_m)
    if network.detour_factor is not None:
        alone = _straight_reach(_xy(demand), _xy(site), found.cutoff_m, network.detour_factor)
        who, length = alone.demand.astype(np.int64), alone.distance_mm
    else:
        who, length = _search_one(network, demand, site, limit, found.access_share)
    dropped = np.flatnonzero(found.site == number) if number < found.n_sites else np.empty(0, dtype=np.int64)
    n = len(found) + len(who) - len(dropped)
    pairs = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.uint32)
    kernels.splice(found.demand, found.site, found.distance_mm, dropped, number, who, length, *pairs)
    n_sites = max(found.n_sites, number + 1)
    return Reach(found.n_demand, n_sites, found.cutoff_m, *pairs, found.access_share, found.approximate)


def _search_one(
    network: Network, demand: Positions, site: Positions, limit: int, access_share: float
) -> tuple[Ints, Whole]:
    """Return the demand places within the limit of one site, and the lengths to them."""
    from_, to = place_sites(network, site, access_share), prepare(network, demand, access_share)
    pieces = [piece for part in _search(network, to, from_, limit) for piece in part.pieces]
    who, length = (np.concatenate(column) for column in list(zip(*pieces, strict=True))[2:])
    order = np.argsort(who)
    return who[order].astype(np.int64), length[order]


def straight_nearest(
    demand: gpd.GeoSeries, sites: gpd.GeoSeries, *, detour_factor: float = DETOUR_FACTOR
) -> tuple[Ints, Floats]:
    """Estimate `nearest` where no streets are loaded: straight line × ``detour_factor``. Say wherever it is shown that it is.

    `nearest` does the same on the network of `planner.network.without_streets`.

    Args:
        demand, sites: points; walks are measured in the CRS of the sites, which is projected and in metres.

    Raises:
        InputError: that isn't so, or a point is missing.
    """
    return nearest(*_without_streets(demand, sites, detour_factor))


def straight_reach(
    demand: gpd.GeoSeries, sites: gpd.GeoSeries, *, cutoff_m: float, detour_factor: float = DETOUR_FACTOR
) -> Reach:
    """Estimate `reach` where no streets are loaded, as `straight_nearest` does; the result is marked approximate."""
    return reach(*_without_streets(demand, sites, detour_factor), cutoff_m=cutoff_m)


def _without_streets(
    demand: gpd.GeoSeries, sites: gpd.GeoSeries, detour_factor: float
) -> tuple[Network, Positions, Positions]:
    if sites.crs is None:
        raise InputError("points_no_crs")
    network = without_streets(sites.crs, detour_factor)
    return network, locate(network, demand), locate(network, sites)


def _xy(positions: Positions) -> Floats:
    if positions.xy is None:
        raise ValueError("without streets, positions need coordinates: make them with `locate`")
    return positions.xy


def _straight_nearest(to: Floats, from_: Floats, detour_factor: float) -> tuple[Ints, Floats]:
    site, distance_m = _straight_k_nearest(to, from_, 1, detour_factor)
    return site[:, 0], distance_m[:, 0]


def _straight_k_nearest(to: Floats, from_: Floats, k: int, detour_factor: float) -> tuple[Ints, Floats]:
    site, distance_m = np.full((len(to), k), -1, dtype=np.int64), np.full((len(to), k), np.nan)
    n = min(k, len(from_))
    if n and len(to):
        # The tree may name any of several sites equally near, so ask for all that are.
        tree = cKDTree(from_)
        straight_m = tree.query(to, k=[n])[0][:, 0]
        equally = tree.query_ball_point(to, straight_m + 1 / UNITS_PER_M, return_sorted=True)
        for i, those in enumerate(equally):
            walks = _straight_mm(to[i], from_[those], detour_factor)
            first = np.argsort(walks, kind="stable")[:n]
            site[i, :n], distance_m[i, :n] = np.asarray(those)[first], walks[first] / UNITS_PER_M
    return site, distance_m


def _straight_reach(to: Floats, from_: Floats, cutoff_m: float, detour_factor: float) -> Reach:
    limit = whole_limit(cutoff_m)
    near = (
        cKDTree(to).query_ball_point(from_, (min(cutoff_m, FARTHEST) + 1) / detour_factor)
        if len(to) and len(from_)
        else []
    )
    who = np.concatenate([np.asarray(those, dtype=np.int64) for those in near] or [np.empty(0, dtype=np.int64)])
    site = np.repeat(np.arange(len(near)), [len(those) for those in near])
    walk = _straight_mm(to[who], from_[site], detour_factor)
    order = np.lexsort([site, walk, who])
    order = order[walk[order] <= limit]
    pairs = (who[order].astype(np.int32), site[order].astype(np.int32), walk[order].astype(np.uint32))
    return Reach(len(to), len(from_), cutoff_m, *pairs, approximate=True)


def _straight_mm(a: Floats, b: Floats, detour_factor: float) -> Floats:
    return np.asarray(np.rint(np.hypot(*(a - b).T) * detour_factor * UNITS_PER_M))


def rows_by_demand(reach: Reach) -> Ints:
    """Return ``first`` (n_demand + 1): the pairs of demand ``i`` are ``first[i]:first[i + 1]``, nearest site first."""
    return np.searchsorted(reach.demand, np.arange(reach.n_demand + 1)).astype(np.int64)


def rows_by_site(reach: Reach) -> tuple[Ints, Ints]:
    """Return ``first`` (n_sites + 1) and ``order``: the pairs of site ``j`` are ``order[first[j]:first[j + 1]]``, by demand."""
    order = np.argsort(reach.site, kind="stable")
    return np.searchsorted(reach.site[order], np.arange(reach.n_sites + 1)).astype(np.int64), order


def sites_within(reach: Reach) -> Ints:
    """Count each demand place's sites: (n_demand,)."""
    return np.bincount(reach.demand, minlength=reach.n_demand).astype(np.int64)


def cost_matrix(reach: Reach, *, speed_m_s: float | None = None) -> csr_array:
    """Return costs in the field's orientation: demand rows × facility columns, in metres, or in seconds at ``speed_m_s``.

    An absent entry is a pair beyond the cutoff; a stored zero is a pair zero metres apart, so don't call ``eliminate_zeros``.

    Raises:
        ValueError: the speed isn't above zero.
    """
    if speed_m_s is not None and not speed_m_s > 0:
        raise ValueError(f"speed_m_s = {speed_m_s} must be above zero")
    cost = reach.distance_m if speed_m_s is None else reach.distance_m / speed_m_s
    rows = (cost, reach.site, rows_by_demand(reach).astype(np.int32))
    return csr_array(rows, shape=(reach.n_demand, reach.n_sites))


def whole_limit(cutoff_m: float) -> int:
    """Return the largest whole length that, in metres, is at most ``cutoff_m``: so that ≤ means the same on both sides.

    Raises:
        ValueError: it is negative, or no number.
    """
    if not cutoff_m >= 0:
        raise ValueError(f"cutoff_m = {cutoff_m} must be a number of metres, not negative")
    limit = min(int(min(cutoff_m, FARTHEST) * UNITS_PER_M) + 1, FARTHEST)
    while limit / UNITS_PER_M > cutoff_m:
        limit -= 1
    return limit


def place_sites(network: Network, positions: Positions, access_share: float) -> Whole:
    """Return where searches start, in the form of `kernels`."""
    return _places(network, positions, access_share, True)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Demand as the searches want it: made once for each `Positions`, for it is searched for again and again.

    Attributes:
        network, access_share: what it was made for.
        n_nodes: of the network's chains.
        places: (n_demand, 7) where searches lead, in the form of `kernels`.
    """

    network: "ref[Network]"
    access_share: float
    n_nodes: int
    places: Whole

    @cached_property
    def at_nodes(self) -> tuple[Whole, Whole]:
        """The places at each node: `kernels.list_at_nodes`."""
        return kernels.list_at_nodes(self.places, self.n_nodes)


_prepared: "WeakKeyDictionary[Positions, Prepared]" = WeakKeyDictionary()


def prepare(network: Network, demand: Positions, access_share: float) -> Prepared:
    """Return where searches lead: up to 60 bytes a place and 4 a node, kept for as long as its positions are."""
    known = _prepared.get(demand)
    if known is None or known.network() is not network or known.access_share != access_share:
        places = _places(network, demand, access_share, False)
        known = Prepared(ref(network), access_share, network.chains.n_nodes, places)
        _prepared[demand] = known
    return known


def _places(network: Network, positions: Positions, access_share: float, are_sites: bool) -> Whole:
    """Return positions as the searches want them; compiled code would take nonsense for a place somewhere.

    Raises:
        ValueError: they lie on another network, a length among them is no number, or the share is none.
    """
    if not 0 <= access_share <= 1:
        raise ValueError(f"access_share = {access_share} must be a share from 0 to 1")
    if positions.edge.min(initial=0) < 0 or positions.edge.max(initial=-1) >= network.n_edges:
        raise ValueError("positions lie on another network: make them with `locate` on this one")
    if not (
        np.isfinite(positions.offset_m).all() and (positions.offset_m >= 0).all() and (positions.access_m >= 0).all()
    ):
        raise ValueError("positions need offset_m and access_m that are numbers, and not negative")
    places = np.empty((len(positions), 7), dtype=np.uint32)
    where = (positions.edge, positions.offset_m, positions.access_m, access_share, network.chains.edges)

    def pack(blocks: Iterator[int]) -> None:
        for lo in blocks:
            kernels.pack(*where, are_sites, lo, min(lo + BLOCK_ROWS, len(places)), places)

    on_all_cores(pack, range(0, len(places), BLOCK_ROWS))
    return places


def longest_step(length: Whole, sites: Whole) -> int:
    """Return the longest step a search takes: an arc, none longer than the longest ``length``, or the way from a site to its end."""
    longest = int(length.max())
    return min(longest + int(sites[:, kernels.ACCESS].max(initial=0)), FARTHEST)


@dataclass(frozen=True, eq=False)
class Found:
    """What one thread found.

    Attributes:
        pairs_of_demand: (n_demand,) how many pairs each demand place got.
        pieces: the first site's number, the pairs of each site from there on, and the pairs' demand and distance.
    """

    pairs_of_demand: Ints
    pieces: list[tuple[int, Ints, Whole, Whole]]


def _search(network: Network, demand: Prepared, sites: Whole, limit: int) -> list[Found]:
    """Search from each site; return what each thread found."""
    chains = network.chains
    graph = (demand.places, *demand.at_nodes, chains.first_arc, chains.arcs, limit)
    longest = min(longest_step(chains.length, sites), limit)
    search_block: Callable[..., int] = kernels.search_block

    def search(blocks: Iterator[int]) -> Found:
        found, queue_room, pair_room = Found(np.zeros(len(demand.places), np.int64), []), QUEUE_ROOM, BLOCK_PAIRS
        state = kernels.scratch(chains.n_nodes, longest, limit, queue_room)
        pairs = np.empty(0, np.uint32), np.empty(0, np.uint32)
        for block in blocks:
            lo, hi = block, min(block + BLOCK_SITES, len(sites))
            while lo < hi:
                count = np.zeros(hi - lo, np.int64)
                done = search_block(sites[lo:hi], *graph, *state, *pairs, count)
                used = count.sum()
                kernels.count_rows(pairs[0][:used], found.pairs_of_demand)
                found.pieces.append((lo, count[:done], pairs[0][:used], pairs[1][:used]))
                pairs = pairs[0][used:], pairs[1][used:]
                lo += done
                if lo < hi:
                    if len(pairs[0]) == pair_room:  # a whole empty room was too small for one site, or the queue was
                        queue_room, pair_room = 2 * queue_room, 2 * pair_room
                        state = kernels.scratch(chains.n_nodes, longest, limit, queue_room)
                    pairs = np.empty(pair_room, np.uint32), np.empty(pair_room, np.uint32)
        return found

    return on_all_cores(search, range(0, len(sites), BLOCK_SITES))


def on_all_cores(work: Callable[[Iterator[int]], T], tasks: range) -> list[T]:
    """Let one thread a core draw tasks until none is left (drawing from a range's iterator is atomic)."""
    queue, n_threads = iter(tasks), min(os.cpu_count() or 1, len(tasks))
    if n_threads <= 1:
        return [work(queue)]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(work, [queue] * n_threads))
