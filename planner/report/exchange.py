"""Result -> the folder exchange/: GeoJSON and CSV for the databases of other offices, with a dictionary of every column in both languages.

Takes a `Result`; the layers are those of plan.gpkg, in WGS-84 degrees as RFC 7946 asks. Computes nothing.
"""

import re
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio

from planner.pipeline import Result
from planner.report.layers import about, dictionary, layers
from planner.words import LANGS, Lang, say
from planner.words.wording import harmless

# What others ask for; the streets and the water are a base map that they have themselves.
EXCHANGED = ("sites", "actions", "gaps", "zones", "demand")
# Degrees to seven decimals are a centimetre.
DECIMALS = 7
_LIKE_A_FORMULA = re.compile(r"[=+\-@\t\r]")


def write_exchange(result: Result, folder: Path, lang: Lang) -> list[Path]:
    """Write a GeoJSON and a CSV for each layer, dictionary.csv and about.csv (source, licence, what is made up), and return the files.

    A CSV opens in a spreadsheet, where text that begins like a formula would be computed: there, and in no GeoJSON, an apostrophe stands
    before it. UTF-8; the CSV with a byte-order mark, which Excel in China needs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, frame in layers(result).items():
        if name in EXCHANGED:
            degrees = frame.to_crs("EPSG:4326")
            files += [_geojson(degrees, folder / f"{name}.geojson"), _csv(_flat(degrees), folder / f"{name}.csv")]
    meanings = dictionary()
    places = pd.DataFrame(
        [
            (name, column, *(say(each, f"layers.any_{column}") for each in LANGS))
            for name in EXCHANGED
            for column in _PLACE
        ],
        columns=meanings.columns,
    )
    meanings = pd.concat([meanings[meanings["layer"].isin(EXCHANGED)], places]).sort_values("layer", kind="stable")
    return [*files, _csv(meanings, folder / "dictionary.csv"), _csv(about(result, lang), folder / "about.csv")]


_PLACE = ("longitude", "latitude")


def _geojson(frame: gpd.GeoDataFrame, file: Path) -> Path:
    pyogrio.write_dataframe(
        frame, file, driver="GeoJSON", layer_options={"RFC7946": "YES", "COORDINATE_PRECISION": str(DECIMALS)}
    )
    return file


def _flat(frame: gpd.GeoDataFrame) -> pd.DataFrame:
    """Return a layer's columns with a point in or on each row's shape."""
    points = frame.geometry.representative_point()
    places = {"longitude": points.x.round(DECIMALS), "latitude": points.y.round(DECIMALS)}
    return pd.DataFrame(frame.drop(columns=frame.geometry.name)).assign(**places)


def _csv(table: pd.DataFrame, file: Path) -> Path:
    def quiet(value: object) -> object:
        if not isinstance(value, str):
            return value
        text = harmless(value)
        return f"'{text}" if _LIKE_A_FORMULA.match(text) else text

    texts = {column: table[column].map(quiet) for column in table.select_dtypes(exclude=["number", "bool"]).columns}
    table.assign(**texts).to_csv(file, index=False, encoding="utf-8-sig", lineterminator="\r\n")
    return file
