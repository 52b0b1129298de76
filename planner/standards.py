"""Norms -> verdicts: which norm is met where, from the study's own figures.

Takes the norms of standards.toml that a study names, and the ground that they are judged on; gives a row for each norm, rule and zone.
Nothing is judged by guess: what a study's data cannot answer is told as unknown, with what is missing.
"""

import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd

from planner.coverage import Bools, Coverage, Floats, Ints, Offers
from planner.network import Network, Positions, take
from planner.reach import k_nearest, nearest, reach, sites_within
from planner.tables import service_set
from planner.words import Lang

VERDICT_COLUMNS = (
    "norm",
    "rule",  # its kind (standards.toml)
    "zone",  # "": the whole area
    "measured",  # shares, sites per km², people or residents per site, m² per worker or metres, as the rule says; NaN: unknown
    "required",
    "met",
    "unknown",  # what is missing to judge by; "" where it is judged
)
# Rules of which more is better; of the others less, or a range.
AT_LEAST = {"within", "backup", "all_day", "by_density", "floor_area", "area_per_worker", "offers", "kit"}
_EPS = 1e-9


class Ground(NamedTuple):
    """What norms and tiers' rules are judged on at a moment.

    Attributes:
        sites: sites frame, as it is then.
        standing: the sites that stand.
        demand, zones: checked tables.
        network: the streets.
        at: positions of the demand and of all places of the sites frame.
        radius_m: the standard's service radius.
        access_share: how much of the walk to the street counts.
        walking_speed_m_s: turns minutes into metres.
        scopes_differ: whether the totals of workers speak of other areas than the sites: nothing is divided across scopes then.
    """

    sites: gpd.GeoDataFrame
    standing: Offers
    demand: gpd.GeoDataFrame
    zones: gpd.GeoDataFrame
    network: Network
    at: tuple[Positions, Positions]
    radius_m: float
    access_share: float = 1.0
    walking_speed_m_s: float = 1.2
    scopes_differ: bool = False


class _Area(NamedTuple):
    """The whole study area ("") or a zone: its units of demand, its standing sites, its size and who lives there (NaN: unknown)."""

    zone: str
    units: Bools
    here: Bools
    km2: float
    residents: float


class _Verdict(NamedTuple):
    measured: float
    required: float
    met: bool
    unknown: str = ""


# A rule, measured once, answers for any area; None where an area has nothing to measure.
_Answer = Callable[[_Area], _Verdict | None]


@cache
def norms() -> dict[str, dict[str, Any]]:
    """Return every norm by its id: ``zh``, ``en``, ``source``, ``confidence``, ``rules`` and maybe ``beyond_zh``, ``beyond_en``."""
    return tomllib.loads((files("planner") / "standards.toml").read_text(encoding="utf-8"))


def norm_name(norm: str, lang: Lang) -> str:
    """Return what a norm is called."""
    return str(norms()[norm][lang])


def norm_beyond(norm: str, lang: Lang) -> str:
    """Return what a norm asks for that no study's tables can answer; "" where nothing."""
    return str(norms()[norm].get(f"beyond_{lang}", ""))


def judge(names: tuple[str, ...], ground: Ground, coverage: Coverage) -> pd.DataFrame:
    """Judge a moment by norms.

    Args:
        names: ids of norms that exist.
        ground: what they are judged on.
        coverage: what `coverage.measure` gave for the sites that stand.

    Returns:
        Columns `VERDICT_COLUMNS`, the whole area first, then the zones; ``measured`` is infinite where people have no site at all. Zones
        with nothing to measure have no row.
    """
    areas = list(_areas(ground))
    rows: list[dict[str, Any]] = []
    for norm in names:
        for rule in norms()[norm]["rules"]:
            answer = _KINDS[rule["kind"]](rule, ground, coverage)
            for area in areas:
                verdict = answer(area)
                if verdict is not None:
                    rows.append({"norm": norm, "rule": rule["kind"], "zone": area.zone, **verdict._asdict()})
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS))


def _areas(ground: Ground) -> Iterator[_Area]:
    in_zone, zones = ground.demand["zone"].to_numpy(), ground.zones
    site_zone = ground.sites["zone"].to_numpy()[ground.standing.place]
    km2, residents = (zones.area / 1e6).to_numpy(dtype=float), zones["residents"].to_numpy(dtype=float)
    everywhere = np.ones(len(in_zone), dtype=bool), np.ones(len(site_zone), dtype=bool)
    yield _Area("", *everywhere, float(km2.sum()), float(residents.sum()) if len(zones) else np.nan)
    for zone, size, people in zip(zones["id"], km2, residents, strict=True):
        yield _Area(str(zone), in_zone == zone, site_zone == zone, float(size), float(people))


# --- people and their walks -------------------------------------------------------------------------------------------


def _of_people(ground: Ground, has: Bools, counts: Bools | None = None) -> _Answer:
    """Answer with the share of people who have what a rule asks for: all of them must."""
    weight = ground.demand["weight"].to_numpy(dtype=float) * (1.0 if counts is None else counts)

    def answer(area: _Area) -> _Verdict | None:
        total = float(weight[area.units].sum())
        if total <= 0:
            return None
        share = float(weight[area.units & has].sum() / total)
        return _Verdict(share, 1.0, share >= 1 - _EPS)

    return answer


def _within(rule: dict[str, Any], ground: Ground, coverage: Coverage) -> _Answer:
    """People with a site within a walk of metres and minutes; where services are named, with each of them somewhere within it."""
    limit_m = walk_m(rule, ground.walking_speed_m_s)
    has = coverage.nearest_m <= limit_m
    for service in rule.get("services", ()):
        has = has & (_nearest_m(ground, _offering(ground, [service])) <= limit_m)
    return _of_people(ground, np.asarray(has))


def walk_m(rule: dict[str, Any], walking_speed_m_s: float) -> float:
    """Return the metres within which a rule wants a site: its metres, or how far its minutes carry, if that is less."""
    return float(min(rule.get("within_m", np.inf), rule.get("minutes", np.inf) * 60 * walking_speed_m_s))


def _offering(ground: Ground, services: list[str]) -> Ints:
    """Return the places of the standing sites that offer all of some services."""
    place = ground.standing.place
    offers = ground.sites["services"].to_numpy()[place]
    found: Ints = place[np.array([set(services) <= service_set(text) for text in offers], dtype=bool)]
    return found


def _nearest_m(ground: Ground, places: Ints) -> Floats:
    if not len(places):
        return np.full(len(ground.demand), np.inf)
    to = take(ground.at[1], places)
    return nearest(ground.network, ground.at[0], to, access_share=ground.access_share)[1]


def _backup(rule: dict[str, Any], ground: Ground, coverage: Coverage) -> _Answer:
    """People with several sites within a walk."""
    to = take(ground.at[1], ground.standing.place)
    if not len(to):
        return _of_people(ground, np.zeros(len(ground.demand), dtype=bool))
    pairs = reach(ground.network, ground.at[0], to, cutoff_m=rule["within_m"], access_share=ground.access_share)
    return _of_people(ground, np.asarray(sites_within(pairs) >= rule["sites"]))


def _by_density(rule: dict[str, Any], ground: Ground, coverage: Coverage) -> _Answer:
    """People with a site within the radius that the density of residents of their zone asks for, of those whose zone's is known."""
    zones = ground.zones
    density = zones["residents"].to_numpy(dtype=float) / (zones.area / 1e6).to_numpy(dtype=float)
    radius_m = dict(zip(zones["id"], (radius_at(rule, d) for d in density), strict=True))
    limit_m = ground.demand["zone"].map(radius_m).to_numpy(dtype=float)
    share = _of_people(ground, coverage.nearest_m <= limit_m, np.isfinite(limit_m))

    def answer(area: _Area) -> _Verdict | None:
        found = share(area)
        if np.isfinite(limit_m[area.units]).all() or (found is not None and not found.met):
            return found
        return _Verdict(np.nan, 1.0, False, "residents")

    return answer


def radius_at(rule: dict[str, Any], density: float) -> float:
    """Return the radius that a rule asks for at a density of residents per km²; NaN where that is unknown."""
    found = (step["within_m"] for step in rule["steps"] if density > step["over"] or step["over"] == 0)
    return float(next(found)) if np.isfinite(density) else np.nan


# --- sites by what there is -------------------------------------------------------------------------------------------


def _density(rule: dict[str, Any], ground: Ground, coverage: Coverage) -> _Answer:
    """Sites per km² of zone, between least and most."""

    def answer(area: _Area) -> _Verdict | None:
        if area.km2 <= 0:
            return None
        found = int(area.here.sum()) / area.km2
        required = rule["least"] if found < rule["least"] else rule["most"]
        return _Verdict(found, float(required), rule["least"] <= found <= rule["most"])

    return answer


def _per_site(most: float, number: Callable[[_Area], float], unknown: str) -> _Answer:
    """Answer with so many people per site."""

    def answer(area: _Area) -> _Verdict | None:
        people, count = number(area), int(area.here.sum())
        if not np.isfinite(people):
            return _Verdict(np.nan, most, False, unknown)
        if people <= 0:
            return None
        found = people / count if count else np.inf
        return _Verdict(found, most, found <= most)

    return answer


def _people(rule: dict[str, Any], ground: Ground, coverage: Coverage) -> _Answer:
    """Workers per site, at most; refused across scopes."""
    weight = ground.demand["weight"].to_numpy(dtype=float)
    number = (lambda area: np.nan) if ground.scopes_differ else (lambda area: float(weight[area.units].sum()))
    return _per_site(float(rule["most"]), number, "scope")


def _residents(rule: dict[str, Any], ground: Ground, coverage: Coverage) -> _Answer:
    """Residents per site, at most."""
    return _per_site(float(rule["most"]), lambda area: area.residents, "residents")


def _spacing(rule: dict[str, Any], ground: Ground, coverage: Coverage) -> _Answer:
    """Metres from a site to the next one along the streets, at most; infinite where no street leads from a site to any other."""
    places = take(ground.at[1], ground.standing.place)
    gaps_m = np.full(len(places), np.nan)
    if len(places):
        # The nearest of all is the site itself, or one that shares its place.
        number, metres = k_nearest(ground.network, places, places, 2, access_share=ground.access_share)
        gaps_m = np.where(number[:, 0] == np.arange(len(places)), metres[:, 1], metres[:, 0])
    gaps_m = np.where(np.isnan(gaps_m), np.inf, gaps_m)

    def answer(area: _Area) -> _Verdict | None:
        # Where one site is all there is, it has no next one.
        if len(places) < 2 or not area.here.any():
            return None
        widest_m = float(gaps_m[area.here].max())
        return _Verdict(widest_m, float(rule["metres"]), widest_m <= rule["metres"])

    return answer


def _of_sites(has: Bools, share: float, known: Bools | None = None, unknown: str = "") -> _Answer:
    """Answer with the share of sites that have what a rule asks for; where some are not known, only a failure is certain."""
    said = np.ones(len(has), dtype=bool) if known is None else known

    def answer(area: _Area) -> _Verdict | None:
        count, told = int(area.here.sum()), int((area.here & said).sum())
        if not count:
            return None
        having = int((area.here & has & said).sum())
        needed = share * count - _EPS
        # At worst none of those that are not known has it, at best all of them have.
        if having < needed <= having + count - told:
            return _Verdict(np.nan, share, False, unknown)
        return _Verdict(having / count, share, having >= needed)

    return answer


def _all_day(rule: dict[str, Any], ground: Ground, coverage: Coverage) -> _Answer:
    """Share of sites open round the clock, at least."""
    return _of_sites(np.asarray(ground.standing.mask.all(axis=1)), float(rule["share"]))


def _offers(rule: dict[str, Any], ground: Ground, coverage: Coverage) -> _Answer:
    """Share of sites that offer all of some services, at least."""
    return _of_sites(np.isin(ground.standing.place, _offering(ground, rule["services"])), float(rule["share"]))


def _kit(rule: dict[str, Any], ground: Ground, coverage: Coverage) -> _Answer:
    """Share of sites whose kit level is one of some words, at least."""
    said = ground.sites["kit_level"].to_numpy()[ground.standing.place]
    has = np.array([any(word in text.lower() for word in rule["words"]) for text in said], dtype=bool)
    known = np.array([text != "" for text in said], dtype=bool)
    return _of_sites(has, float(rule["share"]), known, "kit_level")


def _floor_m2(ground: Ground) -> Floats:
    return np.asarray(ground.sites["floor_area_m2"].to_numpy(dtype=float)[ground.standing.place])


def _floor_area(rule: dict[str, Any], ground: Ground, coverage: Coverage) -> _Answer:
    """Share of sites whose floor area lies between least and most: all of them must."""
    floor_m2 = _floor_m2(ground)
    fits = (floor_m2 >= rule["least"]) & (floor_m2 <= rule.get("most", np.inf))
    return _of_sites(fits, 1.0, np.isfinite(floor_m2), "floor_area")


def _area_per_worker(rule: dict[str, Any], ground: Ground, coverage: Coverage) -> _Answer:
    """m² of floor of all sites ÷ workers, at least; refused across scopes, unknown where a site's floor is."""
    weight, floor_m2 = ground.demand["weight"].to_numpy(dtype=float), _floor_m2(ground)
    least = float(rule["least"])

    def answer(area: _Area) -> _Verdict | None:
        workers, floor = float(weight[area.units].sum()), float(floor_m2[area.here].sum())
        if workers <= 0:
            return None
        missing = "scope" if ground.scopes_differ else "" if np.isfinite(floor) else "floor_area"
        if missing:
            return _Verdict(np.nan, least, False, missing)
        return _Verdict(floor / workers, least, floor / workers >= least - _EPS)

    return answer


_KINDS: dict[str, Callable[[dict[str, Any], Ground, Coverage], _Answer]] = {
    "within": _within,
    "backup": _backup,
    "by_density": _by_density,
    "density": _density,
    "people": _people,
    "residents": _residents,
    "spacing": _spacing,
    "all_day": _all_day,
    "offers": _offers,
    "kit": _kit,
    "floor_area": _floor_area,
    "area_per_worker": _area_per_worker,
}
