"""Cuts for cross coverage: where a unit needs several sites, no few of them alone can give it a part.

A unit that needs r more sites, of places that are open or not (X_p), is covered (y) only if r of them are::

    r · y ≤ Σ_p X_p                      what the program says: one open site of two gives half of the unit
    (r − k) · y ≤ Σ_{p not in K} X_p     for any k < r places K: without them, r − k others must be open

The second holds for every plan: whatever K gives, it gives no more than k. At a point of the relaxation the k largest X_p make the
strongest K, so that the cuts that a point breaks are found by sorting.
"""

import numpy as np
from scipy import sparse

from planner.siting.problem import Floats, Ints, SitingProblem

# A cut that is broken by less than this is let be.
_BROKEN = 1e-3


class CrossCuts:
    """What of a problem's cover matters to its cuts.

    Args:
        problem: with ``need``; units where one place both opens and closes are left out.
    """

    def __init__(self, problem: SitingProblem) -> None:
        assert problem.need is not None
        self.problem = problem
        cover = problem.cover.tocoo()
        unit, action = (side.astype(np.int64) for side in cover.coords)
        sign = cover.data.astype(np.int64)
        n_places = int(problem.place.max(initial=-1)) + 1
        pairs, pair = np.unique(unit * n_places + problem.place[action], return_inverse=True)
        pair_unit = pairs // n_places
        opens, closes = (np.bincount(pair, weights=side, minlength=len(pairs)) > 0 for side in (sign > 0, sign < 0))
        standing = (
            np.zeros(problem.n_units, np.int64) if problem.standing is None else problem.standing.astype(np.int64)
        )
        fixed = standing - np.bincount(pair_unit[closes], minlength=problem.n_units)
        self.wanted = problem.need.astype(np.int64) - fixed
        mixed = np.bincount(pair_unit[opens & closes], minlength=problem.n_units) > 0
        self.wanted[mixed] = 0
        self.pair_unit, self.closes = pair_unit, closes
        kept = self.wanted[unit] > 1
        self.unit, self.action, self.sign, self.pair = unit[kept], action[kept], sign[kept], pair[kept]

    def broken(self, x: Floats) -> tuple[sparse.csr_array, Floats]:
        """Return the cuts that a point of `planner.siting.planning.rows_of` breaks, as rows over its columns, and what each is at most."""
        problem, years = self.problem, self.problem.n_years
        n = problem.n_actions * years
        z, y = x[:n].reshape(-1, years), x[n : n + problem.n_units * years].reshape(-1, years)
        rows: list[sparse.csr_array] = []
        most: list[Floats] = []
        for t in range(years):
            given = np.bincount(self.pair, weights=self.sign * z[self.action, t], minlength=len(self.pair_unit))
            given = np.where(self.closes, 1.0 + given, given)
            order = np.lexsort((-given, self.pair_unit))
            first = np.searchsorted(self.pair_unit[order], self.pair_unit[order])
            rank = np.empty(len(order), np.int64)
            rank[order] = np.arange(len(order)) - first
            for k in range(1, int(self.wanted.max(initial=0))):
                rest = rank >= k
                left = np.bincount(self.pair_unit[rest], weights=given[rest], minlength=problem.n_units)
                missing = np.where(self.wanted > k, (self.wanted - k) * y[:, t] - left, 0.0)
                rows_t, most_t = self._rows(np.flatnonzero(missing > _BROKEN), k, rest, t)
                rows.append(rows_t)
                most.append(most_t)
        if not rows:
            return sparse.csr_array((0, n + y.size)), np.zeros(0)
        return sparse.vstack(rows, format="csr"), np.concatenate(most)

    def _rows(self, units: Ints, k: int, rest: np.ndarray, t: int) -> tuple[sparse.csr_array, Floats]:
        problem, years = self.problem, self.problem.n_years
        number = np.full(problem.n_units, -1, np.int64)
        number[units] = np.arange(len(units))
        entry = np.flatnonzero((number[self.unit] >= 0) & rest[self.pair])
        over_z = (-self.sign[entry].astype(float), (number[self.unit[entry]], self.action[entry] * years + t))
        over_y = ((self.wanted[units] - k).astype(float), (np.arange(len(units)), units * years + t))
        closing = np.flatnonzero(rest & self.closes & (number[self.pair_unit] >= 0))
        shape_z, shape_y = (len(units), problem.n_actions * years), (len(units), problem.n_units * years)
        matrix = sparse.hstack([sparse.csr_array(over_z, shape_z), sparse.csr_array(over_y, shape_y)], format="csr")
        return matrix, np.bincount(number[self.pair_unit[closing]], minlength=len(units)).astype(float)
