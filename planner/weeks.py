"""Pairs and week masks -> which half-hours each unit has: the one pass over all pairs that coverage in time is made of.

Takes `Reach` and masks of the places; gives the different weeks there are and the number of each unit's. Half-hours in which the same
places are open are one class, a bit each, so that a week of 336 half-hours is mostly one word.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from planner.kernels import compiled
from planner.reach import Reach, on_all_cores

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Pairs = NDArray[np.int32]

# Pairs that a thread takes at a time.
_BLOCK = 1 << 17
# Any odd number with its bits well spread (2^64 ÷ the golden ratio).
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def united(reach: Reach, place: Ints, masks: Sequence[Bools]) -> tuple[Ints, list[tuple[Ints, Bools]]]:
    """Unite the masks of the places that each unit reaches: one pass over the pairs, however many masks.

    Args:
        reach: pairs (unit, place), sorted by unit.
        place: (n,) the places that count.
        masks: each (n, m) of flags of these places, m of its own: which half-hours they are open, what they offer.

    Returns:
        within: (n_units,) how many of the places each unit reaches.
        For each of the masks the number of each unit's row, and the different rows there are, the empty one first: (n_rows, m).
    """
    packed = [_words(mask) for mask in masks]
    ends = np.cumsum([0, *(words.shape[1] for words, _ in packed)])
    words = np.zeros((reach.n_sites, ends[-1]), dtype=np.uint64)
    counts = np.zeros(reach.n_sites, dtype=np.int64)
    counts[place] = 1
    for (some, _), begin, end in zip(packed, ends[:-1], ends[1:], strict=True):
        words[place, begin:end] = some
    either, within = np.zeros((reach.n_demand, ends[-1]), dtype=np.uint64), np.zeros(reach.n_demand, dtype=np.int64)
    blocks = _starts(reach.demand)

    def work(queue: Iterator[int]) -> None:
        for block in queue:
            _unite(blocks[block], blocks[block + 1], reach.demand, reach.site, words, counts, either, within)

    on_all_cores(work, range(len(blocks) - 1))
    found: list[tuple[Ints, Bools]] = [(within, np.zeros((0, 0), dtype=bool))] * len(masks)

    def number(queue: Iterator[int]) -> None:
        for n in queue:
            found[n] = _numbered(either[:, ends[n] : ends[n + 1]], packed[n][1])

    on_all_cores(number, range(len(masks)))
    return within, found


def _words(mask: Bools) -> tuple[Words, Ints]:
    """Return the masks as words with a bit a class of equal columns, and the class of each column."""
    columns = np.ascontiguousarray(np.packbits(mask, axis=0).T) if len(mask) else np.zeros((mask.shape[1], 1), np.uint8)
    keys = columns.view(f"V{columns.shape[1]}").reshape(-1)
    _, first, of_class = np.unique(keys, return_index=True, return_inverse=True)
    bits = np.zeros((len(mask), -(-len(first) // 64) * 64), dtype=bool)
    bits[:, : len(first)] = mask[:, first]
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64), of_class.reshape(-1)


def _starts(demand: Pairs) -> list[int]:
    """Return where blocks of pairs begin and the last one ends, none of them within the pairs of one unit."""
    cuts = [0]
    for wanted in range(_BLOCK, len(demand), _BLOCK):
        at = int(np.searchsorted(demand, demand[wanted]))
        if at > cuts[-1]:
            cuts.append(at)
    return [*cuts, len(demand)]


@compiled
def _unite(
    begin: int, end: int, demand: Pairs, site: Pairs, words: Words, counts: Ints, either: Words, within: Ints
) -> None:
    """Add the pairs of a block to the units' words and counts."""
    n_words = words.shape[1]
    for pair in range(begin, end):
        unit, place = demand[pair], site[pair]
        within[unit] += counts[place]
        for word in range(n_words):
            either[unit, word] |= words[place, word]


def _numbered(either: Words, of_class: Ints) -> tuple[Ints, Bools]:
    """Return the number of each row among the different ones, and these with a flag a column again."""
    number, first = _number(np.ascontiguousarray(either))
    different = np.concatenate([np.zeros((1, either.shape[1]), np.uint64), either[first]])
    # In the order of their bits, so that it hangs on the rows alone, not on which unit comes first; the empty one is the least.
    ordered, rank = np.unique(different, axis=0, return_inverse=True)
    flags = np.unpackbits(ordered.astype("<u8").view(np.uint8), axis=1, bitorder="little").astype(bool)
    return rank.reshape(-1)[1:][number], flags[:, of_class]


@compiled
def _number(rows: Words) -> tuple[Ints, Ints]:
    """Number the different rows in the order in which they come, by a hash table with open addressing.

    Returns:
        (n,) the number of each row; the first row of each number.
    """
    n, n_words = rows.shape
    size = 16
    while size < 2 * n:
        size *= 2
    table = np.full(size, -1, dtype=np.int32)
    number, first = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    known = 0
    for row in range(n):
        key = np.uint64(0)
        for word in range(n_words):
            key = (key ^ rows[row, word]) * _SPREAD
            key ^= key >> _SHIFT
        slot = np.int64(key & np.uint64(size - 1))
        while True:
            held = table[slot]
            if held < 0:
                table[slot] = known
                first[known] = row
                number[row] = known
                known += 1
                break
            same = True
            for word in range(n_words):
                if rows[first[held], word] != rows[row, word]:
                    same = False
                    break
            if same:
                number[row] = held
                break
            slot = (slot + 1) & (size - 1)
    return number, first[:known]
