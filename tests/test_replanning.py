"""Planning anew after reality differs: against every plan that keeps what is settled and changes no more than asked."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import small_study as small
from test_plans import World, done, mean, study_with, world

from planner import plans
from planner.errors import InputError
from planner.pipeline import Result, run
from planner.replanning import churn
from planner.report.figures import changes_told
from planner.report.progress import write_progress
from planner.report.story import Text, story
from planner.report.workbook import write_workbook
from planner.siting.watch import Watch
from planner.study import load_study
from planner.summary import summary, summary_json

HEAD = ["站点编号", "建设内容", "建设方式", "建设年度", "进展", "实际费用(万元)"]
OPEN = ["C2", "新建", "共享", 2027, "已开放", 0.5]
PLANNED = [["C1", "新建", "联建", 2028, "计划", None], ["S1", "错时延时", "整合", 2027, "计划", None]]


def study(
    tmp_path: Path, rows: list[list[Any]], rules: str = "", *, budget: str = "[1.5, 3.2]", more: bool = False
) -> Path:
    folder = study_with(tmp_path, f'progress = "progress.xlsx"\n{rules}', budget=budget, more=more)
    book = openpyxl.Workbook()
    for row in [["进展表(测试)"], HEAD, *rows]:
        book.active.append(row)
    book.save(folder / "progress.xlsx")
    return folder


def plain_world(tmp_path: Path, rules: str = "", *, budget: str = "[1.5, 3.2]", more: bool = False) -> World:
    return world(study_with(tmp_path / "world", rules, budget=budget, more=more))


def number(w: World, site: str, action: str, mode: str) -> int:
    rows = w.actions
    return int(rows.index[(rows["site"] == site) & (rows["action"] == action) & (rows["mode"] == mode)][0])


def with_price(w: World, action: int, cost: float) -> World:
    actions = w.actions.copy()
    actions.loc[action, "capital_cost"] = cost
    return replace(w, actions=actions)


def test_what_is_open_stays_costs_what_it_did_and_the_rest_is_the_best_there_is(tmp_path: Path) -> None:
    result = run(load_study(study(tmp_path, [OPEN, *PLANNED])))
    w = plain_world(tmp_path)
    shop = number(w, "C2", "build", "shared")
    w = with_price(w, shop, 0.5)
    allowed = [y for y in w.plans() if y[shop] == 1]
    assert done(result)[shop] == 1
    assert result.actions.set_index("site").loc["C2", "cost"] == pytest.approx(0.5)
    assert result.plan.objective == pytest.approx(max(mean(w, y) for y in allowed), abs=1e-7)
    assert result.programme.set_index("site").loc["C2", ["progress", "change"]].tolist() == ["open", "done"]


def test_nothing_is_planned_in_years_that_are_past_and_what_they_overspent_is_missing_later(tmp_path: Path) -> None:
    dear = [*OPEN[:5], 1.9]
    result = run(load_study(study(tmp_path, [dear, *PLANNED], "replan_from = 2028")))
    w = plain_world(tmp_path)
    shop = number(w, "C2", "build", "shared")
    w = with_price(w, shop, 1.9)
    # What is past is past: the first year's budget of 1.5 is overspent, both years' 4.7 are not.
    roomy = replace(w, budget=(2.0, 2.7))
    allowed = [y for y in roomy.plans() if y[shop] == 1 and all(t != 1 for j, t in enumerate(y) if j != shop)]
    assert len(allowed) > 3
    assert done(result) in allowed
    assert result.plan.objective == pytest.approx(max(mean(w, y) for y in allowed), abs=1e-7)
    assert result.cost_by_year[2027] == pytest.approx(2.0)


def test_without_carrying_over_the_past_leaves_the_later_budgets_alone(tmp_path: Path) -> None:
    dear = [*OPEN[:5], 1.9]
    result = run(load_study(study(tmp_path, [dear], "replan_from = 2028\ncarry_over = false", budget="[1.5, 0.7]")))
    assert sum(result.cost_by_year.values()) <= 2.0 + 0.7 + 1e-9
    assert result.cost_by_year[2028] <= 0.7 + 1e-9


def changes_by_hand(y: tuple[int, ...], planned: dict[int, int], settled: set[int], place: list[int]) -> int:
    """Planned rows not done in their year, and actions at places that had none."""
    known = {place[j] for j in (*planned, *settled)}
    return sum(y[j] != t for j, t in planned.items()) + sum(bool(t) and place[j] not in known for j, t in enumerate(y))


@pytest.mark.parametrize("most", [0, 1, 2, 9])
def test_no_plan_with_as_few_changes_is_better(tmp_path: Path, most: int) -> None:
    rows = [OPEN, *PLANNED, ["S2", "错时延时", "整合", 2028, "计划", None]]
    budget = "[2.5, 3.6]"
    result = run(load_study(study(tmp_path, rows, f"max_changes = {most}", budget=budget, more=True)))
    w = plain_world(tmp_path, budget=budget, more=True)
    shop, toilet = number(w, "C2", "build", "shared"), number(w, "C1", "build", "joint_build")
    planned = {
        toilet: 2,
        number(w, "S1", "extend_hours", "consolidate"): 1,
        number(w, "S2", "extend_hours", "consolidate"): 2,
    }
    w, place = with_price(w, shop, 0.5), w.actions["place"].tolist()
    every = [y for y in w.plans() if w.merged(y) and y[shop] == 1]
    allowed = [y for y in every if changes_by_hand(y, planned, {shop}, place) <= most]
    assert result.plan.objective == pytest.approx(max(mean(w, y) for y in allowed), abs=1e-7)
    assert changes_by_hand(done(result), planned, {shop}, place) == churn(result.changes) <= most
    told = summary(result)["plan"]["churn"]
    assert told["changes"] == churn(result.changes) and told["most"] == most
    free = max(mean(w, y) for y in every)
    assert told["loss"] == pytest.approx(free - result.plan.objective, abs=1e-7)


def test_a_planned_row_whose_year_is_past_may_come_in_any_year_left(tmp_path: Path) -> None:
    rows = [OPEN, ["S1", "错时延时", "整合", 2027, "计划", None]]
    result = run(load_study(study(tmp_path, rows, "replan_from = 2028\nmax_changes = 0")))
    now = result.changes.set_index("site")
    assert now.loc["S1", ["year", "year_now", "change"]].tolist() == [2027, 2028, "kept"]


def test_a_site_that_closed_stands_no_more_and_its_money_is_gone(tmp_path: Path) -> None:
    rows = [["S2", "", "", "", "已关闭", None], ["C1", "新建", "联建", 2027, "取消", 1.2]]
    result = run(load_study(study(tmp_path, rows)))
    assert result.sites_today.set_index("id").loc["S2", "status"] == "closed"
    assert not {"S2", "C1"} & set(result.actions["site"])
    assert result.cost_by_year[2027] >= 1.2
    assert sum(result.cost_by_year.values()) <= 4.7 + 1e-9
    w = plain_world(tmp_path)
    gone = {j for j, site in enumerate(w.actions["site"]) if site in ("C1", "S2")}
    poorer = replace(w, budget=(0.3, 3.2))
    allowed = [y for y in poorer.plans() if not any(y[j] for j in gone)]
    best = max(allowed, key=lambda y: _without(result, w, y))
    assert result.plan.objective == pytest.approx(_without(result, w, best), abs=1e-7)


def _without(result: Result, w: World, y: tuple[int, ...]) -> float:
    """The objective of a plan where S2 is closed: measured on the result's own sites."""
    from planner.actions import sites_after
    from planner.coverage import indicators
    from planner.pipeline import cover

    shares = []
    for t in (1, 2):
        taken = w.actions.iloc[[j for j, year in enumerate(y) if 0 < year <= t]]
        state = cover(
            result.study, sites_after(result.sites_today, taken), result.demand, result.walks, result.profiles
        )
        shares.append(indicators(result.demand, state, result.profiles)["effective_share"])
    return sum(shares) / 2


def test_no_plan_changes_nothing_of_the_last_programme(tmp_path: Path) -> None:
    result = run(load_study(study(tmp_path, [[*OPEN[:5], 2.4], *PLANNED])))
    assert not result.plan.found and result.changes.empty and changes_told(result, "zh") == ""
    write_workbook(result, tmp_path / "programme.xlsx", "zh")
    sheet = openpyxl.load_workbook(tmp_path / "programme.xlsx")["与上次计划相比"]
    assert any("预算" in str(row[0].value) for row in sheet.iter_rows(min_row=4))


def test_too_much_spent_to_keep_the_programme_says_why(tmp_path: Path) -> None:
    rows = [[*OPEN[:5], 2.4], *PLANNED]
    result = run(load_study(study(tmp_path, rows, "replan_from = 2028\nmax_changes = 0", budget="[1.5, 2.2]")))
    text = "\n".join(result.plan_reasons("zh"))
    assert result.plan.status == "infeasible"
    assert "相对上次计划至多改动 0 处" in text and "预算" in text


def test_what_is_open_is_no_rule_that_could_give_way(tmp_path: Path) -> None:
    result = run(load_study(study(tmp_path, [[*OPEN[:5], 2.4]])))
    assert result.plan.status == "infeasible"
    eased = result.plan_reasons("zh")[-1]
    assert "到 2027 年的预算增加 1.00 万元" in eased and "去掉" not in eased


def test_a_required_site_that_closed_is_named_as_closed(tmp_path: Path) -> None:
    result = run(load_study(study(tmp_path, [["C2", "", "", "", "已关闭", None]], 'required = ["C2"]')))
    assert "（C2） 在进展表中已关闭" in result.plan_reasons("zh")[0]


@pytest.mark.parametrize("carried", ["true", "false"])
def test_more_lost_on_a_closed_site_than_there_was_leaves_nothing_to_plan(tmp_path: Path, carried: str) -> None:
    lost = ["C2", "", "", 2027, "已关闭", 9]
    rules = f'carry_over = {carried}\n[[plan.limits]]\ncounts = "actions"\nat_most = 3'
    result = run(load_study(study(tmp_path, [lost], rules, budget="[1.5, 1.4]")))
    assert result.plan.found and result.plan.reasons == ()
    assert (result.actions["year"] == 2028).all() and result.cost_by_year[2027] == 9


@pytest.mark.parametrize("how", ["limit", "ctrl-c", "ctrl-c in a kernel"])
def test_a_comparison_that_is_broken_off_leaves_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    once: list[Watch] = []

    def first_only(*args: Any, watch: Watch, **limits: Any) -> plans.Made:
        once.append(watch)
        if len(once) == 1:
            return best(*args, watch=watch, **limits)
        if how == "ctrl-c":
            raise KeyboardInterrupt
        if how != "limit":
            raise SystemError from KeyboardInterrupt()  # what numba makes of it
        return best(*args, watch=Watch(0.0), **limits)

    best = plans.best
    monkeypatch.setattr(plans, "best", first_only)
    rules = "max_changes = 1\ntime_limit_s = 600"
    result = run(load_study(study(tmp_path, PLANNED, rules)))
    assert result.plan.found and churn(result.changes) <= 1
    assert len(once) == 2 and once[1].limit_s is not None and once[1].limit_s <= 600
    told = summary(result)["plan"]["churn"]
    assert how == "limit" or told["loss"] is None
    assert told["loss"] is None or told["loss"] >= 0


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["C9", "新建", "联建", 2027, "计划", None], ("第 3 行", "站点编号", "C9")),
        (["C1", "新建", "联建", 2031, "计划", None], ("第 3 行", "建设年度", "2031")),
        (["C1", "新建", "联建", "", "在建", None], ("第 3 行", "建设年度")),
        (["C1", "新建", "联建", 2027, "快了", None], ("第 3 行", "进展", "快了", "在建")),
        (["C1", "新建", "联建", 2027, "", None], ("第 3 行", "进展", "空")),
        (["C1", "新建", "共建", 2027, "计划", None], ("第 3 行", "C1/build/co_host", "C1/build/joint_build")),
        (["C1", "新建", "", 2027, "计划", None], ("第 3 行", "几种", "C1/build/joint_build")),
        (["C1", "新建", "联建", 2027, "已开放", "很多"], ("第 3 行", "实际费用", "很多")),
        (["C1", "新建", "联建", 2027, "已开放", -1], ("第 3 行", "实际费用", "-1")),
        (["S1", "", "", "", "已关闭", 1.0], ("第 3 行", "建设年度", "是空的")),
        (["", "新建", "联建", 2027, "计划", None], ("第 3 行", "站点编号", "是空的")),
        (["=C2", "新建", "共享", 2027, "计划", None], ("第 3 行", "站点编号", "公式")),
        (["C2", "新建", "共享", 2027, "=1", None], ("第 3 行", "进展", "公式")),
        (["C2", "新建", "共享", "=2027", "计划", None], ("第 3 行", "建设年度", "公式")),
        (["S1", "", "", "=2027", "已关闭", None], ("第 3 行", "建设年度", "公式")),
        (["C2", "新建", "共享", 2027, "已开放", "=0.2+0.3"], ("第 3 行", "实际费用", "公式")),
        (["C2", "新建", "=共享", 2027, "计划", None], ("第 3 行", "建设方式", "公式")),
        (["C2", "新健", "共享", 2027, "计划", None], ("第 3 行", "建设内容", "新健", "错时延时")),
        (["C2", "新建", "共亨", 2027, "计划", None], ("第 3 行", "建设方式", "共亨", "共享")),
        (["C2", "新建", "自建", 2027, "计划", None], ("第 3 行", "建设内容/建设方式", "C2/build/shared")),
        (["C1", "新建", "联建", 0, "计划", None], ("第 3 行", "建设年度", "「0」")),
        (["C1", "新建", "联建", "明年", "计划", None], ("第 3 行", "建设年度", "明年")),
        (["C1", "新建", "联建", 2027.5, "计划", None], ("第 3 行", "建设年度", "2027.5")),
        (["C1", "新建", "联建", 2027, "已开放", 1e20], ("第 3 行", "实际费用", "大得不合情理")),
        (["C1", "新建", "联建", 2027, "已开放", "inf"], ("第 3 行", "实际费用", "inf")),
    ],
)
def test_a_row_that_cannot_be_understood_is_named(tmp_path: Path, row: list[Any], said: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as error:
        run(load_study(study(tmp_path, [row])))
    text = error.value.text("zh")
    assert "progress.xlsx" in text
    assert [word for word in said if word not in text] == []


@pytest.mark.parametrize("most", [0, 1, 9])
def test_what_is_planned_where_it_is_forbidden_now_is_dropped_and_counts_as_a_change(tmp_path: Path, most: int) -> None:
    planned = [*OPEN[:4], "计划", 0.9]
    rules = f'forbidden = ["C2"]\nmax_changes = {most}'
    result = run(load_study(study(tmp_path, [planned, *PLANNED], rules, budget="[5.0, 5.0]")))
    if most == 0:
        assert not result.plan.found and "相对上次计划至多改动 0 处" in "".join(result.plan_reasons("zh"))
        return
    now = result.changes.set_index("site")
    assert now.loc["C2", ["action_id", "change"]].tolist() == ["C2/build/shared", "dropped"]
    assert "C2" not in set(result.actions["site"]) and not result.funds["sunk"].any()
    assert churn(result.changes) == 1 or most == 9


def test_what_is_open_where_it_is_forbidden_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        run(load_study(study(tmp_path, [OPEN], 'forbidden = ["C2"]')))
    assert "progress.xlsx 第 3 行" in error.value.text("zh") and "forbidden" in error.value.text("zh")


@pytest.mark.parametrize("again", [OPEN, ["C2", "", "", 2028, "已关闭", None]])
def test_a_site_twice_is_named_with_both_rows(tmp_path: Path, again: list[Any]) -> None:
    with pytest.raises(InputError) as error:
        run(load_study(study(tmp_path, [OPEN, PLANNED[0], again])))
    text = error.value.text("zh")
    assert "第 5 行" in text and "第 3 行" in text and "站点编号" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["错时延时", "共享"], "错时延时"),
        (["新建", "自建"], "自建"),
        (["", "自建"], "自建"),
        (["", ""], ""),
        (["新建", "共享"], ""),
    ],
)
def test_an_action_id_that_the_rest_of_its_row_contradicts_is_named(
    tmp_path: Path, words: list[str], said: str
) -> None:
    folder = study(tmp_path, [])
    small.book(folder / "progress.xlsx", [["行动编号", *HEAD], ["C2/build/shared", "C2", *words, *OPEN[3:]]])
    if not said:
        assert run(load_study(folder)).actions.set_index("site").loc["C2", "cost"] == 0.5
        return
    with pytest.raises(InputError) as error:
        run(load_study(folder))
    text = error.value.text("zh")
    assert "第 2 行「行动编号」" in text and f"「{said}」" in text and "C2/build/shared" in text


@pytest.mark.parametrize("rows", [None, [HEAD], [HEAD, [""] * 6], [["站点编号", "建设年度"], ["C2", 2027]]])
def test_a_table_that_says_nothing_is_told_as_such(tmp_path: Path, rows: list[list[Any]] | None) -> None:
    folder = study(tmp_path, [])
    small.book(folder / "progress.xlsx", rows or [])
    with pytest.raises(InputError) as error:
        run(load_study(folder))
    assert "progress.xlsx" in error.value.text("zh")
    assert ("表头" if rows is None or rows[0] == HEAD else "进展") in error.value.text("zh")


@pytest.mark.parametrize("encoding", ["gbk", "utf-8-sig", "utf-16"])
def test_a_progress_table_as_csv_is_read_whatever_its_encoding(tmp_path: Path, encoding: str) -> None:
    folder = study(tmp_path, [])
    rows = [HEAD, ["C2", "新建", "共享", "2027年", "已投用", "5000元"], ["S2", "无", "—", "", "停用", ""]]
    text = "\n".join(",".join(map(str, row)) for row in rows)
    (folder / "progress.csv").write_bytes(text.encode(encoding))
    file = folder / "study.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("progress.xlsx", "progress.csv"), encoding="utf-8")
    result = run(load_study(folder))
    assert result.actions.set_index("site").loc["C2", ["year", "cost"]].tolist() == [2027, 0.5]
    assert result.changes["progress"].tolist()[:2] == ["open", "closed"] and not len(result.rejects)


@pytest.mark.parametrize("rule", ["replan_from = 2031", "max_changes = -1"])
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, rule: str) -> None:
    with pytest.raises(InputError):
        load_study(study(tmp_path, [OPEN], rule))


def test_limits_on_churn_need_a_progress_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="progress"):
        load_study(study_with(tmp_path, "max_changes = 3"))


@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_template_of_a_programme_gives_the_same_programme_again(tmp_path: Path, suffix: str, lang: str) -> None:
    folder = study_with(tmp_path, "", more=False)
    before = run(load_study(folder))
    file = f"progress.{suffix}"
    write_progress(summary(before), folder / file, lang=lang, name="summary.json")
    text = (folder / "study.toml").read_text(encoding="utf-8")
    text = text.replace("budget = [1.5, 3.2]", f'budget = [1.5, 3.2]\nprogress = "{file}"\nmax_changes = 0')
    (folder / "study.toml").write_text(text, encoding="utf-8")
    after = run(load_study(folder))
    assert after.actions[["id", "year"]].equals(before.actions[["id", "year"]])
    assert set(after.changes["change"]) == {"kept"} and len(after.rejects) == 0
    with pytest.raises(InputError):
        write_progress(summary(before), folder / file, lang=lang, name="summary.json")


@pytest.mark.parametrize("whole", [True, False])
def test_a_programme_planned_anew_can_be_planned_anew(tmp_path: Path, whole: bool) -> None:
    """What was spent on what is open or closed, and an estimate beside a plan, go on from table to table."""
    dearer = [*PLANNED[1][:5], 0.8]
    rows = [OPEN, dearer, ["C1", "", "", 2027, "已关闭", 0.4], ["S2", "", "", "", "已关闭", None]]
    folder = study(tmp_path, rows, budget="[3.0, 3.2]")
    before = run(load_study(folder))
    told = json.loads(summary_json(before)) if whole else summary(before)
    for _ in range(2):
        (folder / "progress.xlsx").unlink()
        write_progress(told, folder / "progress.xlsx", lang="zh", name="summary.json")
        after = run(load_study(folder))
        assert after.actions[["id", "year", "cost"]].equals(before.actions[["id", "year", "cost"]])
        assert after.sites_today.set_index("id").loc["S2", "status"] == "closed"
        assert after.cost_by_year == pytest.approx(before.cost_by_year)
        assert after.funds["sunk"].tolist() == [0.4, 0.0]
        told = summary(after)
    assert after.actions.set_index("site").loc[["C2", "S1"], "cost"].tolist() == [0.5, 0.8]


def test_the_workbook_and_the_report_tell_what_changed(tmp_path: Path) -> None:
    rows = [OPEN, *PLANNED, ["S2", "", "", "", "已关闭", None]]
    result = run(load_study(study(tmp_path, rows, "max_changes = 1")))
    write_workbook(result, tmp_path / "programme.xlsx", "zh")
    book = openpyxl.load_workbook(tmp_path / "programme.xlsx")
    rows = {row[0].value: [cell.value for cell in row] for row in book["与上次计划相比"].iter_rows(min_row=4)}
    assert rows["C2"][2:8] == ["新建 · 共享", 2027, "已开放", "新建 · 共享", 2027, "已定"]
    assert rows["S2"][4] == "已关闭" and rows["S2"][5] is None
    assert rows["C1"][7] in ("不变", "改年度", "取消", "改做法")
    told = changes_told(result, "zh")
    assert told.startswith("与上次计划相比（2027 年起重新安排）：已定 1 项、")
    assert f"共改动 {churn(result.changes)} 处" in told and "至多允许改动 1 处" in told
    assert told in [row[0].value for row in book["与上次计划相比"].iter_rows(min_row=4)]
    assert told in [block.text for block in story(result, "zh") if isinstance(block, Text)]
    assert changes_told(result, "en") in [block.text for block in story(result, "en") if isinstance(block, Text)]
    notes = [str(cell.value) for row in book["建设计划表"].iter_rows(min_row=5) for cell in row]
    assert any(note.startswith("已开放、已定") for note in notes)
