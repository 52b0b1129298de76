"""Result -> map.html: the web map in one file that asks no host for anything.

Takes a `Result`; writes a page. folium holds the map, its layers and their control; web.js draws what `webdata` gives. The app shows the
same layers and loads the same (`planner.draw.webparts`), without folium. All that is loaded stands in the page itself.
"""

import html
import json
from pathlib import Path
from typing import Any

import folium
from branca.element import Element, Figure, MacroElement
from folium.template import Template

from planner.draw.webdata import plan_data
from planner.draw.webparts import asset, data_script, layers, leaflet_script, leaflet_style
from planner.pipeline import Result
from planner.words import Lang, say


def write_map(result: Result, path: Path, lang: Lang) -> None:
    """Write map.html: the same bytes for the same result.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_text(page(plan_data(result, lang)), encoding="utf-8", newline="\n")


def page(data: dict[str, Any]) -> str:
    """Return the page of what `plan_data` gave."""
    plan = plan_map(data)
    figure = plan.get_root()
    assert isinstance(figure, Figure)
    figure.title = html.escape(data["title"])
    scripts = (leaflet_script(), data_script(data), asset("web.js"))
    figure.header.add_child(_Text("".join(f"<style>{css}</style>\n" for css in (leaflet_style(), asset("web.css")))))
    figure.header.add_child(_Text("".join(f"<script>{script}</script>\n" for script in scripts)))
    figure.html.add_child(_Text(f"<noscript>{html.escape(say(data['lang'], 'web.no_script'))}</noscript>"))
    # folium names its elements by chance; numbering them makes two runs equal.
    for number, element in enumerate(_elements(figure)):
        element._id = str(number)
    text: str = figure.render()
    return text


def plan_map(data: dict[str, Any]) -> folium.Map:
    """Return the folium map of what `plan_data` gave, its layers and their control.

    Only the layers' names and the place are taken from the data; what the layers show, web.js reads from `data_script`.
    """
    (south, west), (north, east) = data["bounds"]
    plan = _Map(
        location=[round((south + north) / 2, 6), round((west + east) / 2, 6)],
        zoom_start=13,
        tiles=None,
        zoom_control=False,
        max_zoom=19,
        min_zoom=8,
        zoom_snap=0.5,
        font_size="14px",
    )
    Call("begin({})").add_to(plan)
    for label, fill, more, shown in layers(data):
        _Layer(label, f"{fill}({', '.join(['{}', *map(json.dumps, more)])})", shown).add_to(plan)
    folium.LayerControl(collapsed=False).add_to(plan)
    Call("finish(true)").add_to(plan)
    return plan


class _Text(Element):
    """Text that goes into the page as it is: a template of branca's would read braces in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def render(self, **_: Any) -> str:
        return self.text


class _Map(folium.Map):
    """A map whose scripts are its own: folium's come from other hosts."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012
    default_css: list[tuple[str, str]] = []  # noqa: RUF012


class _Layer(folium.FeatureGroup):
    """A layer that web.js fills."""

    _template = Template("""
        {% macro script(this, kwargs) %}
            var {{ this.get_name() }} = L.featureGroup();
            planner.{{ this.call.format(this.get_name()) }};
        {% endmacro %}
        """)

    def __init__(self, name: str, call: str, shown: bool) -> None:
        super().__init__(name=name, show=shown)
        self.call = call


class Call(MacroElement):
    """A call of web.js; a pair of braces in it stands for what it is added to."""

    _template = Template("""
        {% macro script(this, kwargs) %}
            planner.{{ this.call.format(this._parent.get_name()) }};
        {% endmacro %}
        """)

    def __init__(self, call: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "Call"
        self.call = call


def _elements(element: Element) -> list[Element]:
    """Return an element and all below it, in the order in which they were added."""
    below = [element.header, element.html, element.script] if isinstance(element, Figure) else []
    return [element, *(one for child in [*below, *element._children.values()] for one in _elements(child))]
