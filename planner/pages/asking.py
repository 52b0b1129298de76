"""What a plan is asked for: budgets, aim, rules and wishes for single places, as widgets over the study's own settings.

What is typed is kept at once, as changes of what the study says (`planner.workspace.midway`): neither a reload nor another person's
save loses any of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import pandas as pd
import streamlit as st
from pydantic import BaseModel, ConfigDict, ValidationError

from planner.pages import shared
from planner.pipeline import Result
from planner.study import Floor, Limit, Mode, PlanSettings, Tier
from planner.words import Lang, has, say, term
from planner.words.wording import capital, label, listed
from planner.workspace import history, midway

PAGE = "plan"
# Columns of the two tables of rules; what such a row can't hold stays as study.toml says it.
FLOOR = ("share", "measure", "group", "zone", "tier", "by", "source")
LIMIT = (
    "counts", "tier", "mode", "kind", "zone", "all_day", "per_zone", "at_least", "at_most", "share_at_least", "by", "source",
)  # fmt: skip
ALL_DAY = "24/7"
# What settings are called on the page.
NAMES = {
    "years": "plan.year", "budget": "plan.budget", "carry_over": "plan.carry_over", "objective": "plan.objective", "mip_gap": "plan.gap",
    "tradeoff": "plan.tradeoff", "spacing_m": "plan.spacing", "required": "plan.required", "forbidden": "plan.forbidden",
    "limits": "plan.limits", "floors": "plan.floors",
}  # fmt: skip


class Asked(BaseModel):
    """What is asked for, where it differs from the study.

    Attributes:
        changes: setting of ``[plan]`` -> value.
        wanted: the changes with which a search was last begun; None: none was.
    """

    model_config = ConfigDict(extra="forbid")

    changes: dict[str, Any] = {}
    wanted: dict[str, Any] | None = None


@dataclass(frozen=True)
class Sorted:
    """A study's limits by how the page shows them.

    Attributes:
        without: modes that are ruled out.
        years: place -> the year in which something is done there.
        rows: those that a row of the table can hold.
        others: all others.
    """

    without: list[str] = field(default_factory=list)
    years: dict[str, int] = field(default_factory=dict)
    rows: list[Limit] = field(default_factory=list)
    others: list[Limit] = field(default_factory=list)


# --- settings and what is shown of them ----------------------------------------------------------------------------------------


def in_year(site: str, year: int, years: Sequence[int]) -> list[Limit]:
    """Return the limits that ask for an action at a place in just this year."""
    place = {"counts": "actions", "site": (site,)}
    asked = [Limit(**place, at_least=1, by=year)]  # type: ignore[arg-type]
    earlier = [other for other in years if other < year]
    return [*asked, Limit(**place, at_most=0, until=earlier[-1])] if earlier else asked  # type: ignore[arg-type]


def sort_out(limits: Sequence[Limit], years: Sequence[int]) -> Sorted:
    """Tell limits apart by how the page shows them; `limits_of` is the way back."""
    found, left = Sorted(), list(limits)
    for limit in limits:
        if len(limit.site) == 1 and limit.at_least == 1 and limit.by in years:
            pair = in_year(limit.site[0], int(limit.by or 0), years)
            if limit == pair[0] and all(other in left for other in pair):
                found.years[limit.site[0]] = int(limit.by or 0)
                for other in pair:
                    left.remove(other)
    for limit in left:
        if limit.mode and limit == Limit(counts="actions", mode=limit.mode, at_most=0):
            found.without.extend(mode for mode in limit.mode if mode not in found.without)
        elif limit_of(row_of_limit(limit)) == limit:
            found.rows.append(limit)
        else:
            found.others.append(limit)
    return found


def limits_of(found: Sorted, years: Sequence[int]) -> tuple[Limit, ...]:
    """Return the limits that the page shows."""
    ruled_out = [Limit(counts="actions", mode=tuple(found.without), at_most=0)] if found.without else []  # type: ignore[arg-type]
    dated = [limit for site, year in found.years.items() for limit in in_year(site, year, years)]
    return (*found.others, *found.rows, *ruled_out, *dated)


def row_of_limit(limit: Limit) -> dict[str, Any]:
    """Return a limit as a row of the table; what it can't hold is left out."""
    one = {key: next(iter(getattr(limit, key)), None) for key in ("tier", "mode", "kind", "zone")}
    share = None if limit.share_at_least is None else 100 * limit.share_at_least
    return {
        "counts": limit.counts, **one, "all_day": limit.hours == ALL_DAY, "per_zone": limit.per == ("zone",),
        "at_least": limit.at_least, "at_most": limit.at_most, "share_at_least": share, "by": limit.by, "source": limit.source,
    }  # fmt: skip


def limit_of(row: dict[str, Any]) -> Limit | None:
    """Return the limit of a row; None as long as it asks for nothing."""
    asks = {key: int(row[key]) for key in ("at_least", "at_most") if _said(row.get(key))}
    if _said(row.get("share_at_least")):
        asks["share_at_least"] = round(float(row["share_at_least"]) / 100, 6)  # type: ignore[assignment]
    if not asks:
        return None
    words = {key: (row[key],) for key in ("tier", "mode", "kind", "zone") if _said(row.get(key))}
    return Limit.model_validate(
        {
            "counts": row["counts"] if _said(row.get("counts")) else "sites", **words, **asks,
            "hours": ALL_DAY if _said(row.get("all_day")) and row["all_day"] else "",
            "per": ("zone",) if _said(row.get("per_zone")) and row["per_zone"] else (),
            "by": int(row["by"]) if _said(row.get("by")) else None,
            "source": row["source"] if _said(row.get("source")) else "",
        }
    )  # fmt: skip


def row_of_floor(floor: Floor) -> dict[str, Any]:
    """Return a floor as a row of the table; further tiers than the first are left out."""
    return {
        "share": 100 * floor.share, "measure": floor.measure, "group": floor.group or None, "zone": floor.zone or None,
        "tier": next(iter(floor.tier), None), "by": floor.by, "source": floor.source,
    }  # fmt: skip


def floor_of(row: dict[str, Any]) -> Floor | None:
    """Return the floor of a row; None as long as it asks for nothing."""
    if not _said(row.get("share")) or not 0 < row["share"] <= 100:
        return None
    said = {key: row[key] for key in ("measure", "group", "zone", "source") if _said(row.get(key))}
    tier = (row["tier"],) if _said(row.get("tier")) else ()
    by = int(row["by"]) if _said(row.get("by")) else None
    return Floor.model_validate({**said, "share": round(float(row["share"]) / 100, 6), "tier": tier, "by": by})


def _said(value: Any) -> bool:
    return value is not None and value != "" and not pd.isna(value)


def changes_between(plan: PlanSettings, asked: PlanSettings) -> dict[str, Any]:
    """Return what differs, as study.toml would say it."""
    told = asked.model_dump(mode="json")
    for key in ("limits", "floors"):
        told[key] = [rule.model_dump(mode="json", exclude_defaults=True) for rule in getattr(asked, key)]
    return {name: told[name] for name in told if getattr(asked, name) != getattr(plan, name)}


def applied(plan: PlanSettings, changes: dict[str, Any]) -> PlanSettings:
    """Return the settings with changes; those of the study where they no longer fit it."""
    try:
        return PlanSettings.model_validate({**plan.model_dump(), **changes}, strict=False)
    except ValidationError:
        return plan


# --- keeping ---------------------------------------------------------------------------------------------------------------


def kept() -> Asked:
    """Return what this session asks for."""
    return midway.recall(shared.study_file(), shared.token(), PAGE, Asked) or Asked()


def keep(asked: Asked) -> None:
    """Keep what this session asks for."""
    midway.keep(shared.study_file(), shared.token(), PAGE, asked)


def fill(base: Result, plan: PlanSettings, lang: Lang) -> None:
    """Fill the widgets from what is kept: when the page is come to, and when the study is another or was saved by somebody else."""
    file, state = shared.study_file(), st.session_state
    seen, before = (str(file), history.look(file)), state.get("plan_of", ("", {}))
    asked = kept()
    if before and before != seen and before[0] == seen[0]:
        mine, theirs = changes_between(plan, applied(plan, asked.changes)), changes_between(state["plan_was"], plan)
        alike = bool(asked.changes) and not mine
        said = say(lang, "plan.changed_alike") if alike else say(lang, "plan.changed_meanwhile", count=len(mine))
        st.info(said, icon=":material/group:")
        both = [name for name in mine if name in theirs and name in NAMES]
        if both:
            named = listed(lang, [say(lang, NAMES[name], unit=plan.cost_unit) for name in both])
            st.warning(shared.plain(say(lang, "plan.changed_both", names=named)), icon=":material/group:")
    if before != seen and "plan_of" in state:
        for key in [key for key in state if str(key).startswith(("plan_", "table_"))]:
            del state[key]
    state["plan_of"], state["plan_was"] = seen, plan
    settings = applied(plan, asked.changes)
    found = sort_out(settings.limits, settings.years)
    values = {
        "required": list(settings.required), "forbidden": list(settings.forbidden), "by": found.years, "without": found.without,
        "carry": settings.carry_over, "objective": settings.objective, "gap": settings.mip_gap, "tradeoff": settings.tradeoff,
    }  # fmt: skip
    for name, value in values.items():
        state.setdefault(f"plan_{name}", value)
    if settings.spacing_m is not None:
        state.setdefault("plan_spacing", settings.spacing_m)
    lay("budget", [{"year": y, "money": float(m)} for y, m in zip(settings.years, settings.budget, strict=True)])
    lay("floors", [row_of_floor(floor) for floor in settings.floors if floor_of(row_of_floor(floor)) == floor])
    lay("limits", [row_of_limit(limit) for limit in found.rows])


def lay(name: str, rows: list[dict[str, Any]], *, anew: bool = False) -> None:
    """Lay the rows of a table that is edited; those of one that is being edited stay unless they are wanted ``anew``."""
    state = st.session_state
    turn = state.get(f"table_turn_{name}", 0)
    if anew or f"table_{name}_{turn}" not in state:
        state[f"table_turn_{name}"] = turn + 1
        state[f"table_rows_{name}"] = rows


# --- widgets ---------------------------------------------------------------------------------------------------------------


def ask(plan: PlanSettings, base: Result, lang: Lang) -> PlanSettings | None:
    """Show the settings; return them as they are now, or None where they make no plan, which is then said."""
    fill(base, plan, lang)
    with st.expander(say(lang, "plan.settings"), expanded=True, icon=":material/tune:"):
        left, middle, right = st.columns([2, 2, 3], gap="medium")
        with left:
            money = budgets(plan, lang)
            carry = st.toggle(say(lang, "plan.carry_over"), key="plan_carry")
        with middle:
            aims = list(get_args(PlanSettings.model_fields["objective"].annotation))
            if base.study.capacity is None:
                aims.remove("served")
            aim = st.selectbox(
                say(lang, "plan.objective"), aims, key="plan_objective", format_func=lambda a: label(lang, f"objective.{a}")
            )  # fmt: skip
            gap = st.select_slider(
                say(lang, "plan.gap"), sorted({0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, plan.mip_gap, st.session_state["plan_gap"]}),
                format_func=lambda g: f"{g:.1%}", key="plan_gap", help=say(lang, "plan.gap_help"),
            )  # fmt: skip
            curve = st.toggle(say(lang, "plan.tradeoff"), key="plan_tradeoff")
        with right:
            wishes(base, lang)
    found = sort_out(applied(plan, kept().changes).limits, plan.years)
    floors, rows, spacing = rules(plan, base, found, lang)
    years = tuple(int(row["year"]) for row in money)
    wanted = {
        "years": years, "budget": tuple(float(row["money"]) for row in money), "carry_over": carry, "objective": aim,
        "mip_gap": gap, "tradeoff": curve, "spacing_m": spacing or None,
        "required": tuple(st.session_state["plan_required"]), "forbidden": tuple(st.session_state["plan_forbidden"]),
    }  # fmt: skip
    if years != plan.years and len(years) != len(plan.years):
        wanted["year_weights"] = ()
    if aim != plan.objective:
        wanted["mix"] = {}
    shown = Sorted(st.session_state["plan_without"], st.session_state["plan_by"], rows, found.others)
    limits = limits_of(shown, years)
    # The order in which study.toml has them says nothing.
    wanted["limits"] = plan.limits if _same(limits, plan.limits) else limits
    wanted["floors"] = plan.floors if _same(floors, plan.floors) else floors
    try:
        settings = PlanSettings.model_validate({**plan.model_dump(), **wanted})
    except ValidationError as error:
        key = f"plan.wrong_{error.errors()[0].get('ctx', {}).get('error', '')}"
        st.error(say(lang, key if has(key) else "plan.wrong"), icon=":material/error:")
        return None
    asked = kept()
    changes = changes_between(plan, settings)
    if changes != asked.changes:
        keep(asked.model_copy(update={"changes": changes}))
    return settings


def _same(some: Iterable[BaseModel], others: Iterable[BaseModel]) -> bool:
    return sorted(map(repr, some)) == sorted(map(repr, others))


def table(
    name: str, columns: Sequence[str], config: dict[str, Any], *, height: int | None = None
) -> list[dict[str, Any]]:
    """Show a table that can be edited; return its rows."""
    turn, rows = st.session_state[f"table_turn_{name}"], st.session_state[f"table_rows_{name}"]
    frame = pd.DataFrame(rows, columns=list(columns))
    for column in columns:
        if column in ("year", "money", "share", "at_least", "at_most", "share_at_least"):
            frame[column] = frame[column].astype("float64")
        elif column in ("all_day", "per_zone"):
            frame[column] = frame[column].astype("boolean")
        else:
            frame[column] = frame[column].astype("object")
    edited = st.data_editor(
        frame, num_rows="dynamic", hide_index=True, column_config=config, key=f"table_{name}_{turn}"
    )  # fmt: skip
    return [{str(column): value for column, value in row.items()} for row in edited.to_dict("records")]


def budgets(plan: PlanSettings, lang: Lang) -> list[dict[str, Any]]:
    """Show the table of years and budgets; return its whole rows, by year."""
    config = {
        "year": st.column_config.NumberColumn(
            label(lang, "programme.year"), format="%d", min_value=1900, max_value=2200, step=1, required=True
        ),
        "money": st.column_config.NumberColumn(label(lang, "plan.budget", unit=plan.cost_unit), min_value=0.0, required=True),
    }  # fmt: skip
    rows = table("budget", ("year", "money"), config)
    return sorted((row for row in rows if _said(row["year"]) and _said(row["money"])), key=lambda row: row["year"])


def wishes(base: Result, lang: Lang) -> None:
    """Show what is wished for single places, and the ways of building that are ruled out."""
    names, ids = dict(zip(base.sites["id"], base.sites["name"], strict=True)), base.sites["id"].tolist()
    state = st.session_state
    for key in ("required", "forbidden"):
        # What stands in study.toml may not be there any more.
        known = [*ids, *(site for site in state[f"plan_{key}"] if site not in names)]
        st.multiselect(
            say(lang, f"plan.{key}"), known, key=f"plan_{key}", placeholder=say(lang, "app.choose"),
            format_func=lambda site: f"{names.get(site) or site} ({site})",
        )  # fmt: skip
    modes = [mode for mode in get_args(Mode) if (base.options["mode"] == mode).any() or mode in state["plan_without"]]
    st.multiselect(
        say(lang, "plan.without"), modes, key="plan_without", placeholder=say(lang, "app.choose"),
        format_func=lambda mode: label(lang, f"mode.{mode}"),
    )  # fmt: skip
    for site, year in state["plan_by"].items():
        st.caption(say(lang, "plan.in_says", name=shared.plain(names.get(site) or site), year=year))


def rules(
    plan: PlanSettings, base: Result, found: Sorted, lang: Lang
) -> tuple[tuple[Floor, ...], list[Limit], float | None]:
    """Show the rules; return the floors, the limits of the table and the spacing."""
    state = st.session_state
    count = len(state["table_rows_floors"]) + len(state["table_rows_limits"]) + len(found.others)
    with st.expander(say(lang, "plan.rules", count=count), icon=":material/rule:"):
        st.markdown(f"**{say(lang, 'plan.floors')}**")
        st.caption(say(lang, "plan.floors_say"))
        floors = [floor_of(row) for row in table("floors", FLOOR, _floor_columns(plan, base, lang))]
        st.markdown(f"**{say(lang, 'plan.limits')}**")
        st.caption(say(lang, "plan.limits_say"))
        rows = [limit_of(row) for row in table("limits", LIMIT, _limit_columns(plan, base, lang))]
        left, right = st.columns([1, 3], vertical_alignment="bottom")
        spacing = left.number_input(say(lang, "plan.spacing"), min_value=0.0, step=50.0, value=None, key="plan_spacing")
        if found.others:
            right.caption(say(lang, "plan.limits_others", count=len(found.others)))
    kept_floors = [floor for floor in plan.floors if floor_of(row_of_floor(floor)) != floor]
    return (*kept_floors, *(f for f in floors if f)), [limit for limit in rows if limit], spacing


def _select(label: str, options: Iterable[Any], words: dict[Any, str]) -> Any:
    return st.column_config.SelectboxColumn(
        label, options=list(options), format_func=lambda value: words.get(value, str(value))
    )


def _zones(base: Result) -> dict[str, str]:
    ids = [str(zone) for zone in base.zones["id"]] if base.zones is not None and len(base.zones) else []
    return {zone: base.zone_name(zone) for zone in ids}


def _floor_columns(plan: PlanSettings, base: Result, lang: Lang) -> dict[str, Any]:
    each = {"*": label(lang, "plan.each")}
    groups = each | {name: group.name for name, group in base.study.groups.items()}
    zones = each | _zones(base)
    measures = {name: label(lang, f"rules.measure_{name}") for name in ("effective", "share", "backup")}
    tiers = {tier: label(lang, f"tier.{tier}") for tier in get_args(Tier)}
    return {
        "share": st.column_config.NumberColumn(label(lang, "plan.floor_share"), min_value=0.1, max_value=100.0, format="%g%%"),
        "measure": _select(label(lang, "app.indicator"), measures, measures),
        "group": _select(label(lang, "app.group"), groups, groups),
        "zone": _select(label(lang, "app.zone"), zones, zones),
        "tier": _select(label(lang, "programme.tier"), tiers, tiers),
        "by": _select(label(lang, "plan.from_year"), plan.years, {}),
        "source": st.column_config.TextColumn(label(lang, "plan.source"), max_chars=200),
    }  # fmt: skip


def _limit_columns(plan: PlanSettings, base: Result, lang: Lang) -> dict[str, Any]:
    counts = {name: label(lang, f"plan.counts_{name}") for name in ("sites", "actions")}
    tiers = {tier: label(lang, f"tier.{tier}") for tier in get_args(Tier)}
    modes = {mode: label(lang, f"mode.{mode}") for mode in get_args(Mode)}
    kinds = {kind: capital(term(lang, "kind", kind)) for kind in sorted(set(base.sites["kind"]) - {""})}
    zones = _zones(base)
    number = st.column_config.NumberColumn
    return {
        "counts": _select(label(lang, "plan.counts"), counts, counts),
        "tier": _select(label(lang, "programme.tier"), tiers, tiers),
        "mode": _select(label(lang, "programme.mode"), modes, modes),
        "kind": _select(label(lang, "plan.kind"), kinds, kinds),
        "zone": _select(label(lang, "app.zone"), zones, zones),
        "all_day": st.column_config.CheckboxColumn(label(lang, "plan.all_day")),
        "per_zone": st.column_config.CheckboxColumn(label(lang, "plan.per_zone")),
        "at_least": number(label(lang, "plan.at_least"), min_value=0, step=1, format="%d"),
        "at_most": number(label(lang, "plan.at_most"), min_value=0, step=1, format="%d"),
        "share_at_least": number(label(lang, "plan.share_at_least"), min_value=0.0, max_value=100.0, format="%g%%"),
        "by": _select(label(lang, "plan.from_year"), plan.years, {}),
        "source": st.column_config.TextColumn(label(lang, "plan.source"), max_chars=200),
    }  # fmt: skip
