"""The folder exchange/ read back, and the report as PDF."""

import csv
import dataclasses
import json
from pathlib import Path

import geopandas as gpd
import openpyxl
import pytest

from planner.errors import SurroundingsError
from planner.pipeline import Result
from planner.report import exchange, pdf
from planner.report.layers import layers


def rows(file: Path) -> list[dict[str, str]]:
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def test_both_forms_hold_every_row_and_value_of_the_layers(small_result: Result, tmp_path: Path):
    exchange.write_exchange(small_result, tmp_path, "zh")
    for name, frame in layers(small_result).items():
        if name not in exchange.EXCHANGED:
            assert not (tmp_path / f"{name}.csv").exists()
            continue
        table, shapes = rows(tmp_path / f"{name}.csv"), gpd.read_file(tmp_path / f"{name}.geojson")
        assert len(table) == len(shapes) == len(frame)
        columns = [c for c in frame.columns if c != "geom"]
        assert [*table[0]] == [*columns, "longitude", "latitude"]
        assert set(columns) <= set(shapes.columns)
        assert shapes.crs == "EPSG:4326"
        moved = shapes.to_crs(frame.crs).geometry.centroid.distance(frame.geometry.centroid, align=False)
        assert moved.max() < 0.05
        for column in frame.select_dtypes("float").columns:
            found = [float(row[column]) if row[column] else float("nan") for row in table]
            assert found == pytest.approx(frame[column].to_list(), nan_ok=True)


def test_the_dictionary_explains_every_column_in_both_languages(small_result: Result, tmp_path: Path):
    exchange.write_exchange(small_result, tmp_path, "en")
    explained = {
        (r["layer"], r["column"]) for r in rows(tmp_path / "dictionary.csv") if r["meaning_zh"] and r["meaning_en"]
    }
    for name in exchange.EXCHANGED:
        assert {(name, column) for column in rows(tmp_path / f"{name}.csv")[0]} <= explained
    book = openpyxl.load_workbook(tmp_path / "dictionary.xlsx")
    assert book.sheetnames == ["layers", "columns", "codes", "about"]
    columns = list(book["columns"].iter_rows(min_row=2, values_only=True))
    assert {row[:2] for row in columns} == explained
    assert {row[2] for row in columns} == {"text", "real", "integer", "boolean"}
    assert [row[0] for row in book["layers"].iter_rows(min_row=2, values_only=True)] == [*exchange.EXCHANGED]
    assert all(all(row) for row in book["layers"].iter_rows(min_row=2, values_only=True))
    said = {r["key"]: r["value"] for r in rows(tmp_path / "about.csv")}
    assert said["run_id"] == small_result.run_id
    assert said["illustrative"] == small_result.study.illustrative


def test_every_code_in_the_tables_is_explained(small_result: Result, tmp_path: Path):
    exchange.write_exchange(small_result, tmp_path, "en")
    known = {(r["column"], r["code"]) for r in rows(tmp_path / "codes.csv") if r["meaning_zh"] and r["meaning_en"]}
    found = {
        (column, code)
        for name in exchange.EXCHANGED
        for row in rows(tmp_path / f"{name}.csv")
        for column in {column for column, _ in known} & set(row)
        for code in row[column].split(";")
        if code
    }
    assert len(found) > 10
    assert found <= known


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(1)", '<b>店</b>,"x"\n第二行', "🏦" * 60])
def test_names_nobody_should_have_do_no_harm(small_result: Result, tmp_path: Path, name: str):
    sites = small_result.sites.assign(name=name)
    exchange.write_exchange(dataclasses.replace(small_result, sites=sites), tmp_path, "zh")
    table = rows(tmp_path / "sites.csv")
    assert len(table) == len(sites)
    assert {row["name"][0] for row in table}.isdisjoint("=+-@")
    assert name.splitlines()[0] in table[0]["name"]
    features = json.loads((tmp_path / "sites.geojson").read_text(encoding="utf-8"))["features"]
    assert {f["properties"]["name"] for f in features} == {name}


def test_without_libreoffice_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pdf.shutil, "which", lambda _: None)
    monkeypatch.setattr(pdf, "_PLACES", ())
    with pytest.raises(SurroundingsError) as caught:
        pdf.office()
    assert "LibreOffice" in caught.value.text("zh")


def test_an_office_that_fails_leaves_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(pdf, "office", lambda: str(tmp_path / "no-such-program"))
    with pytest.raises(SurroundingsError) as caught:
        pdf.write_pdf(tmp_path / "report.docx")
    assert "report.docx" in caught.value.text("en")
