"""An extract laid out side by side until it is as large as wanted: real tags, real shapes, any size."""

from itertools import count
from pathlib import Path
from xml.sax.saxutils import quoteattr

APART = 10**10  # ids of one tile don't meet those of the next


def tile(source: Path, target: Path, n_nodes: int) -> int:
    """Write copies of an extract's highways and their nodes to ``target`` (.osm) until there are ``n_nodes``; return how many."""
    import osmium

    ways, nodes = [], {}
    for way in osmium.FileProcessor(str(source)).with_locations().with_filter(osmium.filter.KeyFilter("highway")):
        if not way.is_way() or not all(node.location.valid() for node in way.nodes):
            continue
        nodes |= {node.ref: (node.lon, node.lat) for node in way.nodes}
        ways.append((way.id, [node.ref for node in way.nodes], dict(way.tags)))
    west, east = min(x for x, _ in nodes.values()), max(x for x, _ in nodes.values())
    south, north = min(y for _, y in nodes.values()), max(y for _, y in nodes.values())
    n_tiles = next(n for n in count(1) if n * len(nodes) >= n_nodes)
    across = int(n_tiles**0.5)
    with target.open("w", encoding="utf-8") as out:
        out.write('<?xml version="1.0" encoding="UTF-8"?>\n<osm version="0.6">\n')
        for t in range(n_tiles):
            dx, dy = (t % across) * (east - west + 0.001), (t // across) * (north - south + 0.001)
            for ref, (x, y) in sorted(nodes.items()):
                out.write(f'<node id="{t * APART + ref}" version="1" lat="{y + dy:.7f}" lon="{x + dx:.7f}"/>\n')
        for t in range(n_tiles):
            for way, refs, tags in ways:
                out.write(f'<way id="{t * APART + way}" version="1">')
                out.writelines(f'<nd ref="{t * APART + ref}"/>' for ref in refs)
                out.writelines(f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in tags.items())
                out.write("</way>\n")
        out.write("</osm>\n")
    return n_tiles * len(nodes)
