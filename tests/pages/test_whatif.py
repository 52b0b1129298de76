"""The what-if page: each thing one can do to a place, undone and done again, saved and compared."""

from pathlib import Path

import pytest
import small_study as small
from streamlit.testing.v1 import AppTest

from planner import scenarios
from planner.pages import shared
from planner.pages import whatif as page_of
from planner.pages.webmap import Event
from planner.scenarios import Scenario
from planner.whatif import Edit, History, evaluate, ground
from planner.words import LANGS, say


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return small.write(tmp_path / "study")


TOKEN = "0" * 32


def script() -> None:
    from planner.pages import shared, whatif

    shared.header(shared.language())
    whatif.show()


def opened(study: Path, monkeypatch: pytest.MonkeyPatch, *edits: Edit, lang: str = "zh", **session: object) -> AppTest:
    monkeypatch.setenv("PLANNER_STUDY", str(study))
    page_of._drafts().clear()
    page_of._drafts()[f"{study / 'study.toml'} {TOKEN}"] = page_of.Draft(history=History(edits))
    test = AppTest.from_function(script, default_timeout=60)
    test.query_params["draft"], test.query_params["lang"] = TOKEN, lang
    for key, value in session.items():
        test.session_state[key] = value
    return test.run()


def edits(study: Path) -> tuple[Edit, ...]:
    return page_of._drafts()[f"{study / 'study.toml'} {TOKEN}"].history.done


def press(test: AppTest, word: str, lang: str = "zh") -> AppTest:
    (button,) = (b for b in test.button if b.label == say(lang, f"whatif.{word}"))
    return button.click().run()


ADD = Edit(
    do="add",
    site="W1",
    **dict(zip(("lon", "lat"), small.lonlat("C"), strict=True)),
    opening_hours="24/7",
    services="rest;water",
)


@pytest.mark.parametrize("lang", LANGS)
def test_the_figures_are_those_of_the_library(study, monkeypatch, small_result, lang):
    test = opened(study, monkeypatch, ADD, Edit(do="close", site="S1"), lang=lang)
    assert not test.exception and not test.error
    outcome = evaluate(ground(small_result), (ADD, Edit(do="close", site="S1")))
    shown = {metric.label: metric.value for metric in test.metric}
    assert shown[say(lang, "whatif.effective")] == f"{outcome.indicators['effective_share']:.2%}"
    assert shown[say(lang, "whatif.share")] == f"{outcome.indicators['share']:.2%}"
    table, by = test.dataframe[0].value, outcome.by("zone", "group")
    assert table[say(lang, "whatif.gained")].tolist() == by["gained"].round(1).tolist()


def test_undo_redo_and_clear(study, monkeypatch):
    test = opened(study, monkeypatch, ADD, Edit(do="close", site="S1"))
    assert edits(press(test, "undo") and study) == (ADD,)
    assert len(edits(press(test, "redo") and study)) == 2
    assert edits(press(test, "clear") and study) == ()
    assert not test.exception


def test_hours_kit_and_closing_are_edits_at_once(study, monkeypatch):
    test = opened(study, monkeypatch, whatif_site="S1")
    test.text_input[0].set_value("24/7").run()
    assert edits(study)[-1].opening_hours == "24/7"
    test.multiselect[0].set_value(["rest"]).run()
    assert edits(study)[-1].services == "rest"
    press(test, "close")
    assert edits(study)[-1] == Edit(do="close", site="S1")
    press(test, "reopen")
    assert edits(study)[-1] == Edit(do="change", site="S1")
    assert not test.exception and not test.error


def test_a_server_that_dies_loses_nothing_that_was_tried(study, monkeypatch):
    test = opened(study, monkeypatch, ADD)
    press(test, "undo")
    page_of._drafts().clear()
    again = AppTest.from_function(script, default_timeout=60)
    again.query_params["draft"] = TOKEN
    again.run()
    assert edits(study) == ()
    press(again, "redo")
    assert edits(study) == (ADD,)
    # An address that names no token leads nowhere.
    again.query_params["draft"] = "../../etc"
    again.session_state["draft"] = "../../etc"
    again.run()
    assert not again.exception and again.query_params["draft"] != ["../../etc"]
    assert len(list((study / ".planner" / "midway").iterdir())) == 1


def test_hours_that_are_none_are_refused_in_a_sentence(study, monkeypatch):
    test = opened(study, monkeypatch, whatif_site="S1")
    test.text_input[0].set_value("whenever").run()
    assert not test.exception and test.error and edits(study) == ()


def test_a_candidate_can_be_opened_in_each_way_it_allows(study, monkeypatch):
    test = opened(study, monkeypatch, whatif_site="C1")
    ways = [b for b in test.button if b.label.startswith(say("zh", "whatif.open_candidate"))]
    assert len(ways) == 2
    ways[0].click().run()
    (edit,) = edits(study)
    assert (edit.site, edit.mode, edit.capital_cost) == ("C1", "self_build", 4.0)


def test_a_scenario_is_saved_opened_and_not_overwritten(study, monkeypatch):
    test = opened(study, monkeypatch, ADD)
    test.text_input[-1].set_value("方案一")
    press(test, "save")
    (kept,) = scenarios.kept(study)
    assert kept.scenario.edits == (ADD,) and not test.error
    # Somebody else saves; this session must not take that away.
    scenarios.keep(study, Scenario(name="方案一", edits=(Edit(do="close", site="S2"),)), seen=kept.revision)
    press(test, "save")
    assert test.error and scenarios.kept(study)[0].scenario.edits[0].site == "S2"
    # It is offered to save beside theirs.
    other = say("zh", "whatif.save_other", name="方案一 (2)")
    next(b for b in test.button if b.label == shared.plain(other)).click().run()
    assert not test.exception and not test.error and test.success
    assert {one.scenario.name: one.scenario.edits[0].do for one in scenarios.kept(study)} == {
        "方案一": "close",
        "方案一 (2)": "add",
    }
    page_of._drafts()[f"{study / 'study.toml'} {TOKEN}"].name = ""
    test.run()
    next(box for box in test.selectbox if box.label == say("zh", "whatif.open")).set_value("方案一.json").run()
    assert edits(study) == (Edit(do="close", site="S2"),) and not test.exception


def test_a_damaged_scenario_is_told(study, monkeypatch):
    (study / "scenarios").mkdir()
    (study / "scenarios" / "x.json").write_text("{", encoding="utf-8")
    test = opened(study, monkeypatch)
    assert not test.exception and shared.plain("x.json") in test.warning[0].value


def test_what_no_longer_fits_the_data_is_told(study, monkeypatch):
    test = opened(study, monkeypatch, Edit(do="close", site="gone"))
    assert not test.exception and "gone" in test.error[0].value


@pytest.mark.parametrize("lang", LANGS)
def test_two_are_compared(study, monkeypatch, small_result, lang):
    scenarios.keep(study, Scenario(name="B", edits=(Edit(do="close", site="S1"),), run_id="another"))
    test = opened(study, monkeypatch, ADD, lang=lang, whatif_tab="compare")
    assert not test.exception and not test.error
    test.selectbox(key="whatif_right").set_value("B").run()
    table = test.dataframe[0].value
    base = ground(small_result)
    for side, some in ((say(lang, "whatif.left"), ()), (say(lang, "whatif.right"), (Edit(do="close", site="S1"),))):
        share = evaluate(base, some).indicators["effective_share"]
        assert f"{share:.1%}" in table[side].tolist()
    assert any("another" in caption.value for caption in test.caption)


def test_a_click_adds_only_while_adding_and_a_drag_moves(small_result, monkeypatch):
    import streamlit as st

    mine, base = page_of.Draft(), ground(small_result)
    lon, lat = small.lonlat("C")
    page_of.hear(Event("place", "", lon, lat), mine, base, "zh")
    assert mine.history.done == ()
    st.session_state["whatif_adding"] = True
    page_of.hear(Event("place", "", lon, lat), mine, base, "zh")
    page_of.hear(Event("moved", "S1", lon, lat), mine, base, "zh")
    page_of.hear(Event("site", "S2"), mine, base, "zh")
    add, move = mine.history.done
    assert (add.do, add.site, add.lon, add.mode) == ("add", "W1", lon, "self_build")
    assert (move.do, move.site, move.lat) == ("move", "S1", lat)
    assert st.session_state["whatif_site"] == "S2"
    st.session_state.clear()
