"""Slots: what a book can hold. An underlying is held as it is; an option slot holds one option at a time, on terms that may be rolled."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.pricing import Pricer, Quote


class Terms(NamedTuple):
    """What distinguishes one option of a slot from the next: ``strike`` (currency, per path), ``expiry`` (index of a date, for all paths)."""

    strike: Scalar
    expiry: Scalar


class Position(NamedTuple):
    """``units`` held, on ``terms`` (none for an underlying)."""

    units: Scalar
    terms: Terms | tuple[()] = ()


class Slot(Protocol):
    """Prices and settles whatever terms it is given."""

    @property
    def asset(self) -> str: ...

    def start(self, quotes: dict[str, Quote]) -> Terms | tuple[()]: ...
    def price(self, terms: Terms | tuple[()], quotes: dict[str, Quote], pricers: dict[str, Pricer]) -> Scalar: ...


@dataclass(frozen=True)
class Underlying:
    """The asset itself."""

    asset: str

    def start(self, quotes: dict[str, Quote]) -> tuple[()]:
        return ()

    def price(self, terms: Terms | tuple[()], quotes: dict[str, Quote], pricers: dict[str, Pricer]) -> Scalar:
        return quotes[self.asset].spot


@dataclass(frozen=True)
class OptionSlot:
    """European options of one kind on one asset, cash-settled.

    The expiry is a date of the calendar, the same for all paths, and a new option has a new one; only with ``restrikes`` may the strike change
    alone, which costs a second price on every date.
    """

    kind: str
    asset: str
    restrikes: bool = False

    def start(self, quotes: dict[str, Quote]) -> Terms:
        """Terms of the empty slot: at the money, expired today."""
        spot = quotes[self.asset].spot
        return Terms(spot, jnp.zeros((), jnp.int32))

    def price(self, terms: Terms | tuple[()], quotes: dict[str, Quote], pricers: dict[str, Pricer]) -> Scalar:
        assert isinstance(terms, Terms)
        return pricers[self.asset].option(self.kind, terms.strike, terms.expiry, quotes[self.asset])
