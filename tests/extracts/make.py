"""Makes neubrandenburg.osm.pbf: the middle of a town, cut from a larger extract. Run with that extract as the argument.

Kept are streets, buildings that are somebody's address, and what has an amenity or a shop; no boundary, no history, no user.
"""

import sys
from pathlib import Path

import osmium

WEST, SOUTH, EAST, NORTH = 13.252, 53.552, 13.270, 53.562
KEYS = ("highway", "amenity", "shop", "addr:street")


def inside(location: osmium.osm.Location) -> bool:
    return location.valid() and WEST <= location.lon <= EAST and SOUTH <= location.lat <= NORTH


def main(source: str) -> None:
    """Write the clip beside this script."""
    ways, nodes, needed = [], {}, set()
    for thing in osmium.FileProcessor(source, osmium.osm.NODE | osmium.osm.WAY).with_locations():
        tags = {tag.k: tag.v for tag in thing.tags}
        wanted = any(key in tags for key in KEYS)
        if thing.is_node():
            nodes[thing.id] = (thing.location.lon, thing.location.lat, tags)
            if wanted and inside(thing.location):
                needed.add(thing.id)
        elif wanted and any(inside(node.location) for node in thing.nodes if node.location.valid()):
            refs = [node.ref for node in thing.nodes]
            needed.update(refs)
            ways.append((thing.id, refs, tags))
    target = Path(__file__).with_name("neubrandenburg.osm.pbf")
    target.unlink(missing_ok=True)
    with osmium.SimpleWriter(str(target)) as writer:
        for number in sorted(needed & nodes.keys()):
            lon, lat, tags = nodes[number]
            writer.add_node(osmium.osm.mutable.Node(id=number, location=(lon, lat), tags=tags))
        for number, refs, tags in ways:
            writer.add_way(osmium.osm.mutable.Way(id=number, nodes=refs, tags=tags))


if __name__ == "__main__":
    main(sys.argv[1])
