"""A study whose streets are an OSM extract: read once, clipped to the zones and the walk around them, then taken from the cache."""

import bz2
from pathlib import Path

import numpy as np
import pytest
import small_study

from planner import osm
from planner.errors import InputError
from planner.pipeline import Result, run
from planner.study import load_study


def extract_of(letters: dict[str, tuple[float, float]], ways: list[tuple[str, str, str]]) -> bytes:
    """Write an OSM file: nodes by letter (longitude, latitude), ways as (letter, letter, highway)."""
    nodes = {letter: number for number, letter in enumerate(letters, 1)}
    rows = [f'<node id="{nodes[at]}" version="1" lon="{x}" lat="{y}"/>' for at, (x, y) in letters.items()]
    for number, (a, b, kind) in enumerate(ways, 101):
        tags = f'<tag k="highway" v="{kind}"/><tag k="name" v="{a}{b}"/>'
        rows.append(f'<way id="{number}" version="1"><nd ref="{nodes[a]}"/><nd ref="{nodes[b]}"/>{tags}</way>')
    return f'<osm version="0.6">{"".join(rows)}</osm>'.encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The small study with its streets as an extract, and streets beside it that nobody of it can walk to."""
    folder = small_study.write(tmp_path / "study")
    letters = {at: small_study.lonlat(at) for at in "ABCDEFGHIJKL"}
    letters |= {"a": small_study.lonlat("D", 2000), "b": small_study.lonlat("D", 2300)}
    pairs = [(at, chr(ord(at) + 1)) for at in "ABCEFGIJK"] + [(at, chr(ord(at) + 4)) for at in "ABCDEFGH"]
    ways = [(a, b, "primary" if {a, b} <= set("EFGH") else "residential") for a, b in pairs]
    content = extract_of(letters, [*ways, ("a", "b", "residential"), ("A", "F", "motorway")])
    (folder / "streets.osm.bz2").write_bytes(bz2.compress(content))
    (folder / "study.toml").write_text(small_study.STUDY.replace("streets.gpkg", "streets.osm.bz2"), encoding="utf-8")
    return folder


def walked(result: Result) -> np.ndarray:
    return result.demand.sort_values(["group", "weight", "nearest_m"])["nearest_m"].to_numpy()


def test_a_study_may_name_an_extract(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = run(load_study(small_study.write(tmp_path / "drawn")))
    first = run(load_study(folder))
    # Extracts hold centimetres, so a piece more may be cut, but walks are the same.
    for figure in ("share", "mean_m", "worst_m"):
        assert first.indicators[0][figure] == pytest.approx(drawn.indicators[0][figure], rel=0.01)
    assert "ab" not in set(first.streets["name"])  # too far from the zones
    assert "AF" not in set(first.streets["name"])  # a motorway
    assert set(first.streets["source"].str.split("#").str[0]) == {"streets.osm.bz2"}
    kept = list((folder / ".planner-cache").iterdir())
    assert [file.suffix for file in kept] == [".parquet"]

    def never(*_: object) -> None:
        raise AssertionError("read again")

    with monkeypatch.context() as patch:
        patch.setattr(osm, "read_streets", never)
        again = run(load_study(folder))
    assert again.run_id == first.run_id
    assert np.array_equal(walked(again), walked(first))
    kept[0].write_bytes(b"damaged")
    assert np.array_equal(walked(run(load_study(folder))), walked(first))
    assert kept[0].stat().st_size > 1000


def test_a_cache_that_cannot_be_written_is_done_without(folder: Path) -> None:
    (folder / ".planner-cache").write_text("a file where the folder should be", encoding="utf-8")
    assert len(run(load_study(folder)).demand)


def test_an_extract_of_another_place_is_refused(folder: Path) -> None:
    elsewhere = extract_of({"a": (13.2, 53.5), "b": (13.3, 53.5)}, [("a", "b", "residential")])
    (folder / "streets.osm.bz2").write_bytes(bz2.compress(elsewhere))
    with pytest.raises(InputError, match=r"zones|分区"):
        run(load_study(folder))
