"""The app in a real browser, without a network: the whole way from the start to a figure."""

import socket
import zipfile
from collections.abc import Iterator

import pytest
import small_study as small
from browser_app import running, settled, settled_table, unnamed

from planner.draw import style
from planner.words.wording import percent

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app on the small study, started as a user does."""
    with running(small.write(tmp_path_factory.mktemp("app"))) as here:
        yield here


def opened(page, address: str):
    page.goto(address)
    ready(page)
    return page


def ready(page) -> None:
    # Today may come first; the plan's map takes its place.
    page.get_by_text("下一步做什么？").or_(page.get_by_text("What next?")).or_(page.locator("iframe")).first.wait_for(
        timeout=60_000
    )
    page.locator("[data-testid=stProgress]").first.wait_for(state="detached", timeout=60_000)
    # The map of today stands until the whole page has been shown anew.
    settled(page)
    page.frame_locator("iframe").first.locator("html[data-planner=ready]").wait_for(state="attached", timeout=60_000)


def test_the_plan_opens_with_map_figures_and_programme(open_page, address, small_result):
    page = opened(open_page(), address)
    page.get_by_text("哪里没覆盖？").wait_for()
    body = page.locator("body")
    today = small_result.indicators[0]
    assert percent(today["effective_share"]) in body.inner_text()
    frame = page.frame_locator("iframe").first
    shown = (small_result.sites["status"] != "candidate").sum()
    assert frame.locator(".planner-site").count() == shown
    # Today's map has no planned site, and the map is the same one: it is not drawn anew.
    frame.locator("html").evaluate("document.kept = true")
    page.get_by_role("radio", name="现状").click()
    existing = (~small_result.sites["status"].isin(["candidate", "chosen"])).sum()
    frame.locator(".planner-site").nth(existing).wait_for(state="detached")
    assert frame.locator(".planner-site").count() == existing
    assert frame.locator("html").evaluate("document.kept") is True


def test_it_speaks_english_at_a_switch(open_page, address):
    page = opened(open_page(), address)
    page.get_by_role("radio", name="English").click()
    page.get_by_text("What next?").wait_for()
    page.frame_locator("iframe").last.get_by_placeholder("Find a site or a zone").wait_for()


def test_pages_lead_to_each_other(open_page, address):
    page = opened(open_page(), address)
    page.get_by_role("link", name="盲区").click()
    page.get_by_text("点选一行，地图就移到该盲区。").wait_for()
    ready(page)
    page.get_by_role("link", name="覆盖").click()
    page.get_by_text("分区指标").wait_for()
    ready(page)


def test_the_first_page_is_found_at_its_own_address_too(open_page, address):
    page = opened(open_page(), f"{address}/overview?lang=en")
    page.get_by_text("What next?").wait_for()
    assert not page.get_by_text("Page not found").count()


def map_of(page):
    """The frame of the page's map, once it is there for this page."""
    frame = page.frame_locator("iframe").first
    frame.locator("html[data-planner=ready]").wait_for(state="attached", timeout=60_000)
    return frame


def go(page, link: str, sign: str):
    """Follow a link of the head; return the map that is then shown."""
    page.get_by_role("link", name=link).click()
    page.get_by_text(sign).first.wait_for()
    frame = map_of(page)
    until(frame, "window.plannerMap")
    return frame


def until(frame, condition: str) -> None:
    """Wait until something is true of a map."""
    frame.locator("html").evaluate(
        "(_, condition) => new Promise((done) => { const look = () => eval(condition) ? done() : setTimeout(look, 20); look(); })",
        condition,
    )


def test_a_step_of_the_clock_changes_figure_and_map_without_asking_the_server(open_page, address, small_result):
    from planner.coverage import at_work

    page = opened(open_page(), address)
    frame = go(page, "覆盖", "分区指标")
    frame.get_by_role("checkbox", name="按时刻看图").check()
    frame.get_by_role("slider").focus()
    frame.get_by_role("slider").fill("19")
    page.keyboard.press("ArrowRight")
    until(frame, "planner.state.hour === 20")
    last = small_result.years[-1]
    both = at_work(small_result.demand, small_result.coverage[last], small_result.profiles)
    work, covered = (sum(pair[k][20] for pair in both.values()) for k in (0, 1))
    said = frame.locator(".planner-clock output").inner_text()
    assert "周一 10:00" in said and f"{work:,.0f} 人" in said and f"{covered / work:.1%}" in said


def test_a_click_in_a_zone_chooses_it_and_a_bar_leads_to_its_zone(open_page, address):
    page = opened(open_page(), address)
    frame = go(page, "覆盖", "分区指标")
    centre = frame.locator("html").evaluate("() => { const c = plannerMap.getCenter(); return [c.lat, c.lng]; }")
    x, y = frame.locator("html").evaluate(
        "(_, [lat, lng]) => { const p = plannerMap.latLngToContainerPoint([lat, lng]); return [p.x, p.y]; }",
        list(small.lonlat("A", 40, -60))[::-1],
    )
    frame.locator("#map").click(position={"x": x, "y": y})
    until(frame, f"Math.abs(plannerMap.getCenter().lng - {centre[1]}) > 0.0005")
    settled(page)
    there = frame.locator("html").evaluate("() => plannerMap.getCenter().lng")
    bars = page.locator("[data-testid=stVegaLiteChart] .mark-rect path")
    fills = bars.evaluate_all("(bars) => bars.map((bar) => bar.getAttribute('fill'))")
    assert style.GAP in fills
    bars.nth(next(k for k, fill in enumerate(fills) if fill != style.GAP)).click(force=True)
    until(frame, f"Math.abs(plannerMap.getCenter().lng - {there}) > 0.0005")


def test_circles_and_streets_are_compared(open_page, address):
    page = opened(open_page(), address)
    frame = go(page, "覆盖", "分区指标")
    page.get_by_role("combobox", name="看什么").click()
    page.get_by_role("option", name="直线圆圈与沿街步行对照").click()
    page.get_by_text("画圆圈会说覆盖").wait_for()
    until(frame, "planner.state.view && document.body.innerText.length > 0")
    frame.get_by_text("图例").click()
    frame.get_by_text("在圆圈内，沿街却走不到").wait_for()


def test_a_station_is_added_dragged_undone_saved_and_compared(open_page, address):
    page = opened(open_page(), address)
    frame = go(page, "设想", "添加什么")
    frame.locator("html").evaluate("document.kept = true")
    page.locator("label").filter(has_text="添加站点").click()
    page.get_by_text("请在地图上点选新站点的位置。").wait_for()
    until(frame, "plannerMap.getContainer().style.cursor === 'crosshair'")
    at = frame.locator("html").evaluate(
        "(_, [lat, lng]) => { const p = plannerMap.latLngToContainerPoint([lat, lng]); return [p.x, p.y]; }",
        list(small.lonlat("C", 60))[::-1],
    )
    frame.locator("#map").click(position={"x": at[0], "y": at[1]})
    page.get_by_text("谁得谁失").wait_for()
    new = frame.locator(".planner-edited")
    new.wait_for()
    # Neither the map nor its view is made anew.
    view = "() => [document.kept, plannerMap.getZoom(), plannerMap.getCenter().lat]"
    before = frame.locator("html").evaluate(view)
    box = new.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 40, steps=5)
    page.mouse.up()
    page.get_by_text("步骤（2）").wait_for()
    assert frame.locator("html").evaluate(view) == before and before[0] is True
    page.get_by_role("button", name="撤销").click()
    page.get_by_text("步骤（1）").wait_for()
    page.get_by_role("button", name="重做").click()
    page.get_by_text("步骤（2）").wait_for()
    page.get_by_label("方案名称").fill("夜班方案")
    page.get_by_role("button", name="保存方案").click()
    page.get_by_text("已保存「夜班方案」。").wait_for()
    # A tab that is closed and opened again has lost nothing.
    kept = page.url.partition("?")[2]
    page.goto(f"{address}/?{kept}")
    go(page, "设想", "步骤（2）")
    page.get_by_role("radio", name="比较").click()
    page.get_by_text("两图同步移动和缩放。").wait_for()
    settled(page)
    frames = [page.frame_locator("iframe").nth(k) for k in (0, 1)]
    # The right one first: as long as it isn't there, the left one may still be the map that was tried on.
    for one in reversed(frames):
        one.locator("html[data-planner=ready]").wait_for(state="attached", timeout=60_000)
        until(one, "window.plannerMap")
    frames[0].locator("html").evaluate("() => plannerMap.setZoom(16, { animate: false })")
    until(frames[1], "plannerMap.getZoom() === 16")


def test_a_gap_leads_to_its_remedies_and_a_remedy_to_the_what_if(open_page, address):
    page = opened(open_page(), address)
    go(page, "盲区", "点选一行")
    settled_table(page).click(position={"x": 20, "y": 55}, force=True)
    page.get_by_role("button", name="试试").first.click()
    page.get_by_text("添加什么").wait_for()
    page.get_by_text("步骤（").wait_for()
    frame = map_of(page)
    frame.locator(".planner-edited").wait_for()
    # The panel says what the place offers now; a popup would say what it was.
    frame.locator(".leaflet-popup").wait_for(state="detached")


def test_on_a_phone_nothing_is_cut_off_and_everything_has_a_name(open_page, address):
    page = opened(open_page(390, 844), address)
    for place in ("", "coverage", "gaps", "whatif", "plan", "documents", "start"):
        if place:
            page.goto(f"{address}/{place}?lang=zh")
        page.locator("[data-testid=stMainBlockContainer] h4").first.wait_for()
        if place not in ("documents", "start"):
            ready(page)
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, place
        for frame in page.frames:
            assert unnamed(frame) == [], place


def test_a_click_on_the_map_opens_the_sites_line(open_page, address):
    page = opened(open_page(), address)
    frame = page.frame_locator("iframe").first
    frame.locator(".planner-site").first.press("Enter")
    frame.locator(".leaflet-popup-content").get_by_text("sites.xlsx#").wait_for()


def test_the_documents_are_made_and_downloaded(open_page, address, tmp_path):
    page = opened(open_page(), address)
    page.get_by_role("link", name="成果").click()
    page.get_by_role("button", name="生成全部成果").click()
    button = page.get_by_role("button", name="下载全部")
    button.wait_for(timeout=120_000)
    with page.expect_download() as download:
        button.click()
    download.value.save_as(tmp_path / "set.zip")
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        assert "summary.json" in archive.namelist() and archive.testzip() is None
    page.get_by_role("img").first.wait_for()


def test_only_this_computer_can_reach_it(address):
    # Whoever listens on every address answers at every loopback address too.
    port = int(address.rpartition(":")[2])
    with socket.socket() as other:
        other.settimeout(2)
        assert other.connect_ex(("127.0.0.2", port)) != 0
