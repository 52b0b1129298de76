"""What is known about the data before anything is planned -> the data-quality report, as xlsx and as one html file.

Takes a study, its inputs and the walks, or what a survey found where the files can't be used yet; gives sections (a title and a table each)
and writes them. Judges nothing that `intake` did not notice, but for how far places lie from the streets they were put on and whose totals
speak of which area.
"""

import html
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from planner.audit import audit_crossings, audit_positions
from planner.errors import InputError
from planner.intake import Inputs
from planner.osm import SUFFIXES
from planner.pipeline import Walks
from planner.report.archive import write_package
from planner.report.cells import put_text
from planner.study import Study
from planner.tables import EVIDENCE_COLUMNS, REJECT_COLUMNS
from planner.words import Lang, say, term
from planner.workspace.survey import Findings, Survey

# The walk from a place to its street: farther than this, a street is missing or the place is wrong.
FAR_FROM_STREET_M = 100.0
MOST_ROWS = 1_000
# How streets may fail to meet, the likeliest fault first: a crossing is a bridge as often as not.
_JOINTS = ("near", "touch", "overlap", "crossing")
# What a warning speaks of, in the order of reading; whatever is not named here speaks of the files and their words.
_TOPICS: dict[str, frozenset[str]] = {
    "place": frozenset({"read_as", "datum_contradicted", "axes_swapped", "in_water", "datum_mixed", "datum_pasted", "same_spot",
                        "no_points",
                        "approximate"}),
    "double": frozenset({"duplicate", "duplicates", "same_name", "candidate_stands", "candidates_stand"}),
    "people": frozenset({"weight_heavy", "weight_zero", "weight_apart", "weight_alike", "people_unplaced",
                         "people_outside_zones", "road_ends", "road_unsplit"}),
    "scope": frozenset({"total_differs", "people_outside", "swept_little", "swept_much", "zones_overlap", "zones_holes", "zones_one_name",
                        "no_zones"}),
    "age": frozenset({"stale_title", "stale_rows"}),
    "file": frozenset(),
}  # fmt: skip

Head = Callable[..., pd.DataFrame]


@dataclass(frozen=True)
class Section:
    """A part of the report: its key in the catalogue's section ``check``, and a table with headings to print."""

    key: str
    table: pd.DataFrame


def quality_sections(study: Study, inputs: Inputs, walks: Walks, *, lang: Lang) -> tuple[Section, ...]:
    """Return the sections of the data-quality report in the order of reading.

    Args:
        study: the settings.
        inputs: what its files hold.
        walks: where things lie on the network.
        lang: language of headings and words.
    """

    head = _headings(lang)
    joints = audit_crossings(walks.network) if walks.network.detour_factor is None else None
    kinds = inputs.sites["status"]
    counts = {
        "existing": int((kinds == "existing").sum()),
        "candidates": int((kinds == "candidate").sum()),
        "units": len(inputs.demand),
        "people": round(float(inputs.demand["weight"].sum()), 1),
        "zones": len(inputs.zones),
        "street_km": round(walks.network.length_km, 1),
        "components": walks.network.n_components,
        "joints": 0 if joints is None else len(joints),
        "rejected": len(inputs.rejects),
    }
    return (
        Section("counts", head(what=[say(lang, f"check.{key}") for key in counts], value=list(counts.values()))),
        Section("files", _files(inputs, head)),
        Section("warnings", _warnings(inputs, lang, head)),
        Section("rejects", _rejects(inputs.rejects, head)),
        Section("evidence", _evidence(inputs.evidence, head)),
        Section("layers", _layers(study, lang, head)),
        Section("headings", head(file=inputs.headings["file"], heading=inputs.headings["heading"], field=inputs.headings["field"])),
        Section("snap", _snap(inputs, walks, lang, head)),
        Section("suspects", _suspects(inputs, walks, lang, head)),
        Section("joints", _joints(joints, walks, lang, head)),
        Section("scopes", _scopes(study, inputs, lang, head)),
    )  # fmt: skip


def fault_sections(study: Study, found: Survey, *, lang: Lang) -> tuple[Section, ...]:
    """Return the sections of the report on files that cannot be used yet: what has to be put right comes first.

    Args:
        study: the settings.
        found: what a survey found.
        lang: language of headings and words; the survey's own.
    """
    head, findings = _headings(lang), list(found.findings.values())
    tables = [f for f in findings if f.kind != "layer"]
    warnings = [warning for f in findings for warning in f.warnings] + list(found.warnings)
    return (
        Section("faults", _faults(found, lang, head)),
        Section("files", head(
            file=[f.file for f in tables], used=[f.used for f in tables],
            rejected=[len(f.rejects) + len(f.asides) for f in tables], faulty=[len({fault.row for fault in f.faults}) for f in tables],
        )),
        Section("warnings", head(note=list(dict.fromkeys(warnings)))),
        Section("rejects", _rejects(unused(found), head)),
        Section("evidence", _evidence(_weighed(findings), head)),
        Section("layers", _layers(study, lang, head)),
        Section("headings", head(
            file=[f.file for f in findings for _ in f.fields], heading=[h for f in findings for h in f.fields.values()],
            field=[name for f in findings for name in f.fields],
        )),
    )  # fmt: skip


def unused(found: Survey) -> pd.DataFrame:
    """Return the rows that are left out as far as the files could be read (`tables.REJECT_COLUMNS`)."""
    rejects = [frame for f in found.findings.values() for frame in (f.rejects, f.asides) if len(frame)]
    return pd.concat(rejects) if rejects else pd.DataFrame(columns=list(REJECT_COLUMNS))


def faults(found: Survey) -> list[tuple[str, int | str, str, str, InputError]]:
    """Return what has to be put right before a study can be run: file, row, heading, what stands there, what is wrong."""
    wrong: list[tuple[str, int | str, str, str, InputError]] = []
    for f in found.findings.values():
        if f.problem:
            wrong.append((f.file, "", "", "", f.problem))
        wrong += [(f.file, fault.row, fault.heading, fault.text, fault.error) for fault in f.faults]
    if found.problem:
        wrong.append(("", "", "", "", found.problem))
    return wrong


def _headings(lang: Lang) -> Head:
    def head(**columns: Any) -> pd.DataFrame:
        return pd.DataFrame({say(lang, f"check.{key}"): values for key, values in columns.items()})

    return head


def _faults(found: Survey, lang: Lang, head: Head) -> pd.DataFrame:
    wrong = faults(found)[:MOST_ROWS]
    file, row, column, text, error = zip(*wrong, strict=True) if wrong else ((),) * 5
    return head(file=file, row=row, heading=column, cell=text, fault=[e.text(lang) for e in error])


def _files(inputs: Inputs, head: Head) -> pd.DataFrame:
    """Return how many rows of each table are used and how many are not, and as what its coordinates were read."""
    sources = pd.concat(
        [inputs.sites["source"], inputs.demand["source"], inputs.options["source"], inputs.survey["source"]]
    )
    used = sources.drop_duplicates().str.rpartition("#")[0].value_counts()
    unused = inputs.rejects["file"].value_counts()
    chosen = inputs.evidence[inputs.evidence["chosen"].astype(bool)]
    read = chosen.groupby("file", sort=False)["reading"].agg(lambda readings: ", ".join(dict.fromkeys(readings)))
    # Streets are where people of a line demand stand, not their table.
    tables = [str(file) for file in dict.fromkeys(inputs.headings["file"])]
    return head(
        file=tables,
        used=[int(used.get(table, 0)) for table in tables],
        rejected=[int(unused.get(table, 0)) for table in tables],
        reading=[read.get(table, "") for table in tables],
    )


def _warnings(inputs: Inputs, lang: Lang, head: Head) -> pd.DataFrame:
    """Return the warnings by what they speak of."""
    order = list(_TOPICS)
    topics = [next((topic for topic, keys in _TOPICS.items() if key in keys), "file") for key in inputs.topics]
    told = sorted(zip(topics, inputs.warnings, strict=True), key=lambda one: order.index(one[0]))
    return head(topic=[say(lang, f"check.topic_{topic}") for topic, _ in told], note=[note for _, note in told])


def _rejects(rejects: pd.DataFrame, head: Head) -> pd.DataFrame:
    shown = rejects.head(MOST_ROWS)
    return head(
        file=shown["file"], row=shown["row"], reason=shown["reason"], repair=shown["repair"], values=shown["values"]
    )


def _evidence(evidence: pd.DataFrame, head: Head) -> pd.DataFrame:
    return head(
        file=evidence["file"],
        reading=evidence["reading"],
        median_m=evidence["median_m"].astype(float).round(1),
        near=evidence["near"].astype(float).round(3),
        likelihood=evidence["likelihood"].astype(float).round(4),
        points=evidence["points"],
        chosen=["✓" if chosen else "" for chosen in evidence["chosen"]],
    )


def _layers(study: Study, lang: Lang, head: Head) -> pd.DataFrame:
    """Return as what each layer was read, and that nothing speaks for it: lines and borders are no places beside streets."""
    rows = []
    for role in ("streets", "zones", "water"):
        layer = getattr(study, role)
        if layer is not None:
            osm = layer.file.lower().endswith(SUFFIXES)
            key = "layer_osm" if osm else "layer_declared" if "datum" in layer.model_fields_set else "layer_unweighed"
            rows.append(
                (layer.file, say(lang, f"start.role_{role}"), layer.datum, say(lang, f"check.{key}", role=role))
            )
    file, what, reading, note = zip(*rows, strict=True) if rows else ((),) * 4
    return head(file=file, what=what, reading=reading, note=note)


def _weighed(findings: list[Findings]) -> pd.DataFrame:
    """Return the evidence that a survey weighed; nothing is taken yet."""
    rows = [
        (f.file, e.reading.datum, e.median_m, e.near, e.likelihood, e.points, False)
        for f in findings
        for e in f.evidence
        if not e.reading.swapped
    ]
    return pd.DataFrame(rows, columns=list(EVIDENCE_COLUMNS))


def _snap(inputs: Inputs, walks: Walks, lang: Lang, head: Head) -> pd.DataFrame:
    """Return how far from their streets the places of each kind lie."""
    kinds = inputs.sites["status"].to_numpy()
    groups = {
        term(lang, "status", status): walks.sites.access_m[kinds == status] for status in ("existing", "candidate")
    }
    groups[say(lang, "check.units")] = walks.demand.access_m
    rows = [
        (
            name,
            len(m),
            float(np.median(m)),
            float(np.percentile(m, 90)),
            float(m.max()),
            int((m > FAR_FROM_STREET_M).sum()),
        )
        for name, m in groups.items()
        if len(m)
    ]
    name, count, median, p90, worst, far = zip(*rows, strict=True) if rows else ((),) * 6
    return head(
        what=name,
        value=count,
        median_m=np.round(median, 1),
        p90_m=np.round(p90, 1),
        worst_m=np.round(worst, 1),
        far_count=far,
    )


def _suspects(inputs: Inputs, walks: Walks, lang: Lang, head: Head) -> pd.DataFrame:
    """Return the places and units that were put on a doubtful street: far away, on an island of the network, or across water."""
    if walks.network.detour_factor is not None:
        return head(source=[], name=[], access_m=[], street=[], doubt=[])
    parts = []
    for table, at in ((inputs.sites, walks.sites), (inputs.demand, walks.demand)):
        barriers = inputs.water.assign(kind="water") if len(inputs.water) else None
        audit = audit_positions(walks.network, table.geometry, at, far_m=FAR_FROM_STREET_M, barriers=barriers)
        doubts = {"far": audit["far"], "island": audit["island"], "water": audit["barrier"] != ""}
        said = [
            [say(lang, f"check.doubt_{key}") for key, holds in doubts.items() if holds[i]] for i in range(len(audit))
        ]
        named = table["name"] if "name" in table else table["id"]
        frame = {
            "source": table["source"],
            "name": named,
            "access_m": audit["moved_m"].round(0),
            "street": audit["street"],
        }
        shown = pd.DataFrame({key: list(values) for key, values in frame.items()}).assign(
            doubt=list(map("; ".join, said))
        )
        parts.append(shown[shown["doubt"] != ""])
    doubtful = pd.concat(parts).sort_values("access_m", ascending=False, kind="stable").head(MOST_ROWS)
    return head(**{str(column): doubtful[column].to_list() for column in doubtful})


def _joints(found: gpd.GeoDataFrame | None, walks: Walks, lang: Lang, head: Head) -> pd.DataFrame:
    """Return where streets meet, or all but meet, and nobody can turn from one into the other."""
    columns = ("joint", "street", "source", "other_street", "other_source", "lon", "lat")
    if found is None:
        return head(**{column: [] for column in columns})
    found = found.sort_values("kind", key=lambda kind: kind.map(_JOINTS.index), kind="stable").head(MOST_ROWS)
    edges = walks.network.edges
    name, source = edges["name"].to_numpy(), edges["source"].to_numpy()
    at = found.geometry.representative_point().to_crs("EPSG:4326")
    here, there = found["edge"].to_numpy(), found["other"].to_numpy()
    kind = [say(lang, f"check.joint_{kind}") for kind in found["kind"]]
    lonlat = at.x.round(6).to_list(), at.y.round(6).to_list()
    return head(
        **dict(zip(columns, (kind, name[here], source[here], name[there], source[there], *lonlat), strict=True))
    )


def _scopes(study: Study, inputs: Inputs, lang: Lang, head: Head) -> pd.DataFrame:
    """Return of which area each total speaks, and a mark where that is not the study's: totals of different areas don't compare."""
    people = inputs.demand.groupby("group", sort=False)["weight"].sum()
    rows = []
    for demand in study.demand:
        differs = bool(study.scope and demand.scope and demand.scope != study.scope)
        unknown = not demand.scope
        mark = say(lang, "check.scope_differs" if differs else "check.scope_missing" if unknown else "check.scope_same")
        rows.append(
            (study.groups[demand.group].name, round(float(people.get(demand.group, 0.0)), 1), demand.scope, mark)
        )
    group, weight, scope, mark_of = zip(*rows, strict=True)
    return head(group=group, people=weight, scope=scope, judgement=mark_of)


def write_quality(sections: tuple[Section, ...], title: str, folder: Path, *, lang: Lang) -> tuple[Path, Path]:
    """Write the report as quality.xlsx and quality.html into ``folder`` and return both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    book, page = folder / "quality.xlsx", folder / "quality.html"
    write_package(_workbook(sections, lang), book)
    page.write_text(_page(sections, title, lang), encoding="utf-8")
    return book, page


def _workbook(sections: tuple[Section, ...], lang: Lang) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for section in sections:
        sheet = book.create_sheet(say(lang, f"check.title_{section.key}")[:31])
        sheet.append([str(column) for column in section.table.columns])
        for n, row in enumerate(section.table.itertuples(index=False), 2):
            for number, value in enumerate(row, 1):
                cell = sheet.cell(n, number)
                if isinstance(value, str):
                    put_text(cell, value)
                elif not pd.isna(value):
                    cell.value = value.item() if hasattr(value, "item") else value
                cell.alignment = Alignment(vertical="top", wrap_text=isinstance(value, str) and len(value) > 20)
        for n, column in enumerate(section.table.columns):
            sheet.cell(1, n + 1).font = Font(bold=True)
            longest = max([len(str(column)), *section.table.iloc[:200, n].astype(str).str.len()])
            sheet.column_dimensions[get_column_letter(n + 1)].width = min(12 + longest, 80)
        sheet.freeze_panes = "A2"
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


_STYLE = (
    "body{font:15px/1.6 system-ui,'Microsoft YaHei','PingFang SC','Noto Sans CJK SC',sans-serif;margin:2rem auto;max-width:70rem;"
    "padding:0 1rem;color:#222}table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}th,td{border-bottom:1px solid #ddd;"
    "padding:.3rem .6rem;text-align:left;vertical-align:top}th{background:#f4f4f2}td{overflow-wrap:anywhere}.none{color:#777}"
)


def _page(sections: tuple[Section, ...], title: str, lang: Lang) -> str:
    parts = []
    for section in sections:
        parts.append(f"<h2>{html.escape(say(lang, f'check.title_{section.key}'))}</h2>")
        if section.table.empty:
            parts.append(f'<p class="none">{html.escape(say(lang, "check.nothing"))}</p>')
            continue
        heads = "".join(f"<th>{html.escape(str(column))}</th>" for column in section.table.columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_shown(value))}</td>" for value in row) + "</tr>"
            for row in section.table.itertuples(index=False)
        )
        parts.append(f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>")
    heading = html.escape(say(lang, "check.title", study=title))
    language = "zh-CN" if lang == "zh" else "en"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{heading}</title><style>{_STYLE}</style></head>'
        f"<body><h1>{heading}</h1>{''.join(parts)}</body></html>\n"
    )


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return "–" if np.isnan(value) else f"{value:,.10g}"
    return str(value)
