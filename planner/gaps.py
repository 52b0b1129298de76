"""What coverage lacks -> ranked gaps, each with its place, its people and its reason, and what became of them since another run.

Takes demand, its coverage and where it lies on the network; gives one row per gap, heaviest first. A gap is what one site could serve: the
units of one zone, group and reason within a walk of one point. Proposes no remedy: that is `planner.remedies`'.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, floor, fsum, sqrt
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.spatial import KDTree

from planner.coverage import Coverage, Floats, Ints
from planner.network import Network, Positions, locate, take
from planner.reach import nearest

GAP_COLUMNS = (
    "id",
    "place",  # the same for all gaps of one zone around one point, whatever their group and reason
    "zone",
    "group",
    "weight",  # people × the share of their working time that is lost
    "reason",
    "streets",  # names where they are known, those that lose most first, joined by ";"
    "nearest_site",  # of the gap's heaviest unit
    "nearest_m",
    "worst_m",
    "units",
    "length_m",  # of line demand
    "source",  # of the gap's heaviest unit
    "x",  # the gap's heaviest unit, WGS-84
    "y",
    "geometry",  # the same point in the study's CRS; `gap_areas` gives all that the gap covers
)
WIDTH_M = 30.0
# How much longer a walk is than the crow's flight, to space the points that gaps gather around (domain: 1.3, K).
DETOUR = 1.3
MOST_STREETS = 3
# How many lattices there are, each twice as fine as the one before.
FINER = 3
# Shares are exact to about a billionth where seats are shared out; less than this is no loss.
_NOTHING = 1e-6
# A gap whose weight changed by less than this fraction has stayed the same.
_ALIKE = 0.02
CHANGES = ("closed", "new", "grown", "shrunk", "same")


def reasons(coverage: Coverage) -> NDArray[np.object_]:
    """Return why each unit is not fully covered; "" where it is.

    Where a site is in reach but time is lost, the reason is what loses more of it: shut doors or missing services.
    """
    lost_to_hours = 1 - coverage.open_share
    lost_to_services = coverage.open_share - coverage.effective_share
    reason = np.where(lost_to_services > lost_to_hours, "lacks_service", "closed_then").astype(object)
    reason[coverage.equipped_share == 0] = "lacks_service"
    reason[~coverage.covered] = "too_far"
    reason[~np.isfinite(coverage.nearest_m)] = "unreachable"
    reason[coverage.effective_share >= 1] = ""
    return reason


def seat_reasons(coverage: Coverage) -> tuple[NDArray[np.object_], Floats]:
    """Return why people who are effectively covered find no seat, "" where they do, and the share of their working time so lost.

    What loses more of it: hosts that they would not go to (``awkward_host``) or seats that are taken (``full``). Nothing where the study
    does not ask about capacity.
    """
    n = len(coverage.effective_share)
    if coverage.served_share is None or coverage.accepted_share is None:
        return np.full(n, "", dtype=object), np.zeros(n)
    lost = np.maximum(coverage.effective_share - coverage.served_share, 0.0)
    to_hosts = coverage.effective_share - coverage.accepted_share
    reason = np.where(to_hosts > lost / 2, "awkward_host", "full").astype(object)
    reason[lost <= _NOTHING] = ""
    return reason, lost


def find_gaps(
    demand: gpd.GeoDataFrame,
    coverage: Coverage,
    network: Network,
    positions: Positions,
    sites: pd.DataFrame,
    *,
    radius_m: float,
) -> tuple[gpd.GeoDataFrame, NDArray[np.object_], NDArray[np.object_]]:
    """Return the gaps, heaviest first.

    A gap gathers the units of one group in one zone that lose coverage for the same reason within a walk of one point (`gathering_points`).
    The gaps of a group with the reasons ``too_far``, ``unreachable``, ``closed_then`` and ``lacks_service`` add up to Σ weight × (1 −
    effective_share), those with ``full`` and ``awkward_host`` to Σ weight × (effective_share − served_share). Ids come from what a gap is
    (zone, group, reason, point), not from its rank or its weight, so they last from one run to the next.

    Args:
        demand: demand frame.
        coverage: its coverage.
        network: the streets.
        positions: where the demand lies on them.
        sites: sites frame.
        radius_m: service radius.

    Returns:
        The gaps (`GAP_COLUMNS`), and for each unit the id of the gap in which it lacks coverage and of the one in which it lacks a seat; ""
        where it lacks neither.
    """
    weight = demand["weight"].to_numpy(dtype=float)
    no_seat, seatless = seat_reasons(coverage)
    losses = [(reasons(coverage), weight * (1 - coverage.effective_share)), (no_seat, weight * seatless)]
    keys = demand[["zone", "group"]].assign(reason="", point=gathering_points(network, positions, radius_m))
    units = _units(demand, coverage, network, positions, sites)
    rows: list[dict[str, Any]] = []
    members = [np.full(len(demand), "", dtype=object) for _ in losses]
    for (why, lost), member in zip(losses, members, strict=True):
        lacking = np.flatnonzero((why != "") & (lost > 0))
        of_key = keys.iloc[lacking].assign(reason=why[lacking]).groupby(list(keys.columns)).indices
        for (zone, group, reason, at), found in of_key.items():
            gap_id = f"G-{_digest(zone, group, reason, at)}"
            member[lacking[found]] = gap_id
            row = {"id": gap_id, "place": f"P-{_digest(zone, at)}", "zone": zone, "group": group, "reason": reason}
            rows.append(row | _what(units, lacking[found], lost))
    rows.sort(key=lambda row: (-row["weight"], row["id"]))
    frame = pd.DataFrame(rows, columns=list(GAP_COLUMNS))
    # As objects, so that no site is None: a column of text would say NaN, which is true.
    frame["nearest_site"] = pd.Series([row["nearest_site"] for row in rows], dtype=object)
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=demand.crs), members[0], members[1]


def gap_areas(gaps: gpd.GeoDataFrame, demand: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the gaps with all that they cover as their geometry: their streets and points, widened.

    Slower than all else that is known of gaps, and asked for by layers alone.

    Args:
        gaps: `GAP_COLUMNS`.
        demand: with the columns ``gap`` and ``gap_seats``, the gaps of the existing state that each unit lies in ("" for none).
    """
    lines = demand["line"].to_numpy()
    # Square caps and mitred corners: a third of the vertices of round ones, so the unions below take half the time.
    places = np.where(pd.isna(lines), demand.geometry.to_numpy(), lines)
    shapes = shapely.buffer(places, WIDTH_M, cap_style="square", join_style="mitre")
    of_gap = demand.groupby("gap").indices | demand.groupby("gap_seats").indices
    # The union of small buffers: 20 times as fast as the buffer of a union.
    areas = [
        shapely.MultiPolygon(list(shapely.get_parts(shapely.union_all(shapes[of_gap[gap]])))) for gap in gaps["id"]
    ]
    return gaps.set_geometry(gpd.GeoSeries(areas, index=gaps.index, crs=demand.crs))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class _Units:
    """What gaps say of their units, a row a unit: plain arrays, since there may be a thousand gaps to look it up for."""

    id: NDArray[np.object_]
    source: NDArray[np.object_]
    street: NDArray[np.object_]
    length_m: Floats
    point: NDArray[np.object_]
    lonlat: Floats
    nearest: NDArray[np.object_]
    nearest_m: Floats


def _units(
    demand: gpd.GeoDataFrame, coverage: Coverage, network: Network, positions: Positions, sites: pd.DataFrame
) -> _Units:
    named = "name" in network.edges and network.n_edges > 0
    # -1, no site, is the last: None.
    site_ids = np.array([*sites["id"], None], dtype=object)
    return _Units(
        id=demand["id"].to_numpy(dtype=object),
        source=demand["source"].to_numpy(dtype=object),
        street=network.edges["name"].to_numpy(dtype=object)[positions.edge] if named else np.full(len(demand), ""),
        length_m=demand["length_m"].to_numpy(dtype=float),
        point=demand.geometry.to_numpy(),
        lonlat=shapely.get_coordinates(demand.geometry.to_crs("EPSG:4326").to_numpy()),
        nearest=site_ids[coverage.nearest],
        nearest_m=coverage.nearest_m,
    )


def _what(units: _Units, found: Ints, lost: Floats) -> dict[str, Any]:
    """Return what one gap's units, ``found``, say of it."""
    own, metres = lost[found], units.nearest_m[found]
    first = min(found[own == own.max()], key=units.id.__getitem__)
    near, reached = units.nearest[first], metres[np.isfinite(metres)]
    return {
        "weight": float(own.sum()),
        "streets": _most_lost(units.street[found], own),
        "nearest_site": near,
        "nearest_m": None if near is None else float(units.nearest_m[first]),
        "worst_m": float(reached.max()) if len(reached) else None,
        "units": len(found),
        "length_m": float(np.nansum(units.length_m[found])),
        "source": str(units.source[first]),
        "x": float(units.lonlat[first, 0]),
        "y": float(units.lonlat[first, 1]),
        "geometry": units.point[first],
    }


def _most_lost(streets: NDArray[np.object_], lost: Floats) -> str:
    """Return the names of the streets that lose most."""
    by_name: dict[str, list[float]] = {}
    for name, share in zip(streets.tolist(), lost.tolist(), strict=True):
        if isinstance(name, str) and name:
            by_name.setdefault(name, []).append(share)
    ranked = sorted(by_name, key=lambda name: (-fsum(by_name[name]), name))
    return ";".join(name.replace(";", ",") for name in ranked[:MOST_STREETS])


def gathering_points(network: Network, positions: Positions, radius_m: float) -> NDArray[np.object_]:
    """Return, for each unit, the name of the point that gaps around it gather at.

    The points are the street corners nearest to those of a hexagonal lattice that is fixed in the study's CRS. A unit belongs to the one
    that it walks to soonest; if that is farther than the radius, to one of a lattice twice as fine, and so on; in the end to its own
    corner. So a site at the point would have all of its units within the radius. The points hang on the streets and the radius alone,
    not on who is covered: next year they are the same. Of a lattice of spacing s no place is farther than s/√3, so a spacing of √3 ×
    radius ÷ 1.3 leaves walks of about the radius.

    Args:
        network: the streets.
        positions: (n) where the units lie on them.
        radius_m: service radius.
    """
    spacing_m = sqrt(3) * radius_m / DETOUR
    nodes, component = np.column_stack([network.node_x, network.node_y]), network.component
    if positions.xy is not None and not len(nodes):  # no streets: the units' own places are the corners
        nodes = np.unique(positions.xy, axis=0)
        component = np.zeros(len(nodes), dtype=np.int64)
    point = np.full(len(positions), "", dtype=object)
    left = np.arange(len(positions))
    for finer in range(FINER):
        if not len(left):
            return point
        corner, name = _corners(nodes, component, spacing_m / 2**finer)
        places = gpd.GeoSeries(gpd.points_from_xy(*nodes[corner].T), crs=network.crs)
        found, metres = nearest(network, take(positions, left), locate(network, places))
        near = metres <= radius_m
        point[left[near]] = name[found[near]]
        left = left[~near]
    own = nodes[network.start[positions.edge[left]]] if network.n_nodes or positions.xy is None else positions.xy[left]
    point[left] = [f"corner {_whole(corner)}" for corner in own]
    return point


def _corners(nodes: Floats, component: Ints, spacing_m: float) -> tuple[Ints, NDArray[np.object_]]:
    """Return the street corner nearest to each point of a hexagonal lattice, one for each connected part around it, and their names."""
    rise_m = spacing_m * sqrt(3) / 2
    (west, south), (east, north) = nodes.min(axis=0) - spacing_m, nodes.max(axis=0) + spacing_m
    columns = np.arange(floor(west / spacing_m), ceil(east / spacing_m) + 1)
    rows = np.arange(floor(south / rise_m), ceil(north / rise_m) + 1)
    column, row = (grid.ravel() for grid in np.meshgrid(columns, rows))
    away, cell = KDTree(np.column_stack([(column + (row % 2) / 2) * spacing_m, row * rise_m])).query(nodes)
    order = np.lexsort((np.arange(len(nodes)), away, component, cell))
    first = np.flatnonzero(np.diff(np.column_stack([cell, component])[order], axis=0, prepend=-1).any(axis=1))
    corner = order[first]
    names = [
        f"{column[c]} {row[c]} {spacing_m:.0f}" + ("" if part == 0 else f" at {_whole(nodes[node])}")
        for c, part, node in zip(cell[corner], component[corner], corner, strict=True)
    ]
    return corner, np.array(names, dtype=object)


def _whole(corner: Floats) -> str:
    """Return where a corner is, in whole metres."""
    return f"{corner[0]:.0f} {corner[1]:.0f}"


def left_over(demand: pd.DataFrame, coverage: Coverage) -> dict[str, float]:
    """Return, for each gap's id, what of its weight is left at another moment.

    Args:
        demand: with the columns ``gap`` and ``gap_seats``, the gaps of the existing state that each unit lies in ("" for none).
        coverage: at the moment asked about; today's gives the gaps' own weights.
    """
    weight = demand["weight"]
    left = (weight * (1 - coverage.effective_share)).groupby(demand["gap"], sort=True).sum()
    seatless = (weight * seat_reasons(coverage)[1]).groupby(demand["gap_seats"], sort=True).sum()
    return dict(pd.concat([left, seatless]).drop("", errors="ignore"))


def compare_gaps(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return what became of the gaps of an earlier run: closed, new, grown, shrunk or the same.

    Gaps are alike by their id; one whose reason alone has changed is followed by its place and group where that leaves no doubt.

    Args:
        before, after: gaps as summary.json has them: ``id``, ``place``, ``zone``, ``group``, ``reason``, ``weight``.

    Returns:
        ``id`` (of the later run where it is still there), ``was`` (its id before), ``zone``, ``group``, ``reason_before``, ``reason``,
        ``before``, ``after`` (weights), ``change``; the largest change of weight first.
    """
    old, new = ({str(gap["id"]): gap for gap in gaps} for gaps in (before, after))
    twin = {gap: gap for gap in old if gap in new} | _followed(old, new)
    rows = [_changed(old[a], new[b]) for a, b in twin.items()]
    rows += [_changed(gap, None) for name, gap in old.items() if name not in twin]
    rows += [_changed(None, gap) for name, gap in new.items() if name not in set(twin.values())]
    rows.sort(key=lambda row: (-abs(row["after"] - row["before"]), row["id"]))
    columns = ("id", "was", "zone", "group", "reason_before", "reason", "before", "after", "change")
    return pd.DataFrame(rows, columns=list(columns))


def _followed(old: dict[str, Mapping[str, Any]], new: dict[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the ids of gaps that go on under another reason: the only one lost and the only one come at a place for a group."""

    def alone(gaps: dict[str, Mapping[str, Any]], others: dict[str, Mapping[str, Any]]) -> dict[tuple[str, str], str]:
        at: dict[tuple[str, str], list[str]] = {}
        for name, gap in gaps.items():
            if name not in others and gap.get("place"):
                at.setdefault((str(gap["place"]), str(gap["group"])), []).append(name)
        return {key: names[0] for key, names in at.items() if len(names) == 1}

    lost, come = alone(old, new), alone(new, old)
    return {lost[key]: come[key] for key in sorted(lost.keys() & come.keys())}


def _changed(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any]:
    before, after = (float(gap["weight"]) if gap else 0.0 for gap in (old, new))
    if old is None or new is None:
        change = "new" if old is None else "closed"
    elif abs(after - before) <= _ALIKE * before:
        change = "same"
    else:
        change = "grown" if after > before else "shrunk"
    either = new or old or {}
    return {
        "id": str(either["id"]),
        "was": str(old["id"]) if old else "",
        "zone": str(either["zone"]),
        "group": str(either["group"]),
        "reason_before": str(old["reason"]) if old else "",
        "reason": str(new["reason"]) if new else "",
        "before": before,
        "after": after,
        "change": change,
    }
