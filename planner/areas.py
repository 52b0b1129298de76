"""Network × sites -> service areas: the streets from which a site is within the cutoff, and polygons around them.

Streets are cut exactly at the cutoff. Polygons hold what lies within a few metres of a reached street and nothing else, so that
a block's unreachable heart, a river or a park without paths stays a hole.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import geopandas as gpd
import numpy as np
import shapely
from contourpy import FillType, contour_generator
from numpy.typing import NDArray

from planner import kernels
from planner.kernels import UNITS_PER_M
from planner.network import Network, Positions
from planner.reach import longest_step, on_all_cores, place_sites, whole_limit

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Lines = NDArray[np.object_]

BLOCK_SITES = 64
BLOCK_PIECES = 1 << 16
MOST_CELLS = 1 << 27  # of the raster that areas are drawn from: 1 GiB


def reached_streets(
    network: Network, sites: Positions, cutoffs_m: float | Sequence[float], *, access_share: float = 1.0
) -> gpd.GeoDataFrame:
    """Cut out the streets from which each site is within a cutoff.

    Args:
        cutoffs_m: one, or several bands; a cutoff given twice counts once.
        access_share: how much of the walk between a site and its street counts.

    Returns:
        Pieces of streets, by site; columns ``site``, ``cutoff_m`` (the lowest that the piece is within, so pieces of one site
        don't overlap), ``edge``, ``from_m``, ``to_m`` (along that edge), geometry.
    """
    cutoffs = _ascending(cutoffs_m)
    if network.detour_factor is not None:
        return gpd.GeoDataFrame(
            {"site": [], "cutoff_m": [], "edge": [], "from_m": [], "to_m": []}, geometry=[], crs=network.crs
        )
    site, band, edge, from_m, to_m = _pieces(network, sites, cutoffs, access_share)
    columns = {"site": site, "cutoff_m": cutoffs[band], "edge": edge, "from_m": from_m, "to_m": to_m}
    return gpd.GeoDataFrame(columns, geometry=_cut(network, edge, from_m, to_m), crs=network.crs)


def service_areas(
    network: Network,
    sites: Positions,
    cutoffs_m: float | Sequence[float],
    *,
    access_share: float = 1.0,
    frontage_m: float = 25.0,
    cell_m: float = 10.0,
    merged: bool = False,
    rings: bool = False,
) -> gpd.GeoDataFrame:
    """Draw the areas around the streets from which a site is within a cutoff.

    The distance to the reached streets on a raster, contoured at ``frontage_m``: always valid, about 99 % overlap with the exact
    buffer of the streets and far faster.

    Args:
        cutoffs_m: one, or several bands.
        access_share: how much of the walk between a site and its street counts.
        frontage_m: how far from a reached street the area goes.
        cell_m: the raster's cell; below ``frontage_m``.
        merged: one area for all sites together (``site`` is -1).
        rings: each band without the next smaller one; otherwise areas are nested.

    Returns:
        One row a site and cutoff, the lowest first; columns ``site``, ``cutoff_m``, geometry (MultiPolygon).

    Raises:
        ValueError: a cutoff is negative or no number, the cell isn't below the frontage, or an area has too many cells.
    """
    cutoffs = _ascending(cutoffs_m)
    if not 0 < cell_m < frontage_m:
        raise ValueError(f"cell_m = {cell_m} must be above 0 and below frontage_m = {frontage_m}")
    names = np.array([-1]) if merged else np.arange(len(sites))
    if network.detour_factor is not None:
        shapes = _circles(sites, cutoffs / network.detour_factor, merged)
    else:
        shapes = _around_streets(network, sites, cutoffs, names, access_share, frontage_m, cell_m)
    if rings:
        shapes[:, 1:] = shapely.difference(shapes[:, 1:], shapes[:, :-1])
    columns = {"site": np.repeat(names, len(cutoffs)), "cutoff_m": np.tile(cutoffs, len(names))}
    return gpd.GeoDataFrame(columns, geometry=shapes.ravel(), crs=network.crs)


def _circles(sites: Positions, radii_m: Floats, merged: bool) -> Lines:
    """Return what lies within a straight line of each site, or of any of them: where there are no streets."""
    points = shapely.points(np.empty((0, 2)) if sites.xy is None else sites.xy)
    shapes = shapely.buffer(points[:, None], radii_m[None, :], quad_segs=16)
    if merged:
        shapes = shapely.union_all(shapes, axis=0)[None, :]
    return np.array([shapely.MultiPolygon(shapely.get_parts(shape)) for shape in shapes.ravel()]).reshape(shapes.shape)


def _around_streets(
    network: Network,
    sites: Positions,
    cutoffs: Floats,
    names: Ints,
    access_share: float,
    frontage_m: float,
    cell_m: float,
) -> Lines:
    """Return the area of each name (a site, or -1 for all together) and cutoff."""
    site, band, edge, from_m, to_m = _pieces(network, sites, cutoffs, access_share)
    if (names < 0).any():
        site = np.full_like(site, -1)
    order = np.lexsort([band, site])
    site, band = site[order], band[order]
    segments, piece = _segments(_cut(network, edge[order], from_m[order], to_m[order]))
    first = np.searchsorted(site[piece], np.append(names, len(sites)))
    areas = []
    for low, high in pairwise(first):
        areas += _contours(segments[low:high], band[piece[low:high]], len(cutoffs), frontage_m, cell_m)
    return np.array(areas, dtype=object).reshape(len(names), len(cutoffs))


def _ascending(cutoffs_m: float | Sequence[float]) -> Floats:
    cutoffs = np.unique(np.atleast_1d(np.asarray(cutoffs_m, dtype=float)))
    if not len(cutoffs):
        raise ValueError("cutoffs_m needs at least one cutoff")
    for cutoff_m in cutoffs:
        whole_limit(cutoff_m)
    return cutoffs


def _pieces(
    network: Network, sites: Positions, cutoffs_m: Floats, access_share: float
) -> tuple[Ints, Ints, Ints, Floats, Floats]:
    """Return the reached stretches of all sites: site, band, edge, from_m, to_m."""
    places, chains = place_sites(network, sites, access_share), network.chains
    limits = np.array([whole_limit(cutoff) for cutoff in cutoffs_m], dtype=np.int64)
    longest = min(longest_step(chains.length, places), int(limits[-1]))
    of_chain = (chains.start, chains.stop, chains.length, chains.oneway, chains.dead_end)
    graph = (chains.first_arc, chains.arcs, chains.first_chain, chains.chain_at)

    reach_chains: Callable[..., int] = kernels.reach_chains

    def search(blocks: Iterator[int]) -> dict[int, list[list[Ints]]]:

        def one_block(lo: int, hi: int) -> Iterator[list[Ints]]:
            room = BLOCK_PIECES
            state = kernels.scratch(chains.n_nodes, longest, int(limits[-1]), room)
            while lo < hi:
                found, pieces = [np.empty(room, np.uint32) for _ in range(4)], np.zeros(hi - lo, np.int64)
                done = reach_chains(places[lo:hi], limits, *of_chain, *graph, *state, *found, pieces)
                site = np.repeat(np.arange(lo, lo + done), pieces[:done])
                yield [site, *(column[: len(site)].astype(np.int64) for column in found)]
                lo += done
                if not done:  # neither the pieces nor the queue may have had room enough
                    room *= 2
                    state = kernels.scratch(chains.n_nodes, longest, int(limits[-1]), room)

        return {lo: list(one_block(lo, min(lo + BLOCK_SITES, len(places)))) for lo in blocks}

    blocks: dict[int, list[list[Ints]]] = {}
    for part in on_all_cores(search, range(0, len(places), BLOCK_SITES)):
        blocks |= part
    pieces = [piece for lo in sorted(blocks) for piece in blocks[lo]] or [[np.empty(0, np.int64)] * 5]
    site, chain, band, low, high = (np.concatenate(column) for column in zip(*pieces, strict=True))
    stretch, edge, from_, to = kernels.cut_at_edges(chain, low, high, chains.first_edge, chains.edge_at, chains.edges)
    return site[stretch], band[stretch], edge, from_ / UNITS_PER_M, to / UNITS_PER_M


def _cut(network: Network, edge: Ints, from_m: Floats, to_m: Floats) -> Lines:
    """Return the stretches as lines; whole edges are the edges' own lines."""
    lines = np.asarray(network.edges.geometry.array)
    shapes = lines[edge]
    part = np.flatnonzero((from_m > 0) | (to_m < network.length[edge] / UNITS_PER_M))
    if not len(part):
        return shapes
    whole, low, high = shapes[part], from_m[part], to_m[part]
    xy, of = shapely.get_coordinates(whole, return_index=True)
    first = np.searchsorted(of, np.arange(len(part) + 1))
    # One running length over all lines, the jumps between them included: it only ever grows, so one search finds any place.
    running = np.cumsum(np.hypot(*np.diff(xy, axis=0, prepend=xy[:1]).T))
    along = running - running[first[of]]

    def at(distance_m: Floats) -> Floats:
        wanted = running[first[:-1]] + distance_m
        after = np.clip(np.searchsorted(running, wanted), first[:-1] + 1, first[1:] - 1)
        step = running[after] - running[after - 1]
        share = np.clip((wanted - running[after - 1]) / np.where(step > 0, step, 1), 0, 1)[:, None]
        return np.asarray(xy[after - 1] + share * (xy[after] - xy[after - 1]))

    inside = np.flatnonzero((along > low[of]) & (along < high[of]))
    n_points = 2 + np.bincount(of[inside], minlength=len(part))
    begin = np.cumsum(n_points) - n_points
    points = np.empty((n_points.sum(), 2))
    points[begin] = at(low)
    points[begin + n_points - 1] = at(high)
    # Vertices in between keep their order; each line before theirs took two places more.
    points[np.arange(len(inside)) + 2 * of[inside] + 1] = xy[inside]
    shapes[part] = shapely.linestrings(points, indices=np.repeat(np.arange(len(part)), n_points))
    return shapes


def _segments(lines: Lines) -> tuple[Floats, Ints]:
    """Return straight segments as rows of x0, y0, x1, y1, and the line each belongs to."""
    xy, of = shapely.get_coordinates(lines, return_index=True)
    together = of[1:] == of[:-1]
    return np.hstack([xy[:-1][together], xy[1:][together]]), of[1:][together]


def _contours(
    segments: Floats, band: Ints, n_bands: int, frontage_m: float, cell_m: float
) -> list[shapely.MultiPolygon]:
    """Return the area of each band; ``band`` ascends."""
    if not len(segments):
        return [shapely.MultiPolygon()] * n_bands
    # A cell outside next to one inside must hold its true distance, for the contour to run exactly between them.
    beyond_m = frontage_m + cell_m
    corners = segments.reshape(-1, 2)
    west, south = (np.floor((corners.min(axis=0) - beyond_m) / cell_m) - 1) * cell_m
    n_columns, n_rows = (np.ceil((corners.max(axis=0) + beyond_m - [west, south]) / cell_m) + 2).astype(int)
    if n_rows * n_columns > MOST_CELLS:
        raise ValueError(
            f"an area of {n_columns:,} × {n_rows:,} cells is too large to draw: take a larger cell_m than {cell_m}"
        )
    field = np.full((n_rows, n_columns), beyond_m)
    x, y = west + cell_m * np.arange(n_columns), south + cell_m * np.arange(n_rows)
    areas = []
    for number in range(n_bands):
        low, high = np.searchsorted(band, [number, number + 1])
        kernels.stamp(field, west, south, cell_m, segments[low:high], beyond_m)
        # A level that cells hold exactly would make the contour touch itself.
        level = frontage_m + 1e-6 * cell_m
        filled = contour_generator(x, y, field, fill_type=FillType.OuterOffset).filled(-1.0, level)
        areas.append(_polygons(*filled))
    return areas


def _polygons(points: list[Floats], offsets: list[NDArray[np.uint32]]) -> shapely.MultiPolygon:
    """Return contourpy's outlines, each an outer ring and its holes, as one valid shape."""
    polygons = []
    for xy, first in zip(points, offsets, strict=True):
        ring = np.searchsorted(first, np.arange(len(xy)), side="right") - 1
        rings = shapely.linearrings(xy, indices=ring)
        polygons.append(shapely.polygons(rings[0], rings[1:]))
    area = shapely.MultiPolygon(polygons)
    if shapely.is_valid(area):
        return area
    mended = shapely.make_valid(area)
    return shapely.MultiPolygon([part for part in shapely.get_parts(mended) if shapely.get_type_id(part) == 3])
