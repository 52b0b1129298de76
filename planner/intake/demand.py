"""Who works where: workers spread over pieces of street, workers at points.

Takes settings, streets, zones and tables; gives the units of demand, each with its weight, its zone and where its walk is measured from.
"""

from collections.abc import Mapping

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from planner.errors import InputError
from planner.evidence import Ground
from planner.hours import perhaps_on_12_hours, week_profile
from planner.intake import columns
from planner.intake.cells import METRES, PEOPLE, SQUARE_METRES, numbers
from planner.intake.layers import zone_of
from planner.intake.ledger import NamedRoads, Stretch, ends_of
from planner.intake.notes import Notes, some
from planner.intake.places import locate_rows, read_places
from planner.intake.table import RawTable
from planner.study import STUDY_FILE, EnterpriseDemand, LedgerDemand, LineDemand, PointDemand, Study, ZoneDemand
from planner.tables import DEMAND_COLUMNS, as_table

# More than this in one table is a slip of the keyboard.
_MOST_PEOPLE, _MOST_M2 = 1e9, 1e12
# Square metres of street that a worker sweeps: 14,775 in Dongyang (2,000 workers, 29.55 km²); a total that makes it ten times less or
# four times more speaks of another area. Totals of fewer people are those of a crew, known by heart. K.
_SWEPT_M2, _MANY = (1_500.0, 60_000.0), 300.0
# What makes numbers of people doubtful: this many times the median, this share of all rows alike. K.
_APART, _ALIKE, _SEVERAL = 100.0, 0.9, 10
# Shorter bits of street come from rounding where lines are cut.
_CRUMB_M = 0.01


def read_demand(
    study: Study, ground: Ground, zones: gpd.GeoDataFrame, area: shapely.Geometry, notes: Notes
) -> gpd.GeoDataFrame:
    """Return the units of demand of all groups, those of streets cut at zone borders and into short pieces."""
    parts = []
    for number, source in enumerate(study.demand, 1):
        if isinstance(source, LineDemand):
            part = _line_demand(study, source, number, ground.streets, zones, area)
            swept_m2 = part["length_m"] * part["street_class"].map(source.width_m)
            _note_swept(number, source.total, float(swept_m2.sum()), notes)
        elif isinstance(source, LedgerDemand):
            part = _ledger_demand(study, source, number, ground.streets, zones, area, notes)
        elif isinstance(source, ZoneDemand):
            part = _zone_demand(study, source, number, ground, zones, area, notes)
        else:
            part = _point_demand(study, source, number, ground, zones, area, notes)
        parts.append(part)
    demand = pd.concat(parts, ignore_index=True)
    # Only enterprises have a name and a tier of their own.
    demand = demand.assign(**{column: demand.get(column, "") for column in ("tier", "name")})
    demand[["tier", "name"]] = demand[["tier", "name"]].fillna("")
    for group, settings in study.groups.items():
        for season in study.seasons or ("",):
            if not week_profile(settings.in_season(season)).any():
                raise InputError("group_never_works", file="study.toml", group=group)
        for shift in settings.shifts:
            if span := perhaps_on_12_hours(shift.hours):
                notes.warn("shift_turned", file=STUDY_FILE, group=settings.name, shift=shift.name, span=span)
    return as_table(demand, DEMAND_COLUMNS, study.crs)


def _line_demand(
    study: Study,
    settings: LineDemand,
    number: int,
    streets: gpd.GeoDataFrame,
    zones: gpd.GeoDataFrame,
    area: shapely.Geometry,
) -> pd.DataFrame:
    """Spread a total over pieces of street by swept area: length × the class's width.

    Streets are cut at zone borders and into equal pieces of at most ``piece_m``; each piece is a unit measured from its midpoint.
    """
    swept = streets[streets["highway"].map(settings.width_m).fillna(0) > 0]
    lines = swept.geometry.to_numpy()
    inside = _cut_by_zones(lines, zones) if len(zones) else _cut_by_area(lines, area)
    if not inside:
        raise InputError("no_swept_streets", file="study.toml", number=number)
    of_street, whole, zone_of = (np.array(column, dtype=object) for column in zip(*inside, strict=True))
    counts = np.ceil(shapely.length(whole) / settings.piece_m - 1e-9).astype(int)
    line_of, of = _cut_equally(whole, np.maximum(1, counts))
    of_street, zone_of = of_street[of].astype(int), zone_of[of]
    lengths_m = shapely.length(line_of)
    of = swept.iloc[of_street]
    with np.errstate(over="ignore"):
        swept_m2 = lengths_m * of["highway"].map(settings.width_m).to_numpy(dtype=float)
    nth = pd.Series(of_street).groupby(of_street).cumcount() + 1
    return pd.DataFrame(
        {
            "id": [f"D{number}-{s}-{n}" for s, n in zip(of["id"], nth, strict=True)],
            "group": settings.group,
            "weight": settings.total * swept_m2 / _sum(swept_m2, _MOST_M2, STUDY_FILE),
            "zone": zone_of,
            "street_class": of["highway"].to_numpy(),
            "length_m": lengths_m,
            "source": of["source"].to_numpy(),
            "geometry": shapely.line_interpolate_point(line_of, 0.5, normalized=True),
            "line": line_of,
        }
    )


def _sum(amounts: np.ndarray, most: float, file: str) -> float:
    """Return a sum of people or square metres; refuse one that no place on earth has."""
    with np.errstate(over="ignore"):
        total = float(amounts.sum())
    if total > most:
        raise InputError("sum_too_large", file=file, total=total, most=most)
    return total


def _cut_by_zones(lines: np.ndarray, zones: gpd.GeoDataFrame) -> list[tuple[int, shapely.LineString, str]]:
    """Return (street, part of its line, zone) for the parts inside zones, in the order of streets, then zones.

    A street along the border of several zones goes to the first of them.
    """
    polygons, ids = zones.geometry.to_numpy(), zones["id"].to_numpy()
    shapely.prepare(polygons)
    street, zone = shapely.STRtree(polygons).query(lines, predicate="intersects")
    order = np.lexsort((zone, street))
    street, zone = street[order], zone[order]
    whole = shapely.contains_properly(polygons[zone], lines[street])
    parts = lines[street].copy()
    parts[~whole] = shapely.intersection(lines[street[~whole]], polygons[zone[~whole]])
    for n in np.flatnonzero(~whole):
        for earlier in zone[np.searchsorted(street, street[n]) : n]:
            if shapely.intersection(parts[n], polygons[earlier]).length > _CRUMB_M:
                parts[n] = shapely.difference(parts[n], polygons[earlier])
    cut = []
    # Most streets lie in one zone whole: they need no looking at.
    simple = (
        whole & (shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING) & (shapely.length(parts) > _CRUMB_M)
    )
    for s, z, part, one in zip(street.tolist(), zone.tolist(), parts, simple.tolist(), strict=True):
        cut += [(s, line, str(ids[z])) for line in ([part] if one else _line_parts(part))]
    return cut


def _cut_by_area(lines: np.ndarray, area: shapely.Geometry) -> list[tuple[int, shapely.LineString, str]]:
    return [(s, line, "") for s, part in enumerate(shapely.intersection(lines, area)) for line in _line_parts(part)]


def _line_parts(part: shapely.Geometry) -> list[shapely.LineString]:
    """Return the lines of an intersection: crumbs below a centimetre and touching points are no demand."""
    merged = shapely.line_merge(part) if part.geom_type == "MultiLineString" else part
    return [p for p in shapely.get_parts(merged) if p.geom_type == "LineString" and p.length > _CRUMB_M]


def equal_pieces(line: shapely.LineString, pieces: int) -> list[shapely.LineString]:
    """Return a line cut into ``pieces`` parts of the same length, in order."""
    return list(_cut_equally(np.array([line], dtype=object), np.array([pieces]))[0])


def _cut_equally(lines: np.ndarray, pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the parts of lines that are cut into so many of the same length, in order, and of which line each is.

    All lines at once: a city has tens of thousands, and most are one piece.
    """
    of = np.repeat(np.arange(len(lines)), pieces)
    parts, many = lines[of], np.flatnonzero(pieces > 1)
    if len(many):
        parts[pieces[of] > 1] = _parts(lines[many], pieces[many])
    return parts, of


def _parts(lines: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """Return the parts of `_cut_equally` for lines of which each is cut."""
    lengths_m = shapely.length(lines)
    xy, of = shapely.get_coordinates(lines, return_index=True)
    along = shapely.line_locate_point(lines[of], shapely.points(xy))
    along[np.flatnonzero(np.diff(of, append=-1))] = lengths_m  # a loop's last point would be found at its first
    along = pd.Series(along).groupby(of).cummax().to_numpy()
    cut_of = np.repeat(np.arange(len(lines)), pieces + 1)
    nth = np.arange(len(cut_of)) - (np.cumsum(pieces + 1) - pieces - 1)[cut_of]
    last = nth == pieces[cut_of]
    cuts = np.where(last, lengths_m[cut_of], nth * (lengths_m / pieces)[cut_of])
    cut_xy = shapely.get_coordinates(shapely.line_interpolate_point(lines[cut_of], cuts))
    # Each vertex goes behind the last cut that it is not before, if not on it; a cut ends a part and begins the next.
    order = np.lexsort((np.repeat([0, 1], [len(cuts), len(along)]), np.append(cuts, along), np.append(cut_of, of)))
    behind = np.empty(len(order), dtype=np.int64)
    behind[order] = np.cumsum(order < len(cuts)) - 1
    behind = behind[len(cuts) :]
    inside = along > cuts[behind]
    part_of = np.concatenate([np.flatnonzero(~last), behind[inside], np.flatnonzero(nth > 0) - 1])
    coords = np.concatenate([cut_xy[~last], xy[inside], cut_xy[nth > 0]])
    order = np.argsort(part_of, kind="stable")
    first_of = np.unique(part_of[order], return_inverse=True)[1]
    return np.asarray(shapely.linestrings(coords[order], indices=first_of))


def _point_demand(
    study: Study,
    settings: PointDemand | EnterpriseDemand,
    number: int,
    ground: Ground,
    zones: gpd.GeoDataFrame,
    area: shapely.Geometry,
    notes: Notes,
) -> pd.DataFrame:
    """Return a table's workers at their points; rows without a place, or outside the study area, become rejects."""
    table = read_places(study, settings, notes)
    columns.need(table, "weight")
    _note_total(table, "weight", PEOPLE, notes)
    if isinstance(settings, EnterpriseDemand):
        columns.need(table, "name")
    table, places = locate_rows(study, settings, table, ground, zones, notes)
    weight = columns.amounts(table, "weight", PEOPLE, "cell_weight")
    _sum(weight.to_numpy(), _MOST_PEOPLE, table.file)
    _note_weights(table, weight, notes)
    inside = places.intersects(area)
    notes.reject(table, table.rows[~inside], "outside_area")
    if not inside.any():
        raise InputError("all_outside", file=table.file)
    if (lost := float(weight[~inside].sum())) > 0:
        notes.warn("people_outside", file=table.file, people=lost, share=lost / float(weight.sum()))
    places, weight = places[inside], weight[inside]
    if weight.sum() <= 0:
        raise InputError("no_weight", file=table.file)
    points = pd.DataFrame(
        {
            "id": [f"D{number}-{row}" for row in places.index],
            "group": settings.group,
            "weight": weight,
            "zone": zone_of(places, zones),
            "street_class": "",
            "length_m": np.nan,
            "source": [f"{table.file}#{row}" for row in places.index],
            "geometry": places,
            "line": None,
        }
    )
    if isinstance(settings, EnterpriseDemand):
        tier = columns.identifiers(table, "tier", "tier", ("cluster", "enterprise")).replace("", "enterprise")
        points = points.assign(tier=tier, name=columns.text(table, "name"))
    return points.reset_index(drop=True)


def _note_weights(table: RawTable, weight: pd.Series, notes: Notes) -> None:
    """Note people who weigh suspiciously: most of all in one row, none, in another unit, the same everywhere."""
    if (weight == 0).any():
        notes.warn("weight_zero", file=table.file, count=int((weight == 0).sum()), rows=some(weight.index[weight == 0]))
    if len(weight) >= 5 and weight.max() > 0.4 * weight.sum():
        # One row that holds most people is often a total that has no such name.
        most = float(weight.max())
        row, share = weight.index[int(weight.argmax())], most / float(weight.sum())
        notes.warn("weight_heavy", file=table.file, row=row, weight=most, share=share)
    people = weight[weight > 0]
    if len(people) < _SEVERAL:
        return
    median, common = float(people.median()), people.mode()
    apart = people[people >= _APART * median]
    if len(apart):
        times = float(apart.min()) / median
        notes.warn(
            "weight_apart",
            file=table.file,
            rows=some(apart.index),
            weight=float(apart.min()),
            median=median,
            times=times,
        )
    alike = float((people == common.iloc[0]).mean())
    if alike >= _ALIKE and common.iloc[0] > 1:
        notes.warn("weight_alike", file=table.file, share=alike, weight=float(common.iloc[0]))


def _note_swept(number: int, total: float, swept_m2: float, notes: Notes) -> None:
    """Note a total that speaks of another area: each of its workers would sweep far more or less of these streets than anybody can."""
    least, most = _SWEPT_M2
    if total >= _MANY and not least <= swept_m2 / total <= most:
        key = "swept_little" if swept_m2 / total < least else "swept_much"
        notes.warn(key, number=number, total=total, swept=swept_m2, each=swept_m2 / total)


def _note_total(table: RawTable, field: str, units: Mapping[str, float], notes: Notes) -> None:
    """Note rows of totals that say something else than the rows add up to: the total may be another area's."""
    if field not in table.rows.columns or table.aside.empty:
        return
    unit = table.units.get(field, "")
    said = numbers(table.aside.loc[table.aside["reason"] == "total_row", field], units, unit).dropna()
    rows = float(numbers(table.rows[field], units, unit).sum())
    # One total; a subtotal for each town; subtotals and their total.
    fits = (said.max(), said.sum(), said.sum() / 2) if len(said) else (rows,)
    if all(abs(total - rows) > max(0.5, 0.005 * rows) for total in fits):
        notes.warn("total_differs", file=table.file, row=said.idxmax(), total=float(said.max()), sum=rows)


def _ledger_demand(
    study: Study,
    settings: LedgerDemand,
    number: int,
    streets: gpd.GeoDataFrame,
    zones: gpd.GeoDataFrame,
    area: shapely.Geometry,
    notes: Notes,
) -> pd.DataFrame:
    """Return the pieces of street that a road-cleaning ledger speaks of, each with its share of its row's workers.

    Rows whose road is not among the streets, or that lies outside the study area, become rejects.
    """
    table = read_places(study, settings, notes)
    columns.need(table, "road_span" if "road_span" in table.rows.columns else "road")
    people = _ledger_people(table, settings, notes)
    texts = (columns.text(table, field).tolist() for field in ("road", "road_from", "road_to", "road_span"))
    named, rows = NamedRoads(streets), list[tuple[int, int, shapely.LineString, str, float]]()
    lost, whole, unsplit = dict[tuple[str, str], list[int]](), list[int](), list[int]()
    for n, (road, start, end, unread) in enumerate(ends_of(*texts)):
        found = named.stretch(road, start, end)
        pieces = _pieces_within(found, settings.piece_m, zones, area)
        length_m = sum(piece.length for _, piece, _ in pieces)
        rows += [(n, street, piece, zone, piece.length / length_m) for street, piece, zone in pieces]
        if not pieces:
            like = "" if found.streets else named.like(road)
            key = "road_outside" if found.streets else "road_like" if like else "road_unmatched"
            lost.setdefault((key, like), []).append(n)
        elif found.whole:
            whole.append(n)
        elif unread:
            unsplit.append(n)
    for (key, like), unmatched in lost.items():
        notes.reject(table, table.rows.iloc[unmatched], key, name=like)
    if whole:
        notes.warn("road_ends", file=table.file, count=len(whole), rows=some(table.rows.index[whole]))
    if unsplit:
        said = columns.text(table, "road_span").iloc[unsplit[0]][:40]
        rows_said = some(table.rows.index[unsplit])
        notes.warn("road_unsplit", file=table.file, count=len(unsplit), rows=rows_said, text=said)
    unplaced = sum(float(people[unmatched].sum()) for unmatched in lost.values())
    if unplaced > 0:
        notes.warn("people_unplaced", file=table.file, people=unplaced)
    if not rows:
        raise InputError("no_road_matched", file=table.file)
    of_row, of_street, piece_of, zone_of_piece, share = (list(column) for column in zip(*rows, strict=True))
    weight = people[of_row] * np.array(share)
    if weight.sum() <= 0:
        raise InputError("no_weight", file=table.file)
    row_of = table.rows.index.to_numpy()[of_row]
    nth = pd.Series(of_row).groupby(of_row).cumcount() + 1
    return pd.DataFrame(
        {
            "id": [f"D{number}-{row}-{k}" for row, k in zip(row_of, nth, strict=True)],
            "group": settings.group,
            "weight": weight,
            "zone": zone_of_piece,
            "street_class": streets["highway"].to_numpy()[of_street],
            "length_m": shapely.length(piece_of),
            "source": [f"{table.file}#{row}" for row in row_of],
            "geometry": shapely.line_interpolate_point(piece_of, 0.5, normalized=True),
            "line": piece_of,
        }
    )


def _pieces_within(
    stretch: Stretch, piece_m: float, zones: gpd.GeoDataFrame, area: shapely.Geometry
) -> list[tuple[int, shapely.LineString, str]]:
    """Return the pieces of a stretch inside the study area: the street's number, the piece, its zone."""
    lines = np.array(stretch.lines, dtype=object)
    inside = _cut_by_zones(lines, zones) if len(zones) else _cut_by_area(lines, area)
    return [
        (stretch.streets[line], piece, zone)
        for line, part, zone in inside
        for piece in equal_pieces(part, max(1, int(np.ceil(part.length / piece_m - 1e-9))))
    ]


def _ledger_people(table: RawTable, settings: LedgerDemand, notes: Notes) -> np.ndarray:
    """Return the workers of each row, or its share of the total, by the swept area or by length × width.

    The shares are of all rows: what belongs to a road that isn't found is missing then, not moved onto others.
    """
    if settings.total is None:
        columns.need(table, "weight")
        weight = columns.amounts(table, "weight", PEOPLE, "cell_weight")
        _sum(weight.to_numpy(), _MOST_PEOPLE, table.file)
        _note_total(table, "weight", PEOPLE, notes)
        _note_weights(table, weight, notes)
        return weight.to_numpy()
    _note_total(table, "area_m2", SQUARE_METRES, notes)
    if "area_m2" in table.rows.columns:
        swept_m2 = columns.amounts(table, "area_m2", SQUARE_METRES, "cell_size").to_numpy()
    else:
        columns.need(table, "length_m")
        swept_m2 = columns.amounts(table, "length_m", METRES, "cell_size").to_numpy()
        if "width_m" in table.rows.columns:
            with np.errstate(over="ignore"):
                swept_m2 = swept_m2 * columns.amounts(table, "width_m", METRES, "cell_size").to_numpy()
    whole_m2 = _sum(swept_m2, _MOST_M2, table.file)
    return np.asarray(settings.total * swept_m2 / (whole_m2 or 1.0))


def _zone_demand(
    study: Study,
    settings: ZoneDemand,
    number: int,
    ground: Ground,
    zones: gpd.GeoDataFrame,
    area: shapely.Geometry,
    notes: Notes,
) -> pd.DataFrame:
    """Return a table's totals by zone, spread over the zone's buildings, points or streets in proportion to what these weigh.

    Zones that are none of the study's, and zones with people but nothing to spread them over, become rejects.
    """
    table = read_places(study, settings, notes)
    columns.need(table, "zone", "weight")
    people = columns.amounts(table, "weight", PEOPLE, "cell_weight")
    _sum(people.to_numpy(), _MOST_PEOPLE, table.file)
    _note_total(table, "weight", PEOPLE, notes)
    named, own = zones["name"].str.strip(), dict(zip(zones["id"], zones["id"], strict=True))
    once = ~named.duplicated(keep=False)
    id_of = dict(zip(named[once], zones["id"][once], strict=True)) | own
    said = columns.text(table, "zone")
    zone = said.map(lambda cell: id_of.get(cell, "") if cell else "")
    several = (zone == "") & said.isin(named[~once])
    under = _spread_over(study, settings, number, ground, zones, area, notes)
    weighs = under.groupby("zone")["weight"].sum()
    nothing = (zone != "") & ~(zone.map(weighs).fillna(0.0) > 0) & (people > 0)
    nobody = (zone != "") & (people == 0)
    unknown = (zone == "") & ~several
    reasons = ((unknown, "zone_unknown"), (several, "zone_several"), (nothing, "zone_bare"), (nobody, "zone_nobody"))
    for rows, key in reasons:
        notes.reject(table, table.rows[rows], key)
    lost = float(people[(zone == "") | nothing].sum())
    if lost > 0:
        notes.warn("people_outside_zones", file=table.file, people=lost)
    parts = []
    for row in people.index[(zone != "") & ~nothing & (people > 0)]:
        inside = under[under["zone"] == zone[row]]
        parts.append(
            inside.assign(
                id=[f"D{number}-{row}-{k}" for k in range(1, len(inside) + 1)],
                weight=people[row] * inside["weight"] / weighs[zone[row]],
                source=f"{table.file}#{row}",
            )
        )
    if not parts:
        raise InputError("no_weight", file=table.file)
    spread: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return spread


def _spread_over(
    study: Study,
    settings: ZoneDemand,
    number: int,
    ground: Ground,
    zones: gpd.GeoDataFrame,
    area: shapely.Geometry,
    notes: Notes,
) -> pd.DataFrame:
    """Return the units that people known by zone are spread over, each weighing what it does among those of its zone."""
    if settings.points is None:
        width_m = settings.width_m or dict.fromkeys(ground.streets["highway"].unique(), 1.0)
        along = LineDemand(kind="line", group=settings.group, total=1.0, width_m=width_m, piece_m=settings.piece_m)
        return _line_demand(study, along, number, ground.streets, zones, area)
    table, places = locate_rows(
        study, settings.points, read_places(study, settings.points, notes), ground, zones, notes
    )
    weighed = "weight" in table.rows.columns
    weight = columns.amounts(table, "weight", PEOPLE, "cell_weight") if weighed else pd.Series(1.0, places.index)
    inside = places.intersects(area)
    notes.reject(table, table.rows[~inside], "outside_area")
    found = pd.DataFrame(
        {
            "id": "",
            "group": settings.group,
            "weight": weight,
            "zone": zone_of(places, zones),
            "street_class": "",
            "length_m": np.nan,
            "source": "",
            "geometry": places,
            "line": None,
        }
    )
    kept: pd.DataFrame = found[inside].reset_index(drop=True)
    return kept
