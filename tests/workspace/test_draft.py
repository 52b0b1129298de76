"""From files on a desk to a saved study: what is typed is kept, what comes out is what intake reads, the originals stay."""

import os
from pathlib import Path

import openpyxl
import pytest
import small_study as small
import ugly

from planner.errors import ConflictError, InputError, SurroundingsError
from planner.intake import read_inputs, read_table
from planner.study import load_study
from planner.workspace import draft, history, shelf
from planner.workspace.draft import Draft
from planner.workspace.sorting import assigned, guess_role
from planner.workspace.survey import survey


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv(shelf.ROOT_VARIABLE, str(tmp_path / "studies"))
    return tmp_path / "studies"


@pytest.fixture
def file(small_study: Path) -> Path:
    return small_study / "study.toml"


def test_an_ugly_list_becomes_a_study_that_can_be_run(root: Path, tmp_path: Path):
    desk = ugly.write(tmp_path / "desk")
    file, own, typed = shelf.start("江岸", None, lang="zh")[0], draft.new_id(), Draft()
    place = draft.folder(file, own)
    for path in (desk[name] for name in ("stations", "workers", "streets")):
        name = shelf.receive(place, path.name, path.read_bytes(), typed.files)
        typed = typed.model_copy(update={"files": [*typed.files, name]})
        study = load_study(file).model_copy(update={"unsaved": {name: place / name}})
        typed = assigned(typed, study, name, guess_role(study, name))
    assert typed.settings["crs"] == "EPSG:4547"
    for change, value in {"candidates": None, "options": None, "plan": None}.items():
        typed = draft.set_value(typed, change, value)
    typed = draft.keep(file, own, typed)
    found = survey(draft.drafted(file, own, typed).study, "zh").findings["sites"]
    assert found.fields["lon"] == "东经°" and found.fields["capacity"] == "座位数（个）" and found.header_row == 3
    assert found.evidence[0].reading.datum == "GCJ-02" and found.evidence[0].likelihood > 0.99
    assert {fault.row for fault in found.faults} == {ugly.STRANGE_HOURS}
    assert set(found.rejects["row"]) == {ugly.LETTER, ugly.NO_PLACE} and len(found.asides) == 1
    typed = draft.set_cell(typed, "sites", ugly.STRANGE_HOURS, "开放时间", "Mo-Su 08:00-18:00")
    typed = draft.set_cell(typed, "sites", ugly.LETTER, "东经°", "114.27")
    typed = draft.set_value(typed, "sites.datum", "GCJ-02")
    seen = survey(draft.drafted(file, own, typed).study, "zh")
    assert seen.ready, seen.problem
    assert [(pair.row, pair.other) for pair in seen.findings["sites"].twice] == [(ugly.TWICE - 1, ugly.TWICE)]
    typed = draft.strike(typed, "sites", ugly.TWICE)
    typed = draft.keep(file, own, typed)
    draft.save(file, own, typed)
    study = load_study(file)
    assert study.sites.file == "驿站一览表-订正.csv" and study.sites.datum == "GCJ-02"
    assert (file.parent / "驿站一览表.csv").read_bytes() == ugly.stations()
    assert (file.parent / study.sites.file).read_bytes().startswith(b"\xef\xbb\xbf")
    inputs = read_inputs(study)
    sources = set(inputs.sites["source"])
    # A row is the same row as in the original.
    assert f"{study.sites.file}#{ugly.LETTER}" in sources and f"{study.sites.file}#{ugly.TWICE}" not in sources
    assert len(inputs.sites) == 28 - 2
    assert not place.exists() and not list(draft.waiting(file))
    # Undone, it is the study from templates again, and what was sent is still there.
    history.step(file, -1, seen=history.look(file))
    assert load_study(file).sites.file == "sites.xlsx" and (file.parent / "驿站一览表.csv").exists()


def test_what_was_typed_is_there_after_a_reload(file: Path):
    own = draft.new_id()
    typed = draft.keep(file, own, draft.set_cell(Draft(), "sites", 3, "名称", "新名"))
    again = draft.read(file, own)
    assert again == typed and again.cells == {"sites": {3: {"名称": "新名"}}} and again.seen == history.look(file)
    assert [name for name, _, _ in draft.waiting(file)] == [own]
    draft.discard(file, own)
    assert draft.read(file, own) == Draft() and not list(draft.waiting(file))


def test_two_people_type_apart_from_each_other_and_the_second_to_save_is_told(file: Path):
    one, two = draft.new_id(), draft.new_id()
    first = draft.keep(file, one, draft.set_cell(Draft(), "sites", 3, "名称", "甲改的"))
    second = draft.keep(file, two, draft.set_cell(Draft(), "sites", 4, "名称", "乙改的"))
    draft.save(file, one, first)
    with pytest.raises(ConflictError):
        draft.save(file, two, second)
    assert read_names(file) == ["甲改的", "南街休息点"]
    assert draft.read(file, two).count == 1
    # The second person looks at the latest, and saves on top of it: both changes are in.
    draft.save(file, two, draft.onto_latest(file, second))
    assert read_names(file) == ["甲改的", "乙改的"]
    assert load_study(file).sites.file == "sites-订正-2.xlsx"


def read_names(file: Path) -> list[str]:
    study = load_study(file)
    return read_table(study.path(study.sites.file), study.sites.sheet).rows["name"].tolist()


def test_two_tabs_with_one_draft_do_not_undo_each_other(file: Path):
    own = draft.new_id()
    kept = draft.keep(file, own, draft.set_value(Draft(), "name", "甲"))
    draft.keep(file, own, draft.set_value(kept, "name", "乙"))
    with pytest.raises(ConflictError):
        draft.keep(file, own, draft.set_value(kept, "name", "丙"))
    assert draft.read(file, own).settings == {"name": "乙"}


@pytest.mark.parametrize("fails_at", range(1, 9))
def test_a_save_that_fails_loses_neither_study_nor_draft(file: Path, monkeypatch, fails_at: int):
    own = draft.new_id()
    typed = draft.keep(file, own, draft.set_cell(Draft(), "sites", 3, "名称", "新名"))
    calls, replace = [], os.replace

    def failing(source, target):
        calls.append(target)
        if len(calls) == fails_at:
            raise PermissionError(13, "held open")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    try:
        draft.save(file, own, typed)
    except SurroundingsError:
        assert draft.read(file, own).cells == typed.cells
    monkeypatch.undo()
    assert read_names(file)[0] == ("人民路休息点" if draft.read(file, own).count else "新名")


def test_a_draft_whose_save_was_cut_off_behind_the_study_is_done(file: Path, monkeypatch):
    own = draft.new_id()
    typed = draft.keep(file, own, draft.set_cell(Draft(), "sites", 3, "名称", "新名"))
    # Killed after study.toml was replaced: the draft's folder is still there.
    monkeypatch.setattr(draft, "discard", lambda *_: None)
    draft.save(file, own, typed)
    assert (draft.folder(file, own) / "draft.json").exists()
    assert draft.read(file, own) == Draft() and not list(draft.waiting(file))


def test_an_id_from_an_address_leads_nowhere_else(file: Path):
    for strange in ("../../x", "", "ABCDEF123456", "a" * 13, ".."):
        with pytest.raises(InputError):
            draft.folder(file, strange)


def test_another_file_takes_a_tables_place_without_its_corrections():
    typed = draft.strike(draft.set_cell(Draft(), "sites", 3, "名称", "x"), "sites", 4)
    typed = draft.set_value(draft.set_value(typed, "sites.datum", "GCJ-02"), "options.sheet", "表")
    assert draft.forget_table(typed, "sites") == draft.set_value(Draft(), "options.sheet", "表")


def test_a_workbook_keeps_its_other_sheets_and_its_formats(file: Path):
    path = file.parent / "sites.xlsx"
    book = openpyxl.load_workbook(path)
    book.active["B3"].font = openpyxl.styles.Font(bold=True)
    book.active["L3"] = "=1+1"
    book.create_sheet("别的")["A1"] = "原样"
    book.active.merge_cells("D3:D4")
    book.save(path)
    own = draft.new_id()
    typed = draft.set_cell(Draft(), "sites", 4, "依托单位", "=cmd")
    typed = draft.set_cell(typed, "sites", 3, "经度", "114.26")
    draft.save(file, own, draft.keep(file, own, draft.strike(typed, "sites", 99)))
    saved = openpyxl.load_workbook(file.parent / "sites-订正.xlsx")
    assert saved["别的"]["A1"].value == "原样" and saved.active["B3"].font.bold
    assert saved.active["D4"].value == "=cmd" and saved.active["D4"].data_type == "s"
    assert saved.active["D3"].value == "农业银行" and saved.active["J3"].value == 114.26
    assert openpyxl.load_workbook(path).active["J3"].value != 114.26


def test_a_layer_of_points_becomes_a_table_that_reads_the_same(file: Path):
    import geopandas as gpd
    import shapely

    points = gpd.GeoDataFrame(
        {"编号": ["S1", "S2"], "名称": ["甲", "乙"], "服务项目": ["歇脚;饮水", "歇脚"]},
        geometry=[shapely.Point(small.node("F")), shapely.Point(small.node("J"))], crs=small.CRS,
    )  # fmt: skip
    points.to_file(file.parent / "sites.gpkg")
    file.write_text(history.read_text(file).replace("sites.xlsx", "sites.gpkg"), encoding="utf-8")
    before = read_inputs(load_study(file)).sites
    own = draft.new_id()
    draft.save(file, own, draft.keep(file, own, draft.set_cell(Draft(), "sites", 2, "名称", "丙")))
    after = read_inputs(load_study(file)).sites
    assert load_study(file).sites.file == "sites-订正.xlsx"
    assert after["name"].tolist()[:2] == ["甲", "丙"]
    assert (after.geometry.distance(before.geometry) < 0.01).all()
