"""map.html in a real browser, without a network."""

import dataclasses
from pathlib import Path

import pytest

from planner.draw.web import write_map
from planner.words.wording import percent

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=alert(1)></script>{{7*7}}\"'&"


@pytest.fixture(scope="module")
def file(small_result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("map") / "map.html"
    write_map(small_result, path, "zh")
    return path


def ready(page, path: Path):
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-planner=ready]", timeout=20_000)
    return page


def test_it_opens_with_its_sites_and_figures(open_page, file, small_result):
    page = ready(open_page(), file)
    assert page.locator(".planner-site").count() == (small_result.sites["status"] != "candidate").sum()
    assert page.title() == "小布局规划图"
    last = small_result.indicators[max(small_result.indicators)]
    figures = page.locator(".planner-figures b").all_inner_texts()
    assert figures == [percent(last[key]) for key in ("share", "effective_share", "backup_share")]
    page.get_by_role("button", name="现状", exact=True).click()
    assert page.locator(".planner-figures b").first.inner_text() == percent(small_result.indicators[0]["share"])
    # Sites of later years are not there yet.
    assert page.locator(".planner-site").count() == (~small_result.sites["status"].isin(["candidate", "chosen"])).sum()


def test_something_is_drawn_in_each_colour(open_page, file):
    page = ready(open_page(), file)
    colours = """() => {
        const seen = new Set();
        for (const canvas of document.querySelectorAll("canvas")) {
            const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3] > 200) seen.add([0, 1, 2].map((k) => pixels[i + k] >> 4).join());
        }
        return seen.size;
    }"""
    assert page.evaluate(colours) > 3


def test_search_finds_a_site_and_opens_its_line_of_the_table(open_page, file):
    page = ready(open_page(), file)
    page.get_by_role("searchbox").fill("人民路")
    page.keyboard.press("Enter")
    popup = page.locator(".leaflet-popup-content")
    popup.wait_for()
    assert "人民路休息点" in popup.inner_text()
    assert "sites.xlsx#3" in popup.inner_text()


def test_a_popup_shows_when_a_site_is_open_and_when_people_work(open_page, file, small_result):
    page = ready(open_page(), file)
    ink = page.evaluate("planner.kit.plan.style.ink")
    open_days = {}
    for moment in ("现状", f"{small_result.years[-1]} 年末"):
        page.get_by_role("button", name=moment, exact=True).click()
        page.get_by_role("searchbox").fill("S1")
        page.keyboard.press("Enter")
        page.locator(".planner-week").wait_for()
        bars = page.locator(f".planner-week rect[fill='{ink}']").evaluate_all(
            "bars => bars.map((bar) => [bar.getAttribute('x') / 10, bar.getAttribute('width') / 10])"
        )
        open_days[moment] = bars
        page.keyboard.press("Escape")
    # Open from 9 to 17 on five days, and by the plan from 5 to 22 on seven.
    assert list(open_days.values()) == [[[9, 8]] * 5, [[5, 17]] * 7]


def test_online_base_maps_are_asked_for_only_when_somebody_switches_them_on(browser, small_result, tmp_path: Path):
    block = small_result.study.map.model_copy(update={"online": ("osm", "tianditu"), "tianditu_key": "abc123"})
    study = small_result.study.model_copy(update={"map": block})
    write_map(dataclasses.replace(small_result, study=study), tmp_path / "map.html", "zh")
    asked: list[str] = []

    def route(handler):
        if handler.request.url.startswith("file:"):
            handler.continue_()
        else:
            asked.append(handler.request.url)
            handler.abort()

    page = browser.new_context().new_page()
    page.route("**/*", route)
    ready(page, tmp_path / "map.html")
    page.wait_for_timeout(300)
    assert asked == []
    page.get_by_role("button", name="OpenStreetMap").click()
    page.wait_for_timeout(300)
    assert asked
    assert {url.split("/")[2] for url in asked} == {"tile.openstreetmap.org"}
    assert not page.get_by_label("街道", exact=True).is_checked()
    asked.clear()
    page.get_by_role("button", name="天地图").click()
    page.wait_for_timeout(300)
    assert all("tianditu.gov.cn" in url and url.endswith("tk=abc123") for url in asked)
    assert {url.split("LAYER=")[1][:3] for url in asked} == {"vec", "cva"}
    assert "天地图" in page.locator(".leaflet-control-attribution").inner_text()
    asked.clear()
    page.get_by_role("button", name="不用").click()
    page.wait_for_timeout(300)
    assert asked == []
    assert page.get_by_label("街道", exact=True).is_checked()
    page.context.close()


def test_a_site_opens_from_the_keyboard(open_page, file):
    page = ready(open_page(), file)
    page.locator(".planner-site").first.focus()
    page.keyboard.press("Enter")
    page.locator(".leaflet-popup-content h3").wait_for()


def test_the_map_at_an_hour(open_page, file):
    page = ready(open_page(), file)
    page.get_by_label("按时刻看图").check()
    assert "在岗，走得到开着门的站点" in page.locator(".planner-legend").inner_text()
    page.get_by_label("时刻", exact=True).fill("47")
    assert "周一 23:30：无人在岗" in page.locator(".planner-clock output").inner_text()


def test_layers_can_be_put_away(open_page, file):
    page = ready(open_page(), file)
    page.get_by_label("现状站点").uncheck()
    before = page.locator(".planner-site").count()
    page.get_by_label("现状站点").check()
    assert page.locator(".planner-site").count() > before


def test_what_is_switched_on_stands_in_the_legend(open_page, file):
    page = ready(open_page(), file)
    legend = page.locator(".planner-legend")
    for layer in ("服务范围", "其余候选点"):
        assert layer not in legend.inner_text()
        page.get_by_label(layer).check()
        assert layer in legend.inner_text()
        page.get_by_label(layer).uncheck()
        assert layer not in legend.inner_text()


def test_a_phone_shows_the_map_first_and_nothing_is_cut_off(open_page, file):
    page = ready(open_page(390, 844), file)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    at = page.locator(".folium-map").bounding_box()
    assert at["y"] == 0 and at["height"] >= 320
    assert page.locator(".planner-panel").bounding_box()["y"] >= at["height"]


def test_hostile_names_are_words(open_page, small_result, tmp_path: Path):
    sites = small_result.sites.assign(name=HOSTILE, host=HOSTILE)
    zones = small_result.zones.assign(name=HOSTILE)
    groups = {key: group.model_copy(update={"name": HOSTILE}) for key, group in small_result.study.groups.items()}
    updates = {"name": HOSTILE, "illustrative": HOSTILE, "scope": HOSTILE, "groups": groups}
    study = small_result.study.model_copy(update=updates)
    write_map(dataclasses.replace(small_result, sites=sites, zones=zones, study=study), tmp_path / "map.html", "en")
    page = ready(open_page(), tmp_path / "map.html")
    page.get_by_role("searchbox").fill("onerror")
    page.keyboard.press("Enter")
    assert page.locator(".leaflet-popup-content h3").inner_text() == HOSTILE
    assert page.locator("img[src=x]").count() == 0
