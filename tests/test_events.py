"""Announced events and unannounced shocks: what they do to paths, to quotes and to prices. Sampled figures within K standard errors, float32."""

import re

import jax
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import simulate, z_score

import mcengine as mc
from mcengine._model import check_pathwise, replace
from mcengine.market import GBM, BondIndex, Event, Heston, Market, RegimeGBM, Regimes, Scenario, Vasicek
from mcengine.pricing import Calendar
from mcengine.pricing.reverting import RevertingPricer

K = 4.0
PATHS, STEPS = 1 << 15, 8
ASSETS = {"equity": GBM(100.0, 0.2, drift=0.08), "bond": GBM(50.0, 0.06), "other": Heston(10.0, 0.04, 2.0, 0.04, 0.5, -0.7)}
ELECTION = Event(0.5, up={"equity": 0.06, "bond": -0.01}, down={"equity": -0.10, "bond": 0.02}, sd={"equity": 0.02}, probability=0.6)
NEWS = Event(0.25, sd={"other": 0.08}, variance_premium=1.5)
EVENTS = {"election": ELECTION, "news": NEWS}
PLAIN = Market(ASSETS, {"equity-bond": -0.3, "equity-other": 0.4}, rate=0.02)
MARKET = replace(PLAIN, events=EVENTS)
STILL = replace(PLAIN, events={"nothing": Event(0.125)})  # the same noise at the same addresses


def spots(states, name):
    return states[name].spot if hasattr(states[name], "spot") else states[name]


@pytest.fixture(scope="module")
def jumps():
    """Log-move of each asset that the events add to the same path without them, [paths, steps]."""
    with_them, without = (simulate(market, 1.0, STEPS, PATHS, whole=True) for market in (MARKET, STILL))
    paths = {name: np.log(spots(with_them, name) / spots(without, name)) for name in ASSETS}
    return {name: np.diff(np.concatenate([np.zeros((PATHS, 1)), path], axis=1), axis=1) for name, path in paths.items()}


def look(market, years, steps, at, read):
    """What ``read`` makes of the quotes at a date, today's states, in one program."""

    def program(market, calendar):
        ready = market.prepare(calendar)
        return read(ready.quotes(ready.start(), at))

    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), jax.jit(program)(market, Calendar(years, steps)))


# ---- paths ----


def test_an_event_moves_its_assets_on_its_date_only(jumps):
    for name, dates in {"equity": [3], "bond": [3], "other": [1]}.items():
        for k in range(STEPS):
            assert (np.abs(jumps[name][:, k]).max() > 0.005) == (k in dates), (name, k)
            if k not in dates:
                assert np.abs(jumps[name][:, k]).max() < 3e-6  # rounding of the ratio of two prices


def test_a_jump_has_its_law(jumps):
    """E[e^J] = 1, its variance, its sides, and what one side looks like."""
    j, b = jumps["equity"][:, 3], jumps["bond"][:, 3]
    assert abs(z_score(np.exp(j), 1.0)) < K
    assert abs(z_score(np.exp(b), 1.0)) < K
    variance = 0.02**2 + 0.6 * 0.4 * 0.16**2
    assert float(ELECTION.variance("equity")) == pytest.approx(variance, rel=1e-6)
    assert abs(z_score((j - j.mean()) ** 2, variance)) < K
    up = b < 0.0  # the bond has no sd: it tells the side
    assert abs(z_score(up, 0.6)) < K
    compensator = -np.log(np.exp(0.5 * 0.02**2) * (0.6 * np.exp(0.06) + 0.4 * np.exp(-0.10)))
    for side, move in ((up, 0.06), (~up, -0.10)):
        assert abs(z_score(j[side], move + compensator)) < K
        assert abs(z_score((j[side] - move - compensator) ** 2, 0.02**2)) < K
    assert abs(z_score(np.exp(jumps["other"][:, 1]), 1.0)) < K
    assert abs(z_score(jumps["other"][:, 1] ** 2, 0.08**2 + (0.5 * 0.08**2) ** 2)) < K


def test_events_of_all_kinds_of_rows_move_their_assets():
    """Assets in regimes, jumping ones and the bond index take a jump like others."""
    assets = {
        "regime": RegimeGBM(100.0, {"x": 0.1, "y": 0.3}),
        "bates": mc.market.Bates(100.0, 0.04, 2.0, 0.04, 0.5, -0.7, intensity=0.5, jump_mean=-0.1, jump_sd=0.1),
        "index": BondIndex(100.0, 5.0),
    }
    names = tuple(assets)
    event = Event(0.5, up=dict.fromkeys(names, 0.1), down=dict.fromkeys(names, -0.1))
    chain = Regimes(("x", "y"), {"x-y": 1.0, "y-x": 1.0})
    plain = Market(assets, rate=Vasicek(0.03, 0.5, 0.03, 0.01), regimes=chain, events={"e": Event(0.5)})
    shocked = replace(plain, scenarios={"s": Scenario(0.5, dict.fromkeys(names, -0.2))})
    last = {}
    for title, market in {"plain": plain, "shocked": shocked, "event": replace(plain, events={"e": event})}.items():
        states = simulate(market, 1.0, 4, 256)
        last[title] = {name: np.log(spots(states, name)) for name in names}
    for name in names:
        np.testing.assert_allclose(last["shocked"][name] - last["plain"][name], -0.2, atol=1e-5)
    compensator = -np.log(0.5 * (np.exp(0.1) + np.exp(-0.1)))
    moved = (last["event"]["index"] - last["plain"]["index"]).round(4)
    assert set(np.unique(moved)) == set(np.round([compensator + 0.1, compensator - 0.1], 4))


def test_without_events_nothing_is_drawn():
    assert (PLAIN.n_factors, PLAIN.n_uniforms) == (4, 0)
    assert (MARKET.n_factors, MARKET.n_uniforms) == (6, 0)


# ---- quotes and prices ----


def test_the_calendar_is_known_in_advance():
    """Variance between two dates, by whoever holds a quote; of assets without events none."""
    read = lambda quotes: {n: [quotes[n].event_variance(k) for k in range(STEPS + 1)] for n in ASSETS}  # noqa: E731
    today, later = (look(MARKET, 1.0, STEPS, at, read) for at in (0, 4))
    variance = 0.02**2 + 0.24 * 0.16**2
    np.testing.assert_allclose(today["equity"], [0.0] * 4 + [variance] * 5, rtol=1e-5)
    np.testing.assert_allclose(today["other"], [0.0] * 2 + [1.5 * 0.08**2] * 7, rtol=1e-5)  # the premium is in what options cost
    assert not np.any(later["equity"])


def test_what_lies_beyond_the_horizon_is_priced():
    """An option that outlives the run pays for an event after its end."""
    market = replace(PLAIN, events={"late": Event(1.25, sd={"equity": 0.1})})

    def program(market):
        ready = market.prepare(Calendar(1.0, 8, 4))
        return ready.quotes(ready.start(), 0)["equity"].event_variance(12)

    assert float(jax.jit(program)(market)) == pytest.approx(0.01)


def test_options_pay_for_an_event_they_live_past():
    """A jump without sides keeps the price lognormal: Black with the event's variance is exact, simulation agrees, Q has the premium in both."""
    market = Market({"equity": GBM(100.0, 0.2, drift=0.1)}, rate=0.02, events={"news": Event(0.25, sd={"equity": 0.08}, variance_premium=1.5)})
    contracts = {"before": mc.instrument.Put(95.0, 0.125, "equity"), "after": mc.instrument.Put(95.0, 0.5, "equity")}
    got = mc.engine.payoffs(contracts, market, paths=1 << 16, steps=4, keep=0).estimates
    price = market.pricers()["equity"].option
    formula = look(market, 0.5, 4, 0, lambda quotes: {n: price("put", 95.0, k, quotes["equity"]) for n, k in (("before", 1), ("after", 4))})
    for name, years, extra in (("before", 0.125, 0.0), ("after", 0.5, 1.5 * 0.0064)):
        exact = reference.black("put", 100.0 * np.exp(0.02 * years), 95.0, np.sqrt(0.04 * years + extra), np.exp(-0.02 * years))
        assert formula[name] == pytest.approx(exact, rel=1e-4)
        assert abs(got[name].value - exact) < K * got[name].error


def mixture(events, strike, years, sigma=0.2, rate=0.02, name="equity"):
    """Exact put on a lognormal asset from 100: Black at every combination of the events' sides."""
    forward, discount, outcomes = 100.0 * np.exp(rate * years), np.exp(-rate * years), [(1.0, 0.0, sigma**2 * years)]
    for event in events:
        scale, p = float(event.variance_premium) ** 0.5, float(event.probability)
        up, down, sd = (scale * float(values.get(name, 0.0)) for values in (event.up, event.down, event.sd))
        mean = np.log(p * np.exp(up) + (1.0 - p) * np.exp(down))
        outcomes = [(q * w, m + move - mean, v + sd**2) for q, m, v in outcomes for w, move in ((p, up), (1.0 - p, down))]
    return sum(q * reference.black("put", forward * np.exp(m), strike, np.sqrt(v), discount) for q, m, v in outcomes)


def puts(market, strikes, years, steps, to):
    """Prices today of puts on the equity that expire at date ``to``."""
    price = market.pricers()["equity"].option
    return look(market, years, steps, 0, lambda quotes: jax.numpy.stack([price("put", k, to, quotes["equity"]) for k in strikes]))


VOTE = Event(3.0 / 252.0, up={"equity": 0.035}, down={"equity": -0.05}, sd={"equity": 0.01}, probability=0.55, variance_premium=1.1)
MEETING = Event(6.0 / 252.0, up={"equity": 0.02}, down={"equity": -0.02}, probability=0.4)


@pytest.mark.parametrize("events", [{"vote": VOTE}, {"vote": VOTE, "meeting": MEETING, "news": NEWS}])
def test_sides_are_priced_apart(events):
    """Ten days, of which the event is most: exact to float32, simulation agrees."""
    market = Market({"equity": GBM(100.0, 0.18, drift=0.1), "other": GBM(10.0, 0.1)}, rate=0.03, events=events)
    strikes, years = (93.0, 97.0, 100.0, 103.0), 10.0 / 252.0
    exact = [mixture([e for e in events.values() if e is not NEWS], k, years, 0.18, 0.03) for k in strikes]
    np.testing.assert_allclose(puts(market, strikes, years, 10, 10), exact, atol=2e-5)
    contracts = {f"{k:g}": mc.instrument.Put(k, years, "equity") for k in strikes}
    got = mc.engine.payoffs(contracts, market, paths=1 << 16, steps=10, keep=0).estimates
    for k, value in zip(strikes, exact, strict=True):
        assert abs(got[f"{k:g}"].value - value) < K * got[f"{k:g}"].error


def test_of_many_events_those_that_move_most_are_told_apart():
    """The others' variance counts: within 1e-4 of spot, where all by their variance are ten times as far off."""
    small = {f"small_{i}": Event((i + 1.0) / 252.0, up={"equity": 0.006}, down={"equity": -0.006}) for i in range(4)}
    market = Market({"equity": GBM(100.0, 0.18)}, rate=0.02, events={**small, "vote": replace(VOTE, date=7.0 / 252.0), "meeting": MEETING})
    strikes, years = (95.0, 97.0, 100.0), 10.0 / 252.0
    exact = np.array([mixture(market.events.values(), k, years, 0.18) for k in strikes])
    off = puts(market, strikes, years, 10, 10) - exact
    assert np.abs(off).max() < 0.01
    total = 0.18**2 * years + sum(float(e.variance("equity")) * float(e.variance_premium) for e in market.events.values())
    plain = [reference.black("put", 100.0 * np.exp(0.02 * years), k, np.sqrt(total), np.exp(-0.02 * years)) for k in strikes]
    assert np.abs(plain - exact).max() > 0.05


def test_every_pricer_tells_the_sides_apart():
    """Each at its lognormal limit."""
    years, steps = 10.0 / 252.0, 10
    market = Market({"equity": GBM(100.0, 0.2)}, rate=0.02, events={"vote": VOTE})
    index = Market({"equity": BondIndex(100.0, 5.0)}, rate=Vasicek(0.02, 0.5, 0.02, 0.01), events={"vote": VOTE})
    pricing, exact = mc.pricing, mixture([VOTE], 97.0, years)
    flat = pricing.SurfacePricer(level=0.04, vix_over_atm=1.0, skew=0.0)
    pricers = (pricing.BlackPricer(0.04), flat, RevertingPricer(2.0, 0.04))
    got = look(market, years, steps, 0, lambda quotes: [pricer.option("put", 97.0, steps, quotes["equity"]) for pricer in pricers])
    np.testing.assert_allclose(got, exact, atol=1e-3)
    got = puts(index, (97.0,), years, steps, steps)
    sigma = 0.01 * -np.expm1(-0.5 * 5.0) / 0.5
    np.testing.assert_allclose(got, mixture([VOTE], 97.0, years, sigma, 0.02), atol=2e-3)
    regimes = Market(
        {"equity": RegimeGBM(100.0, {"x": 0.2, "y": 0.2})}, rate=0.02, events={"vote": VOTE}, regimes=Regimes(("x", "y"), {"x-y": 1.0, "y-x": 1.0})
    )
    np.testing.assert_allclose(puts(regimes, (97.0,), years, steps, steps), exact, atol=1e-3)


@pytest.mark.slow
def test_laws_and_their_tables_tell_the_sides_apart():
    """Heston's at its lognormal limit."""
    years, steps = 10.0 / 252.0, 10
    law = mc.pricing.HestonPricer(2.0, 0.04, 0.01, 0.0)
    pricers = (law, mc.pricing.prepared(law, Calendar(years, steps)))
    market = Market({"equity": GBM(100.0, 0.2)}, rate=0.02, events={"vote": VOTE})
    got = look(market, years, steps, 0, lambda quotes: [pricer.option("put", 97.0, steps, quotes["equity"]) for pricer in pricers])
    np.testing.assert_allclose(got, mixture([VOTE], 97.0, years), atol=1e-3)


def test_under_q_every_price_is_a_martingale_with_events():
    states = simulate(MARKET.risk_neutral(), 1.0, STEPS, PATHS)
    for name in ASSETS:
        assert abs(z_score(spots(states, name) * np.exp(-0.02), float(ASSETS[name].spot))) < K


# ---- scenarios ----


def test_a_scenario_moves_paths_and_no_price():
    shock = Scenario(0.5, {"equity": -0.229})
    market = shock.apply(PLAIN)
    with_it, without = (simulate(m, 1.0, STEPS, 64, whole=True) for m in (market, PLAIN))
    move = np.log(with_it["equity"] / without["equity"])
    np.testing.assert_allclose(move[:, :3], 0.0, atol=1e-6)
    np.testing.assert_allclose(move[:, 3:], -0.229, atol=1e-5)
    np.testing.assert_array_equal(with_it["bond"], without["bond"])
    assert look(market, 1.0, STEPS, 0, lambda quotes: quotes["equity"].spot + 0.0 * quotes["bond"].spot) == 100.0
    assert market.risk_neutral().scenarios == {}
    assert Scenario(1.0).apply(PLAIN) is PLAIN
    assert len(Scenario(0.25, {"bond": -0.1}).apply(market).scenarios) == 2


def test_a_scenario_moves_the_rate():
    plain = Market({"index": BondIndex(100.0, 5.0)}, rate=Vasicek(0.03, 0.5, 0.03, 0.01))
    moved = Scenario(0.5, {"rate": 0.01}).apply(plain)
    a, b = (simulate(m, 1.0, STEPS, 16, whole=True) for m in (plain, moved))
    jump = b["rate"].deviation - a["rate"].deviation
    np.testing.assert_allclose(jump[:, 2], 0.0, atol=1e-7)
    np.testing.assert_allclose(jump[:, 3], 0.01, rtol=1e-4)
    left = (1.0 - np.exp(-0.5 * (5.0 - 1.0 / STEPS))) / 0.5
    np.testing.assert_allclose(np.log(b["index"][:, 3] / a["index"][:, 3]), -0.01 * left, rtol=1e-3)


def test_named_scenarios_are_yaml():
    study = mc.config.study(mc.load_config(["market=lognormal", "scenario=lehman_2008", "correlation=crash", "policy=unhedged"], name="hedge"))
    assert [float(x) for x in study.market.scenarios["shock_1"].moves.values()] == [-0.0922, 0.0201, -0.1033]
    assert float(study.market.correlation["equity-bond"]) == pytest.approx(0.3 * -0.2 + 0.7 * 0.8)


# ---- extremes, refusals ----


def _extreme(up, down, sd, probability, date):
    market = replace(PLAIN, events={"e": Event(date, {"equity": up}, {"equity": down}, {"equity": sd}, probability)})
    every = simulate(market.risk_neutral(), 1.0, STEPS, 64, whole=True)["equity"]
    assert np.isfinite(every).all()
    assert (every >= 0.0).all()


EXTREMES = {
    "up": st.floats(-3.0, 3.0),
    "down": st.floats(-3.0, 3.0),
    "sd": st.floats(0.0, 2.0),
    "probability": st.floats(0.0, 1.0),
    "date": st.floats(1e-3, 2.0),
}


@settings(deadline=None, derandomize=True, database=None, max_examples=15)
@given(**EXTREMES)
def test_events_stay_finite(up, down, sd, probability, date):
    _extreme(up, down, sd, probability, date)


@pytest.mark.slow
@settings(deadline=None, derandomize=True, database=None, max_examples=1000)
@given(**EXTREMES)
def test_events_stay_finite_a_thousand_times(up, down, sd, probability, date):
    _extreme(up, down, sd, probability, date)


def test_a_probability_has_no_derivative_along_paths():
    with pytest.raises(ValueError, match=r"^events\.election\.probability: expected a number that paths move smoothly by"):
        check_pathwise(MARKET, ["events.election.probability"])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Event(0.0, {"a": 0.1}), "Event.date: expected a number above 0, got 0.0"),
        (lambda: Event(0.5, {"a": 0.1}, probability=1.5), "Event.probability: expected a number not above 1, got 1.5"),
        (lambda: Event(0.5, sd={"a": -0.1}), "Event.sd.a: expected a number not below 0, got -0.1"),
        (lambda: replace(PLAIN, events={"e": Event(0.5, {"eqity": 0.1})}), "events.e: unknown asset 'eqity'; did you mean equity?"),
        (
            lambda: replace(PLAIN, events={"e": Event(0.5, {"bond": 0.1}), "f": Event(0.51, {"equity": 0.2})}).check_steps(1.0, 12),
            "events.f: expected a step of its own, got that of e: name all assets that one date moves in one event",
        ),
        (lambda: Scenario(0.5, {"rate": 0.1}).apply(PLAIN), "scenarios.shock_1: unknown asset 'rate'; known: equity, bond, other"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build()
