"""What a page with the web map loads: Leaflet, the data as a script, web.js and its style, and the layers that web.js fills.

Takes what `webdata` gave; gives texts. Leaflet comes from XStatic-Leaflet.
"""

import base64
import html
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

LEAFLET = "xstatic.pkg.leaflet.data"
# Layers from the bottom up: the catalogue's word, what of web.js fills it and with what, and whether it is shown at first.
LAYERS: tuple[tuple[str, str, tuple[bool, ...], bool], ...] = (
    ("water", "water", (), True),
    ("streets", "streets", (), True),
    ("areas", "areas", (), False),
    ("coverage", "coverage", (), True),
    ("zones", "names", (), True),
    ("gaps", "gaps", (), True),
    ("candidates", "candidates", (), False),
    ("existing_sites", "sites", (False,), True),
    ("planned_sites", "sites", (True,), True),
)


def layers(data: dict[str, Any]) -> list[list[Any]]:
    """Return the layers from the bottom up: label, what of web.js fills it, with what more, whether it is shown at first."""
    # Leaflet's layer control takes its labels as HTML.
    return [[html.escape(data["words"][word]), fill, list(more), shown] for word, fill, more, shown in LAYERS]


def data_script(data: dict[str, Any]) -> str:
    """Return the script that sets the data; nothing in it can end a script element."""
    text = json_text(data)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f"window.plannerData={text};"


def json_text(data: dict[str, Any]) -> str:
    """Return what `webdata` gives as json."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    """Return a NumPy array or number as json has it."""
    return value.tolist()


@cache
def asset(name: str) -> str:
    """Return the text of web.js or web.css."""
    return files("planner.draw").joinpath(name).read_text(encoding="utf-8")


@cache
def leaflet_script() -> str:
    """Return Leaflet, without the address of its source map, which a browser would ask for."""
    text = files(LEAFLET).joinpath("leaflet.js").read_text(encoding="utf-8")
    return re.sub(r"\n?//# sourceMappingURL=.*", "", text)


@cache
def leaflet_style() -> str:
    """Return Leaflet's style with its pictures inside."""
    text = files(LEAFLET).joinpath("leaflet.css").read_text(encoding="utf-8")

    def inside(found: re.Match[str]) -> str:
        picture = files(LEAFLET).joinpath("images").joinpath(found[1]).read_bytes()
        return f"url(data:image/png;base64,{base64.b64encode(picture).decode()})"

    return re.sub(r"url\(images/([\w.-]+\.png)\)", inside, text)
