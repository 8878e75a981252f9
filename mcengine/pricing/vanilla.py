"""European options by Black's formula at a volatility of the pricer's own: all that a book holds on one asset by one piece of program.

Written out, a price and its derivatives are compiled as often as they are asked for. Here the options on one asset are the turns of one loop, whose
body is compiled once; and the price has a rule for its derivatives: one evaluation gives it with its slope by each number that moves, so that on
the way back a few numbers a path are kept. What depends on dates alone is computed for all expiries at once, outside the paths.
"""

import abc
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from mcengine._model import Scalar
from mcengine.pricing.black import KINDS, signed_black
from mcengine.pricing.quote import Quote
from mcengine.pricing.smile import bilinear


class Vanilla(NamedTuple):
    """One European option, as a pricer sees it in the loop.

    Args:
        sign: 1 of a call, -1 of a put.
        forward: Currency, in the outcome of announced events that is priced.
        strike: Currency.
        years: To expiry.
        variance: The quote's, a year.
        event_variance: That announced events and a stochastic rate add to the law's.
        row: Of a table, coefficients of the expiry; nothing without a table.
        shift: Added to what the table gives.
    """

    sign: Scalar
    forward: Scalar
    strike: Scalar
    years: Scalar
    variance: Scalar
    event_variance: Scalar
    row: Any
    shift: Scalar


class AbstractVanillaPricer(abc.ABC):
    """Prices European options by Black's formula at a total volatility of its own, written in scalars for one option."""

    @abc.abstractmethod
    def total_volatility(self, option: Vanilla) -> tuple[Scalar, tuple[Scalar, ...]]:
        """(total volatility, where in the table it was read), of an option that may have expired.

        Args:
            option: What is priced.
        """

    def split(self, quote: Quote, to: Scalar) -> tuple[Any, Any]:
        """(the pricer less its tables, the rows of these for dates [dates, ...]); the pricer itself and nothing where it has none.

        Args:
            quote: What the market shows of the asset now.
            to: Indices of dates [dates].
        """
        return self, ()

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        """Price now of a European option, currency.

        Args:
            kind: call or put.
            strike: Currency.
            expiry: Index of a calendar date, common to all paths.
            quote: What the market shows of the asset now.

        Raises:
            ValueError: The kind is neither.
        """
        return _together(self, (kind,), (strike,), (expiry,), quote)[0]


def options(pricer: Any, kinds: Sequence[str], strikes: Sequence[Scalar], expiries: Sequence[Scalar], quote: Quote) -> list[Scalar]:
    """Prices now of several options on one asset, currency [options].

    Args:
        pricer: The asset's pricer.
        kinds: call or put, one an option.
        strikes: Currency, one an option.
        expiries: Indices of calendar dates common to all paths, one an option.
        quote: What the market shows of the asset now.

    Raises:
        ValueError: A kind is neither.
    """
    if isinstance(pricer, AbstractVanillaPricer):
        return _together(pricer, kinds, strikes, expiries, quote)
    return [pricer.option(*option, quote) for option in zip(kinds, strikes, expiries, strict=True)]


def _together(
    pricer: AbstractVanillaPricer, kinds: Sequence[str], strikes: Sequence[Scalar], expiries: Sequence[Scalar], quote: Quote
) -> list[Scalar]:
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"kind: expected 'call' or 'put', got {kind!r}")
    to = jnp.stack([jnp.asarray(date, jnp.int32) for date in expiries])
    ahead, (pricer, rows) = quote.expiries(to), pricer.split(quote, to)
    signs = jnp.asarray([1.0 if kind == "call" else -1.0 for kind in kinds])
    # An option over several outcomes of events is as many options.
    outcomes = ahead.probability.shape[1]
    of_date = (signs, ahead.years, ahead.discount, ahead.carry, ahead.bump, rows)
    if outcomes > 1:
        of_date = jax.tree.map(lambda x: jnp.repeat(x, outcomes, axis=0), of_date)
    dated = (of_date, jnp.ravel(ahead.growth), jnp.ravel(ahead.event_variance))
    repeated = tuple(strike for strike in strikes for _ in range(outcomes))
    prices = _prices(*jax.tree.map(_as_float, (repeated, (pricer, quote.spot, quote.variance, quote.rate, quote.curve), dated)))
    if outcomes == 1:
        return list(prices)
    return [sum(p * price for p, price in zip(each, prices[i * outcomes :], strict=False)) for i, each in enumerate(ahead.probability)]


def _as_float(x: Any) -> Scalar:
    return jnp.asarray(x, jnp.result_type(float))


def _price(numbers: Any, shift: Scalar) -> tuple[Scalar, tuple[Scalar, ...]]:
    """(price, where in the table it was read) of one option."""
    strike, (pricer, spot, variance, rate, curve), ((sign, years, discount, carry, bump, row), growth, event_variance) = numbers
    forward = spot * carry if curve is None else curve(spot, years)
    if rate is not None:
        factor = rate.factor(years)
        discount, forward = discount * factor, forward / factor if curve is None else forward
    forward = forward * growth
    total_volatility, place = pricer.total_volatility(Vanilla(sign, forward, strike, years, variance, event_variance, row, shift))
    return signed_black(sign, forward, strike, total_volatility if bump is None else total_volatility + bump, discount), place


@partial(jax.jit, static_argnums=0)
def _evaluate(moving: tuple[int, ...], strikes: tuple[Scalar, ...], path: Any, dated: Any) -> tuple[Scalar, Any, Any]:
    """(prices [options], their slopes by the numbers that move, places in the table).

    ``moving`` are positions among the leaves of (strike, path, dated). Where a table's coefficients move, the slope is that by a shift of its value.
    """

    def one(strike: Scalar, dated: Any) -> tuple[Scalar, Any, Any]:
        leaves, tree = jax.tree.flatten((strike, path, dated))

        def at(*chosen: Scalar) -> tuple[Scalar, tuple[Scalar, ...]]:
            given, shift = list(leaves), jnp.zeros_like(strike)
            for i, x in zip(moving, chosen, strict=True):
                if jnp.ndim(leaves[i]):
                    shift = x
                else:
                    given[i] = x
            return _price(jax.tree.unflatten(tree, given), shift)

        if not moving:
            return at()[0], (), ()
        start = [jnp.zeros_like(strike) if jnp.ndim(leaves[i]) else leaves[i] for i in moving]
        (price, place), slopes = jax.value_and_grad(at, tuple(range(len(moving))), has_aux=True)(*start)
        return price, slopes, place

    if len(strikes) == 1:
        return jax.tree.map(lambda x: x[None], one(strikes[0], jax.tree.map(lambda x: x[0], dated)))

    def turn(_: None, x: tuple[Scalar, Any]) -> tuple[None, tuple[Scalar, Any, Any]]:
        # Chosen among all: strikes laid into one array would be laid anew inside every reader of it, at six times the cost.
        return None, one(jax.lax.select_n(x[0], *strikes), x[1])

    return jax.lax.scan(jax.checkpoint(turn, prevent_cse=False), None, (jnp.arange(len(strikes)), dated))[1]


@jax.custom_jvp
def _by_rule(strikes: tuple[Scalar, ...], path: Any, dated: Any) -> tuple[Scalar, ...]:
    prices, _, _ = _evaluate((), strikes, path, dated)
    return tuple(prices[n] for n in range(len(strikes)))


def _rule(primals: Any, tangents: Any) -> tuple[tuple[Scalar, ...], tuple[Scalar, ...]]:
    """One evaluation: slope by each number that moves, times how it moves."""
    is_zero = lambda t: isinstance(t, SymbolicZero)  # noqa: E731
    of_strikes, of_path, of_dated = (jax.tree.leaves(t, is_leaf=is_zero) for t in tangents)
    # By option: the tangents of (strike, path, dated), those of the dates cut from the arrays of all.
    moves = [[of_strikes[n], *of_path, *(t if is_zero(t) else t[n] for t in of_dated)] for n in range(len(of_strikes))]
    moving = tuple(i for i, each in enumerate(zip(*moves, strict=True)) if not all(map(is_zero, each)))
    prices, slopes, places = _evaluate(moving, *primals)
    out = []
    for n, move in enumerate(moves):
        total = jnp.zeros_like(prices[n])
        for i, slope in zip(moving, slopes, strict=True):
            if not is_zero(move[i]):
                total = total + slope[n] * (bilinear(move[i], *(place[n] for place in places)) if jnp.ndim(move[i]) else move[i])
        out.append(total)
    return tuple(prices[n] for n in range(len(moves))), tuple(out)


_by_rule.defjvp(_rule, symbolic_zeros=True)
_prices = jax.jit(_by_rule)  # traced once with its rule, however often it is asked for
