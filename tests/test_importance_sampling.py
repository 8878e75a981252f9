"""Importance sampling: weights are densities, every figure stays unbiased, a rare breach takes far fewer paths, bad weights are refused."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr

import mcengine as mc
from mcengine._model import replace
from mcengine.engine.recorder import Wealth
from mcengine.noise import Counter, Path, Shifted, make_key, path_ids

K = 4.0
"""Standard errors; seeds are fixed."""

SIGMA = 0.2
PATHS = 32_768  # of every run of a structure: one program


def barrier(floor, years, steps):
    """P(min of a driftless GBM on ``steps`` dates < floor) by the continuous formula with the barrier moved down by e^{-0.5826 sigma sqrt(dt)}
    (Broadie, Glasserman & Kou 1997)."""
    b, s, m = math.log(floor) - 0.5826 * SIGMA * math.sqrt(years / steps), SIGMA * math.sqrt(years), -0.5 * SIGMA**2 * years
    return ndtr((b - m) / s) + math.exp(2.0 * m * b / s**2) * ndtr((b + m) / s)


def gbm(steps=16, sigma=SIGMA, **options):
    market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=sigma)})
    return mc.Study(market, mc.policy.Mix(equity=1.0), steps=steps, recorders=(Wealth(),), **options)


@pytest.fixture(scope="module")
def year():
    """A year of days and what is found for its fall below 55 %."""
    study = gbm(252)
    return study, mc.variance_reduction.importance(study, floor=0.55)


def test_rare_breach_takes_a_hundredth_of_the_paths(year):
    _, found = year
    result = found.study.run(16_384, progress=False)
    value = result.estimate(mc.objective.figure.breach_any_day("policy", 0.55))
    p = value.value
    assert p * (1.0 - p) / (value.error**2 * result.paths) > 100.0
    assert found.gain > 100.0
    # The formula itself is off by about 1 % this far out.
    assert abs(p / barrier(0.55, 1.0, 252) - 1.0) < 0.05


def test_every_figure_is_that_of_plain_paths():
    """At p = 0.1: the breach, its weight, and figures the shift was not made for."""
    study = gbm()
    found = mc.variance_reduction.importance(study, floor=0.77, paths=PATHS)
    plain, shifted = study.run(PATHS, progress=False), found.study.run(PATHS, seed=1, progress=False)
    table = mc.objective.figures(study, 0.77, benchmark=None)
    for name in ("mean_return", "p20", "breach_at_end", "breach_any_day", "mean_shortfall", "cvar_95"):
        figure = table[f"policy/{name}"]
        a, b = plain.estimate(figure), shifted.estimate(figure)
        assert abs(a.value - b.value) < K * math.hypot(a.error, b.error), name
    summary = mc.variance_reduction.weights(shifted, 0.77)
    assert abs(summary.mean.z(1.0)) < K
    assert summary.effective_tail > 5_000
    assert np.exp(shifted.outcomes["market"]["log_weight"]).max() <= 10.0 + 1e-3


def test_weight_stops_at_the_first_passage():
    """Prices and weights of every path as NumPy has them from the same normals, moved up to the first passage and not later."""
    shift, level, dt = np.array([-0.5, -0.2]), 0.9, 1.0 / 8.0
    study = gbm(8, noise=Shifted(shift[:, None], defensive=0.0, level=level, watch="policy"))
    result = study.run(64, progress=False)

    key = make_key(0)

    def draws(high, low):
        source = Counter().begin(key, Path(high, low), 8, 1)
        return jax.lax.map(lambda step: source.normals(step, 1)[0], jnp.arange(8))

    z = np.asarray(jax.jit(jax.vmap(draws))(*path_ids(0, 64)), np.float64)
    wealth, log_weight, moving, moved = np.ones(64), np.zeros(64), np.ones(64), np.zeros(64)
    for step in range(8):
        h = shift[step // 4]
        x = z[:, step] + moving * h
        log_weight -= moving * (h * x - 0.5 * h * h)
        moved += moving
        wealth = wealth * np.exp(SIGMA * math.sqrt(dt) * x - 0.5 * SIGMA**2 * dt)
        moving = moving * (wealth >= level)
    assert 10 < np.sum(moving == 0) < 60
    np.testing.assert_allclose(result.wealth, wealth, rtol=2e-6)
    np.testing.assert_allclose(result.outcomes["market"]["log_weight"], log_weight, atol=1e-5)
    np.testing.assert_array_equal(result.outcomes["market"]["moved_steps"], moved)


def test_several_books_on_the_weights_of_one(heston_market, weights):
    """The shift stops by one book's wealth; the other's figures are unbiased as well. Heston, costs, a rule."""
    made = mc.policy.presets
    books = {"unhedged": made.unhedged(weights), "cppi": made.cppi(weights, 0.85, multiplier=5.0)}
    study = mc.Study(heston_market, books, costs=mc.ledger.Proportional(5e-4), steps=8, recorders=(Wealth(),))
    found = mc.variance_reduction.importance(study, floor=0.87, book="cppi", pieces=2, paths=PATHS)
    assert found.breach.book == "cppi"
    # A shift of nothing: plain paths through the same program.
    plain = replace(found.study, noise=replace(found.study.noise, shift=0.0 * found.shift)).run(PATHS, progress=False)
    shifted = found.study.run(PATHS, seed=1, progress=False)
    np.testing.assert_allclose(plain.outcomes["market"]["log_weight"], 0.0, atol=1e-6)
    for book in books:
        figure = mc.objective.figure.breach_any_day(book, 0.87)
        a, b = plain.estimate(figure), shifted.estimate(figure)
        assert abs(a.value - b.value) < K * math.hypot(a.error, b.error), book
    assert found.gain > 3.0


def test_at_the_end():
    study = gbm()
    found = mc.variance_reduction.importance(study, floor=0.6, event="end", paths=PATHS)
    s = SIGMA
    exact = ndtr((math.log(0.6) + 0.5 * s * s) / s)
    assert abs(found.probability.z(exact)) < K
    assert found.gain > 30.0


def test_weights_that_degenerate_are_refused():
    """A drift away from the event: what breaches comes from the few paths that went against it."""
    study = gbm(noise=Shifted(np.full((4, 1), 0.5), defensive=0.0, level=0.7, watch="policy"))
    with pytest.raises(ValueError, match=r"expected breaching paths worth at least 100 equal ones and none with more than 5% of the estimate, got"):
        mc.variance_reduction.weights(study.run(PATHS, progress=False), 0.7).check()


def test_a_floor_nothing_reaches_is_refused():
    with pytest.raises(ValueError, match="expected a floor that some drift of the normals reaches"):
        mc.variance_reduction.importance(gbm(sigma=0.0), floor=0.77, paths=PATHS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"floor": -0.1}, "floor: expected a positive share"),
        ({"floor": 0.5, "book": "polcy"}, r"unknown book 'polcy'; did you mean policy\?"),
        ({"floor": 0.5, "event": "never"}, "event: expected one of any_day, end"),
        ({"floor": 0.5, "pieces": 0}, "pieces: expected a whole number from 1 to 16"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        mc.variance_reduction.importance(gbm(), **options)


def test_shift_refusals():
    with pytest.raises(ValueError, match=r"Shifted.shift: expected 1 factors, got 2"):
        gbm(noise=Shifted([0.1, 0.2])).run(64, progress=False)
    with pytest.raises(ValueError, match="defensive"):
        Shifted([0.1], defensive=1.0)
    with pytest.raises(ValueError, match="without weights"):
        mc.variance_reduction.weights(gbm().run(64, progress=False), 0.9)
