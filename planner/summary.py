"""Result -> summary.json: the figures of a run in one stable, documented shape (schema 1).

Takes a `Result`, gives a dict ready for json. Every other output shows figures that stand here too. Keys are only ever added.
"""

import json
import math
from typing import Any

import numpy as np

from planner import __version__
from planner.last import changes, since
from planner.pipeline import Result, hosts_open
from planner.replanning import churn
from planner.robustness import WOBBLE
from planner.study import PlanSettings
from planner.tiers import tier_matrix

SCHEMA = 1
# Digits kept in the file: enough for an outside check, few enough that float noise of another machine doesn't show.
_DIGITS = 10


def summary(result: Result) -> dict[str, Any]:
    """Return the summary of a run. Only ``plan.seconds`` may differ between two runs of the same inputs."""
    study, network = result.study, result.walks.network
    return {
        "schema": SCHEMA,
        "study": {
            "name": study.name,
            "run_id": result.run_id,
            "planner_version": __version__,
            "crs": study.crs,
            "scope": study.scope,
            "illustrative": study.illustrative,
            "inputs": result.inputs,
        },
        "network": {
            "source": study.base_map,
            "nodes": network.n_nodes,
            "edges": network.n_edges,
            "length_km": network.length_km,
            "components": network.n_components,
            "approximate": network.detour_factor is not None,
        },
        "demand": _demand(result),
        "standard": {
            "name": study.standard.name,
            "service_radius_m": study.standard.service_radius_m,
            "walking_speed_m_s": study.standard.walking_speed_m_s,
            "backup": study.standard.backup,
            "services": list(study.standard.services),
            "access_share": study.standard.access_share,
            "capacity": study.capacity.model_dump() if study.capacity else None,
        },
        "coverage": {
            "existing": _named(result, result.indicators[0]),
            "plan": {str(year): _named(result, result.indicators[year]) for year in result.years},
        },
        "seasons": {"planned": study.season_planned, "coverage": result.seasons.to_dict("records")},
        "hosts_open": hosts_open(result).to_dict("records"),
        "norms": _norms(result),
        "tiers": _tiers(result),
        "evaluation": result.evaluation.to_dict("records"),
        "gaps": [
            {
                **{
                    key: gap[key]
                    for key in ("id", "zone", "group", "weight", "reason", "nearest_site", "nearest_m", "x", "y")
                },
                **{
                    key: gap[key]
                    for key in ("place", "streets", "worst_m", "units", "length_m", "source", "remedy", "remedy_share")
                },
            }
            for gap in result.gaps.drop(columns="geometry").to_dict("records")
        ],
        "last": _last(result),
        "plan": _plan(result),
        "quality": {"rejected_rows": len(result.rejects), "warnings": list(result.warnings)},
    }


def _demand(result: Result) -> dict[str, Any]:
    scopes = {
        group: [d.scope for d in result.study.demand if d.group == group and d.scope] for group in result.study.groups
    }
    figures = {}
    for group, settings in result.study.groups.items():
        weight = result.demand.loc[result.demand["group"] == group, "weight"]
        figures[group] = {
            "name": settings.name,
            "units": len(weight),
            "weight": float(weight.sum()),
            "unit_name": settings.unit_name,
            "scope": "; ".join(scopes[group]),
            "shifts": [
                {"name": s.name, "hours": s.hours, "share": s.share, "season": s.season} for s in settings.shifts
            ],
            "working_half_hours": float(result.profiles[group].sum()),
        }
    return figures


def _norms(result: Result) -> list[dict[str, Any]]:
    """Return the verdicts; ``met`` is null, and ``unknown`` says why, where the study's data cannot answer."""
    columns = ["norm", "rule", "moment", "zone", "measured", "required", "met", "unknown"]
    rows: list[dict[Any, Any]] = result.verdicts[columns].to_dict("records")
    return [{**row, "met": None if row["unknown"] else row["met"], "unknown": row["unknown"] or None} for row in rows]


def _tiers(result: Result) -> dict[str, Any]:
    """Return the tiers' rules, the matrix of zones and tiers at each moment, and what each place has."""
    judged = result.tiers
    matrices = {str(m) if m else "existing": tier_matrix(part, result.zones) for m, part in judged.groupby("moment")}
    return {
        "rules": [rule.model_dump(mode="json") for rule in result.study.tiers],
        "matrix": {
            moment: {
                zone: {"name": result.zone_name(str(zone)), **cells} for zone, cells in table.to_dict("index").items()
            }
            for moment, table in matrices.items()
        },
        "places": judged.to_dict("records"),
    }


def _last(result: Result) -> dict[str, Any] | None:
    """Return the earlier run's figures and what became of its gaps; nothing where the study names none."""
    if result.last is None:
        return None
    table = since(result.last, result.gaps)
    return {
        "name": result.last.name,
        "run_id": result.last.run_id,
        "service_radius_m": result.last.radius_m,
        "coverage": result.last.figures,
        "changes": changes(table),
        "gaps": table.to_dict("records"),
    }


def _named(result: Result, figures: dict[str, Any]) -> dict[str, Any]:
    zones = {zone: {"name": result.zone_name(zone), **values} for zone, values in figures["by_zone"].items()}
    return {**figures, "by_zone": zones}


def _plan(result: Result) -> dict[str, Any]:
    plan, settings = result.plan, result.study.plan
    if plan is None or settings is None:
        return {}
    columns = ["site", "action", "mode", "tier", "year", "cost", "operating_cost", "gain", "id", "name"]
    return {
        "objective_name": settings.objective,
        "status": plan.status,
        "objective": plan.objective,
        "bound": plan.bound,
        "gap": plan.gap,
        "seconds": plan.seconds,
        "stopped_by": plan.stopped,
        "time_limit_s": settings.time_limit_s,
        "year_weights": list(settings.normalised_year_weights),
        "cost_unit": settings.cost_unit,
        "actions": _actions(result, columns),
        "cost_by_year": {str(year): cost for year, cost in result.cost_by_year.items()},
        "budget_by_year": {str(y): b for y, b in zip(settings.years, settings.budget, strict=True)},
        "carry_over": settings.carry_over,
        "rules": _rules(settings),
        "last_year": _last_year(result),
        "tradeoff": result.tradeoff.to_dict("records"),
        "left_out": [vars(part) for part in result.left_out],
        "reasons": list(result.plan_reasons(result.study.language)),
        "changes": result.changes.to_dict("records"),
        "churn": _churn(result),
        "why": _why(result),
        "robustness": _robustness(result),
        "worst_closing": None if result.why is None else result.why.closings.head(1).to_dict("records")[0],
    }


def _actions(result: Result, columns: list[str]) -> list[dict[Any, Any]]:
    """Return the actions in the order of the programme, with how each stands to the last one where there was one."""
    since = result.programme[["progress", "change"]].to_dict("records") if len(result.changes) else []
    actions = result.actions[columns].to_dict("records")
    return [action | told for action, told in zip(actions, since or [{}] * len(actions), strict=True)]


def _churn(result: Result) -> dict[str, Any] | None:
    """Return how much of the last programme was changed, and what a limit on that costs at most; nothing where there was none."""
    made, settings = result.made, result.study.plan
    if result.record is None or settings is None or made is None:
        return None
    free = made.unbound
    return {
        "changes": churn(result.changes),
        "most": settings.max_changes,
        "replan_from": settings.years[result.record.first],
        "objective_unbound": None if free is None else free.objective,
        "bound_unbound": None if free is None else free.bound,
        "loss": None if free is None else abs(free.objective - made.plan.objective),
    }


def _robustness(result: Result) -> dict[str, Any] | None:
    """Return how often each action stays when assumptions wobble, and each trial; nothing where it was not asked for."""
    if result.robustness is None:
        return None
    return {
        "wobble": WOBBLE,
        "actions": result.robustness.actions.to_dict("records"),
        "trials": result.robustness.trials.to_dict("records"),
        "trials_asked": result.robustness.asked,
        "stopped_by": result.robustness.stopped,
    }


def _why(result: Result) -> list[dict[str, Any]]:
    """Return why each action is in the plan, in the order of the programme."""
    why = result.why
    if why is None:
        return []
    serves, gaps, swaps = (
        {str(action): part.drop(columns="action_id").to_dict("records") for action, part in table.groupby("action_id")}
        for table in (why.serves, why.gaps, why.substitutes)
    )
    told = []
    for row, needed in zip(why.actions.to_dict("records"), result.why_needed(result.study.language), strict=True):
        action = row["action_id"]
        told.append(
            {
                "id": action,
                "site": row["site"],
                "loss": row["loss"],
                "objective_loss": row["objective_loss"],
                "needed": list(needed),
                "serves": serves.get(action, []),
                "gaps": gaps.get(action, []),
                "substitutes": swaps.get(action, []),
            }
        )
    return told


def _rules(settings: PlanSettings) -> dict[str, Any]:
    """Return the rules and aims beyond money that are in force, as the user wrote them."""
    keys = {
        "mix",
        "group_weights",
        "required",
        "forbidden",
        "limits",
        "floors",
        "spacing_m",
        "price_change",
        "merge_within_m",
        "replan_from",
        "max_changes",
    }
    return settings.model_dump(mode="json", include=keys, exclude_defaults=True)


def _last_year(result: Result) -> dict[str, float]:
    """Return the objective at the end of the last year, and what no plan under the same rules could exceed then."""
    made = result.made
    if made is None or not made.last_bound > 0:
        return {}
    return {"objective": made.last, "bound": made.last_bound, "loss": made.last_bound - made.last}


def plain(value: Any) -> Any:
    """Return ``value`` as json has it: no NumPy scalars, NaN and infinities as null, floats at ten significant digits."""
    match value:
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case bool() | np.bool_():
            return bool(value)
        case float() | np.floating():
            return float(f"{float(value):.{_DIGITS}g}") if math.isfinite(value) else None
        case int() | np.integer():
            return int(value)
        case _:
            return value


def summary_json(result: Result) -> str:
    """Return the text of summary.json."""
    return json.dumps(plain(summary(result)), ensure_ascii=False, indent=1) + "\n"
