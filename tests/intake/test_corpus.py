"""Each file of the corpus is read right, or refused in a sentence with its file, its place and what to do; memory stays bounded."""

import json
import subprocess
import sys
from pathlib import Path

import corpus
import geopandas as gpd
import numpy as np
import pyproj
import pytest
import small_study as small

from planner import embedded
from planner.errors import InputError
from planner.evidence import Ground
from planner.intake import read_layer, read_table
from planner.intake.cells import plain
from planner.intake.notes import Notes
from planner.intake.places import read_sites
from planner.study import Study, Table, load_study
from planner.words import LANGS


def test_the_corpus_is_large():
    assert corpus.FILES >= 120


def sentence_is_sound(error: InputError, file: str, folder: Path) -> None:
    for lang in LANGS:
        sentence = error.text(lang)
        assert file in sentence and str(folder) not in sentence and "\n" not in sentence


@pytest.mark.parametrize("name", corpus.TABLES_READ)
def test_an_ugly_table_is_read_right(tmp_path: Path, name: str):
    suffix, write = corpus.TABLES_READ[name]
    path = tmp_path / f"站点汇总表(最终版2){suffix}"
    write(path)
    table = read_table(path)
    found = table.rows[["id", "name", "lon", "lat", "weight"]].to_numpy().tolist()
    assert [tuple(map(plain, row)) for row in found] == corpus.EXPECTED


@pytest.mark.parametrize("name", [name for name in corpus.TABLES_REFUSED if name not in corpus.HEAVY])
def test_a_hostile_table_is_refused_in_a_sentence(tmp_path: Path, name: str):
    suffix, key, write = corpus.TABLES_REFUSED[name]
    path = tmp_path / f"bad{suffix}"
    write(path)
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert caught.value.key == key
    sentence_is_sound(caught.value, "bad", tmp_path)


@pytest.mark.parametrize("make", corpus.LAYERS_READ)
def test_a_layer_of_any_make_is_read_right(small_study: Path, make: str):
    study = load_study(small_study)
    (small_study / "zones.gpkg").unlink()
    before = set(small_study.parent.rglob("*"))
    layer = read_layer(study, corpus.LAYERS_READ[make](small_study).name)
    name = "name" if "name" in layer.columns else "Name"
    assert layer[name].tolist() == corpus.NAMES and layer.index.tolist() == [1, 2]
    assert layer.crs == small.CRS
    assert layer.geometry.area.to_numpy() == pytest.approx(corpus.zones().area.to_numpy(), rel=1e-5)
    assert all(small_study in p.parents for p in set(small_study.parent.rglob("*")) - before), "nothing climbs out"


@pytest.mark.parametrize("what", corpus.LAYERS_REFUSED)
def test_a_hostile_layer_is_refused_in_a_sentence(small_study: Path, what: str):
    key, write = corpus.LAYERS_REFUSED[what]
    (small_study / "zones.gpkg").unlink()
    path = write(small_study)
    with pytest.raises(InputError) as caught:
        read_layer(load_study(small_study), path.name)
    assert caught.value.key == key
    sentence_is_sound(caught.value, path.name, small_study)


@pytest.fixture(scope="module")
def wuhan() -> tuple[Study, Ground]:
    study = load_study(embedded.folder())
    return study, Ground(gpd.read_file(embedded.folder() / "streets.gpkg").assign(name=""))


@pytest.mark.parametrize("name", corpus.PLACES)
def test_places_however_written_are_put_where_they_are_or_asked_about(
    tmp_path: Path, wuhan: tuple[Study, Ground], name: str
):
    case, (study, ground) = corpus.PLACES[name], wuhan
    degrees = case.write(tmp_path / "a.csv")
    study = study.model_copy(update={"folder": tmp_path})
    notes, zones = Notes("zh"), gpd.GeoDataFrame({"id": [], "name": []}, geometry=[], crs=study.crs)
    settings = Table(file="a.csv", **case.settings)
    if case.key:
        with pytest.raises(InputError) as caught:
            read_sites(study, settings, "candidate", ground, zones, notes)
        assert caught.value.key == case.key and all(word in caught.value.text("zh") for word in case.says)
        sentence_is_sound(caught.value, "a.csv", tmp_path)
        return
    sites = read_sites(study, settings, "candidate", ground, zones, notes)
    assert len(sites) + len(notes.rejects) == len(degrees) and len(notes.rejects) == case.lost
    assert "datum_pasted" not in notes.topics
    row = sites["source"].str.rpartition("#")[2].astype(int).to_numpy() - 2
    true = np.column_stack(pyproj.Transformer.from_crs(4326, study.crs, always_xy=True).transform(*degrees[row].T))
    told = [not case.says or any(word in " ".join(notes.warnings) for word in case.says)]
    turned = np.abs(np.column_stack([sites.geometry.x, sites.geometry.y]) - true).max(axis=1)
    assert (turned < 0.5).sum() >= len(sites) - 2 * (name == "some the wrong way round") and all(told)


@pytest.mark.parametrize(("above", "below"), [("WGS-84", "GCJ-02"), ("BD-09", "WGS-84"), ("GCJ-02", "GCJ-02")])
def test_two_lists_put_together_are_told(tmp_path: Path, wuhan: tuple[Study, Ground], above: str, below: str):
    (names, degrees), (study, ground) = corpus.places(), wuhan
    cells = corpus.into(above)(degrees[:110]) + corpus.into(below)(degrees[110:])
    rows = [[name, *pair] for name, pair in zip(names, cells, strict=True)]
    (tmp_path / "a.csv").write_text(corpus.csv_text([["名称", "经度", "纬度"], *rows]), encoding="utf-8")
    notes, zones = Notes("zh"), gpd.GeoDataFrame({"id": [], "name": []}, geometry=[], crs=study.crs)
    table = Table(file="a.csv", datum=above)
    read_sites(study.model_copy(update={"folder": tmp_path}), table, "candidate", ground, zones, notes)
    told = [w for w, topic in zip(notes.warnings, notes.topics, strict=True) if topic == "datum_pasted"]
    assert len(told) == (above != below)
    if told:
        row = int(told[0].split("第 ")[1].split(" 行")[0])
        assert above in told[0] and below in told[0] and abs(row - 112) <= 30


READ_ALL = """
import json, resource, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[2])
import corpus
from planner.errors import InputError
from planner.intake import read_table
folder, base = Path(sys.argv[1]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
keys = []
for file in sorted(folder.iterdir()):
    try:
        read_table(file)
    except InputError as error:
        keys.append(error.key)
print(json.dumps([keys, base, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


# Twice what the largest of them takes: a csv is held as text up to the row that is one too many.
MOST_KB = 250_000


@pytest.mark.skipif(sys.platform != "linux", reason="counts kB of memory as Linux does")
def test_hostile_tables_do_not_fill_the_memory(tmp_path: Path):
    for n, (suffix, _, write) in enumerate(corpus.TABLES_REFUSED.values()):
        write(tmp_path / f"{n:02d}{suffix}")
    (tmp_path / "good.xlsx").unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", READ_ALL, tmp_path, json.dumps(sys.path)],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    keys, before_kb, peak_kb = json.loads(done.stdout)
    assert keys == [key for _, key, _ in corpus.TABLES_REFUSED.values()]
    assert peak_kb - before_kb < MOST_KB
