import bz2
import os
import shutil
import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import osmnx
import pandas as pd
import pytest
import shapely
from shapely import LineString, box
from toys import CRS, grid

from planner import osm
from planner.errors import InputError, MissingPackageError
from planner.network import Network, from_lines
from planner.osm import BICYCLE, WALK, cached_streets, direction, from_graph, may_use, near, read_streets

ROOT = Path(__file__).resolve().parents[1]
EXTRACTS = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "osm"


@pytest.mark.parametrize(
    ("tags", "walk", "bicycle"),
    [
        ("highway=residential", True, True),
        ("building=yes", False, False),
        ("highway=footway", True, False),
        ("highway=cycleway", False, True),
        ("highway=cycleway foot=yes", True, True),
        ("highway=footway bicycle=yes", True, True),
        ("highway=motorway", False, False),
        ("highway=construction foot=yes", False, False),
        ("highway=service access=private", False, False),
        ("highway=service access=private foot=permissive", True, False),
        ("highway=service service=private", False, False),
        ("highway=path foot=no", False, True),
        ("highway=pedestrian area=yes", False, False),
    ],
)
def test_who_may_use_a_way(tags: str, walk: bool, bicycle: bool) -> None:
    way = dict(tag.split("=") for tag in tags.split())
    assert (may_use(WALK, way), may_use(BICYCLE, way)) == (walk, bicycle)


@pytest.mark.parametrize(
    ("tags", "way"),
    [
        ({}, 0),
        ({"oneway": "yes"}, 1),
        ({"oneway": "-1"}, -1),
        ({"junction": "roundabout"}, 1),
        ({"oneway": "no", "junction": "roundabout"}, 0),
        ({"oneway": "yes", "oneway:bicycle": "no"}, 0),
        ({"oneway:bicycle": "yes"}, 1),
        ({"oneway": "yes", "oneway:bicycle": "-1"}, -1),
    ],
)
def test_one_ways_bind_bicycles_and_not_walkers(tags: dict[str, str], way: int) -> None:
    assert direction(BICYCLE, tags) == way
    assert direction(WALK, tags) == 0


def extract(folder: Path, ways: dict[int, tuple[list[int], str]], nodes: int = 9) -> Path:
    """Write an .osm.bz2 with nodes 1, 2, … one after the other eastward and these ways."""
    xml = [f'<node id="{n}" version="1" lat="30" lon="{114 + n / 1000}"/>' for n in range(1, nodes + 1)]
    for number, (refs, tags) in ways.items():
        inside = "".join(f'<nd ref="{ref}"/>' for ref in refs)
        inside += "".join('<tag k="{}" v="{}"/>'.format(*tag.split("=")) for tag in tags.split())
        xml.append(f'<way id="{number}" version="1">{inside}</way>')
    file = folder / "small.osm.bz2"
    file.write_bytes(bz2.compress(f'<osm version="0.6">{"".join(xml)}</osm>'.encode()))
    return file


def drawn(lines: gpd.GeoDataFrame) -> list[list[int]]:
    return [[round((x - 114) * 1000) for x, _ in line.coords] for line in lines.geometry]


def test_ways_are_cut_where_they_meet(tmp_path: Path) -> None:
    pytest.importorskip("osmium")
    file = extract(
        tmp_path,
        {
            1: ([1, 2, 3, 4], "highway=residential name=长江路"),
            2: ([2, 5], "highway=footway"),
            3: ([6, 7, 8, 6], "highway=path"),
            4: ([1, 9], "building=yes"),
        },
    )
    lines = read_streets(file)
    assert drawn(lines) == [[1, 2], [2, 3, 4], [2, 5], [6, 7, 8, 6]]
    assert list(lines.osm_id) == [1, 1, 2, 3]
    assert list(lines.name) == ["长江路", "长江路", "", ""]
    assert lines.crs == "EPSG:4326"
    assert from_lines(lines.to_crs(CRS)).n_components == 2


def test_ways_that_leave_the_extract_end_there(tmp_path: Path) -> None:
    pytest.importorskip("osmium")
    lines = read_streets(extract(tmp_path, {1: ([1, 2, 77, 3, 4, 78, 5], "highway=path")}))
    assert drawn(lines) == [[1, 2], [3, 4]]


def test_a_one_way_drawn_backwards_is_turned(tmp_path: Path) -> None:
    pytest.importorskip("osmium")
    file = extract(tmp_path, {1: ([1, 2, 3], "highway=residential oneway=-1"), 2: ([3, 4], "highway=residential")})
    lines = read_streets(file, BICYCLE)
    assert (drawn(lines), list(lines.oneway)) == ([[3, 2, 1], [3, 4]], [True, False])


def test_an_ending_may_be_written_large(tmp_path: Path) -> None:
    small = extract(tmp_path, {1: ([1, 2, 3], "highway=residential")})
    large = small.rename(tmp_path / "SMALL.OSM.BZ2")
    assert len(read_streets(large)) == 1
    shutil.copy(real("monaco.osm.pbf"), tmp_path / "Monaco.OSM.PBF")
    assert len(read_streets(tmp_path / "Monaco.OSM.PBF")) > 1000


def test_what_is_no_extract_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("osmium")
    damaged = tmp_path / "damaged.osm.pbf"
    damaged.write_bytes(b"not protobuf at all" * 9)
    no_streets = extract(tmp_path, {1: ([1, 2], "building=yes")})
    for file, key in [
        (damaged, "osm_unreadable"),
        (tmp_path / "missing.osm.pbf", "osm_missing"),
        (Path(__file__), "osm_unreadable"),
        (no_streets, "osm_no_streets"),
    ]:
        with pytest.raises(InputError) as error:
            read_streets(file)
        assert error.value.key == key
        assert file.name in error.value.text("zh")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('id="2" version', 'id="two" version'),
        ('lon="114.002"', 'lon="nan"'),
        ('lat="30" lon="114.002"', 'lat="95" lon="114.002"'),
        ('v="path"', 'v="&a;"'),
    ],
)
def test_what_a_damaged_extract_says_is_refused(tmp_path: Path, right: str, wrong: str) -> None:
    pytest.importorskip("osmium")
    sound = bz2.decompress(extract(tmp_path, {1: ([1, 2], "highway=path")}).read_bytes()).decode()
    assert right in sound
    damaged = tmp_path / "damaged.osm"
    bomb = '<!DOCTYPE osm [<!ENTITY b "bb"><!ENTITY a "&b;&b;">]>'
    damaged.write_text((bomb if "&a;" in wrong else "") + sound.replace(right, wrong), encoding="utf-8")
    with pytest.raises(InputError, match=r"damaged\.osm is not a readable OSM file"):
        read_streets(damaged)


def test_without_pyosmium_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "osmium", None)
    with pytest.raises(MissingPackageError, match=r"service-network-planner\[osm\]"):
        read_streets(extract(tmp_path, {}))


def real(name: str) -> Path:
    pytest.importorskip("osmium")
    if not (EXTRACTS / name).exists():
        pytest.skip(f"no {name} beside the repository")
    return EXTRACTS / name


def ring_nodes(network: Network) -> int:
    """Nodes that only exist because a closed way begins there.

    osmnx drops closed ways that nobody meets, and sees no node where another begins.
    """
    ends = np.concatenate([network.start, network.stop])
    way = pd.Series(np.tile(network.edges["osm_id"].to_numpy(), 2))
    met = way.groupby(ends).agg(["size", "nunique"])
    return int((met["size"].eq(2) & met["nunique"].eq(1)).sum())


def test_a_real_extract_counts_as_osmnx_counts(tmp_path: Path) -> None:
    """osmnx reads XML alone and keeps every way, so it gets the same ways converted."""
    file = real("monaco.osm.pbf")
    lines = read_streets(file)
    walked, xml = set(lines.osm_id), tmp_path / "walked.osm"
    osmium = pytest.importorskip("osmium")
    with osmium.BackReferenceWriter(str(xml), ref_src=str(file)) as writer:
        for way in osmium.FileProcessor(str(file), osmium.osm.WAY):
            if way.id in walked:
                writer.add(way)
    graph = osmnx.graph_from_xml(xml, bidirectional=True, simplify=False, retain_all=True)
    theirs = osmnx.convert.to_undirected(osmnx.simplify_graph(graph, edge_attrs_differ=["osmid"]))
    network = from_lines(lines.to_crs("EPSG:32632"))
    assert network.n_nodes == theirs.number_of_nodes() + ring_nodes(network)
    assert network.n_edges == theirs.number_of_edges() + ring_nodes(network)


def test_a_city_counts_as_osmnx_once_counted_it() -> None:
    """Written down because osmnx takes half a minute: version 2.1.1 on the same ways of Neubrandenburg, 2016-02."""
    network = from_lines(read_streets(real("neubrandenburg.osm.bz2")).to_crs("EPSG:32633"))
    assert (network.n_nodes, network.n_edges) == (12_301 + ring_nodes(network), 16_001 + ring_nodes(network))
    assert ring_nodes(network) == 20


def small_graph() -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph(crs=CRS)
    for node, (x, y) in enumerate([(0, 0), (100, 0), (100, 100)]):
        graph.add_node(node, x=x, y=y)
    graph.add_edge(0, 1, osmid=5, highway="residential", name="长江路", length=100, oneway=False)
    graph.add_edge(1, 0, osmid=5, highway="residential", name="长江路", length=100, oneway=False)
    bent = LineString([(100, 0), (120, 50), (100, 100)])
    graph.add_edge(1, 2, osmid=[6, 7], highway=["path", "steps"], length=110, oneway=True, geometry=bent)
    return graph


def test_a_graph_of_osmnx_becomes_street_lines() -> None:
    lines = from_graph(small_graph())
    assert list(zip(lines.osm_id, lines.highway, lines.name, strict=True)) == [
        ("5", "residential", "长江路"),
        ("6;7", "path;steps", ""),
    ]
    assert from_lines(lines).length_km == pytest.approx(0.1 + 2 * np.hypot(20, 50) / 1000)
    ridden = from_graph(small_graph(), BICYCLE)
    assert (len(ridden), ridden.oneway.all()) == (3, True)


def test_lines_near_an_area_are_kept_whole() -> None:
    lines = grid(5, 1)
    west, south, _, north = lines.total_bounds
    area = gpd.GeoSeries([box(west, south - 9, west + 50, north + 9)], crs=CRS)
    assert len(near(lines, area, 0)) == 1
    for unmeasured in (lines.to_crs("EPSG:4326"), lines.set_crs(None, allow_override=True)):
        with pytest.raises(InputError, match="coordinate system"):
            near(unmeasured, area, 60)
    assert near(lines, area, 60).geometry.geom_equals_exact(lines.geometry[:2], 0).all()


def test_an_extract_is_read_once_and_again_when_it_or_the_cache_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, cache, reads = tmp_path / "a.osm", tmp_path / "cache", []

    def read(*read_from: object) -> gpd.GeoDataFrame:
        reads.append(read_from)
        return gpd.GeoDataFrame({"osm_id": [len(reads)]}, geometry=[LineString([(0, 0), (1, 1)])], crs="EPSG:4326")

    monkeypatch.setattr(osm, "read_streets", read)
    file.write_text("one", encoding="utf-8")
    assert list(cached_streets(file, cache).osm_id) == [1]
    assert list(cached_streets(file, cache).osm_id) == [1]
    assert cached_streets(file, cache).crs == "EPSG:4326"
    assert list(cached_streets(file, cache, BICYCLE).osm_id) == [2]
    file.write_text("two", encoding="utf-8")
    assert list(cached_streets(file, cache).osm_id) == [3]
    for kept in cache.iterdir():
        content = bytearray(kept.read_bytes())
        content[len(content) // 2] ^= 1
        kept.write_bytes(bytes(content))
    assert list(cached_streets(file, cache).osm_id) == [4]
    for kept in cache.iterdir():
        kept.write_bytes(b"")
    assert list(cached_streets(file, cache).osm_id) == [5]
    assert all(kept.suffix == ".parquet" for kept in cache.iterdir())
    assert shapely.is_valid(cached_streets(file, cache).geometry).all()


def test_another_process_finds_the_extract_that_was_kept(tmp_path: Path) -> None:
    pytest.importorskip("osmium")
    file = extract(tmp_path, {1: ([1, 2], "highway=path")})
    read = f"from pathlib import Path; from planner.osm import cached_streets as c; c(Path({str(file)!r}), Path({str(tmp_path)!r}, 'kept'))"
    for seed in "1", "2":  # the order of a set of words follows it
        subprocess.run([sys.executable, "-c", read], check=True, env=os.environ | {"PYTHONHASHSEED": seed}, cwd=ROOT)
    assert len(list((tmp_path / "kept").iterdir())) == 1
