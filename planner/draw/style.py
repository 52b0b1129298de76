"""The one symbology of print and web: tier by size, mode by shape, status by fill, time by one cool ramp, gaps by one warm accent.

Takes identifiers, gives colours, shapes and sizes. Draws nothing; knows neither matplotlib nor the web. Every distinction is made twice
(colour and lightness, shape, width or pattern), so that nothing hangs on a colour printer or on telling red from green: the ramp runs
from dark to light through blue and green-blue, and the accent is the orange that stays apart from blue in every colour blindness.
"""

from collections.abc import Sequence
from math import cos, pi, sin, sqrt

Points = tuple[tuple[float, float], ...]

WHITE = "#ffffff"
PAPER = "#fbfaf6"
INK = "#1d2b36"
MUTED = "#66717a"
FAINT = "#c9ced0"
WATER = "#d9e7ee"
WATER_EDGE = "#a5c1cf"
WATER_INK = "#5a88a0"
STREET = "#e2e0d8"
TRACK = "#eceae3"
ZONE_INK = "#85877f"
# Coverage is one cool family, darkest for today and lighter with each year: lightness (CIE L*) 22, then 50, 67, 82. The step from what
# stands to what is planned is the largest, as it is the one that a grey print must keep.
TODAY = "#1b3558"
YEARS = ("#2f7cb4", "#4fb0bb", "#9ad6d9")
# The one warm accent: strong for marks and figures, softer for the streets, which are many.
GAP = "#cf5a1c"
GAP_LINE = "#e0955f"
GAP_CORE = "#fdf1e6"
# Why people are not covered: told apart by lightness too (L* 53, 21, 67, 38), the one accent for what is too far.
REASONS = {
    "too_far": GAP,
    "unreachable": "#651407",
    "closed_then": "#d09c1e",
    "lacks_service": "#6d4b8f",
    "full": "#1f5c46",
    "awkward_host": "#8f9a52",
}
# Those who have a site that is open and equipped, but no seat in it: their gaps are marked hollow, as they are of another sort.
SEAT_REASONS = frozenset(("full", "awkward_host"))
# Every colour that is printed as it is.
_GROUND = (WHITE, PAPER, INK, MUTED, FAINT, WATER, WATER_EDGE, WATER_INK, STREET, TRACK, ZONE_INK)
COLOURS = tuple(dict.fromkeys((*_GROUND, TODAY, *YEARS, GAP, GAP_LINE, GAP_CORE, *REASONS.values())))

SHAPES = {
    "": "circle",
    "co_host": "circle",
    "self_build": "square",
    "joint_build": "triangle",
    "shared": "diamond",
    "consolidate": "pentagon",
}
# Diameter relative to a township's site.
TIER_SIZES = {"city": 1.45, "county": 1.2, "township": 1.0, "cluster": 0.88, "enterprise": 0.78}

# Width of a street of the base map, relative to a primary street.
STREET_WIDTHS = {
    "motorway": 1.3,
    "trunk": 1.2,
    "primary": 1.0,
    "secondary": 0.78,
    "tertiary": 0.56,
    "unclassified": 0.38,
    "residential": 0.38,
}
DEFAULT_STREET_WIDTH = 0.3


def year_colours(years: Sequence[int]) -> dict[int, str]:
    """Return a colour for today (0) and for each year of the plan, dark to light however many years there are."""
    steps = max(len(years) - 1, 1)
    return {0: TODAY, **{year: _ramp(i / steps) for i, year in enumerate(years)}}


def ink_on(colour: str) -> str:
    """Return the text colour, dark or white, that reads better on ``colour`` (relative luminance of WCAG 2.1)."""
    channels = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in _rgb(colour))
    luminance = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), channels, strict=True))
    return WHITE if luminance < 0.26 else INK


def street_width(street_class: str) -> float:
    """Return the width of a street of the base map relative to a primary street; links are slimmer than their street."""
    name = street_class.removesuffix("_link")
    width = STREET_WIDTHS.get(name, DEFAULT_STREET_WIDTH)
    return width if name == street_class else width * 0.65


def outline(shape: str) -> Points:
    """Return the corners of a symbol, counter-clockwise, y upwards, centred on (0, 0).

    Every shape has the area of a circle of diameter 1: size means tier and nothing else.
    """
    corners, first_deg = {
        "square": (4, 45),
        "diamond": (4, 90),
        "triangle": (3, 90),
        "pentagon": (5, 90),
        "hexagon": (6, 0),
    }.get(shape, (60, 0))
    # A regular polygon has the area n/2 · r² · sin(2π/n).
    radius = sqrt(pi / 4 / (corners / 2 * sin(2 * pi / corners)))
    angles = (first_deg * pi / 180 + 2 * pi * i / corners for i in range(corners))
    return tuple((radius * cos(a), radius * sin(a)) for a in angles)


def _rgb(colour: str) -> tuple[float, float, float]:
    r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return r, g, b


def _ramp(t: float) -> str:
    """Return the colour at ``t`` (0–1) of the years' ramp, straight lines in RGB between its stops."""
    place = t * (len(YEARS) - 1)
    i = min(int(place), len(YEARS) - 2)
    mixed = (a + (b - a) * (place - i) for a, b in zip(_rgb(YEARS[i]), _rgb(YEARS[i + 1]), strict=True))
    return "#" + "".join(f"{round(255 * c):02x}" for c in mixed)
