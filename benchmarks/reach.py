"""Walking distances side by side with pandana, NetworkX, SciPy and osmnx.

    python benchmarks/reach.py [--quick] [--json FILE] [--streets LAYER] [--osm EXTRACT]

``--streets`` adds a city's real streets (a line layer in metres), ``--osm`` reads an extract tiled to a million nodes.
Medians of five runs (of three with --quick), ours and the peer's in turn; a ratio is the peer's time ÷ ours. Ours includes everything
from positions to sorted pairs; what the peers do beforehand (contraction hierarchies, building graphs) is not counted. The first call
of a search compiles it and is stated by itself. A peer that is not installed is left out: pip install -e ".[benchmarks]".
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from street_like import street_like
from tiled import tile  # here, because importing Numba takes the script's folder off the path

from planner.areas import reached_streets, service_areas
from planner.network import Network, Positions, from_lines, locate, take
from planner.reach import Reach, add_site, nearest, reach

N_SITES = 5000
PACKAGES = ("numpy", "scipy", "numba", "shapely", "networkx", "pandana", "osmnx", "osmium")


class Bench:
    """Collects medians and ratios, and prints each line as it comes."""

    def __init__(self, runs: int) -> None:
        self.runs = runs
        self.cases: dict[str, dict[str, float]] = {}
        self.ratios: dict[str, dict[str, float]] = {}

    def time(
        self, case: str, ours: Callable[[], object], *, per: int = 1, **peers: tuple[Callable[[], object], float]
    ) -> float:
        """Time ``ours`` and each peer in turn; a peer comes with the factor its sample stands for; return our median."""
        start = time.perf_counter()
        ours()
        first = time.perf_counter() - start
        took: dict[str, list[float]] = {name: [] for name in ("ours", *peers)}
        for _ in range(self.runs):
            for name, (work, factor) in {"ours": (ours, 1.0), **peers}.items():
                start = time.perf_counter()
                work()
                took[name].append((time.perf_counter() - start) * factor / per)
        tracemalloc.start()
        ours()
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        medians = {name: statistics.median(times) for name, times in took.items()}
        self.cases[case] = {**medians, "first_call": first, "peak_mib": peak}
        line = f"{case:<26}{medians['ours'] * 1000:>11.3f} ms   first {first:6.2f} s   peak {peak:7.1f} MiB"
        for name in peers:
            ratio = medians[name] / medians["ours"]
            self.ratios.setdefault(name, {})[case] = ratio
            line += f"   {name} {medians[name] * 1000:.1f} ms = {ratio:.1f}×"
        print(line, flush=True)
        return medians["ours"]


def places(network: Network, n: int) -> Positions:
    """Scatter sites along the streets, mid-edge."""
    chance = np.random.default_rng(0)
    edge = chance.integers(0, network.n_edges, n)
    return Positions(edge, chance.uniform(0, 1, n) * network.edges["length_m"].to_numpy()[edge], np.zeros(n))


def junctions(network: Network) -> Positions:
    """Take every node as demand: what pandana's range query answers for."""
    return locate(network, gpd.GeoSeries(gpd.points_from_xy(network.node_x, network.node_y), crs=network.crs))


def as_networkx(network: Network) -> nx.Graph:
    graph = nx.Graph()
    for a, b, metres in zip(
        network.start.tolist(), network.stop.tolist(), network.edges["length_m"].tolist(), strict=True
    ):
        if not graph.has_edge(a, b) or graph[a][b]["length"] > metres:
            graph.add_edge(a, b, length=metres)
    return graph


def as_pandana(network: Network) -> object | None:
    if importlib.util.find_spec("pandana") is None:
        return None
    import pandana

    lengths = pd.DataFrame({"length": network.edges["length_m"].to_numpy()})
    nodes = pd.Series(network.node_x), pd.Series(network.node_y)
    return pandana.Network(*nodes, pd.Series(network.start), pd.Series(network.stop), lengths, twoway=True)


def as_matrix(network: Network) -> csr_array:
    """SciPy adds parallel edges up, so the shortest of them is taken first."""
    edges = pd.DataFrame({"a": network.start, "b": network.stop, "m": network.edges["length_m"]})
    edges[["a", "b"]] = np.sort(edges[["a", "b"]].to_numpy(), axis=1)
    shortest = edges.groupby(["a", "b"], as_index=False)["m"].min()
    return csr_array((shortest["m"], (shortest["a"], shortest["b"])), shape=(network.n_nodes, network.n_nodes))


def ranges(bench: Bench, name: str, network: Network, n_sites: int, cutoffs_m: Sequence[int]) -> None:
    """All pairs within a cutoff."""
    sites, demand = places(network, n_sites), junctions(network)
    nodes = network.start[sites.edge]
    theirs, graph = as_pandana(network), as_networkx(network)
    sample = nodes[:: max(1, n_sites // 20)]
    for cutoff_m in cutoffs_m:
        peers: dict[str, tuple[Callable[[], object], float]] = {}
        if theirs is not None:
            peers["pandana"] = lambda c=cutoff_m: theirs.nodes_in_range(nodes, c), 1.0
        peers["networkx"] = (
            lambda c=cutoff_m: [nx.single_source_dijkstra_path_length(graph, int(s), c, "length") for s in sample],
            n_sites / len(sample),
        )
        bench.time(f"{name} {cutoff_m} m", lambda c=cutoff_m: reach(network, demand, sites, cutoff_m=c), **peers)


def one_more_site(bench: Bench, name: str, network: Network, n_sites: int) -> None:
    sites, demand = places(network, n_sites), junctions(network)
    for cutoff_m in (500, 1000):
        found: Reach = reach(network, demand, sites, cutoff_m=cutoff_m)
        bench.time(f"{name} add {cutoff_m} m", lambda f=found: add_site(f, network, demand, take(sites, [7])))


def nearest_site(bench: Bench, name: str, network: Network, n_sites: int) -> None:
    sites, demand = places(network, n_sites), junctions(network)
    matrix, nodes = as_matrix(network), np.unique(network.start[sites.edge])
    peer = (lambda: dijkstra(matrix, directed=False, indices=nodes, min_only=True, return_predecessors=True), 1.0)
    bench.time(f"{name} nearest", lambda: nearest(network, demand, sites), scipy=peer)


def areas(bench: Bench, name: str, network: Network) -> None:
    """Service areas at 500 m, per site, against the recipe of osmnx's isochrone example."""
    n = 200
    sites = places(network, n)
    edges = network.edges.geometry
    graph = nx.MultiGraph()
    for i, (a, b, metres) in enumerate(zip(network.start, network.stop, network.edges["length_m"], strict=True)):
        graph.add_edge(int(a), int(b), length=float(metres), geometry=edges.iloc[i])
    points = shapely.points(network.node_x, network.node_y)
    sample = network.start[sites.edge[:10]]

    def recipe() -> list[object]:
        drawn = []
        for site in sample:
            part = nx.ego_graph(graph, int(site), radius=500, distance="length")
            nodes = gpd.GeoSeries([points[v] for v in part.nodes]).buffer(0.1)
            lines = gpd.GeoSeries([line for _, _, line in part.edges(data="geometry")]).buffer(25)
            drawn.append(gpd.GeoSeries([*nodes, *lines]).union_all())
        return drawn

    peer = (recipe, n / len(sample))
    bench.time(f"{name} area streets", lambda: reached_streets(network, sites, 500), per=n, osmnx=peer)
    bench.time(f"{name} area polygons", lambda: service_areas(network, sites, 500), per=n, osmnx=peer)


# What a fresh process is asked to do: say how long it took and by how much its memory grew at most, in MiB.
READ = """
import resource, sys, time
from pathlib import Path
{imports}
file = Path(sys.argv[1])
unit = 2**20 if sys.platform == "darwin" else 2**10
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
{work}
print(time.perf_counter() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit)
"""
OURS = READ.format(imports="from planner.osm import read_streets", work="read_streets(file)")
OUR_NETWORK = READ.format(
    imports="from planner.network import from_lines\nfrom planner.osm import read_streets",
    work="lines = read_streets(file)\nfrom_lines(lines.to_crs(lines.estimate_utm_crs()))",
)
OSMNX = READ.format(imports="import osmnx", work="osmnx.graph_from_xml(file, bidirectional=True, retain_all=True)")


def alone(code: str, file: Path) -> tuple[float, float]:
    """Run code on a file in a process of its own; return seconds and MiB."""
    said = subprocess.run([sys.executable, "-c", code, file], capture_output=True, check=True, text=True)
    seconds, mib = said.stdout.split()
    return float(seconds), float(mib)


def extract(bench: Bench, source: Path) -> None:
    """Reading a million nodes, against osmnx with its simplification: each in its own process; the peer once, for it takes minutes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tiled.osm"
        n_nodes = tile(source, file, 1_000_000)
        theirs_s, theirs_mib = alone(OSMNX, file)
        for case, code in (("read", OURS), ("read + network", OUR_NETWORK)):
            runs = [alone(code, file) for _ in range(bench.runs)]
            seconds, mib = (statistics.median(column) for column in zip(*runs, strict=True))
            name = f"{case} {n_nodes // 1000}k nodes"
            bench.cases[name] = {"ours": seconds, "osmnx": theirs_s, "peak_mib": mib, "osmnx_peak_mib": theirs_mib}
            bench.ratios.setdefault("osmnx", {})[name] = theirs_s / seconds
            print(
                f"{name:<26}{seconds:>11.1f} s   peak {mib:7.1f} MiB   osmnx {theirs_s:.1f} s, {theirs_mib:.0f} MiB"
                f" = {theirs_s / seconds:.1f}×, {theirs_mib / mib:.1f}× the memory", flush=True
            )  # fmt: skip


def versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def searches(bench: Bench, options: argparse.Namespace) -> None:
    n_nodes, n_sites = (20_000, 1000) if options.quick else (100_000, N_SITES)
    city, name = from_lines(street_like(n_nodes)), f"{n_nodes // 1000}k"
    ranges(bench, name, city, n_sites, (500, 1000) if options.quick else (500, 1000, 3000))
    nearest_site(bench, name, city, n_sites)
    one_more_site(bench, name, city, n_sites)
    areas(bench, name, city)
    if options.streets:
        streets = (
            gpd.read_parquet(options.streets)
            if options.streets.suffix == ".parquet"
            else gpd.read_file(options.streets)
        )
        ranges(bench, options.streets.stem, from_lines(streets), n_sites, (500, 1000, 3000))
    if not options.quick:
        large = from_lines(street_like(1_000_000))
        nearest_site(bench, "1000k", large, n_sites)
        sites, demand = places(large, n_sites), junctions(large)
        took = bench.time("1000k 1000 m", lambda: reach(large, demand, sites, cutoff_m=1000))
        print(f"{'':<26}{took / bench.cases['100k 1000 m']['ours']:.2f}× the time on 100k nodes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small graphs, within a minute")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--streets", type=Path, help="a city's streets: lines in a projected CRS (parquet, gpkg)")
    parser.add_argument("--osm", type=Path, help="an extract to tile to a million nodes (.osm.bz2, .osm.pbf)")
    parser.add_argument("--only-osm", action="store_true", help="leave the searches out")
    options = parser.parse_args()
    print("  ".join(f"{package} {number}" for package, number in versions().items()))

    bench = Bench(3 if options.quick else 5)
    if not options.only_osm:
        searches(bench, options)
    if options.osm:
        extract(bench, options.osm)
    if options.json:
        content = {"versions": versions(), "cases": bench.cases, "ratios": bench.ratios}
        options.json.write_text(json.dumps(content, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
