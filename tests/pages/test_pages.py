"""Each page and each of its states, without a browser."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import geopandas as gpd
import pytest
import small_study as small
from streamlit.testing.v1 import AppTest

from planner.pages import shared, tables
from planner.study import load_study
from planner.words import LANGS, say
from planner.words.wording import percent

ENTRY = Path(__file__).parents[2] / "planner" / "pages" / "entry.py"
PAGES = ("overview", "coverage", "gaps", "whatif", "plan", "documents")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a browser nothing shows a page anew when the plan is there: the plan is waited for."""
    monkeypatch.setattr(shared, "PATIENCE_S", 60)


@pytest.fixture(scope="module")
def shared_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write(tmp_path_factory.mktemp("app"))


def app(study: Path, monkeypatch: pytest.MonkeyPatch, *, lang: str = "zh") -> AppTest:
    monkeypatch.setenv("PLANNER_STUDY", str(study))
    test = AppTest.from_file(str(ENTRY), default_timeout=60)
    test.query_params["lang"] = lang
    return test


def page_script(page: str) -> None:
    """Run one page as the entry would."""
    import importlib

    from planner.pages import shared

    shared.header(shared.language())
    importlib.import_module(f"planner.pages.{page}").show()
    shared.footer(shared.language())


def words(test: AppTest) -> str:
    return "\n".join(element.value for element in [*test.markdown, *test.caption, *test.success]).replace("\\", "")


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("page", PAGES)
def test_each_page_shows_in_each_language(shared_study, monkeypatch, page, lang):
    monkeypatch.setenv("PLANNER_STUDY", str(shared_study))
    test = AppTest.from_function(page_script, default_timeout=60, kwargs={"page": page})
    test.query_params["lang"] = lang
    test.run()
    assert not test.exception and not test.error
    assert "小布局规划图" in words(test)
    assert "全部数据为测试而编" in words(test)
    assert "OpenStreetMap" in words(test)


# A user's own words that Markdown would read as emphasis, a formula, a link, a colour, code.
MARKED = "*a* $x$ [b](c) :red[d] `e`"
# As much of it as a file may be called everywhere.
MARKED_FILE = "$x$ [b](c) `e`.csv"
# What Streamlit reads as Markdown, beside the content of `MARKDOWN` elements and of tables.
MARKDOWN_FIELDS, MARKDOWN = ("label", "help", "caption"), ("markdown", "caption", "error", "warning", "info", "success")


def read_as_markdown(test: AppTest) -> list[str]:
    found = []
    for element in test.main:
        found += [str(getattr(element.proto, name, "")) for name in MARKDOWN_FIELDS]
        if element.type in MARKDOWN:
            found.append(element.value)
        elif element.type in ("radio", "button_group"):
            found += map(str, element.options)
        elif element.type == "table":
            found += element.value.astype(str).to_numpy().ravel().tolist()
    return found


@pytest.mark.parametrize("page", ("start", "start broken", *PAGES))
def test_what_users_call_things_is_shown_as_they_typed_it(tmp_path: Path, monkeypatch, page):
    folder = small.write(tmp_path / "marked")
    text = (folder / "study.toml").read_text(encoding="utf-8")
    for name in ("小研究", "环卫工人", "快递员", "小布局规划图", "全部数据为测试而编"):
        text = text.replace(name, MARKED)
    (folder / "study.toml").write_text(text.replace("couriers.csv", MARKED_FILE), encoding="utf-8")
    (folder / "couriers.csv").rename(folder / MARKED_FILE)
    gpd.read_file(folder / "zones.gpkg").assign(name=MARKED).to_file(folder / "zones.gpkg")
    small.edit_cell(folder / "sites.xlsx", "B3", MARKED)
    if page == "start broken":
        (folder / MARKED_FILE).write_text(f"名称,{MARKED},经度,纬度\n1,2,3,4\n", encoding="utf-8")
    monkeypatch.setenv("PLANNER_STUDY", str(folder))
    test = AppTest.from_function(page_script, default_timeout=60, kwargs={"page": page.split()[0]}).run()
    assert not test.exception
    shown = read_as_markdown(test)
    assert any("\\*a\\*" in text for text in shown)
    assert [text for text in shown if any(word in text for word in MARKED.split())] == []


def test_the_entry_opens_the_overview_with_the_results_figures(shared_study, monkeypatch, small_result):
    test = app(shared_study, monkeypatch).run()
    assert not test.exception
    shown = words(test)
    today, last = (small_result.indicators[moment] for moment in (0, small_result.years[-1]))
    for figures in (today, last):
        assert percent(figures["share"]) in shown and percent(figures["effective_share"]) in shown
    table = test.dataframe[0].value
    assert table["现状"].iat[0] == percent(today["share"])
    assert list(test.dataframe[1].value["站点编号"]) == small_result.programme["site"].tolist()


def test_the_switch_changes_the_language_and_it_stays(shared_study, monkeypatch):
    test = app(shared_study, monkeypatch).run()
    assert say("zh", "app.answer_covered") in words(test)
    test.segmented_control(key="lang").set_value("en").run()
    assert say("en", "app.answer_covered") in words(test)
    test.run()
    assert say("en", "app.answer_covered") in words(test)


def test_a_broken_study_is_told_in_a_sentence(tmp_path: Path, monkeypatch):
    folder = small.write(tmp_path / "broken")
    text = (folder / "study.toml").read_text(encoding="utf-8")
    (folder / "study.toml").write_text(text.replace("budget = [3.0, 3.0]", "budget = [-1.0, 3.0]"), encoding="utf-8")
    test = app(folder, monkeypatch).run()
    assert not test.exception
    assert "budget" in test.error[0].value


def test_a_missing_file_is_told_in_a_sentence_and_mending_it_helps(tmp_path: Path, monkeypatch):
    folder = small.write(tmp_path / "mended")
    content = (folder / "sites.xlsx").read_bytes()
    (folder / "sites.xlsx").unlink()
    test = app(folder, monkeypatch).run()
    assert not test.exception and shared.plain("sites.xlsx") in test.error[0].value
    (folder / "sites.xlsx").write_bytes(content)
    test.run()
    assert not test.exception and not test.error


def test_what_nobody_foresaw_is_a_sentence_and_a_file_for_who_mends_it(shared_study, monkeypatch, tmp_path):
    from planner.pages import overview

    monkeypatch.setattr(overview, "answers", lambda *_: 1 / 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    test = app(shared_study, monkeypatch).run()
    (log,) = tmp_path.glob("planner-error-*.log")
    assert not test.exception and shared.plain(str(log)) in test.error[0].value
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")


def test_a_study_without_a_plan_shows_today(tmp_path: Path, monkeypatch):
    folder = small.write(tmp_path / "today")
    text = (folder / "study.toml").read_text(encoding="utf-8")
    before, _, after = text.partition("[plan]")
    (folder / "study.toml").write_text(before + "[map]" + after.partition("[map]")[2], encoding="utf-8")
    test = app(folder, monkeypatch).run()
    assert not test.exception
    assert say("zh", "app.no_plan") in words(test).replace("\\", "")


def test_rules_that_no_plan_fits_are_told(tmp_path: Path, monkeypatch):
    folder = small.write(tmp_path / "infeasible")
    text = (folder / "study.toml").read_text(encoding="utf-8")
    text = text.replace("budget = [3.0, 3.0]", 'budget = [0.1, 0.1]\nrequired = ["C1"]')
    (folder / "study.toml").write_text(text, encoding="utf-8")
    test = app(folder, monkeypatch).run()
    assert not test.exception
    assert "C1" in words(test)


def test_last_years_indicators_stand_beside_where_the_study_has_them(small_result):
    import dataclasses

    from planner.last import Last

    assert not [c for c in tables.indicators(small_result, "zh").columns if "上次" in c]
    last = Last("二五年", "abc", 400.0, {"share": 0.125, "mean_m": 321.0}, ())
    table = tables.indicators(dataclasses.replace(small_result, last=last), "zh").set_index("指标")
    column = table[say("zh", "app.last_run", name="二五年")]
    assert column[say("zh", "indicator.share")] == percent(0.125)
    assert column[say("zh", "indicator.mean_m")] == say("zh", "web.metres", metres=321.0)
    assert column[say("zh", "indicator.effective_share")] == percent(None)


def page(name: str, study: Path, monkeypatch: pytest.MonkeyPatch, **session: object) -> AppTest:
    """One page alone, with what the session already knows."""
    monkeypatch.setenv("PLANNER_STUDY", str(study))
    test = AppTest.from_function(page_script, default_timeout=60, kwargs={"page": name})
    for key, value in session.items():
        test.session_state[key] = value
    return test.run()


def test_each_service_and_the_circles_can_be_looked_at(shared_study, monkeypatch, small_result):
    test = page("coverage", shared_study, monkeypatch)
    today = small_result.indicators[0]
    for service, shares in today["by_service"].items():
        test.selectbox(key="coverage_view").set_value(f"service {service}").run()
        assert not test.exception and percent(shares["share"]) in words(test)
    test.selectbox(key="coverage_view").set_value("circles").run()
    assert not test.exception and percent(today["circle_share"]) in words(test)


def test_the_zone_chosen_before_is_chosen_in_the_table(shared_study, monkeypatch, small_result):
    test = page("coverage", shared_study, monkeypatch, zone="W")
    assert not test.exception
    assert test.session_state["zone"] == "W"
    assert small_result.zone_at(*small.lonlat("A")) == "W" and small_result.zone_at(0.0, 0.0) is None


def test_gaps_can_be_filtered(shared_study, monkeypatch, small_result):
    monkeypatch.setenv("PLANNER_STUDY", str(shared_study))
    test = AppTest.from_function(page_script, default_timeout=60, kwargs={"page": "gaps"}).run()
    assert len(test.dataframe[0].value) == len(small_result.gaps)
    test.selectbox[0].set_value("couriers").run()
    assert not test.exception
    wanted = (small_result.gaps["group"] == "couriers").sum()
    assert (len(test.dataframe[0].value) if len(test.dataframe) else 0) == wanted


def test_two_sessions_share_one_result(shared_study, monkeypatch):
    app(shared_study, monkeypatch).run()
    before = {key: job.future.result() for key, job in shared.jobs().items() if not job.future.exception()}
    app(shared_study, monkeypatch).run()
    after = {key: job.future.result() for key, job in shared.jobs().items() if not job.future.exception()}
    assert before and before.keys() == after.keys()
    assert all(after[key] is before[key] for key in before)


def test_the_set_is_made_and_holds_what_the_command_writes(shared_study, monkeypatch):
    from planner.pages import documents, shared

    monkeypatch.setenv("PLANNER_STUDY", str(shared_study))
    test = AppTest.from_function(page_script, default_timeout=120, kwargs={"page": "documents"}).run()
    test.button[0].click().run()
    assert not test.exception and not test.error
    ((key, job),) = ((key, job) for key, job in shared._jobs.items() if key.startswith("documents "))
    files = job.future.result()
    assert job.steps == list(documents.STEPS)
    assert {"summary.json", "plan.gpkg", "programme.xlsx", "report.docx", "map.html", "maps/layout.pdf"} <= set(files)
    assert json.loads(files["summary.json"])["study"]["run_id"] == key.split()[1]
    whole = documents.zipped("once", files)
    assert whole == documents.zipped("again", files)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files


def test_app_py_at_the_top_is_the_same_app(shared_study, monkeypatch):
    monkeypatch.setenv("PLANNER_STUDY", str(shared_study))
    test = AppTest.from_file(str(ENTRY.parents[2] / "app.py"), default_timeout=60).run()
    assert not test.exception
    assert say("zh", "app.answer_covered") in words(test)


def test_today_is_shown_while_the_plan_is_solved_then_the_plan(shared_study, monkeypatch, small_result):
    import threading

    from planner import pipeline

    may, plan_on = threading.Event(), pipeline.plan_on
    monkeypatch.setattr(
        pipeline, "plan_on", lambda *a, **k: (k.get("solve", True) and may.wait(30), plan_on(*a, **k))[1]
    )
    monkeypatch.setattr(shared, "PATIENCE_S", 0)
    study = shared_study.parent / "slow"
    shutil.copytree(shared_study, study)
    test = app(study, monkeypatch).run()
    assert not test.exception and not test.error
    assert say("zh", "app.plan_coming") in words(test)
    indicators = test.dataframe[0].value
    assert list(indicators.columns[1:]) == [say("zh", "web.today")]
    assert indicators.iloc[1, 1] == percent(small_result.indicators[0]["effective_share"])
    may.set()
    shared.jobs()[shared.study_key(load_study(study))].future.result()
    test.run()
    assert not test.exception and say("zh", "app.plan_coming") not in words(test)
    assert list(test.dataframe[0].value.columns[1:]) == [tables.moment_name(m, "zh") for m in small_result.indicators]


def test_the_first_picture_is_made_before_the_search_begins_and_once(shared_study, monkeypatch):
    from planner import pipeline
    from planner.pages import mapfiles

    done, plan_on, assets = [], pipeline.plan_on, mapfiles.assets
    monkeypatch.setattr(
        pipeline,
        "plan_on",
        lambda *a, **k: done.append("plan" if k.get("solve", True) else "today") or plan_on(*a, **k),
    )
    monkeypatch.setattr(mapfiles, "assets", lambda *a: done.append("map") or assets(*a))
    monkeypatch.setattr(shared.time, "sleep", lambda seconds: done.append(seconds))
    monkeypatch.setattr(shared, "PATIENCE_S", 0)  # no study is small
    study = shared_study.parent / "first"
    shutil.copytree(shared_study, study)
    monkeypatch.setenv("PLANNER_STUDY", str(study))
    shared.begin()
    settings = load_study(study)
    assert shared.sought(settings).future.result().plan is not None
    assert done == ["today", "map", shared.DRAWING_S, "plan"]
    # Another budget on the same files: the picture is there.
    poorer = settings.model_copy(
        update={"plan": settings.plan.model_copy(update={"budget": (1.0,) * len(settings.plan.budget)})}
    )
    shared.sought(poorer).future.result()
    assert done[4:] == ["plan"]
