"""Coverage over the whole week beside one NumPy reduction over the same pairs, the floor of anything that looks at each pair.

    python benchmarks/coverage.py [--quick] [--json FILE]

100,000 units × 1,000 sites × 336 half-hours × 5 services (a tenth of that with --quick), every unit reaching some dozen sites. Medians of
five runs (three with --quick), ours and the floor in turn; a ratio is the floor's time ÷ ours, so 0.33 means three floors.

- ``measure``: sites within, covered hours with and without services, shares of working time (`planner.coverage.measure`).
- ``services``: the same for each of five services alone, in one pass (`planner.coverage.service_shares`).
- ``whole``: both.
- ``closing``: what closing each site alone would cost (`planner.evaluation.closing_losses`).

Two floors: ``np.bincount(demand, weights=metres)``, the reduction of the triplets as they are; ``np.add.reduceat`` of the metres where
somebody has already told where each unit's pairs begin, which reads 8 bytes a pair and nothing else.
"""

import argparse
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

# This file has the name of a package that numba looks for: its folder is none to import from.
sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != Path(__file__).resolve().parent]

import numpy as np  # noqa: E402

from planner.coverage import Offers, measure, service_shares  # noqa: E402
from planner.evaluation import closing_losses  # noqa: E402
from planner.hours import HALF_HOURS, week_mask  # noqa: E402
from planner.reach import Reach  # noqa: E402

SERVICES = ("rest", "water", "toilet", "meal", "charging")
PACKAGES = ("numpy", "numba")
HOURS = (
    "Mo-Fr 09:00-17:00",
    "Mo-Fr 08:30-17:00; Sa,Su 09:00-16:00",
    "Mo-Su 08:00-22:00",
    "24/7",
    "Mo-Su 05:00-23:00",
    "Mo-Su 04:30-22:00",
    "Mo-Sa 08:00-17:00",
    "Tu-Su 09:00-21:00",
)
SHIFTS = ("Mo-Su 04:30-10:00", "Mo-Su 08:00-20:00", "Mo-Fr 08:00-18:00")


class District:
    """Units and sites scattered over a square, those within a radius of each other being pairs."""

    def __init__(self, n_units: int, n_sites: int, sites_each: float) -> None:
        rng = np.random.default_rng(0)
        from scipy.spatial import KDTree

        units, sites = rng.uniform(0, 1, (n_units, 2)), rng.uniform(0, 1, (n_sites, 2))
        near = KDTree(sites).query_ball_point(units, np.sqrt(sites_each / n_sites / np.pi), return_sorted=True)
        count = np.array([len(found) for found in near])
        demand = np.repeat(np.arange(n_units, dtype=np.int32), count)
        site = np.concatenate([np.asarray(found, dtype=np.int32) for found in near if found])
        self.reach = Reach(
            n_demand=n_units,
            n_sites=n_sites,
            cutoff_m=1000.0,
            demand=demand,
            site=site,
            distance_mm=rng.integers(0, 1_000_000, len(site), dtype=np.uint32),
            access_share=1.0,
        )
        self.offered = rng.random((n_sites, len(SERVICES))) < 0.7
        mask = np.array([week_mask(HOURS[h]) for h in rng.integers(0, len(HOURS), n_sites)])
        self.standing = Offers(np.arange(n_sites), mask, self.offered[:, :2].all(axis=1))
        self.services = [frozenset(np.array(SERVICES)[row]) for row in self.offered]
        self.group, self.weight = rng.integers(0, len(SHIFTS), n_units), rng.uniform(1, 9, n_units)
        self.profiles = np.array([week_mask(shift) for shift in SHIFTS], dtype=float)
        self.nearest = np.zeros(n_units, np.int64), np.zeros(n_units)
        self.first = np.flatnonzero(np.diff(demand, prepend=-1))
        self.one = rng.uniform(0, 1, len(site))

    def bincount(self) -> object:
        """Sum the metres of each unit's pairs."""
        return np.bincount(self.reach.demand, weights=self.one)

    def reduceat(self) -> object:
        """Sum them where it is known where each unit's pairs begin."""
        return np.add.reduceat(self.one, self.first)

    def measure(self) -> object:
        """Coverage of all units."""
        straight_m = self.nearest[1]
        return measure(self.reach, self.nearest, straight_m, self.standing, self.group, self.profiles)

    def service_shares(self) -> object:
        """Coverage of each service alone."""
        who = (self.weight, self.group, self.profiles)
        return service_shares(self.reach, self.standing, self.services, SERVICES, *who)

    def whole(self) -> object:
        """Both."""
        return self.measure(), self.service_shares()

    def closing(self) -> object:
        """What each site alone gives."""
        return closing_losses(self.reach, self.standing, self.weight, self.group, self.profiles)


def timed(
    case: str, runs: int, ours: Callable[[], object], floors: dict[str, Callable[[], object]]
) -> tuple[dict[str, float], dict[str, float]]:
    """Time all in turn; return medians with our first call and peak, and the ratios."""
    start = time.perf_counter()
    ours()
    first = time.perf_counter() - start
    took: dict[str, list[float]] = {"ours": [], **{name: [] for name in floors}}
    for _ in range(runs):
        for name, work in {"ours": ours, **floors}.items():
            start = time.perf_counter()
            work()
            took[name].append(time.perf_counter() - start)
    tracemalloc.start()
    ours()
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    medians = {name: statistics.median(times) for name, times in took.items()}
    ratios = {name: medians[name] / medians["ours"] for name in floors}
    line = f"{case:<14}{medians['ours'] * 1000:>9.2f} ms   first {first:5.2f} s   peak {peak:6.1f} MiB"
    for name, ratio in ratios.items():
        line += f"   {name} {medians[name] * 1000:6.2f} ms: {1 / ratio:5.1f} of them"
    print(line, flush=True)
    return {**medians, "first_call": first, "peak_mib": peak}, ratios


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, three runs")
    parser.add_argument("--json", type=Path, help="file to write")
    options = parser.parse_args()
    n_units, n_sites, runs = (10_000, 100, 3) if options.quick else (100_000, 1_000, 5)
    versions = {"python": sys.version.split()[0], **{name: version(name) for name in PACKAGES}}
    print(" · ".join(f"{name} {number}" for name, number in versions.items()))
    cases: dict[str, dict[str, float]] = {}
    ratios: dict[str, dict[str, float]] = {"bincount": {}, "reduceat": {}}
    for sites_each in (12.0, 100.0):
        town = District(n_units, n_sites, min(sites_each, n_sites / 2))
        size = f"{n_units:,} units × {n_sites:,} sites × {HALF_HOURS} half-hours × {len(SERVICES)} services"
        print(f"{size}, {len(town.reach):,} pairs")
        works = {"measure": town.measure, "services": town.service_shares, "whole": town.whole, "closing": town.closing}
        for name, work in works.items():
            case = f"{name}_{sites_each:.0f}"
            floors = {"bincount": town.bincount, "reduceat": town.reduceat}
            cases[case], found = timed(case, runs, work, floors)
            for floor, ratio in found.items():
                ratios[floor][case] = ratio
    if options.json:
        text = json.dumps({"versions": versions, "cases": cases, "ratios": ratios}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
