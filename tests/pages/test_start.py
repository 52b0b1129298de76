"""The Start page and each of its states, without a browser."""

from pathlib import Path

import pytest
import small_study as small
import ugly
from streamlit.testing.v1 import AppTest

from planner.pages import shared
from planner.study import load_study
from planner.words import LANGS, say
from planner.words.wording import label
from planner.workspace import draft, history, shelf
from planner.workspace.draft import Draft

ENTRY = Path(__file__).parents[2] / "planner" / "pages" / "entry.py"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv(shelf.ROOT_VARIABLE, str(tmp_path / "studies"))
    monkeypatch.delenv("PLANNER_STUDY", raising=False)
    return tmp_path / "studies"


@pytest.fixture
def file(root: Path) -> Path:
    return small.write(root / "小研究") / "study.toml"


def app(lang: str = "zh", **address: str) -> AppTest:
    test = AppTest.from_file(str(ENTRY), default_timeout=60)
    for key, value in {"lang": lang, **address}.items():
        test.query_params[key] = value
    return test.run()


def words(test: AppTest) -> str:
    parts = [*test.markdown, *test.caption, *test.info, *test.success, *test.warning, *test.error]
    return "\n".join(str(part.value) for part in parts).replace("\\", "")


def press(test: AppTest, key: str) -> AppTest:
    return next(button for button in test.button if button.key == key).click().run()


def address(test: AppTest, key: str) -> str:
    value = test.query_params[key]
    return value[0] if isinstance(value, list) else value


@pytest.mark.parametrize("lang", LANGS)
def test_whoever_names_no_study_is_asked_for_one(lang):
    test = app(lang)
    assert not test.exception and not test.error
    assert say(lang, "start.next_choose") in words(test)
    assert {field.label for field in test.text_input} >= {say(lang, "start.new_name"), say(lang, "start.path_label")}


@pytest.mark.parametrize("lang", LANGS)
def test_a_sound_study_leads_to_its_results(file, lang):
    test = app(lang, study="小研究")
    assert not test.exception and not test.error
    assert say(lang, "start.next_see") in words(test)
    assert next(b for b in test.button if b.key == "save").disabled
    press(test, "see_results")
    assert not test.exception


@pytest.mark.parametrize("lang", LANGS)
def test_a_new_study_is_made_and_asks_for_files(root, lang):
    test = app(lang)
    test.text_input(key="new_name").set_value("东阳")
    next(b for b in test.button if b.label == say(lang, "start.new_make")).click().run()
    assert not test.exception and (root / "东阳" / "study.toml").is_file()
    assert say(lang, "start.role_streets") in words(test) and address(test, "study") == "东阳"
    press(test, "leave candidates")
    press(test, "leave options")
    assert not test.exception
    press(test, "save")
    study = load_study(root / "东阳")
    assert study.candidates is None and study.options is None
    press(test, "undo")
    assert load_study(root / "东阳").options is not None and not test.exception
    press(test, "redo")
    assert load_study(root / "东阳").options is None and not test.exception


def test_a_new_study_needs_a_name_and_an_area_that_is_one(root):
    test = app()
    make = say("zh", "start.new_make")
    next(b for b in test.button if b.label == make).click().run()
    assert say("zh", "start.new_needs_name") in words(test)
    test.text_input(key="new_name").set_value("甲")
    test.text_input(key="new_area").set_value("1,2,3")
    next(b for b in test.button if b.label == make).click().run()
    assert test.error and not list(root.glob("甲*"))


def test_cells_are_mended_in_place_and_kept_on_disk_at_once(file):
    small.edit_cell(file.parent / "sites.xlsx", "F3", "看心情")
    test = app(study="小研究")
    (cell,) = [field for field in test.text_input if "开放时间" in field.label]
    assert cell.value == "看心情" and say("zh", "start.next_fix_cells", count=1) in words(test)
    cell.set_value("Mo-Fr 09:00-17:00").run()
    assert not test.exception and say("zh", "start.next_save") in words(test)
    own = address(test, "typing")
    assert draft.read(file, own).cells == {"sites": {3: {"开放时间": "Mo-Fr 09:00-17:00"}}}
    # Another tab, or this one after a reload, has it too.
    again = app(study="小研究", typing=own)
    assert say("zh", "start.next_save") in words(again)
    press(again, "save_top")
    assert load_study(file).sites.file == "sites-订正.xlsx" and not again.exception
    assert draft.read(file, own).count == 0


def test_columns_and_datum_are_chosen_from_lists(file):
    test = app(study="小研究")
    test.segmented_control[1].set_value("sites").run()
    (host,) = [box for box in test.selectbox if box.label == say("zh", "start.field_host")]
    assert host.value == "依托单位"
    host.set_value("地址").run()
    next(box for box in test.radio if box.label == say("zh", "start.datum")).set_value("GCJ-02").run()
    assert not test.exception
    kept = draft.read(file, address(test, "typing")).settings
    assert kept == {"sites.columns": {"host": "地址"}, "sites.datum": "GCJ-02"}
    # What the headings say anyway needs no word.
    (host,) = [box for box in test.selectbox if box.label == say("zh", "start.field_host")]
    host.set_value("依托单位").run()
    assert draft.read(file, address(test, "typing")).settings["sites.columns"] is None


def test_a_draft_left_behind_is_offered_and_gone_on_with(file):
    own = draft.new_id()
    draft.keep(file, own, draft.set_value(Draft(), "name", "改了名"))
    test = app(study="小研究")
    assert "没有保存（1 处改动）" in words(test)
    press(test, f"go_on {own}")
    assert address(test, "typing") == own
    press(test, "save")
    assert load_study(file).name == "改了名"


def test_a_change_is_withdrawn_and_all_are_discarded(file):
    own = draft.new_id()
    draft.keep(
        file,
        own,
        draft.strike(draft.set_cell(draft.set_value(Draft(), "name", "甲"), "sites", 3, "名称", "乙"), "sites", 4),
    )
    test = app(study="小研究", typing=own)
    for left in (2, 1, 0):
        next(b for b in test.button if b.label == say("zh", "start.withdraw")).click().run()
        assert not test.exception and draft.read(file, own).count == left
    draft.keep(file, own, draft.set_value(draft.read(file, own), "name", "丙"))
    press(test.run(), "discard")
    assert draft.read(file, own).count == 0 and load_study(file).name == "小研究"


def test_somebody_elses_save_is_not_written_over(file):
    own = draft.new_id()
    draft.keep(file, own, draft.set_value(Draft(), "scope", "我的"))
    test = app(study="小研究", typing=own)
    history.save(
        file, history.read_text(file).replace("小研究", "别人的"), {}, seen=history.look(file), what="state_saved"
    )
    press(test, "save")
    assert test.error and "载入最新" in test.error[0].value and load_study(file).scope == ""
    press(test, "latest")
    press(test, "save")
    assert (load_study(file).name, load_study(file).scope) == ("别人的", "我的") and not test.exception


def test_a_broken_study_can_still_be_opened_here_and_undone(file):
    history.save(
        file, history.read_text(file).replace("小研究", "好的"), {}, seen=history.look(file), what="state_saved"
    )
    file.write_text("name = [", encoding="utf-8")
    test = app(study="小研究")
    assert not test.exception and test.error and say("zh", "start.next_broken") in words(test)
    press(test, "undo")
    assert load_study(file).name == "好的" and not test.exception


def test_an_address_that_names_no_study_is_told(root):
    test = app(study="../../没有")
    assert not test.exception and shared.plain("study.toml") in test.error[0].value


def test_without_numbers_by_place_a_total_is_spread_over_the_streets(file):
    (file.parent / "couriers.csv").unlink()
    test = app(study="小研究")
    next(box for box in test.number_input if box.key == "total demand.1").set_value(12).run()
    press(test, "spread demand.1")
    press(test, "save")
    demand = load_study(file).demand[1]
    assert (demand.kind, demand.total, demand.width_m) == ("line", 12.0, {"primary": 1.0, "residential": 1.0})
    assert not test.exception and not test.error


def test_what_is_written_in_a_file_does_not_become_markup(file):
    small.edit_cell(file.parent / "sites.xlsx", "F3", "<script>alert(1)</script> **x** $y$")
    test = app(study="小研究")
    assert not test.exception
    shown = "\n".join(str(part.value) for part in [*test.markdown, *test.error])
    assert "**x**" not in shown and "<script>" not in shown


def test_the_embedded_study_is_copied_to_work_on(root):
    test = press(app(), "copy_example")
    assert not test.exception
    (made,) = root.glob("*/study.toml")
    assert len(load_study(made).files()) == len(list(made.parent.iterdir()))


def test_a_file_is_given_another_role(file):
    desk = ugly.write(file.parent.parent / "desk")
    own, typed = draft.new_id(), Draft()
    name = shelf.receive(draft.folder(file, own), "表.csv", desk["workers"].read_bytes(), [])
    typed = typed.model_copy(update={"files": [name]})
    draft.keep(file, own, draft.set_value(typed, "sites.file", name))
    test = app(study="小研究", typing=own)
    (role,) = [box for box in test.selectbox if box.label == shared.plain(say("zh", "start.is_what", file=name))]
    role.set_value("demand.1").run()
    kept = draft.read(file, own).settings
    assert kept["demand.1"]["file"] == name and "sites.file" not in kept and not test.exception


def test_a_file_that_another_has_displaced_can_be_given_its_role_again(file):
    desk = ugly.write(file.parent.parent / "desk")
    own, content = draft.new_id(), desk["stations"].read_bytes()
    names = [shelf.receive(draft.folder(file, own), f"{name}.csv", content, []) for name in ("旧", "新")]
    typed = Draft(files=names)
    draft.keep(file, own, draft.set_value(typed, "sites.file", names[1]))
    test = app(study="小研究", typing=own)
    boxes = {box.label: box for box in test.selectbox}
    old, new = (boxes[shared.plain(say("zh", "start.is_what", file=name))] for name in names)
    assert old.value is None and new.value == "sites"
    old.set_value("sites").run()
    assert draft.read(file, own).settings["sites.file"] == names[0] and not test.exception


def test_last_years_summary_is_taken_in_and_compared_with(file, small_result):
    import json

    from planner.summary import summary
    from planner.workspace.sorting import assigned, guess_role

    place = draft.folder(file, draft_id := draft.new_id())
    content = json.dumps(summary(small_result), ensure_ascii=False).encode("utf-8")
    name = shelf.receive(place, "summary.json", content, {path.name for path in file.parent.iterdir()})
    study = load_study(file)
    study = study.model_copy(update={"unsaved": {name: place / name}})
    assert guess_role(study, name) == "last"
    typed = assigned(Draft(files=[name]), study, name, "last")
    draft.save(file, draft_id, draft.keep(file, draft_id, typed))
    assert load_study(file).last.summary == name and (file.parent / name).read_bytes() == content
    test = app(study=str(file))
    assert not test.exception and not test.error


@pytest.mark.parametrize("lang", LANGS)
def test_a_file_of_another_kind_is_turned_away_in_the_reader_s_language(file, lang):
    test = app(lang, study=str(file))
    (uploader,) = test.file_uploader
    uploader.set_value(("plan.png", b"\x89PNG", "image/png")).run()
    assert not test.exception
    assert say(lang, "error.upload_kind", file="plan.png", kinds=", ".join(shelf.UPLOAD_SUFFIXES)) in words(test)


@pytest.mark.parametrize(("lang", "mark"), [("zh", "、"), ("en", ", ")])
def test_before_there_are_streets_a_list_is_not_called_fine_and_what_lacks_is_listed_as_the_language_does(
    file, lang, mark
):
    for name in ("streets.gpkg", "zones.gpkg", "couriers.csv"):
        (file.parent / name).unlink()
    test = app(lang, study=str(file))
    assert not test.exception
    states = test.table[0].value[label(lang, "start.state")].tolist()
    assert label(lang, "start.state_unread") in states
    assert label(lang, "start.state_fine", used=0) not in states
    (advice,) = (str(info.value) for info in test.info)
    assert mark in advice and ("、" in advice) == (lang == "zh")
