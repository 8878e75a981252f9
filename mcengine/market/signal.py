"""Signals: what a rule reads off the market's past, stepped once a path beside its states and shared by all that name them.

A new one: one class, one line in ``__init__``, one row in the family's test table.
"""

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.pricing import Quote

Quotes = Mapping[str, Quote]


class AbstractSignal(abc.ABC):
    """A number known at each date, from the quotes up to it."""

    @property
    @abc.abstractmethod
    def assets(self) -> tuple[str, ...]:
        """The assets it reads."""

    @abc.abstractmethod
    def start(self, quotes: Quotes) -> Any:
        """Memory on the first date, a pytree of scalars.

        Args:
            quotes: Quotes by asset.
        """

    @abc.abstractmethod
    def step(self, memory: Any, before: Quotes, after: Quotes, dt: Scalar) -> Any:
        """Memory a step later.

        Args:
            memory: Before the step.
            before: Quotes by asset at the start of the step.
            after: Quotes by asset at its end.
            dt: Length of the step in years.
        """

    @abc.abstractmethod
    def value(self, memory: Any) -> Scalar:
        """The signal as it stands.

        Args:
            memory: Memory of the date.
        """


Signals: TypeAlias = tuple[tuple[str, AbstractSignal], ...]
"""Names and signals that a stage or a trigger reads."""


def _decay(halflife: Scalar) -> Scalar:
    return jnp.exp2(-1.0 / halflife)


def _log_return(before: Quotes, after: Quotes, asset: str) -> Scalar:
    return jnp.log(after[asset].spot / before[asset].spot)


@model
class Ewma(AbstractSignal):
    """Exponentially weighted realised volatility a year: var_k = d var_{k-1} + (1 - d) r_k^2 / dt, d = 2^{-1/halflife}, r the log-return.

    Args:
        asset: The asset watched.
        halflife: Steps.
        initial: Volatility a year before the first return.
    """

    asset: str = static()
    halflife: Scalar = number(default=20.0, above=0.0)
    initial: Scalar = number(default=0.2, above=0.0, term=True)

    @property
    def assets(self) -> tuple[str, ...]:
        return (self.asset,)

    def start(self, quotes: Quotes) -> Scalar:
        return self.initial**2

    def step(self, memory: Scalar, before: Quotes, after: Quotes, dt: Scalar) -> Scalar:
        return memory + (1.0 - _decay(self.halflife)) * (_log_return(before, after, self.asset) ** 2 / dt - memory)

    def value(self, memory: Scalar) -> Scalar:
        return jnp.sqrt(jnp.maximum(memory, 1e-12))


@model
class Trend(AbstractSignal):
    """ln of the spot over its exponentially weighted mean, positive in a rising market.

    Args:
        asset: The asset watched.
        halflife: Steps.
    """

    asset: str = static()
    halflife: Scalar = number(default=60.0, above=0.0)

    @property
    def assets(self) -> tuple[str, ...]:
        return (self.asset,)

    def start(self, quotes: Quotes) -> Scalar:
        """The mean of ln S less ln S."""
        return 0.0 * quotes[self.asset].spot

    def step(self, memory: Scalar, before: Quotes, after: Quotes, dt: Scalar) -> Scalar:
        return _decay(self.halflife) * (memory - _log_return(before, after, self.asset))

    def value(self, memory: Scalar) -> Scalar:
        return -memory


class _Variances(NamedTuple):
    fast: Scalar
    slow: Scalar


@model
class VolRatio(AbstractSignal):
    """Realised volatility of late over that of the longer past, both exponentially weighted; 1 at the start.

    Args:
        asset: The asset watched.
        fast: Halflife of the first, steps.
        slow: Halflife of the second, steps.

    Raises:
        ValueError: For a fast halflife that is not below the slow one.
    """

    asset: str = static()
    fast: Scalar = number(default=5.0, above=0.0)
    slow: Scalar = number(default=60.0, above=0.0)

    def check(self) -> None:
        if not self.fast < self.slow:
            raise ValueError(f"VolRatio.fast: expected a halflife below slow = {float(self.slow):g}, got {float(self.fast):g}")

    @property
    def assets(self) -> tuple[str, ...]:
        return (self.asset,)

    def start(self, quotes: Quotes) -> _Variances:
        variance = jnp.maximum(quotes[self.asset].variance, 1e-8)
        return _Variances(variance, variance)

    def step(self, memory: _Variances, before: Quotes, after: Quotes, dt: Scalar) -> _Variances:
        square = _log_return(before, after, self.asset) ** 2 / dt
        return _Variances(*(old + (1.0 - _decay(h)) * (square - old) for old, h in zip(memory, (self.fast, self.slow), strict=True)))

    def value(self, memory: _Variances) -> Scalar:
        return jnp.sqrt(jnp.maximum(memory.fast, 1e-12) / jnp.maximum(memory.slow, 1e-12))


@model
class Fall(AbstractSignal):
    """How far a spot is below its high, 1 - S / H. On each date ln(H / S) is forgotten by 2^{-1/halflife}, so a price that stands still recovers.

    Args:
        asset: The asset watched.
        halflife: Steps; None never forgets.
    """

    asset: str = static()
    halflife: Scalar | None = number(default=None, above=0.0)

    @property
    def assets(self) -> tuple[str, ...]:
        return (self.asset,)

    def start(self, quotes: Quotes) -> Scalar:
        """ln(H / S)."""
        return 0.0 * quotes[self.asset].spot

    def step(self, memory: Scalar, before: Quotes, after: Quotes, dt: Scalar) -> Scalar:
        kept = 1.0 if self.halflife is None else _decay(self.halflife)
        return kept * jnp.maximum(memory - _log_return(before, after, self.asset), 0.0)

    def value(self, memory: Scalar) -> Scalar:
        return -jnp.expm1(-memory)


class _Moments(NamedTuple):
    first: Scalar
    second: Scalar
    both: Scalar


@model
class RealisedCorrelation(AbstractSignal):
    """Exponentially weighted correlation of two assets' log-returns, means taken as 0.

    Args:
        first: An asset.
        second: Another.
        halflife: Steps.
        initial: Before the first return; it fades like a return of both assets' usual size.
    """

    first: str = static()
    second: str = static()
    halflife: Scalar = number(default=60.0, above=0.0)
    initial: Scalar = number(default=0.0, above=-1.0, below=1.0, term=True)

    @property
    def assets(self) -> tuple[str, ...]:
        return (self.first, self.second)

    def start(self, quotes: Quotes) -> _Moments:
        return _Moments(1e-4, 1e-4, 1e-4 * self.initial)

    def step(self, memory: _Moments, before: Quotes, after: Quotes, dt: Scalar) -> _Moments:
        x, y, keep = _log_return(before, after, self.first), _log_return(before, after, self.second), _decay(self.halflife)
        return _Moments(*(keep * old + (1.0 - keep) * new for old, new in zip(memory, (x * x, y * y, x * y), strict=True)))

    def value(self, memory: _Moments) -> Scalar:
        return memory.both / jnp.sqrt(jnp.maximum(memory.first * memory.second, 1e-24))
