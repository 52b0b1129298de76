"""The one symbology of print and web: mode by shape, status by fill, tier by size, year by colour.

Takes identifiers, gives colours, shape names and sizes. Draws nothing.
"""

from collections.abc import Sequence

PAPER = "#fbfaf7"
INK = "#1f2d3a"
MUTED = "#6b7680"
WATER = "#d3e2ea"
STREET = "#dedbd4"
# Coverage is one cool family, darkest for today and lighter with each year, so that a greyscale print keeps the order.
TODAY = "#1d5b87"
YEARS = ("#1f9a8a", "#66bd75", "#b5d35f")
# The one warm accent.
GAP = "#d8693c"

SHAPES = {
    "": "circle",
    "co_host": "circle",
    "self_build": "square",
    "joint_build": "triangle",
    "shared": "diamond",
    "consolidate": "pentagon",
}
# Diameter relative to a township's site.
TIER_SIZES = {"city": 1.6, "county": 1.3, "township": 1.0, "cluster": 1.0, "enterprise": 0.85}


def year_colours(years: Sequence[int]) -> dict[int, str]:
    """Return a colour for today (0) and for each year of the plan; later years share the last colour."""
    return {0: TODAY, **{year: YEARS[min(i, len(YEARS) - 1)] for i, year in enumerate(years)}}
