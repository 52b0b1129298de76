"""Where the embedded study is: in the package of a wheel, beside the package in a checkout.

Takes nothing, gives a folder with study.toml. Reads nothing of it.
"""

from pathlib import Path

from planner.errors import SurroundingsError
from planner.study import STUDY_FILE

PACKAGE = Path(__file__).resolve().parent


def folder(package: Path = PACKAGE) -> Path:
    """Return the folder of the embedded study of Wuhan.

    Args:
        package: the installed package's folder.

    Raises:
        SurroundingsError: the installation holds no study.
    """
    places = (package / "_embedded" / "wuhan", package.parent / "data" / "wuhan")
    for place in places:
        if (place / STUDY_FILE).is_file():
            return place
    raise SurroundingsError("embedded_missing", places=" | ".join(map(str, places)))
