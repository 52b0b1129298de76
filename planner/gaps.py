"""What is not effectively covered -> ranked gaps, each with its place, its people and its reason.

Takes demand, its coverage and where it lies on the network; gives one row per gap, heaviest first. Proposes no remedy: that is siting's.
"""

import hashlib

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from planner.coverage import Coverage
from planner.network import Network, Positions

GAP_COLUMNS = (
    "id",
    "zone",
    "group",
    "weight",  # people × the share of their working time that is not covered
    "reason",
    "nearest_site",  # of the gap's heaviest unit
    "nearest_m",
    "worst_m",
    "units",
    "length_m",  # of line demand
    "source",  # of the gap's heaviest unit
    "x",  # the gap's heaviest unit, WGS-84
    "y",
    "geometry",  # what the gap covers: its streets and points, widened
)
WIDTH_M = 30.0


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


def find_gaps(
    demand: gpd.GeoDataFrame,
    coverage: Coverage,
    network: Network,
    positions: Positions,
    sites: pd.DataFrame,
) -> tuple[gpd.GeoDataFrame, NDArray[np.object_]]:
    """Return the gaps, heaviest first, and the gap's id of each unit ("" where it is in none).

    A gap is a connected stretch of demand of one group in one zone that is not (fully) covered for the same reason: neighbours
    along a street, or across a crossing. Its weight is Σ weight × (1 − effective_share), so the gaps of a group add up to the people its
    coverage lacks. Ids come from what the gap is (zone, group, reason, heaviest unit), not from its rank.
    """
    reason = reasons(coverage)
    lost = demand["weight"].to_numpy(dtype=float) * (1 - coverage.effective_share)
    stretch = _stretches(demand, reason, network, positions)
    member = np.full(len(demand), "", dtype=object)
    lines = demand["line"].to_numpy()
    # Square caps and mitred corners: a third of the vertices of round ones, so the unions below take half the time.
    places = np.where(pd.isna(lines), demand.geometry.to_numpy(), lines)
    shapes = shapely.buffer(places, WIDTH_M, cap_style="square", join_style="mitre")
    zones, groups, sources = (demand[column].to_numpy() for column in ("zone", "group", "source"))
    length_m = demand["length_m"].to_numpy(dtype=float)
    lonlat = shapely.get_coordinates(demand.geometry.to_crs("EPSG:4326").to_numpy())
    site_ids = sites["id"].to_numpy()
    rows = []
    open_units = np.flatnonzero((reason != "") & (lost > 0))
    ids = demand["id"].to_numpy()
    for _, found in pd.Series(open_units).groupby(stretch[open_units]):
        units = found.to_numpy()
        heaviest = min(units, key=lambda u: (-lost[u], ids[u]))
        zone, group, why = zones[heaviest], groups[heaviest], reason[heaviest]
        digest = hashlib.sha256("\n".join([zone, group, why, ids[heaviest]]).encode()).hexdigest()
        gap_id = f"G-{digest[:8]}"
        member[units] = gap_id
        near = coverage.nearest[heaviest]
        distances = coverage.nearest_m[units]
        reached = np.isfinite(distances)
        rows.append(
            {
                "id": gap_id,
                "zone": zone,
                "group": group,
                "weight": float(lost[units].sum()),
                "reason": why,
                "nearest_site": site_ids[near] if near >= 0 else None,
                "nearest_m": float(coverage.nearest_m[heaviest]) if near >= 0 else None,
                "worst_m": float(distances[reached].max()) if reached.any() else None,
                "units": len(units),
                "length_m": float(np.nansum(length_m[units])),
                "source": sources[heaviest],
                "x": float(lonlat[heaviest, 0]),
                "y": float(lonlat[heaviest, 1]),
                # The union of small buffers: 20 times as fast as the buffer of a union.
                "geometry": shapely.MultiPolygon(list(shapely.get_parts(shapely.union_all(shapes[units])))),
            }
        )
    rows.sort(key=lambda row: (-row["weight"], row["id"]))
    frame = pd.DataFrame(rows, columns=list(GAP_COLUMNS))
    # As objects, so that no site is None: a column of text would say NaN, which is true.
    frame["nearest_site"] = pd.Series([row["nearest_site"] for row in rows], dtype=object)
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=demand.crs), member


def left_over(demand: pd.DataFrame, coverage: Coverage) -> dict[str, float]:
    """Return, for each gap's id, what of its weight is left at another moment: Σ weight × (1 − effective_share) over its units.

    Args:
        demand: with the column ``gap``, the gap of the existing state that each unit lies in ("" for none).
        coverage: at the moment asked about; today's gives the gaps' own weights.
    """
    left = demand["weight"] * (1 - coverage.effective_share)
    return dict(left.groupby(demand["gap"], sort=True).sum().drop("", errors="ignore"))


def _stretches(
    demand: pd.DataFrame, reason: NDArray[np.object_], network: Network, positions: Positions
) -> NDArray[np.int64]:
    """Return the number of the connected stretch of equal zone, group and reason that each unit belongs to.

    Units of one class are tied to their neighbour of the same class on the same edge, and the outermost to the edge's end nodes. A unit
    of the same group and another class between two of them parts them.
    """
    n = len(demand)
    kind = pd.Series(list(zip(demand["zone"], demand["group"], reason, strict=True))).factorize()[0]
    group = demand["group"].factorize()[0]
    order = np.lexsort((np.arange(n), positions.offset_m, group, positions.edge))
    edge = positions.edge[order].astype(np.int64)
    same_run = (edge[1:] == edge[:-1]) & (group[order][1:] == group[order][:-1])
    alike = same_run & (kind[order][1:] == kind[order][:-1])
    first, last = np.r_[True, ~same_run], np.r_[~same_run, True]
    start = network.start[edge]
    stop = network.stop[edge]
    # A node of the network stands once for each class, so that classes don't join through a crossing.
    ends = np.concatenate([start[first], stop[last]]).astype(np.int64)
    classes = np.concatenate([kind[order][first], kind[order][last]]).astype(np.int64)
    corner = pd.Series(ends * (int(kind.max()) + 1) + classes).factorize()[0] + n
    rows = np.concatenate([order[1:][alike], order[first], order[last]])
    columns = np.concatenate([order[:-1][alike], corner])
    size = n + (int(corner.max()) - n + 1 if len(corner) else 0)
    links = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size))
    labels: NDArray[np.int64] = connected_components(links, directed=False)[1][:n].astype(np.int64)
    return labels
