"""Norms on the small study, each figure worked out on paper."""

from pathlib import Path

import numpy as np
import pytest
import small_study as small

from planner.coverage import standing_sites
from planner.errors import InputError
from planner.pipeline import Result, run
from planner.standards import AT_LEAST, judge, norms
from planner.study import load_study
from planner.words import LANGS, has


def verdicts(result: Result, *names: str):
    walks = result.walks
    sites = result.sites.assign(status=["existing", "existing", "candidate", "candidate"])
    table = judge(
        names,
        demand=result.demand,
        sites=sites,
        zones=result.zones,
        coverage=result.coverage[0],
        standing=standing_sites(sites, ()),
        network=walks.network,
        at=(walks.demand, walks.sites),
    )
    return table.set_index(["norm", "rule", "zone"])


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


def test_round_the_clock(small_result: Result):
    found = verdicts(small_result, "zhejiang_smart")
    assert found.loc[("zhejiang_smart", "all_day", ""), ["measured", "required", "met"]].tolist() == [0.0, 0.15, False]


def test_a_norm_that_does_not_exist(small_study: Path):
    text = small.STUDY.replace("service_radius_m = 400", 'service_radius_m = 400\njudge = ["gb999"]')
    (small_study / "study.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="gb999"):
        run(load_study(small_study))


def test_every_norm_has_names_source_confidence_and_known_rules():
    kinds = AT_LEAST | {"density", "people", "spacing"}
    for norm in norms().values():
        assert all(norm[lang] for lang in LANGS) and norm["source"] and norm["confidence"] in "HMLK"
        assert norm["rules"] and all(rule["kind"] in kinds and has(f"rule.{rule['kind']}") for rule in norm["rules"])
