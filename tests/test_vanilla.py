"""Several options at once: the same prices and derivatives as one by one, by one piece of program. float64."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from haste import HASTE

from mcengine._model import replace
from mcengine.market.market import Market
from mcengine.market.schwartz import Schwartz
from mcengine.pricing import BlackPricer, Calendar, HestonPricer, Quote, SurfacePricer, options, prepared
from mcengine.pricing.affine_rate import AffineRate
from mcengine.pricing.quote import Sides
from mcengine.pricing.reverting import RevertingPricer

CALENDAR = Calendar(0.05, 12)
KINDS, EXPIRIES = ("put", "call", "put"), (5, 9, 3)  # the last expires today
STRIKES = np.array([0.97, 1.02, 0.99])
PRICERS = {
    "black": BlackPricer(0.04),
    "table": HestonPricer(4.0, 0.04, 0.5, -0.7, premium=1.2),
    "surface": SurfacePricer(),
    "reverting": RevertingPricer(2.0, 0.03),
}
SCHWARTZ = Schwartz(1.0, kappa=1.0, level=1.1, sigma=0.3)
TWO_SIDED = Sides(jnp.array([0.03]), jnp.array([0.6]), jnp.array([0.02]), jnp.log((1.0 - 0.6 * jnp.exp(jnp.array([0.02]))) / 0.4))
SEEN = {
    "plain": {},
    "rate": {"rate": AffineRate(0.01, 0.5, 1e-4)},
    "curve": {"curve": SCHWARTZ.forward_curve()},
    "events": {"events": jnp.where(jnp.arange(13) > 4, 1e-4, 0.0), "sides": TWO_SIDED},
}


def quote(spot, variance, seen="plain", step=3):
    times = CALENDAR.times()
    return Quote(spot, variance, step, times, jnp.exp(-0.03 * times), jnp.exp(0.02 * times), **SEEN[seen])


@partial(jax.jit, compiler_options=HASTE)
def ready(pricer):
    return prepared(pricer, CALENDAR)


def together(pricer, numbers, seen):
    spot, variance, strikes = numbers
    return jnp.stack(options(pricer, KINDS, list(strikes), EXPIRIES, quote(spot, variance, seen)))


def alone(pricer, numbers, seen):
    spot, variance, strikes = numbers
    return jnp.stack([pricer.option(k, x, to, quote(spot, variance, seen)) for k, x, to in zip(KINDS, strikes, EXPIRIES, strict=True)])


@pytest.mark.parametrize(("name", "seen"), [*((name, "plain") for name in PRICERS), ("black", "rate"), ("black", "curve"), ("black", "events")])
def test_options_together_are_worth_what_each_is_alone(name, seen, float64):
    """Prices, and derivatives by spot, variance and strike, on a block of paths."""
    pricer = ready(PRICERS[name])
    paths = (jnp.linspace(0.9, 1.1, 5), jnp.linspace(0.01, 0.09, 5), jnp.asarray(STRIKES) * jnp.linspace(0.95, 1.05, 5)[:, None])

    def both(price):
        return jax.jit(
            jax.vmap(lambda *numbers: (price(pricer, numbers, seen), jax.jacrev(lambda x: price(pricer, x, seen))(numbers))), compiler_options=HASTE
        )(*paths)

    for mine, each in zip(*(jax.tree.leaves(both(price)) for price in (together, alone)), strict=True):
        assert np.isfinite(mine).all()
        np.testing.assert_allclose(mine, each, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("name", "number", "start", "bump"), [("table", "kappa", 4.0, 1e-2), ("surface", "eta", 0.9464, 1e-4)])
def test_derivatives_of_any_order_and_of_the_pricers_numbers_are_central_differences(name, number, start, bump, float64):
    """By spot, by spot twice, by a number of the pricer, and of delta by it."""

    def value(spot, x):
        pricer = prepared(replace(PRICERS[name], **{number: x}), CALENDAR)
        return jnp.sum(together(pricer, (spot, 0.05, STRIKES), "plain"))

    delta = jax.grad(value)
    slopes = jax.jit(lambda *at: (delta(*at), jax.grad(delta)(*at), jax.grad(value, 1)(*at), jax.grad(delta, 1)(*at)), compiler_options=HASTE)(
        1.005, start
    )
    both = jax.jit(lambda *at: (value(*at), delta(*at)), compiler_options=HASTE)

    def central(of, moved):
        size = bump if moved else 1e-4
        up, down = (both(1.005 + s * size * (moved == 0), start + s * size * (moved == 1)) for s in (1.0, -1.0))
        return float(up[of] - down[of]) / (2.0 * size)

    for mine, other in zip(slopes, (central(0, 0), central(1, 0), central(0, 1), central(1, 1)), strict=True):
        assert float(mine) == pytest.approx(other, rel=2e-5, abs=1e-9)


def test_forward_and_reverse_mode_agree(float64):
    pricer = PRICERS["table"]
    value = lambda law: together(prepared(law, CALENDAR), (1.0, 0.05, STRIKES), "plain")  # noqa: E731
    price = jax.jit(lambda mode, law: mode(value)(law), static_argnums=0, compiler_options=HASTE)
    for mine, other in zip(*(jax.tree.leaves(price(mode, pricer)) for mode in (jax.jacfwd, jax.jacrev)), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-14)


def test_more_options_are_hardly_more_program():
    """A price and its derivatives are compiled once: eight options are at most a third more lines than two."""
    pricer = ready(PRICERS["table"])

    def lines(count):
        def value(strikes, spot):
            return sum(options(pricer, ("put",) * count, list(strikes), range(4, 4 + count), quote(spot, 0.05)))

        return jax.jit(jax.grad(value, (0, 1))).lower(jnp.ones(count), 1.0).as_text().count("\n")

    assert lines(8) < 4 / 3 * lines(2)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind: expected 'call' or 'put', got 'straddle'"):
        options(BlackPricer(0.04), ("put", "straddle"), (1.0, 1.0), (5, 6), quote(1.0, 0.04))


def test_a_futures_curve_shows_its_numbers(float64):
    """The derivative of an option on a future by the asset's own numbers, which its curve reads."""

    def price(kappa):
        asset = replace(SCHWARTZ, kappa=kappa)
        ready = Market({"oil": asset}, rate=0.02).prepare(CALENDAR)
        return sum(options(asset.pricer(), KINDS, list(STRIKES), EXPIRIES, ready.quotes(ready.start(), 0)["oil"]))

    slope, price = jax.jit(jax.grad(price)), jax.jit(price)
    assert float(slope(1.0)) == pytest.approx(float(price(1.0 + 1e-5) - price(1.0 - 1e-5)) / 2e-5, rel=1e-6)
