"""From an ugly list to the downloaded set, in a real browser without a network, in both languages."""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import browser_app
import pytest
import small_study as small
import ugly
from browser_app import settled, settled_table

from planner.intake import read_table
from planner.study import load_study
from planner.words import say
from planner.workspace import shelf

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studies")


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    with browser_app.running(None, {shelf.ROOT_VARIABLE: str(root)}) as address:
        yield address


def begin(page, address: str, lang: str, name: str) -> None:
    """Make a new study from the Start page."""
    page.goto(f"{address}/?lang={lang}")
    page.get_by_label(say(lang, "start.new_name")).fill(name)
    press(page, say(lang, "start.new_make"))
    page.get_by_text(say(lang, "start.step_files")).wait_for()


def press(page, name: str, **more) -> None:
    """Press a button, and wait for what comes of it."""
    settled(page)
    page.get_by_role("button", name=name, **more).click()
    settled(page)


# The same way in English takes as long again: `PLANNER_EVERY_LANGUAGE=1 pytest tests/browser/test_start.py -k ugly` goes both.
IN_ENGLISH = pytest.mark.skipif(not os.environ.get("PLANNER_EVERY_LANGUAGE"), reason="half a minute more")


@pytest.mark.parametrize("lang", ["zh", pytest.param("en", marks=IN_ENGLISH)])
def test_an_ugly_list_becomes_a_plan_and_a_set_of_deliverables(open_page, address, root, tmp_path, lang):
    page = open_page()
    page.set_default_timeout(60_000)
    begin(page, address, lang, f"片区 {lang}")
    page.locator("input[type=file]").set_input_files([str(path) for path in ugly.write(tmp_path / "desk").values()])
    mend(page, lang)
    # A reload loses nothing of it.
    page.reload()
    press(page, say(lang, "start.save_count", count=11))
    page.get_by_role("button", name=say(lang, "start.see_results")).wait_for()
    study = load_study(root / f"片区 {lang}")
    assert study.sites.file == f"驿站一览表-{say(lang, 'workspace.corrected')}.csv"
    press(page, say(lang, "start.see_results"))
    page.get_by_text(say(lang, "app.answer_where")).wait_for()
    # The study stays this session's on every page.
    follow(page, say(lang, "app.coverage"), say(lang, "app.by_zone"))
    follow(page, say(lang, "app.gaps"), say(lang, "app.gap_hint"))
    settled_table(page).click(position={"x": 20, "y": 55}, force=True)
    page.get_by_text(
        say(lang, "app.remedies_of", rank=1, zone="", group="|").partition("|")[0].strip(" ·,，")
    ).wait_for()
    forbidden = replan(page, lang)
    study = load_study(root / f"片区 {lang}")
    assert study.plan.forbidden == (forbidden,)
    page.get_by_role("link", name=say(lang, "app.documents")).click()
    page.get_by_role("button", name=say(lang, "app.make")).wait_for()
    page.reload()
    press(page, say(lang, "app.make"))
    button = page.get_by_role(
        "button", name=say(lang, "app.download_all", size="").partition("(")[0].partition("（")[0]
    )
    button.wait_for(timeout=180_000)
    with page.expect_download() as download:
        button.click()
    download.value.save_as(tmp_path / "set.zip")
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        summary = json.loads(archive.read("summary.json"))
        assert archive.testzip() is None and "plan.gpkg" in archive.namelist()
    assert summary["quality"]["rejected_rows"] == 2  # the row of totals, and the place that nobody knows
    assert summary["plan"]["actions"] and forbidden not in [action["site"] for action in summary["plan"]["actions"]]
    # What was downloaded is what the command makes of the study that was saved.
    command = [sys.executable, "-m", "planner", "run", str(study.folder), "--out", str(tmp_path / "out")]
    subprocess.run([*command, "--lang", lang], check=True, capture_output=True)
    made = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    for one in (made, summary):
        del one["plan"]["seconds"]
    assert made == summary


def mend(page, lang: str) -> None:
    """Set right what intake asks about the list."""
    sites = say(lang, "start.role_sites")
    page.get_by_text(say(lang, "start.uploaded", file="驿站一览表.csv", role=sites)).wait_for()
    # What to do next is said, and where.
    page.get_by_text(say(lang, "start.next_fix_cells", count=1)).wait_for()
    page.get_by_text(re.compile("GCJ-02.*99")).first.wait_for()
    assert page.get_by_role("img").count() >= 3
    cell = page.get_by_label(say(lang, "start.cell", row=ugly.STRANGE_HOURS, heading="开放时间", name="").strip(" ·"))
    settled(page)
    cell.fill("Mo-Su 08:00-18:00")
    cell.press("Enter")
    page.get_by_text(say(lang, "start.twice", count=1)).wait_for()
    press(page, say(lang, "start.suggest_take", count=1))
    page.get_by_text(say(lang, "start.rejects", count=1)).wait_for()
    settled(page)
    page.get_by_role("radiogroup").get_by_text(say(lang, "start.twice_out", row=ugly.TWICE)).click()
    page.get_by_text(say(lang, "start.twice", count=1)).wait_for(state="detached")


def follow(page, link: str, sign: str) -> None:
    """Go to another page, and wait for its map."""
    page.get_by_role("link", name=link).click()
    page.get_by_text(sign).first.wait_for()
    page.frame_locator("iframe").first.locator("html[data-planner=ready]").wait_for(state="attached")
    settled(page)


def replan(page, lang: str) -> str:
    """Forbid the first row of the programme, plan again and save it; return the place that is forbidden."""
    follow(page, say(lang, "plan.page"), say(lang, "plan.programme_hint"))
    settled_table(page, say(lang, "programme.mode")).click(position={"x": 20, "y": 55}, force=True)
    press(page, say(lang, "plan.make_forbidden"), exact=True)
    forbidden = page.locator("[data-testid=stMultiSelect]").filter(has_text=say(lang, "plan.forbidden"))
    place = re.search(r"\((K\d+)\)", forbidden.inner_text())[1]
    press(page, say(lang, "plan.run"))
    page.get_by_text(say(lang, "plan.not_yet")).wait_for(state="detached")
    page.get_by_role("button", name=say(lang, "plan.stop")).wait_for(state="detached")
    press(page, say(lang, "plan.save"))
    page.get_by_text(say(lang, "plan.saved", file="study.toml")).wait_for()
    return place


def test_two_sessions_have_studies_of_their_own(open_page, address, root):
    one, two = open_page(), open_page()
    begin(one, address, "zh", "甲的")
    begin(two, address, "zh", "乙的")
    for page, name in ((one, "甲的"), (two, "乙的")):
        page.get_by_text(f"「{name}」", exact=False).first.wait_for()
        page.reload()
        page.get_by_text(f"「{name}」", exact=False).first.wait_for()


def test_who_saves_second_is_told_and_loses_nothing(open_page, address, root, tmp_path):
    one, two = open_page(), open_page()
    begin(one, address, "zh", "同一个")
    two.goto(f"{address}/?lang=zh&study=同一个")
    for page, role in ((one, "candidates"), (two, "options")):
        press(page, say("zh", "start.leave_out", role=say("zh", f"start.role_{role}")))
        page.get_by_text(say("zh", "start.pending", count=1)).wait_for()
    for page in (one, two):
        press(page, say("zh", "start.save"), exact=True)
    two.get_by_text("这个项目又被改过").wait_for()
    assert load_study(root / "同一个").options is not None
    press(two, say("zh", "start.latest"))
    two.get_by_text("已载入最新内容").wait_for()
    press(two, say("zh", "start.save"), exact=True)
    two.get_by_text(say("zh", "start.pending_none")).wait_for()
    study = load_study(root / "同一个")
    assert study.options is None and study.candidates is None
    # And it can be undone.
    press(two, "撤销上次保存")
    two.get_by_text("已回到").wait_for()
    assert load_study(root / "同一个").options is not None


def test_a_phone_has_nothing_cut_off(open_page, address):
    page = open_page(390, 844)
    begin(page, address, "zh", "手机")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_every_widget_has_a_name(open_page, address):
    page = open_page()
    begin(page, address, "zh", "名字")
    assert browser_app.unnamed(page.main_frame) == []


@pytest.mark.slow
def test_what_was_typed_outlives_a_server_that_is_killed(open_page, tmp_path):
    study = small.write(tmp_path / "studies" / "小研究")
    small.edit_cell(study / "sites.xlsx", "F4", "看心情")
    settings = {shelf.ROOT_VARIABLE: str(study.parent)}
    page, cell = open_page(), say("zh", "start.cell", row=4, heading="开放时间", name="").strip(" ·")
    with browser_app.running(None, settings, kill=True) as address:
        page.goto(f"{address}/start?lang=zh&study=小研究")
        settled(page)
        page.get_by_label(cell).fill("Mo-Su 08:00-20:00")
    port = int(address.rpartition(":")[2])
    # On the page that stayed open, the text is taken by the server that was started again.
    with browser_app.running(None, settings, port=port, kill=True):
        page.get_by_label(cell).and_(page.locator(":enabled")).press("Enter", timeout=60_000)
        page.get_by_text(say("zh", "start.pending", count=1)).wait_for()
        kept = page.url
    with browser_app.running(None, settings, port=port):
        page.goto(kept)
        page.get_by_text(say("zh", "start.pending", count=1)).wait_for()
        press(page, say("zh", "start.save"), exact=True)
        page.get_by_text(say("zh", "start.pending_none")).wait_for()
    assert "Mo-Su 08:00-20:00" in read_table(study / load_study(study).sites.file).rows["opening_hours"].tolist()
