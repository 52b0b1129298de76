"""A server on this machine that answers as Nominatim and Overpass do, from a real extract; and that can be in a bad mood.

It understands just the questions that osmnx asks. A mood is what it does in place of its next answer.
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import osmium
import shapely

EXTRACT = Path(__file__).parents[1] / "extracts" / "neubrandenburg.osm.pbf"
TOWN = shapely.box(13.254, 53.5535, 13.267, 53.5605)


def elements() -> list[dict[str, Any]]:
    """The extract as Overpass's JSON has it."""
    found = []
    for thing in osmium.FileProcessor(str(EXTRACT), osmium.osm.NODE | osmium.osm.WAY):
        tags = {tag.k: tag.v for tag in thing.tags}
        if thing.is_node():
            element = {"type": "node", "id": thing.id, "lat": thing.location.lat, "lon": thing.location.lon}
        else:
            element = {"type": "way", "id": thing.id, "nodes": [node.ref for node in thing.nodes]}
        found.append(element | ({"tags": tags} if tags else {}))
    return found


class OsmServer:
    """Runs while it is entered.

    Attributes:
        moods: what to do in place of the next answers, in order: "429", "429 after 1", "504", "truncate", "break off", "stall", "remark",
            "hang up", "nothing"; "" answers well.
        asked: path of each question.
    """

    def __init__(self, *moods: str) -> None:
        self.moods, self.asked, self.elements = list(moods), [], elements()
        self.nodes = {e["id"]: e for e in self.elements if e["type"] == "node"}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self, urlsplit(self.path).query)

            def do_POST(self) -> None:
                server.answer(self, self.rfile.read(int(self.headers["Content-Length"])).decode())

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.closing = threading.Event()

    def __enter__(self) -> "OsmServer":
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()

    def answer(self, handler: BaseHTTPRequestHandler, question: str) -> None:
        """Answer one question, or do what the mood says."""
        path, asked = urlsplit(handler.path).path, parse_qs(question)
        self.asked.append(path)
        mood = self.moods.pop(0) if self.moods else ""
        whole = json.dumps(self.search(asked) if path.endswith("/search") else self.overpass(asked["data"][0])).encode()
        if mood[:3] in ("429", "504", "400"):
            handler.send_response(int(mood[:3]))
            if "after" in mood:
                handler.send_header("Retry-After", mood.rpartition(" ")[2])
            handler.end_headers()
            return
        if mood == "hang up":
            handler.connection.close()
            return
        if mood == "remark":
            whole = json.dumps(
                {"elements": [], "remark": 'runtime error: Query timed out in "query" at line 1'}
            ).encode()
        if mood == "nothing":
            whole = json.dumps([] if path.endswith("/search") else {"elements": []}).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        if mood != "break off":
            handler.send_header("Content-Length", str(len(whole)))
        handler.end_headers()
        if mood == "stall":
            handler.wfile.write(whole[: len(whole) // 2])
            handler.wfile.flush()
            self.closing.wait(10)
        elif mood in ("truncate", "break off"):
            handler.wfile.write(whole[: len(whole) // 2])
        else:
            handler.wfile.write(whole)

    def search(self, asked: dict[str, list[str]]) -> list[dict[str, Any]]:
        """Nominatim: one town, which has an area, and one that is a mere point."""
        if asked["q"][0] not in ("Neubrandenburg", "Punkt"):
            return []
        shape = TOWN if asked["q"][0] == "Neubrandenburg" else TOWN.centroid
        west, south, east, north = TOWN.bounds
        return [{"place_id": 1, "importance": 0.5, "lat": "53.55", "lon": "13.26", "display_name": "Neubrandenburg",
                 "boundingbox": [str(south), str(north), str(west), str(east)], "geojson": shapely.geometry.mapping(shape)}]  # fmt: skip

    def overpass(self, query: str) -> dict[str, Any]:
        """Overpass: ways with a key and their nodes, or nodes and ways with a tag, within a polygon."""
        numbers = [float(n) for n in re.search(r"poly:'([^']*)'", query.replace('"', "'"))[1].split()]
        area = shapely.Polygon(list(zip(numbers[1::2], numbers[::2], strict=True)))
        shapely.prepare(area)
        wanted = set(re.findall(r"(node|way)\['(\w+)'='(\w+)'\]", query)) if "node[" in query else set()
        kept, needed = [], set()
        for element in self.elements:
            tags = element.get("tags", {})
            fits = any(kind == element["type"] and tags.get(k) == v for kind, k, v in wanted) if wanted else (
                element["type"] == "way" and "highway" in tags and tags.get("area") != "yes")  # fmt: skip
            if fits and self.touches(element, area):
                kept.append(element)
                needed.update(element.get("nodes", ()))
        kept += [self.nodes[n] for n in sorted(needed - {e["id"] for e in kept}) if n in self.nodes]
        return {"version": 0.6, "elements": kept}

    def touches(self, element: dict[str, Any], area: shapely.Polygon) -> bool:
        """Tell whether an element is in an area in part."""
        if element["type"] == "node":
            return bool(shapely.contains_xy(area, element["lon"], element["lat"]))
        xy = [(self.nodes[n]["lon"], self.nodes[n]["lat"]) for n in element["nodes"] if n in self.nodes]
        return len(xy) > 1 and bool(shapely.intersects(area, shapely.LineString(xy)))
