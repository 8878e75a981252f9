"""Expiry buckets: contracts of a book by their years to expiry, which schedules say, the same for all paths."""

import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar
from mcengine.instrument.slot import AbstractSlot

BUCKETS = {"1m": 1.0 / 12.0, "3m": 0.25, "1y": 1.0, "longer": math.inf}
"""Longest time to expiry in each, years; each begins where the one before ends."""


def in_bucket(bucket: str, steps: Any, dt: Scalar) -> Any:
    """Whether a contract that expires in so many steps counts.

    Args:
        bucket: Name among ``BUCKETS``.
        steps: From a date to the expiry.
        dt: Years of a step.
    """
    names = list(BUCKETS)
    before = -math.inf if bucket == names[0] else BUCKETS[names[names.index(bucket) - 1]]
    # Half a step, so that 21 steps of 252 are a month whatever the rounding.
    years = (steps - 0.5) * dt
    return (years > before) & (years <= BUCKETS[bucket])


def within(bucket: str, units: Mapping[str, Scalar], expiries: Mapping[str, Scalar], step: Scalar, dt: Scalar) -> dict[str, Scalar]:
    """Units of the contracts of a bucket, none of others; underlyings are left out.

    Args:
        bucket: Name among ``BUCKETS``; empty for all slots as they are.
        units: By slot.
        expiries: Indices of dates, by slot; underlyings have none.
        step: Index of the date.
        dt: Years of a step.
    """
    if not bucket:
        return dict(units)
    return {name: jnp.where(in_bucket(bucket, expiries[name] - step, dt), held, 0.0) for name, held in units.items() if name in expiries}


def reached(slots: Mapping[str, AbstractSlot], steps: int, dt: float) -> tuple[str, ...]:
    """Buckets that contracts of some slot are ever in after a trade.

    Args:
        slots: By name.
        steps: To the horizon.
        dt: Years of a step.
    """
    schedules = [slot.schedule for slot in slots.values() if slot.schedule is not None]
    left = np.concatenate([schedule.dates(steps).held.expiry - np.arange(steps) for schedule in schedules] or [np.zeros(0)])
    return tuple(name for name in BUCKETS if np.any(in_bucket(name, left[left > 0], dt)))
