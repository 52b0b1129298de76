"""Pairs and week masks -> which half-hours each unit has: the one pass over all pairs that coverage in time is made of.

Takes `Reach` and masks of the places; gives the different weeks there are and the number of each unit's. Half-hours in which the same
places are open are one class, and places open alike are one kind: whichever are fewer have a bit each, so that the masks of a week, of
services and of kit together are mostly one word a place.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from planner.kernels import compiled
from planner.reach import Reach, on_all_cores

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Pairs = NDArray[np.int32]

# Pairs that a thread takes at a time.
_BLOCK = 1 << 17
# With at most so many bits a table of all their patterns is small.
_TABLE = 12
# Any odd number with its bits well spread (2^64 ÷ the golden ratio).
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


class Rows(NamedTuple):
    """Flags of places, few of which differ.

    Attributes:
        flags: the different rows, shape (n_rows, m).
        of: (n,) the row of each place; -1: no flag at all.
    """

    flags: Bools
    of: Ints


def different(mask: Bools) -> Rows:
    """Return the rows of a mask, shape (n, m), each different one once."""
    if not mask.size:
        return Rows(np.zeros((1, mask.shape[1]), dtype=bool), np.zeros(len(mask), dtype=np.int64))
    packed = np.packbits(mask, axis=1)
    _, first, of = np.unique(packed.view(f"V{packed.shape[1]}").reshape(-1), return_index=True, return_inverse=True)
    return Rows(mask[first], of.reshape(-1))


def united(reach: Reach, place: Ints, masks: Sequence[Rows]) -> tuple[Ints, list[tuple[Ints, Bools]]]:
    """Unite the masks of the places that each unit reaches: one pass over the pairs, however many masks.

    Args:
        reach: pairs (unit, place), sorted by unit.
        place: (n,) the places that count.
        masks: each n rows of flags of these places, m of its own: which half-hours they are open, what they offer.

    Returns:
        within: (n_units,) how many of the places each unit reaches.
        For each of the masks the number of each unit's row, and the different rows there are, the empty one first: (n_rows, m).
    """
    # Masks of the same rows, as those of several services are, have the same code.
    written = {id(mask.flags): _code(mask.flags) for mask in masks}
    codes = [written[id(mask.flags)] for mask in masks]
    seats, n_words = _seats(codes)
    words = np.zeros((reach.n_sites, n_words), dtype=np.uint64)
    counts = np.zeros(reach.n_sites, dtype=np.int64)
    counts[place] = 1
    for mask, code, (at, shift) in zip(masks, codes, seats, strict=True):
        some = mask.of >= 0
        words[place[some], at : at + code.words.shape[1]] |= code.words[mask.of[some]] << np.uint64(shift)
    either, within = np.zeros((reach.n_demand, n_words), dtype=np.uint64), np.zeros(reach.n_demand, dtype=np.int64)
    blocks = _starts(reach.demand)

    def work(queue: Iterator[int]) -> None:
        for block in queue:
            _unite(blocks[block], blocks[block + 1], reach.demand, reach.site, words, counts, either, within)

    on_all_cores(work, range(len(blocks) - 1))
    found: list[tuple[Ints, Bools]] = [(within, np.zeros((0, 0), dtype=bool))] * len(masks)

    def number(queue: Iterator[int]) -> None:
        for n in queue:
            found[n] = _numbered(either, codes[n], *seats[n])

    on_all_cores(number, range(len(masks)))
    return within, found


class _Code(NamedTuple):
    """How the rows of a mask are written.

    Attributes:
        words: (n_rows, n_words) of each row; the words of several places are united by OR.
        n_bits: how many bits of the words are used.
        patterns: the classes of columns that each pattern of the bits stands for, in words, shape (2^n_bits, …); empty where there are
            too many patterns and the bits are the classes.
        of_class: the class of each column.
    """

    words: Words
    n_bits: int
    patterns: Words
    of_class: Ints


def _code(flags: Bools) -> _Code:
    """Write rows by a bit each where they are few, else by a bit for each class of columns that are alike."""
    columns = np.ascontiguousarray(np.packbits(flags, axis=0).T)
    keys = columns.view(f"V{columns.shape[1]}").reshape(-1)
    _, first, of_class = np.unique(keys, return_index=True, return_inverse=True)
    bits = np.zeros((len(flags), -(-len(first) // 64) * 64), dtype=bool)
    bits[:, : len(first)] = flags[:, first]
    by_class = np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)
    # Rows without a flag need no bit.
    some = by_class.any(axis=1)
    if some.sum() > min(_TABLE, len(first)):
        n_patterns = 1 << len(first) if len(first) <= _TABLE else 0
        every = np.arange(n_patterns, dtype=np.uint64)[:, None]
        return _Code(by_class, len(first), every, of_class.reshape(-1))
    own = np.where(some, np.uint64(1) << np.maximum(np.cumsum(some) - 1, 0).astype(np.uint64), np.uint64(0))
    patterns = np.zeros((1, by_class.shape[1]), dtype=np.uint64)
    for row in by_class[some]:
        patterns = np.concatenate([patterns, patterns | row])
    return _Code(own[:, None], int(some.sum()), patterns, of_class.reshape(-1))


def _seats(codes: Sequence[_Code]) -> tuple[list[tuple[int, int]], int]:
    """Return the word and the shift at which each code begins, several in a word where they have room, and how many words there are."""
    seats, n_words, used = [], 0, 64
    for code in codes:
        wide, n_bits = not len(code.patterns), max(code.n_bits, 1)
        if wide or used + n_bits > 64:
            n_words, used = n_words + code.words.shape[1], 0
        seats.append((n_words - code.words.shape[1], used))
        used = 64 if wide else used + n_bits
    return seats, n_words


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
    """Add the pairs of a block to the units' words and counts; the pairs of a unit stand together."""
    n_words = words.shape[1]
    pair = begin
    while pair < end:
        unit, count, one = demand[pair], 0, np.uint64(0)
        first = pair
        while pair < end and demand[pair] == unit:
            count += counts[site[pair]]
            one |= words[site[pair], 0]
            pair += 1
        within[unit], either[unit, 0] = count, one
        for word in range(1, n_words):
            one = np.uint64(0)
            for other in range(first, pair):
                one |= words[site[other], word]
            either[unit, word] = one


def _numbered(either: Words, code: _Code, at: int, shift: int) -> tuple[Ints, Bools]:
    """Return the number of each row among the different ones, and these with a flag a column again."""
    n_words = code.words.shape[1]
    if len(code.patterns):
        number = np.empty(len(either), dtype=np.int64)
        there = np.zeros(len(code.patterns), dtype=bool)
        there[0] = True
        _look(either[:, at], np.uint64(shift), np.uint64(len(code.patterns) - 1), there)
        ordered, rank = np.unique(code.patterns[there], axis=0, return_inverse=True)
        rank_of = np.zeros(len(there), dtype=np.int64)
        rank_of[there] = rank.reshape(-1)
        _rank(either[:, at], np.uint64(shift), np.uint64(len(code.patterns) - 1), rank_of, number)
    else:
        of, first = _number(np.ascontiguousarray(either[:, at : at + n_words]))
        different = np.concatenate([np.zeros((1, n_words), np.uint64), either[first, at : at + n_words]])
        # In the order of their bits, so that it hangs on the rows alone, not on which unit comes first; the empty one is the least.
        ordered, rank = np.unique(different, axis=0, return_inverse=True)
        number = rank.reshape(-1)[1:][of]
    flags = np.unpackbits(ordered.astype("<u8").view(np.uint8), axis=1, bitorder="little").astype(bool)
    return number, flags[:, code.of_class]


@compiled
def _look(words: Words, shift: np.uint64, mask: np.uint64, there: Bools) -> None:
    """Mark the patterns that occur."""
    for word in words:
        there[np.int64((word >> shift) & mask)] = True


@compiled
def _rank(words: Words, shift: np.uint64, mask: np.uint64, rank_of: Ints, number: Ints) -> None:
    """Give each word the rank of its pattern."""
    for n in range(len(words)):
        number[n] = rank_of[np.int64((words[n] >> shift) & mask)]


def tally(numbers: Sequence[Ints], sizes: Sequence[int], group: Ints, weight: Floats, n_groups: int) -> list[Floats]:
    """Return, for each of several numberings of the units, the people of each number and group.

    Args:
        numbers: each (n_units,), below its size.
        sizes: how many numbers each has.
        group, weight: (n_units,) group and people of each unit.
        n_groups: how many groups there are.

    Returns:
        For each numbering (size, n_groups).
    """
    sums = [np.zeros((size, n_groups)) for size in sizes]

    def work(queue: Iterator[int]) -> None:
        for n in queue:
            _tally(numbers[n], group, weight, sums[n])

    on_all_cores(work, range(len(sums)))
    return sums


@compiled
def _tally(number: Ints, group: Ints, weight: Floats, sums: Floats) -> None:
    """Add each unit's people to its number and group."""
    for unit in range(len(number)):
        sums[number[unit], group[unit]] += weight[unit]


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
