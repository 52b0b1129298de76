"""Raise a lower bound over multipliers ≥ 0 along a deflected subgradient (Camerini, Fratta & Maffioli 1975).

Knows nothing of the problem: a function says what the bound is at some multipliers, and its slope there. Covering, set covering and
p-median share it.
"""
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from planner.siting.problem import Floats

# Seen to serve: each direction keeps 97 % of the last; the step shrinks by a fifth after 50 rounds in vain.
_KEEP = 0.97
_SHRINK = 0.8
_PATIENCE = 50
# A step so short moves nothing any more.
SHORTEST_STEP = 1e-5

# Multipliers -> the bound there, and its slope.
Look = Callable[[Floats], tuple[float, Floats]]


@dataclass(frozen=True)
class Ascent:
    """How far a bound has been raised.

    Attributes:
        at: (n_multipliers,) where the best bound was seen.
        bound: the best bound.
        step: current step length, as a share of what is missing to the target.
        rounds: rounds so far.
    """

    at: Floats
    bound: float = -math.inf
    step: float = 0.05
    rounds: int = 0

    @property
    def spent(self) -> bool:
        """Whether more rounds would move nothing."""
        return self.step < SHORTEST_STEP


def climb(
    look: Look,
    ascent: Ascent,
    *,
    target: float,
    rounds: int,
    scale: Floats,
    cap: Floats | float = math.inf,
    over: Callable[[], bool] = lambda: False,
) -> Ascent:
    """Raise the bound for at most ``rounds`` rounds, or until it meets ``target``; return the best seen.

    Args:
        look: gives the bound and its slope.
        ascent: where to begin.
        target: what the bound would be if it were tight, such as the cost of the best plan.
        rounds: most rounds.
        scale: (n_multipliers,) how far a multiplier goes for a slope of one, against the others.
        cap: most that a multiplier may be.
        over: asked every round whether to stop.
    """
    at, heading, best = ascent.at.copy(), np.zeros_like(ascent.at), ascent
    cap = np.broadcast_to(np.asarray(cap, dtype=float), at.shape)
    step, in_vain, done = ascent.step, 0, 0
    while done < rounds and best.bound < target and step >= SHORTEST_STEP and not over():
        done += 1
        value, slope = look(at)
        in_vain = 0 if value > best.bound + 1e-7 * abs(best.bound) or best.bound == -math.inf else in_vain + 1
        if value > best.bound:
            best = replace(best, at=at.copy(), bound=value)
        if in_vain >= _PATIENCE:
            step, in_vain = step * _SHRINK, 0
            at[:], heading[:] = best.at, 0.0
            continue
        length = _turn(at, heading, slope, scale, cap)
        if length <= 0:
            break
        _go(at, heading, scale, cap, step * (target - value) / length)
    return replace(best, step=step, rounds=ascent.rounds + done)


@njit(cache=True, nogil=True)
def _turn(at, heading, slope, scale, cap):
    """Turn the heading towards the slope; return its squared length. At its limits a multiplier can only turn back."""
    length = 0.0
    for i in range(len(at)):
        held = (at[i] <= 0.0 and slope[i] < 0.0) or (at[i] >= cap[i] and slope[i] > 0.0)
        heading[i] = _KEEP * heading[i] + (0.0 if held else (1.0 - _KEEP) * slope[i])
        length += scale[i] * heading[i] * heading[i]
    return length


@njit(cache=True, nogil=True)
def _go(at, heading, scale, cap, move):
    for i in range(len(at)):
        at[i] = min(max(at[i] + move * scale[i] * heading[i], 0.0), cap[i])
