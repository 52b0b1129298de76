"""The plan page: what is asked for is what is solved; it is saved with its comments; it can be stopped."""

import time
from pathlib import Path

import pytest
import small_study as small
from streamlit.testing.v1 import AppTest

from planner.errors import InputError
from planner.pages import asking, shared
from planner.pages import plan as page_of
from planner.pipeline import run
from planner.report import figures
from planner.siting.watch import Progress
from planner.study import Limit, load_study
from planner.words import LANGS, say
from planner.words.wording import label, people
from planner.workspace import history, midway


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = small.write(tmp_path / "study")
    text = (folder / "study.toml").read_text(encoding="utf-8")
    (folder / "study.toml").write_text(text.replace("budget = [", "# 谁批的：理事会\nbudget = ["), encoding="utf-8")
    return folder


def script() -> None:
    from planner.pages import plan, shared

    shared.header(shared.language())
    plan.show()


def opened(study: Path, monkeypatch: pytest.MonkeyPatch, *, lang: str = "zh", **session: object) -> AppTest:
    monkeypatch.setenv("PLANNER_STUDY", str(study))
    test = AppTest.from_function(script, default_timeout=60)
    test.query_params["lang"] = lang
    for key, value in session.items():
        test.session_state[key] = value
    return test.run()


def press(test: AppTest, word: str, lang: str = "zh") -> AppTest:
    (button,) = (b for b in test.button if b.label == say(lang, f"plan.{word}"))
    return button.click().run()


def finish(test: AppTest) -> AppTest:
    for key, job in list(shared._jobs.items()):
        if key.startswith("plan "):
            job.future.exception()
    return test.run()


@pytest.mark.parametrize("lang", LANGS)
def test_it_shows_the_studys_plan(study, monkeypatch, small_result, lang):
    test = opened(study, monkeypatch, lang=lang)
    assert not test.exception and not test.error
    end = small_result.indicators[small_result.years[-1]]
    assert f"{end['effective_share']:.2%}" in [metric.value for metric in test.metric]
    assert all(b.disabled for b in test.button if b.label in (say(lang, "plan.run"), say(lang, "plan.save")))


@pytest.mark.parametrize("lang", LANGS)
def test_a_selected_row_says_why_it_is_in_the_plan(study, monkeypatch, small_result, lang):
    first = small_result.programme.iloc[0]
    selection = {"selection": {"rows": [0], "columns": [], "cells": []}}
    monkeypatch.setattr(page_of.st, "dataframe", lambda *_, key=None, **__: selection if key == "plan_rows" else None)
    test = opened(study, monkeypatch, lang=lang)
    assert not test.exception and not test.error
    (told,) = (
        m.value for m in test.markdown if m.value.startswith(f"**{say(lang, 'plan.why', name='', action='')[:4]}")
    )
    row = figures.why_rows(small_result, lang)[0]
    assert row["site"] == first["site"] and shared.plain(row["name"]) in told
    assert f"{label(lang, 'why.loss')}: {people(row['loss'])}" in told and label(lang, "why.groups") in told


def with_plan(study: Path, more: str) -> Path:
    text = (study / "study.toml").read_text(encoding="utf-8")
    (study / "study.toml").write_text(text.replace("\n[map]", f"{more}\n[map]"), encoding="utf-8")
    return study


@pytest.mark.parametrize("lang", LANGS)
def test_what_was_left_out_is_told(study, monkeypatch, lang):
    with_plan(study, "time_limit_s = 1e-9\nrobustness = 3\ntradeoff = true")
    test = opened(study, monkeypatch, lang=lang)
    assert not test.exception and not test.error
    (warning,) = test.warning
    result = run(load_study(study))
    assert len(result.left_out) == 4 and warning.value == shared.plain(figures.left_out(result, lang))


def test_nothing_is_said_to_be_left_out_where_nothing_is(study, monkeypatch):
    assert not opened(study, monkeypatch).warning


@pytest.mark.parametrize("unit", ["万元", "Mio. EUR", "k[€]"])
def test_the_curve_of_money_is_drawn_whatever_its_unit_is_called(study, monkeypatch, unit):
    drawn = []

    def draw(chart, **_: object) -> dict:
        drawn.append(chart.to_dict())
        return {"selection": {"point": [{"budget": 10.0}]}}

    monkeypatch.setattr(page_of.st, "altair_chart", draw)
    with_plan(study, f'tradeoff = true\ncost_unit = "{unit}"')
    test = opened(study, monkeypatch)
    assert not test.exception and not test.error
    (chart,) = drawn
    (rows,) = chart["datasets"].values()
    for layer in chart["layer"]:
        x, y = layer["encoding"]["x"], layer["encoding"]["y"]
        # A path sign in a field's name would lead into a value, and no point would be drawn.
        assert all(of["field"] in rows[0] and not set(".[]\\'\"") & set(of["field"]) for of in (x, y))
        assert unit in x["title"]
    assert any(c.value.startswith(shared.plain(f"总预算 10.0 {unit}")) for c in test.caption)


@pytest.mark.parametrize("lang", LANGS)
def test_what_became_of_the_last_programme_is_told(study, monkeypatch, lang):
    small.book(study / "progress.xlsx", [
        ["站点编号", "建设内容", "建设方式", "建设年度", "进展", "实际费用(万元)"],
        ["C2", "新建", "共享", 2027, "已开放", 0.5], ["C1", "新建", "自建", 2028, "计划", None],
        ["S2", "", "", "", "已关闭", None],
    ])  # fmt: skip
    with_plan(study, 'progress = "progress.xlsx"')
    test = opened(study, monkeypatch, lang=lang)
    assert not test.exception and not test.error
    result = run(load_study(study))
    told = figures.changes_told(result, lang)
    assert shared.plain(told) in [m.value for m in test.markdown]
    assert f"{say(lang, 'change.done')} 1" in told and f"{say(lang, 'progress.closed')} 1" in told and "2027" in told
    change = say(lang, "programme.change")
    (table,) = (frame.value for frame in test.dataframe if change in frame.value)
    assert table[change].tolist() == [say(lang, f"change.{c}") for c in result.changes["change"]]
    assert table[say(lang, "workbook.change_year")].tolist()[:3] == ["2027", "2028", ""]


@pytest.mark.parametrize("lang", LANGS)
def test_a_selected_row_says_what_the_plan_would_be_without_it(study, monkeypatch, lang):
    selection = {"selection": {"rows": [0, 1, 2], "columns": [], "cells": []}}
    monkeypatch.setattr(page_of.st, "dataframe", lambda *_, key=None, **__: selection if key == "plan_rows" else None)
    with_plan(study, 'robustness = 1\nrequired = ["C2"]')
    result = run(load_study(study))
    sure = result.robustness.actions
    site = str(result.programme["site"].iat[0])
    replanned, loss = sure.set_index("site").loc[site, ["replanned", "replanned_loss"]]
    test = opened(study, monkeypatch, lang=lang)
    assert not test.exception and not test.error
    (told,) = (m.value for m in test.markdown if label(lang, "why.replanned_loss") in m.value)
    wanted = f"{loss:.2%}" if replanned == "found" else say(lang, f"why.replanned_{replanned}")
    assert f"{label(lang, 'why.replanned_loss')}: {shared.plain(wanted)}" in told
    assert set(sure["replanned"]) == {"found", "none"}


@pytest.mark.parametrize("lang", LANGS)
def test_with_seats_as_the_aim_it_is_told_why_there_are_no_substitutes(study, monkeypatch, lang):
    selection = {"selection": {"rows": [0], "columns": [], "cells": []}}
    monkeypatch.setattr(page_of.st, "dataframe", lambda *_, key=None, **__: selection if key == "plan_rows" else None)
    with_plan(study, 'objective = "served"\n[capacity]\nvisit_minutes = 60')
    test = opened(study, monkeypatch, lang=lang)
    assert not test.exception and not test.error
    (told,) = (m.value for m in test.markdown if label(lang, "why.substitutes") in m.value)
    assert shared.plain(say(lang, "why.with_seats")) in told
    assert shared.plain(say(lang, "why.with_seats_why")) in [c.value for c in test.caption]


def test_what_is_asked_for_is_what_a_run_gives(study, monkeypatch):
    test = opened(study, monkeypatch)
    test.multiselect(key="plan_forbidden").set_value(["C1"]).run()
    test = finish(press(test, "run"))
    assert not test.exception and not test.error
    text = (study / "study.toml").read_text(encoding="utf-8").replace("budget = [", 'forbidden = ["C1"]\nbudget = [')
    (study / "study.toml").write_text(text, encoding="utf-8")
    wanted = run(load_study(study))
    site = say("zh", "programme.site")
    (shown,) = (frame.value for frame in test.dataframe if site in frame.value)
    assert shown[site].tolist() == wanted.programme["site"].tolist()
    assert f"{wanted.indicators[wanted.years[-1]]['effective_share']:.2%}" in [metric.value for metric in test.metric]


def test_rules_that_no_plan_fits_are_told_with_their_reasons(study, monkeypatch):
    test = opened(study, monkeypatch, plan_required=["C1"], plan_forbidden=["C1"])
    test = finish(press(test, "run"))
    assert not test.exception and test.error and "C1" in test.error[0].value


def test_it_is_saved_with_the_comments_and_never_over_others(study, monkeypatch):
    test = opened(study, monkeypatch)
    test.multiselect(key="plan_forbidden").set_value(["C2"]).run()
    press(test, "save")
    assert not test.exception and test.success
    text = (study / "study.toml").read_text(encoding="utf-8")
    assert "# 谁批的：理事会" in text and load_study(study).plan.forbidden == ("C2",)
    test.multiselect(key="plan_forbidden").set_value([]).run()
    # Somebody else saves before this person does: nothing is written over, and both have what they want in the end.
    theirs = text.replace("years = [", "# somebody else\ncarry_over = false\nyears = [")
    (study / "study.toml").write_text(theirs, encoding="utf-8")
    press(test, "save")
    assert test.error and (study / "study.toml").read_text(encoding="utf-8") == theirs
    assert say("zh", "plan.changed_meanwhile", count=1) in [info.value for info in test.info]
    assert test.toggle(key="plan_carry").value is False and test.multiselect(key="plan_forbidden").value == []
    press(test, "save")
    text = (study / "study.toml").read_text(encoding="utf-8")
    assert not test.error and "# somebody else" in text and "carry_over = false" in text
    assert load_study(study).plan.forbidden == ()
    # What both have changed is named.
    test.select_slider(key="plan_gap").set_value(0.01).run()
    (study / "study.toml").write_text(
        text.replace("carry_over = false", "carry_over = false\nmip_gap = 0.02"), encoding="utf-8"
    )
    test.run()
    named = say("zh", "plan.changed_both", names=say("zh", "plan.gap"))
    assert [shared.plain(named)] == [warning.value for warning in test.warning]
    # So is it where they have already changed what this person wants changed.
    alike = text.replace("carry_over = false", "carry_over = false\nmip_gap = 0.01")
    (study / "study.toml").write_text(alike, encoding="utf-8")
    test.run()
    assert say("zh", "plan.changed_alike") in [info.value for info in test.info] and not test.warning
    (study / "study.toml").write_text(text, encoding="utf-8")
    # It can be undone on the Start page.
    history.step(study / "study.toml", -1, seen=history.look(study / "study.toml"))
    assert load_study(study).plan.forbidden == ("C2",)


def test_a_reload_loses_nothing_and_finds_the_search_again(study, monkeypatch):
    test = opened(study, monkeypatch)
    test.multiselect(key="plan_forbidden").set_value(["C1"]).run()
    test.selectbox(key="plan_objective").set_value("share").run()
    test = finish(press(test, "run"))
    wanted = [metric.value for metric in test.metric]
    again = AppTest.from_function(script, default_timeout=60)
    again.query_params["draft"] = test.query_params["draft"]
    again.run()
    assert (
        again.multiselect(key="plan_forbidden").value == ["C1"]
        and again.selectbox(key="plan_objective").value == "share"
    )
    assert [metric.value for metric in again.metric] == wanted
    # Another person is told of the search, and can look at it.
    other = opened(study, monkeypatch)
    assert other.multiselect(key="plan_forbidden").value == []
    (button,) = (b for b in other.button if b.label == say("zh", "plan.other_show"))
    button.click().run()
    assert [metric.value for metric in other.metric] == wanted and not other.exception
    press(other, "discard")
    assert other.multiselect(key="plan_forbidden").value == []


def test_a_mode_is_ruled_out_and_a_row_moved_to_an_earlier_year(study, monkeypatch):
    test = opened(study, monkeypatch, plan_by={"C1": 2027})
    test.multiselect(key="plan_without").set_value(["self_build"]).run()
    test = finish(press(test, "run"))
    assert not test.exception and not test.error
    site, year, mode = (say("zh", f"programme.{key}") for key in ("site", "year", "mode"))
    (shown,) = (frame.value for frame in test.dataframe if site in frame.value)
    assert shown.set_index(site).loc["C1", year] == "2027" and say("zh", "mode.self_build") not in shown[mode].tolist()
    press(test, "save")
    assert not test.exception and not test.error
    first, second = load_study(study).plan.limits
    assert (first.mode, first.at_most) == (("self_build",), 0)
    assert (second.site, second.at_least, second.by) == (("C1",), 1, 2027)


def test_a_search_hears_and_can_be_stopped():
    search = page_of.Search()
    standing = Progress("search", 1.0, 2.0, 1.0, 0.1)
    assert search.hear(standing) is False
    search.stop = True
    assert search.hear(standing) is True and search.standings == [standing, standing]


def test_a_search_that_goes_on_is_shown_and_stops_when_asked(study, monkeypatch):
    def slow(_, search, *, progress):
        progress("plan")
        while not search.hear(Progress("bound", 0.25, 0.5, 1.0, 1.0)):
            time.sleep(0.01)
        return run(load_study(study))

    monkeypatch.setattr(page_of, "_run", slow)
    test = opened(study, monkeypatch, plan_forbidden=["C1", "C2"])
    test = press(test, "run")
    for _ in range(50):
        if test.metric:
            break
        time.sleep(0.05)
        test.run()
    assert not test.exception
    assert "0.2500" in [metric.value for metric in test.metric]
    press(test, "stop")
    assert not finish(test).exception


def test_a_plan_that_was_found_is_the_studys_once_it_is_saved(study, monkeypatch):
    from planner import pipeline

    test = opened(study, monkeypatch)
    test.multiselect(key="plan_forbidden").set_value(["C2"]).run()
    test = finish(press(test, "run"))
    shown = [metric.value for metric in test.metric]
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "plan_on", lambda *_, **__: pytest.fail("solved again"))
        press(test, "save")
        assert not test.exception and test.success and [metric.value for metric in test.metric] == shown
    saved = load_study(study)
    kept, wanted = shared.sought(saved).future.result(), run(saved)
    assert (kept.run_id, kept.inputs, kept.study) == (wanted.run_id, wanted.inputs, wanted.study)
    assert not [b for b in test.button if b.label == say("zh", "plan.other_show")]


def test_a_search_that_is_saved_before_it_is_done_goes_on_as_the_studys(study, monkeypatch):
    def slow(asked, search, *, progress):
        progress("plan")
        while not search.hear(Progress("bound", 0.25, 0.5, 1.0, 1.0)):
            time.sleep(0.01)
        return shared.planned(asked, progress=progress)

    monkeypatch.setattr(page_of, "_run", slow)
    test = opened(study, monkeypatch)
    test.multiselect(key="plan_forbidden").set_value(["C2"]).run()
    press(test, "run")
    going = shared.jobs()[page_of.search_key(load_study(study).model_copy(update={"plan": asked_plan(study, "C2")}))]
    going.search.end()
    press(test, "save")
    saved = load_study(study)
    assert shared.sought(saved).search is going.search and not test.exception
    assert shared.sought(saved).future.result().run_id == run(saved).run_id


def asked_plan(study: Path, *forbidden: str):
    return load_study(study).plan.model_copy(update={"forbidden": forbidden})


def test_rows_are_kept_forbidden_and_left_open(monkeypatch):
    import streamlit as st

    st.session_state["plan_required"], st.session_state["plan_forbidden"] = ["A"], ["B"]
    page_of.mark(["B", "C"], "required")
    assert (st.session_state["plan_required"], st.session_state["plan_forbidden"]) == (["A", "B", "C"], [])
    page_of.mark(["A"], "forbidden")
    page_of.mark(["C"], "free")
    assert (st.session_state["plan_required"], st.session_state["plan_forbidden"]) == (["B"], ["A"])
    st.session_state["plan_by"] = {}
    page_of.move(["A", "C"], 2028)
    assert st.session_state["plan_forbidden"] == []
    page_of.mark(["C"], "free")
    assert st.session_state["plan_by"] == {"A": 2028}
    st.session_state.clear()


def test_a_row_is_moved_to_a_later_year(study, monkeypatch, small_result):
    site = small_result.actions.set_index("year").loc[2027, "site"]
    site = site if isinstance(site, str) else site.iloc[0]
    test = opened(study, monkeypatch, plan_by={site: 2028})
    test = finish(press(test, "run"))
    assert not test.exception and not test.error
    number, year = say("zh", "programme.site"), say("zh", "programme.year")
    (shown,) = (frame.value for frame in test.dataframe if number in frame.value)
    assert shown.set_index(number).loc[site, year] == "2028"


LIMITS = (
    [Limit(tier=("township",), per=("zone",), at_most=2, source="某文")],
    [Limit(hours="24/7", share_at_least=0.15, by=2028)],
    [Limit(counts="actions", mode=("self_build", "shared"), at_most=0)],
    [*asking.in_year("C1", 2028, (2027, 2028)), *asking.in_year("S1", 2027, (2027, 2028))],
    [Limit(site=("C1", "C2"), at_least=1), Limit(counts="actions", site=("C3",), at_most=0, until=2027)],
)


@pytest.mark.parametrize("limits", LIMITS)
def test_limits_are_shown_and_come_back_as_they_were(limits):
    found = asking.sort_out(limits, (2027, 2028))
    assert sorted(map(repr, asking.limits_of(found, (2027, 2028)))) == sorted(map(repr, limits))


def test_rules_typed_into_the_tables_are_asked_for_and_saved(study, monkeypatch):
    test = opened(study, monkeypatch)
    floor = {"share": 20.0, "measure": "share", "group": None, "zone": "*", "tier": None, "by": 2028, "source": "示例"}
    limit = {**dict.fromkeys(asking.LIMIT), "counts": "actions", "at_most": 1}
    # As `take` does: rows of a table can't be typed from here.
    for name, row in (("floors", floor), ("limits", limit)):
        test.session_state[f"table_rows_{name}"] = [row]
    test.run()
    test = finish(press(test, "run"))
    assert not test.exception and not test.error
    press(test, "save")
    assert not test.exception and not test.error
    plan = load_study(study).plan
    (saved,) = plan.floors
    assert (saved.share, saved.measure, saved.zone, saved.by, saved.source) == (0.2, "share", "*", 2028, "示例")
    assert plan.limits == (Limit(counts="actions", at_most=1),)
    assert len(run(load_study(study)).actions) <= 1
    test.run()
    assert all(b.disabled for b in test.button if b.label in (say("zh", "plan.run"), say("zh", "plan.save")))


def test_least_cost_of_nothing_is_told_with_what_to_do(study, monkeypatch):
    test = opened(study, monkeypatch)
    test.selectbox(key="plan_objective").set_value("least_cost").run()
    assert say("zh", "plan.wrong_least_cost_of_nothing") in [error.value for error in test.error]


def test_the_embedded_study_is_not_changed(monkeypatch):
    from planner.workspace import shelf

    monkeypatch.setattr(shelf, "is_embedded", lambda _: True)
    monkeypatch.setattr(midway, "is_embedded", lambda _: True)
    token = midway.token(None)
    file = Path("nowhere") / "study.toml"
    midway.keep(file, token, "plan", asking.Asked(changes={"carry_over": False}))
    assert midway.recall(file, token, "plan", asking.Asked).changes == {"carry_over": False}
    assert not file.parent.exists()


def test_a_search_that_fails_says_why_and_is_tried_again_only_when_asked(study, monkeypatch):
    tried = []

    def failing(*_, progress):
        tried.append(1)
        raise InputError("place_unknown", file="study.toml", place="C9")

    monkeypatch.setattr(page_of, "_run", failing)
    test = opened(study, monkeypatch, plan_forbidden=["C1"])
    test = finish(press(test, "run"))
    assert [error for error in test.error if "C9" in error.value] and len(tried) == 1
    finish(press(test, "run"))
    assert len(tried) == 2


def test_plans_on_the_same_files_are_measured_once(study, monkeypatch):
    from planner import pipeline

    opened(study, monkeypatch)
    monkeypatch.setattr(pipeline, "measured", lambda *_, **__: pytest.fail("measured again"))
    test = opened(study, monkeypatch, plan_forbidden=["C1"])
    test = finish(press(test, "run"))
    assert not test.exception and not test.error
    site = say("zh", "programme.site")
    (shown,) = (frame.value for frame in test.dataframe if site in frame.value)
    assert "C1" not in shown[site].tolist()


def test_a_result_thrown_away_first_is_the_one_not_asked_for_longest(monkeypatch):
    jobs = {}
    monkeypatch.setattr(shared, "_jobs", jobs)
    for key in ("base", *map(str, range(shared.KEPT + 2))):
        shared.started(key, lambda progress: None).future.result()
        shared.started("base", lambda progress: pytest.fail("made again")).future.result()
    assert "base" in jobs and len(jobs) == shared.KEPT
