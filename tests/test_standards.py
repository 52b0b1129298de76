"""Norms on the small study, each figure worked out on paper."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import small_study as small

from planner.coverage import standing_sites
from planner.errors import InputError
from planner.network import take
from planner.pipeline import Result, run
from planner.reach import nearest
from planner.report.figures import norm_rows, norm_rule
from planner.standards import AT_LEAST, Ground, judge, norm_beyond, norms, radius_at, walk_m
from planner.study import load_study
from planner.words import LANGS, has
from planner.words.wording import metres


def ground(result: Result, **changes: object) -> Ground:
    """Return the ground of the small study: S1 and S2 stand, 173 people; columns of sites and zones may be changed."""
    walks = result.walks
    sites = result.sites.assign(status=["existing", "existing", "candidate", "candidate"])
    for column in ("floor_area_m2", "kit_level", "services"):
        if column in changes:
            sites[column] = [*changes.pop(column), *sites[column].iloc[2:]]
    zones = result.zones.assign(residents=changes.pop("residents", np.nan))
    made = Ground(
        sites=sites,
        standing=standing_sites(sites, ()),
        demand=result.demand,
        zones=zones,
        network=walks.network,
        at=(walks.demand, walks.sites),
        radius_m=400,
    )
    return made._replace(**changes)


def verdicts(result: Result, *names: str, **changes: object):
    return judge(names, ground(result, **changes), result.coverage[0]).set_index(["norm", "rule", "zone"])


def test_people_within_a_radius(small_result: Result):
    found = verdicts(small_result, "shanghai_inner")
    near = small_result.demand["nearest_m"] <= 500
    share = small_result.demand.loc[near, "weight"].sum() / 173
    assert found.loc[("shanghai_inner", "within", ""), "measured"] == pytest.approx(share)
    assert not found["met"].all()


def test_everybody_has_two_sites_within_a_kilometre_here(small_result: Result):
    found = verdicts(small_result, "shuang15")
    # The farthest piece is 850 m from F; from J, at the other end of one street, it is up to 1,150 m.
    assert found.loc[("shuang15", "within", ""), ["measured", "met"]].tolist() == [1.0, True]
    backup = found.loc[("shuang15", "backup", ""), "measured"]
    assert 0.9 < backup < 1.0


def test_density_counts_sites_by_area(small_result: Result):
    found = verdicts(small_result, "gb50337_2018")
    # Both sites lie in the western zone: 550 m × 800 m.
    assert found.loc[("gb50337_2018", "density", "W"), "measured"] == pytest.approx(2 / 0.44)
    assert found.loc[("gb50337_2018", "density", "O"), ["measured", "required", "met"]].tolist() == [0.0, 0.3, False]


def test_people_per_site_and_spacing(small_result: Result):
    found = verdicts(small_result, "osha_field", "shandong", "shandong_dense")
    assert found.loc[("osha_field", "people", ""), "measured"] == pytest.approx(173 / 2)
    assert np.isinf(found.loc[("osha_field", "people", "O"), "measured"])
    assert found.loc[("shandong", "spacing", ""), "measured"] == pytest.approx(300, abs=0.01)
    assert found.loc[("shandong_dense", "spacing", ""), "met"]
    assert ("shandong", "spacing", "O") not in found.index, "no site there, nothing to measure"


def test_a_site_from_which_no_street_leads_to_another_has_no_spacing(tmp_path: Path):
    folder = small.write(tmp_path)
    streets = gpd.read_file(folder / "streets.gpkg")
    # The last row of streets, with S2 at J, hangs on nothing else.
    apart = streets[~streets["id"].isin(["EI", "FJ", "GK", "HL"])]
    (folder / "streets.gpkg").unlink()
    apart.to_file(folder / "streets.gpkg")
    text = small.STUDY.replace("service_radius_m = 400", 'service_radius_m = 400\njudge = ["shandong"]')
    (folder / "study.toml").write_text(text, encoding="utf-8")
    result = run(load_study(folder))
    found = result.verdicts.set_index(["norm", "rule", "zone", "moment"]).sort_index()
    spacing = found.loc[("shandong", "spacing", "", 0)]
    assert np.isinf(spacing["measured"]) and not spacing["met"]
    row = next(row for row in norm_rows(result, "zh") if row["kind"] == "spacing")
    assert metres(row["measured"][0]) == "—" and "西街道" in row["failing"]


def test_round_the_clock(small_result: Result):
    found = verdicts(small_result, "zhejiang_smart")
    assert found.loc[("zhejiang_smart", "all_day", ""), ["measured", "required", "met"]].tolist() == [0.0, 0.15, False]


def test_a_norm_that_does_not_exist(small_study: Path):
    text = small.STUDY.replace("service_radius_m = 400", 'service_radius_m = 400\njudge = ["gb999"]')
    (small_study / "study.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="gb999"):
        run(load_study(small_study))


def test_floor_areas_that_are_not_known_are_not_guessed(small_result: Result):
    rule = ("gb50337_2018", "floor_area", "")
    for areas, measured, met, unknown in (
        ([25, 90], 1.0, True, ""),
        ([25, 15], 0.5, False, ""),
        ([25, 151], 0.5, False, ""),
        ([25, np.nan], np.nan, False, "floor_area"),
        ([15, np.nan], 0.0, False, ""),  # one is too small, whatever the other is
        ([np.nan, np.nan], np.nan, False, "floor_area"),
    ):
        found = verdicts(small_result, "gb50337_2018", floor_area_m2=areas).loc[rule]
        assert found["measured"] == pytest.approx(measured, nan_ok=True), areas
        assert (found["met"], found["unknown"]) == (met, unknown), areas
    # No site lies in the eastern zone: nothing to measure there.
    assert ("gb50337_2018", "floor_area", "O") not in verdicts(small_result, "gb50337_2018").index


def test_square_metres_per_worker_and_residents_per_site(small_result: Result):
    found = verdicts(small_result, "gb50337_2003", floor_area_m2=[400, 119], residents=[9_000, 5_000])
    # 519 m² for 173 people is 3 m² each; 14,000 residents share two sites, those of the east have none.
    assert found.loc[("gb50337_2003", "area_per_worker", ""), ["measured", "met"]].tolist() == [pytest.approx(3), True]
    assert found.loc[("gb50337_2003", "residents", ""), ["measured", "met"]].tolist() == [7_000, True]
    assert found.loc[("gb50337_2003", "residents", "W"), "measured"] == 4_500
    assert np.isinf(found.loc[("gb50337_2003", "residents", "O"), "measured"])
    unknown = verdicts(small_result, "gb50337_2003")["unknown"]
    assert unknown[("gb50337_2003", "residents", "")] == "residents"
    assert unknown[("gb50337_2003", "area_per_worker", "W")] == "floor_area"


def test_workers_are_not_divided_across_scopes(small_result: Result):
    found = verdicts(small_result, "osha_field", "gb50337_2003", floor_area_m2=[400, 119], scopes_differ=True)
    for rule in (("osha_field", "people", ""), ("gb50337_2003", "area_per_worker", "")):
        assert np.isnan(found.loc[rule, "measured"]) and found.loc[rule, "unknown"] == "scope"


def test_the_radius_hangs_on_the_density_of_residents(small_result: Result, monkeypatch: pytest.MonkeyPatch):
    (rule,) = norms()["crew_rooms"]["rules"]
    assert [radius_at(rule, d) for d in (15_001, 15_000, 2_501, 2_500, 0)] == [800, 1200, 1200, 1500, 1500]
    assert np.isnan(radius_at(rule, np.nan))
    # W is 0.44 km²: 7,000 residents are 15,909 a km². Everybody there has F within 800 m; of O nothing is known.
    found = verdicts(small_result, "crew_rooms", residents=[7_000, np.nan])
    assert found.loc[("crew_rooms", "by_density", "W"), ["measured", "met"]].tolist() == [pytest.approx(1), True]
    assert found.loc[("crew_rooms", "by_density", "O"), "unknown"] == "residents"
    assert found.loc[("crew_rooms", "by_density", ""), "unknown"] == "residents"
    # With 100 m, by contrast, some of the west would fail: that is certain, whatever O has.
    short = [{"kind": "by_density", "steps": [{"over": 0, "within_m": 100}]}]
    monkeypatch.setitem(norms()["crew_rooms"], "rules", short)
    found = verdicts(small_result, "crew_rooms", residents=[7_000, np.nan])
    assert (
        not found.loc[("crew_rooms", "by_density", ""), "unknown"]
        and found.loc[("crew_rooms", "by_density", ""), "measured"] < 1
    )


def test_each_service_may_be_somewhere_else(small_result: Result):
    # Toilet at S1 (F), water at S2 (J), 300 m apart on one street: a piece within 402 m of both is within it of each.
    found = verdicts(small_result, "osha_field", services=["toilet", "water"])
    walks, demand = small_result.walks, small_result.demand
    metres = [nearest(walks.network, walks.demand, take(walks.sites, np.array([n])))[1] for n in (0, 1)]
    near = (metres[0] <= 402) & (metres[1] <= 402)
    share = demand.loc[near, "weight"].sum() / 173
    assert 0 < share < 1 and found.loc[("osha_field", "within", ""), "measured"] == pytest.approx(share)
    assert (
        verdicts(small_result, "osha_field", services=["water", ""]).loc[("osha_field", "within", ""), "measured"] == 0
    )


def test_shares_of_sites_by_service_and_by_kit(small_result: Result):
    found = verdicts(
        small_result, "hangzhou", "zhejiang_smart", services=["toilet;rest", "rest"], kit_level=["标杆型", "基本"]
    )
    assert found.loc[("hangzhou", "offers", ""), ["measured", "met"]].tolist() == [0.5, False]
    assert found.loc[("zhejiang_smart", "kit", ""), ["measured", "met"]].tolist() == [0.5, True]
    assert verdicts(small_result, "zhejiang_smart").loc[("zhejiang_smart", "kit", ""), "unknown"] == "kit_level"


def test_minutes_are_walked_at_the_studys_speed():
    rule = norms()["shuang15"]["rules"][0]
    assert walk_m(rule, 1.2) == 1000 and walk_m(rule, 1.0) == 900
    assert walk_m({"minutes": 15}, 1.2) == pytest.approx(1080)


def test_totals_of_another_scope_are_not_shared_out_among_sites(small_study: Path):
    text = small.STUDY.replace('crs = "EPSG', 'scope = "东阳市区"\ncrs = "EPSG').replace(
        "total = 170", 'total = 170\nscope = "全市"'
    )
    rule = '\n[[tiers]]\ntier = "township"\nper_workers = 20\n'
    (small_study / "study.toml").write_text(text + rule, encoding="utf-8")
    with pytest.raises(InputError, match="全市"):
        run(load_study(small_study))
    (small_study / "study.toml").write_text(text.replace("全市", "东阳市区") + rule, encoding="utf-8")
    assert len(run(load_study(small_study)).tiers)


@pytest.mark.parametrize("lang", LANGS)
def test_every_rule_and_everything_unknown_has_its_words(lang):
    for norm in norms().values():
        for rule in norm["rules"]:
            assert "{" not in norm_rule(rule, lang) and norm_rule(rule, lang)
    assert all(has(f"workbook.unknown_{why}") for why in ("residents", "floor_area", "kit_level", "scope"))
    assert norm_beyond("sphere_water", lang) and not norm_beyond("shuang15", lang)


def test_every_norm_has_names_source_confidence_and_known_rules():
    kinds = AT_LEAST | {"density", "people", "residents", "spacing"}
    for norm in norms().values():
        assert all(norm[lang] for lang in LANGS) and norm["source"] and norm["confidence"] in "HMLK"
        assert norm["rules"] and all(rule["kind"] in kinds and has(f"rule.{rule['kind']}") for rule in norm["rules"])
        # A verdict is found by its norm and kind.
        assert len({rule["kind"] for rule in norm["rules"]}) == len(norm["rules"])
