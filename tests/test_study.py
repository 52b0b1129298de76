from pathlib import Path

import pytest
import small_study as small

from planner.errors import InputError
from planner.study import Standard, load_study
from planner.words import LANGS


def broken(folder: Path, old: str, new: str) -> InputError:
    file = folder / "study.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_study(folder)
    for lang in LANGS:
        assert "study.toml" in caught.value.text(lang)
    return caught.value


def line_of(text: str) -> int:
    return small.STUDY[: small.STUDY.index(text)].count("\n") + 1


def test_the_folder_and_the_file_are_the_same_study(small_study: Path):
    assert load_study(small_study) == load_study(small_study / "study.toml")


def test_what_is_not_written_has_the_documented_default(small_study: Path):
    study = load_study(small_study)
    assert study.standard == Standard(service_radius_m=400)
    assert Standard().service_radius_m == 1000 and Standard().walking_speed_m_s == 1.2
    assert study.plan is not None and study.plan.carry_over and study.plan.normalised_year_weights == (0.5, 0.5)


def test_files_lists_each_file_once_study_first(small_study: Path):
    names = load_study(small_study).files()
    assert names[0] == "study.toml" and len(set(names)) == len(names) == 7
    assert all((small_study / name).is_file() for name in names)


def test_settings_are_frozen(small_study: Path):
    with pytest.raises(Exception, match="frozen"):
        load_study(small_study).name = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new", "key", "line"),
    [
        ("budget = [3.0, 3.0]", "budget = [3.0, -1]", "setting_range", "budget"),
        ("budget = [3.0, 3.0]", "budget = [3.0]", "budget_per_year", "[plan]"),
        ("years = [2027, 2028]", "years = [2028, 2027]", "years_ascending", "years"),
        ("service_radius_m = 400", "service_radius_m = 0", "setting_range", "service_radius_m"),
        ("service_radius_m = 400", 'service_radius_m = "远"', "setting_type", "service_radius_m"),
        ("service_radius_m = 400", "service_radius = 400", "setting_near", "service_radius_m"),
        ("service_radius_m = 400", "service_radius_m = inf", "setting_type", "service_radius_m"),
        ("service_radius_m = 400", "service_radius_m = 1e300", "setting_range", "service_radius_m"),
        ("service_radius_m = 400", "service_radius_m = true", "setting_type", "service_radius_m"),
        ("budget = [3.0, 3.0]", 'budget = ["3", 3.0]', "setting_type", "budget"),
        ("years = [2027, 2028]", "years = [0, 2028]", "setting_range", "years"),
        ("total = 170", "total = 1e308", "setting_range", "total"),
        ('crs = "EPSG:4547"', 'crs = "EPSG:4326"', "crs_not_metres", "crs"),
        ('crs = "EPSG:4547"', 'crs = "EPSG:454700"', "unknown_crs", "crs"),
        ('crs = "EPSG:4547"\n', "", "setting_missing", "crs"),
        ('kind = "line"', 'kind = "area"', "setting_choice", "[[demand]]"),
        ('group = "couriers"', 'group = "nobody"', "unknown_group", "[[demand]]"),
        ("total = 170", "total = -170", "setting_range", "total"),
        ("schema = 1", "schema = 2", "setting_choice", "schema"),
    ],
)
def test_a_broken_setting_is_named_with_its_line(small_study: Path, old: str, new: str, key: str, line: str):
    error = broken(small_study, old, new)
    assert error.key == key
    if key not in ("setting_missing", "unknown_group"):
        assert error.values["row"] == line_of(line)


@pytest.mark.parametrize(
    ("table", "good", "bad"),
    [
        ("plan.floors", "share = 0.2", "share = 2.0"),
        ("plan.limits", "at_most = 2", "at_most = -2"),
        ("programme.rules", 'lead_unit = "{town}"', 'lead_unit = "{city}"'),
    ],
)
def test_a_broken_one_of_several_tables_is_named_with_its_own_line(small_study: Path, table: str, good: str, bad: str):
    file = small_study / "study.toml"
    text = f"{file.read_text(encoding='utf-8')}\n[[{table}]]\n{good}\n[[{table}]]\n{bad}\n[[{table}]]\n{good}\n"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_study(small_study)
    at = text.splitlines().index(bad) + 1
    # A rule that is wrong as a whole is named by its header.
    assert error.value.values["row"] == (at - 1 if table == "programme.rules" else at)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("[capacity]\nvisit_minutes = 1e-300", "setting_range"),
        ("[capacity]\nevery_hours = 1e300", "setting_range"),
        ("[capacity]\nvisit_minutes = 61\nevery_hours = 1", "visits_overlap"),
        ('[[tiers]]\ntier = "city"\nper_workers = 1e-320', "setting_range"),
    ],
)
def test_visits_and_ratios_that_no_place_has_are_refused(small_study: Path, table: str, key: str):
    error = broken(small_study, "[plan]", f"{table}\n[plan]")
    assert error.key == key and str(error)


def test_an_unknown_setting_offers_the_nearest_name(small_study: Path):
    assert broken(small_study, "service_radius_m", "service_radius_km").values["hint"] == "service_radius_m"


def test_broken_toml_names_line_and_column(small_study: Path):
    error = broken(small_study, 'name = "小研究"', 'name = "小研究')
    assert (error.key, error.values["row"]) == ("toml_syntax", line_of("name ="))


def test_a_study_that_is_not_utf8_says_so(small_study: Path):
    (small_study / "study.toml").write_bytes(small.STUDY.encode("gb18030"))
    with pytest.raises(InputError, match="UTF-8"):
        load_study(small_study)


def test_nothing_there(tmp_path: Path):
    with pytest.raises(InputError, match=r"no study\.toml"):
        load_study(tmp_path)


@pytest.mark.parametrize("name", ["../sites.xlsx", "/etc/passwd", "a/../../b.csv"])
def test_paths_stay_inside_the_study(small_study: Path, name: str):
    study = load_study(small_study)
    with pytest.raises(InputError, match="leads out"):
        study.path(name)


def test_a_missing_file_is_named(small_study: Path):
    with pytest.raises(InputError, match=r"nowhere\.csv"):
        load_study(small_study).path("nowhere.csv")


def test_services_may_be_written_in_either_language(small_study: Path):
    file = small_study / "study.toml"
    for words in ('["rest", "water"]', '["歇脚", "饮水"]', '["seats", "drinking water"]'):
        file.write_text(small.STUDY.replace("service_radius_m = 400", f"services = {words}"), encoding="utf-8")
        assert load_study(small_study).standard.services == ("rest", "water")


def test_a_file_that_leads_out_by_a_link_is_refused(small_study: Path, tmp_path: Path):
    outside = tmp_path / "outside.xlsx"
    outside.write_bytes(b"")
    link = small_study / "link.xlsx"
    try:
        link.symlink_to(outside)
    except OSError:
        pytest.skip("this system makes no symbolic links")
    with pytest.raises(InputError, match="leads out"):
        load_study(small_study).path("link.xlsx")
