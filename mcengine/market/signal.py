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
