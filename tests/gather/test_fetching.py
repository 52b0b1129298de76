"""`planner fetch` through the real osmnx client, against a server on this machine that answers from a real extract."""

import socket
from pathlib import Path

import geopandas as gpd
import osmnx
import pytest
from osm_server import EXTRACT, TOWN, OsmServer

from planner.errors import InputError, SurroundingsError
from planner.gather.extract import MARGIN_M, clip
from planner.gather.fetching import CACHE, Wishes, fetch
from planner.gather.overpass import Manners, Servers
from planner.gather.region import region_of
from planner.intake import read_table


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """osmnx waits a second before each question to Nominatim, as its rules ask; ours is no such server."""
    monkeypatch.setattr(osmnx._nominatim.time, "sleep", lambda _: None)


def manners(*servers: OsmServer, **more: object) -> Manners:
    urls = tuple(f"{server.url}/api" for server in servers)
    return Manners(
        **{"overpass": urls, "nominatim": servers[0].url, "timeout_s": 1, "tries": 3, "pause_s": 0.01, **more}
    )


def fetched(
    out: Path, server: OsmServer, *others: OsmServer, place: str = "Neubrandenburg", **more: object
) -> tuple[tuple[Path, ...], list[tuple[str, float]]]:
    waits: list[tuple[str, float]] = []
    told = manners(server, *others, **more)
    kinds = ("bank", "pharmacy")
    files = fetch(region_of(place), out, Wishes(kinds), lang="zh", manners=told, waiting=lambda *w: waits.append(w))
    return files, waits


def test_a_town_comes_as_it_stands_in_the_extract(tmp_path: Path) -> None:
    with OsmServer() as server:
        files, waits = fetched(tmp_path, server)
    assert [f.name for f in files] == ["streets.gpkg", "candidates.xlsx"] and waits == []
    assert not (tmp_path / CACHE).exists()
    streets = gpd.read_file(tmp_path / "streets.gpkg")
    clipped, features = clip(EXTRACT, TOWN, kinds=("bank", "pharmacy"))
    theirs, ours = (lines.to_crs("EPSG:32633").clip_by_rect(*TOWN_METRES).length.sum() for lines in (streets, clipped))
    assert theirs == pytest.approx(ours, rel=1e-6) and MARGIN_M > 0
    assert set(streets.columns) >= {"osm_id", "highway", "name", "geometry"}
    assert set(streets.highway) <= set(clipped.highway) and "Stargarder Straße" in set(streets.name)
    table = read_table(tmp_path / "candidates.xlsx")
    assert len(table.rows) == len({f.identifier for f in features}) > 5
    assert set(table.rows["kind"]) == {"银行", "药店"}


TOWN_METRES = gpd.GeoSeries([TOWN], crs="EPSG:4326").to_crs("EPSG:32633").total_bounds


def banks(folder: Path, *servers: OsmServer, times: int = 1) -> list[tuple[str, float]]:
    """Ask for banks, and where more than once for other things too; return the waits."""
    waits: list[tuple[str, float]] = []
    asked = Servers(folder, manners(*servers), lambda *wait: waits.append(wait))
    found = [asked.features(TOWN, {"amenity": [kind]}, "x") for kind in ("bank", "pharmacy", "cafe")[:times]]
    assert len(found[0]) == 7 and set(found[0]["amenity"]) == {"bank"}
    return waits


@pytest.mark.parametrize("mood", ["429", "504", "truncate", "break off", "stall", "remark", "hang up"])
def test_a_question_that_fails_is_asked_again(tmp_path: Path, mood: str) -> None:
    with OsmServer(mood) as server:
        waits = banks(tmp_path, server)
    assert len(server.asked) == 2 and len(waits) == 1
    assert mood != "remark" or "timed out" in waits[0][0]


def test_only_what_failed_is_asked_twice(tmp_path: Path) -> None:
    with OsmServer("", "truncate") as server:
        files, waits = fetched(tmp_path, server)
    # A name, streets, places: three questions.
    assert len(files) == 2 and len(waits) == 1 and len(server.asked) == 4


def test_a_server_that_says_when_to_come_back_is_obeyed(tmp_path: Path) -> None:
    with OsmServer("429 after 1") as server, OsmServer() as other:
        assert banks(tmp_path, server, other) == [("HTTP 429", 1.0)] and other.asked == []


def test_when_one_mirror_is_ill_the_next_is_asked_from_then_on(tmp_path: Path) -> None:
    with OsmServer(*["504"] * 9) as ill, OsmServer() as well:
        waits = banks(tmp_path, ill, well, times=3)
    assert len(ill.asked) == 1 and len(waits) == 1 and len(well.asked) == 3


def test_a_server_that_asks_for_an_hour_is_left_for_another(tmp_path: Path) -> None:
    with OsmServer("429 after 3600") as busy, OsmServer() as free:
        waits = banks(tmp_path, busy, free)
    assert waits[0][1] < 1 and free.asked


def test_a_download_that_broke_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with OsmServer("", "", *["504"] * 9) as server:
        with pytest.raises(SurroundingsError) as caught:
            fetched(tmp_path, server)
        assert caught.value.key == "fetch_failed"
        assert [f.name for f in tmp_path.iterdir()] == [CACHE], "no half a result"
        server.moods, before = [], len(server.asked)
        files, _ = fetched(tmp_path, server)
        assert len(files) == 2 and len(server.asked) == before + 1, (
            "neither the name nor the streets are asked for again"
        )


def test_offline_the_sentence_names_the_extract_and_where_it_goes(tmp_path: Path) -> None:
    with OsmServer() as gone:
        pass
    for place, extract in [
        ("330783", "asia/china/zhejiang-latest.osm.pbf"),
        ("Dongyang, Zhejiang", "zhejiang-latest"),
        ("某地", "china-latest"),
    ]:
        with pytest.raises(SurroundingsError) as caught:
            fetched(tmp_path / "out", gone, place=place)
        for lang in ("zh", "en"):
            assert extract in caught.value.text(lang) and "--extract" in caught.value.text(lang)
        assert caught.value.exit_code == 3


@pytest.mark.parametrize(("place", "key"), [("Nirgends", "place_not_found"), ("Punkt", "place_not_found")])
def test_a_place_that_is_none_or_has_no_area(tmp_path: Path, place: str, key: str) -> None:
    with OsmServer() as server, pytest.raises(InputError) as caught:
        fetched(tmp_path, server, place=place)
    assert caught.value.key == key and not (tmp_path / "streets.gpkg").exists()


def test_an_area_without_a_street(tmp_path: Path) -> None:
    with OsmServer("nothing") as server, pytest.raises(InputError) as caught:
        fetched(tmp_path, server, place="13.25,53.55,13.26,53.56")
    assert caught.value.key == "fetch_empty"


def test_a_refusal_is_no_reason_to_ask_again(tmp_path: Path) -> None:
    with OsmServer("400", "400") as server, pytest.raises(SurroundingsError) as caught:
        fetched(tmp_path, server)
    assert caught.value.key == "fetch_failed" and len(server.asked) == 1


def test_a_province_is_not_downloaded_without_being_asked_for(tmp_path: Path) -> None:
    with OsmServer() as server:
        with pytest.raises(InputError) as caught:
            fetched(tmp_path, server, place="118,27,123,31")
        assert caught.value.key == "fetch_large" and server.asked == []
        assert "--yes" in caught.value.text("zh") and "216,022 km²" in caught.value.text("en")


def test_an_edited_table_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "candidates.xlsx").write_bytes(b"mine")
    with OsmServer() as server, pytest.raises(InputError) as caught:
        fetched(tmp_path, server)
    assert caught.value.key == "table_exists" and server.asked == []
    assert (tmp_path / "candidates.xlsx").read_bytes() == b"mine"


def test_osmnx_gets_its_own_settings_back(tmp_path: Path) -> None:
    before, resolve = dict(vars(osmnx.settings)), socket.getaddrinfo
    with OsmServer("429") as server:
        banks(tmp_path, server)
    assert vars(osmnx.settings) == before and socket.getaddrinfo is resolve
