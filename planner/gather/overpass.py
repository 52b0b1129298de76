"""An area -> what OpenStreetMap's servers know of it, asked for politely. The only module that talks to a network.

Takes a name or a polygon; gives polygons, an osmnx graph or features. osmnx asks and keeps each answer on disk, so that a download
that broke off goes on where it stopped; which server is asked, what is no answer and how long to wait is decided here.
"""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar

import geopandas as gpd
import osmnx
import requests
import shapely
from osmnx._errors import InsufficientResponseError, ResponseStatusCodeError
from requests.auth import AuthBase

from planner.errors import InputError, SurroundingsError
from planner.osm import WAY_TAGS

T = TypeVar("T")

# Public servers, as the OpenStreetMap wiki lists them for use without a key; the first is asked first.
OVERPASS = (
    "https://overpass-api.de/api",
    "https://overpass.private.coffee/api",
    "https://maps.mail.ru/osm/tools/overpass/api",
)
NOMINATIM = "https://nominatim.openstreetmap.org"
_ALL_WAYS = '["highway"]["area"!~"yes"]'
# Servers that are busy or in trouble for a while; anything else above 400 is an answer.
_LATER = frozenset({429, 500, 502, 503, 504})


# Without a network nobody needs to wait long to be told so.
_TRIES_OFFLINE = 2


@dataclass(frozen=True)
class Manners:
    """How servers are asked.

    Attributes:
        overpass: addresses of Overpass servers; when one fails the next is asked.
        nominatim: address of the server that knows names.
        timeout_s: how long an answer may take to begin, and to go on.
        tries: how often in a row a question may fail before we give up.
        pause_s: the first wait after a failure; each further one is twice as long. A server that says how long is obeyed.
        longest_pause_s: no wait is longer; a server that asks for more is left alone, and the next one asked.
    """

    overpass: tuple[str, ...] = OVERPASS
    nominatim: str = NOMINATIM
    timeout_s: int = 180
    tries: int = 6
    pause_s: float = 5.0
    longest_pause_s: float = 120.0


class _NoAnswerError(Exception):
    """A server said something that is no answer: busy, in trouble, or a text that breaks off."""

    def __init__(self, detail: str, wait_s: float | None = None) -> None:
        super().__init__(detail)
        self.wait_s = wait_s


class _Courier(AuthBase):
    """Carries osmnx's questions to the mirror in turn, and looks at each answer before osmnx does.

    osmnx names its answers on disk by the address it asks; it always asks the first mirror, so that an answer is found again
    whichever mirror gave it.
    """

    def __init__(self, manners: Manners) -> None:
        self.mirrors, self.turn, self.answers = manners.overpass, 0, 0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        first, mirror = self.mirrors[0], self.mirrors[self.turn % len(self.mirrors)]
        if request.url and request.url.startswith(first):
            request.url = mirror + request.url.removeprefix(first)
        request.register_hook("response", self.look)
        return request

    def look(self, response: requests.Response, **_: Any) -> None:
        """Refuse what osmnx would take for an answer, or would wait for without end."""
        if response.status_code in _LATER:
            raise _NoAnswerError(f"HTTP {response.status_code}", _wait_s(response.headers.get("Retry-After", "")))
        if not response.ok:
            return
        try:
            told = response.json()
        except ValueError as error:
            raise _NoAnswerError("answer breaks off") from error
        # Overpass reports that it ran out of time or memory in a whole answer, with half of the data.
        remark = told.get("remark", "") if isinstance(told, dict) else ""
        if "error" in remark.lower():
            raise _NoAnswerError(remark[:200])
        self.answers += 1


def _wait_s(header: str) -> float | None:
    """Return how long a server asks us to wait: seconds, or until a date; None where it doesn't say."""
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


@contextmanager
def _osmnx(manners: Manners, cache: Path, courier: _Courier) -> Iterator[None]:
    """Let osmnx work with our settings; its own, which are global, come back whatever happens."""
    ours = {
        "overpass_url": manners.overpass[0],
        "nominatim_url": manners.nominatim,
        "requests_timeout": manners.timeout_s,
        "requests_kwargs": {"auth": courier},
        # Waiting is our business; and no third server is asked where a name leads.
        "overpass_rate_limit": False,
        "doh_url_template": None,
        "use_cache": True,
        "cache_folder": str(cache),
        "useful_tags_way": sorted(WAY_TAGS),
        "http_user_agent": "service-network-planner (osmnx)",
    }
    before = {name: getattr(osmnx.settings, name) for name in ours}
    resolve = socket.getaddrinfo  # osmnx puts its own in its place
    try:
        for name, value in ours.items():
            setattr(osmnx.settings, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(osmnx.settings, name, value)
        socket.getaddrinfo = resolve


def _short(error: Exception) -> str:
    """Return the kind of an error, and what it says where that is for people."""
    if isinstance(error, _NoAnswerError):
        return str(error)
    return {"ReadTimeout": "timeout", "ConnectTimeout": "timeout"}.get(type(error).__name__, type(error).__name__)


class Servers:
    """Asks OpenStreetMap's servers, one question after the other.

    Args:
        cache: folder for answers; what is in it is not asked for again.
        manners: how servers are asked.
        waiting: told why and how many seconds before each pause.
    """

    def __init__(
        self, cache: Path, manners: Manners | None = None, waiting: Callable[[str, float], None] = lambda *_: None
    ) -> None:
        self.cache, self.manners, self.waiting = cache, manners or Manners(), waiting
        self._courier = _Courier(self.manners)

    def place(self, name: str) -> gpd.GeoDataFrame:
        """Return a place's polygon in WGS-84: one row with id and name.

        Args:
            name: as people call it, best with county, province and country.

        Raises:
            InputError: OpenStreetMap knows no such place, or no area of it.
            SurroundingsError: the servers can't be reached, refuse, or fail too often in a row.
        """
        try:
            found = self._ask(lambda: osmnx.geocode_to_gdf(name), name)
        except (InsufficientResponseError, TypeError, KeyError) as error:  # nothing found; found, but no area
            raise InputError("place_not_found", place=name) from error
        return gpd.GeoDataFrame({"id": ["Z01"], "name": [name]}, geometry=[found.geometry.iloc[0]], crs="EPSG:4326")

    def graph(self, area: shapely.Geometry, place: str) -> Any:
        """Return an osmnx graph of all ways with a highway tag in a polygon (WGS-84), not simplified.

        Which of them serve whom is `osm`'s to say.

        Raises:
            InputError: there is no street in the area.
            SurroundingsError: the servers can't be reached, refuse, or fail too often in a row.
        """

        def question() -> Any:
            return osmnx.graph_from_polygon(
                area,
                network_type="walk",
                simplify=False,
                retain_all=True,
                truncate_by_edge=True,
                custom_filter=_ALL_WAYS,
            )

        try:
            return self._ask(question, place)
        except (InsufficientResponseError, ValueError) as error:
            raise InputError("fetch_empty", place=place) from error

    def features(self, area: shapely.Geometry, tags: Mapping[str, list[str]], place: str) -> gpd.GeoDataFrame:
        """Return what has one of the tags in a polygon (WGS-84), with a column for each of its tags; an empty frame where nothing has.

        Raises:
            SurroundingsError: the servers can't be reached, refuse, or fail too often in a row.
        """
        try:
            return self._ask(lambda: osmnx.features_from_polygon(area, dict(tags)), place)
        except InsufficientResponseError:
            return gpd.GeoDataFrame({"name": []}, geometry=[], crs="EPSG:4326")

    def _ask(self, question: Callable[[], T], place: str) -> T:
        """Ask until there is an answer, with longer and longer pauses and by other mirrors; answers on the way start the count anew."""
        failed, answered = 0, self._courier.answers
        with _osmnx(self.manners, self.cache, self._courier):
            while True:
                try:
                    return question()
                except ResponseStatusCodeError as error:
                    raise SurroundingsError("fetch_failed", place=place, detail=str(error)[:200]) from error
                except (_NoAnswerError, requests.RequestException) as error:
                    failed = 1 if self._courier.answers > answered else failed + 1
                    answered = self._courier.answers
                    if failed >= self.manners.tries or (failed >= _TRIES_OFFLINE and self._offline(error)):
                        raise self._given_up(error, place) from error
                    self._wait(error, failed)

    def _wait(self, error: Exception, failed: int) -> None:
        """Wait before asking another mirror, or the same one where it says when to come back."""
        longest_s = self.manners.longest_pause_s
        asked_s = error.wait_s if isinstance(error, _NoAnswerError) else None
        pause_s = min(self.manners.pause_s * 2.0 ** (failed - 1), longest_s)
        if asked_s is not None and (asked_s <= longest_s or len(self.manners.overpass) == 1):
            pause_s = min(max(pause_s, asked_s), longest_s)
        else:
            self._courier.turn += 1
        self.waiting(_short(error), pause_s)
        time.sleep(pause_s)

    def _offline(self, error: Exception) -> bool:
        """Tell whether there seems to be no network: nobody has answered yet."""
        return isinstance(error, requests.ConnectionError) and not self._courier.answers

    def _given_up(self, error: Exception, place: str) -> SurroundingsError:
        if self._offline(error):
            return SurroundingsError("fetch_offline", place=place, detail=_short(error))
        return SurroundingsError("fetch_failed", place=place, detail=_short(error))
