"""Results that a report must be able to speak of: the small study's, bent into each case its sentences know."""

import dataclasses

import numpy as np

from planner.pipeline import Result
from planner.siting.problem import Reason

HOSTILE = ("=HYPERLINK(1)", "+86", "-1+1", "@SUM(A1)", "<b>&\"'</b>", "x" * 60, "🚹\x07\x00店", "#N/A", "{name}", "%s")


def _undone(result: Result) -> Result:
    """No action is taken."""
    sites = result.sites.assign(
        year=0, status=result.sites["status"].replace({"upgraded": "existing", "chosen": "candidate"})
    )
    return dataclasses.replace(
        result, sites=sites, actions=result.actions.iloc[:0], programme=result.programme.iloc[:0]
    )


def without_plan(result: Result) -> Result:
    """The study asks for no plan."""
    study = result.study.model_copy(update={"plan": None})
    return dataclasses.replace(
        _undone(result),
        study=study,
        plan=None,
        coverage={0: result.coverage[0]},
        indicators={0: result.indicators[0]},
        cost_by_year={},
    )


def infeasible(result: Result) -> Result:
    """No plan meets the rules."""
    reason = Reason("required_too_dear", {"place": 0, "cost": 9.0, "budget": 6.0})
    plan = dataclasses.replace(
        result.plan,
        status="infeasible",
        objective=float("nan"),
        gap=float("inf"),
        reasons=(reason,),
        build_year=result.plan.build_year * 0,
    )
    return dataclasses.replace(_undone(result), plan=plan)


def idle(result: Result) -> Result:
    """A plan was asked for, and nothing is worth doing."""
    return dataclasses.replace(_undone(result), cost_by_year=dict.fromkeys(result.years, 0.0))


def unproven(result: Result, gap: float = 0.0049) -> Result:
    """The solver stopped before its proof was whole."""
    bound = result.plan.objective * (1 + gap)
    return dataclasses.replace(
        result, plan=dataclasses.replace(result.plan, status="feasible", bound=bound, gap=gap, stopped="gap")
    )


def without_gaps(result: Result) -> Result:
    """Everybody is served all the time."""
    return dataclasses.replace(result, gaps=result.gaps.iloc[:0])


def without_sites(result: Result) -> Result:
    """There is no site yet."""
    sites = result.sites.assign(status=np.where(result.sites["status"] == "chosen", "chosen", "candidate"))
    return dataclasses.replace(result, sites=sites)


def of_one(result: Result) -> Result:
    """One site, one gap, one action, one rejected row, one group: a test of plurals."""
    first = result.sites["status"] == "upgraded"
    sites = result.sites.assign(status=np.where(first & (first.cumsum() == 1), "existing", "candidate"))
    rejects = result.rejects.reindex([0]).assign(file="a.csv", row=2, reason="?", repair="!", values="x=1")
    one = dataclasses.replace(
        result,
        sites=sites,
        gaps=result.gaps.iloc[:1],
        actions=result.actions.iloc[:1],
        programme=result.programme.iloc[:1],
        rejects=rejects,
    )
    return dataclasses.replace(one, cost_by_year={2027: 1.1, 2028: 0.0})


def hostile(result: Result) -> Result:
    """Names that would be formulas, markup, control characters or fields elsewhere."""
    sites = result.sites.assign(
        name=[HOSTILE[n % len(HOSTILE)] for n in range(len(result.sites))], host=HOSTILE[0], address=HOSTILE[1]
    )
    named = dict(zip(sites["id"], sites["name"], strict=True))
    programme = result.programme.assign(
        name=result.programme["site"].map(named),
        note=HOSTILE[3],
        town=(HOSTILE[4], HOSTILE[0], HOSTILE[1], "")[: len(result.programme)],
        host=HOSTILE[6],
    )
    zones = result.zones.assign(name=[HOSTILE[2], HOSTILE[8]])
    settings = result.study.map.model_copy(update={"compiling_unit": HOSTILE[0], "date": HOSTILE[9]})
    study = result.study.model_copy(
        update={"name": HOSTILE[6], "illustrative": HOSTILE[8], "scope": HOSTILE[4], "map": settings}
    )
    rejects = result.rejects.reindex([0]).assign(
        file=HOSTILE[0], row=2, reason=HOSTILE[2], repair=HOSTILE[1], values=HOSTILE[3]
    )
    return dataclasses.replace(
        result, study=study, sites=sites, programme=programme, zones=zones, rejects=rejects, warnings=(HOSTILE[0],)
    )


def of_every_action(result: Result) -> Result:
    """A site is built, one opens longer, one gets more kit and one is closed, which gains nobody anything."""
    first = result.programme.iloc[0].to_dict()
    kinds = {"build": "chosen", "extend_hours": "upgraded", "upgrade": "upgraded", "close": "closed"}
    rows = [
        {**first, "number": n, "action": action, "state": state, "gain": 0.0 if action == "close" else 2.5}
        for n, (action, state) in enumerate(kinds.items(), 1)
    ]
    programme = result.programme.iloc[[0] * len(rows)].reset_index(drop=True)
    programme = programme.assign(**{key: [row[key] for row in rows] for key in ("number", "action", "state", "gain")})
    years = [result.years[0]] * 3 + [result.years[-1]]
    return dataclasses.replace(result, programme=programme.assign(year=years))


WORLDS = {
    "small": lambda result: result,
    "unproven": unproven,
    "without_plan": without_plan,
    "infeasible": infeasible,
    "idle": idle,
    "without_gaps": without_gaps,
    "without_sites": without_sites,
    "of_one": of_one,
    "of_every_action": of_every_action,
    "hostile": hostile,
}
