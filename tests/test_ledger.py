"""The account: every cent of a trace is found again in NumPy, from prices and units alone."""

import math

import numpy as np
import pytest
from reference import black

import mcengine as mc

STEPS, DT = 12, 1.0 / 12
RATE, SPREAD = 5e-4, 0.01  # of the fixture
EXACT = {"rtol": 1e-12, "atol": 1e-13}
PRESETS = ["unhedged", "static_put", "rolled_put", "expiring_put", "stop_loss", "cppi", "vol_target_cppi"]


class Book:
    """One book's columns, [path, date], and what follows from them without the engine."""

    def __init__(self, study, table, name):
        self.study, self.table, self.name = study, table, name
        self.wealth, self.cash = self["wealth"], self["cash"]
        self.cost = np.diff(self["cost_underlying"] + self["cost_option"])
        self.assets = {n: (self[f"{n}.units"], self.column(f"{n}.spot"), float(a.dividend)) for n, a in study.market.assets.items()}
        slots = list(study.books[name].slots())
        self.option = slots[0] if slots else None

    def column(self, name):
        return self.table[name].to_numpy().reshape(-1, STEPS + 1)

    def __getitem__(self, name):
        return self.column(f"{self.name}.{name}")

    def put(self, dates, strike, expiry):
        """Black's price at ``dates`` of puts, at the volatility they are priced by."""
        equity, rate = self.study.market["equity"], float(self.study.market.rate.rate)
        years = np.maximum(expiry - dates, 0.0) * DT
        forward = self.column("equity.spot")[:, dates] * np.exp((rate - float(equity.dividend)) * years)
        deviation = np.maximum(float(equity.sigma) * np.sqrt(float(equity.variance_premium) * years), 1e-9)
        return black("put", forward, strike, deviation, np.exp(-rate * years))

    def over_the_step(self):
        """(units of the put held over each step, their price at its start, their value at its end, cost of trading them)."""
        units, strike, expiry, mark = (self[f"{self.option}.{c}"] for c in ("units", "strike", "expiry", "price"))
        dates = np.arange(STEPS)
        settled = expiry[:, 1:] == dates + 1
        held = np.where(settled, units[:, :-1], units[:, 1:])  # the row of an expiry shows what is left after it
        first = settled & (expiry[:, 1:] != expiry[:, :-1])
        assert not first.any(), "an option of one step would need its units from elsewhere"
        start = self.put(dates, strike[:, 1:], expiry[:, 1:])
        end = np.where(settled, np.maximum(strike[:, 1:] - self.column("equity.spot")[:, 1:], 0.0), mark[:, 1:])
        rolled = (strike[:, 1:] != strike[:, :-1]) | (expiry[:, 1:] != expiry[:, :-1])
        both = np.abs(units[:, :-1]) * mark[:, :-1] + np.abs(held) * start
        return held, start, end, SPREAD * np.where(rolled, both, np.abs(held - units[:, :-1]) * start)


@pytest.fixture(scope="module")
def book(preset_trace):
    return lambda name: Book(*preset_trace, name)


@pytest.mark.parametrize("name", PRESETS)
def test_wealth_is_cash_and_positions(book, name):
    one = book(name)
    value = sum(units * spot for units, spot, _ in one.assets.values())
    if one.option:
        value = value + one[f"{one.option}.units"] * one[f"{one.option}.price"]
    np.testing.assert_allclose(one.cash + value, one.wealth, **EXACT)


@pytest.mark.parametrize("name", PRESETS)
def test_self_financing(book, name):
    """dV = interest + income + price gains + settlement - costs, each recomputed from units, prices, dividends and Black."""
    one = book(name)
    rate = float(one.study.market.rate.rate)
    invested, gains = 0.0, 0.0
    for units, spot, dividend in one.assets.values():
        invested = invested + units[:, 1:] * spot[:, :-1]
        gains = gains + units[:, 1:] * (spot[:, 1:] * math.exp(dividend * DT) - spot[:, :-1])
    if one.option:
        held, start, end, _ = one.over_the_step()
        invested, gains = invested + held * start, gains + held * (end - start)
    cash = one.wealth[:, :-1] - one.cost - invested
    np.testing.assert_allclose(np.diff(one.wealth), cash * math.expm1(rate * DT) + gains - one.cost, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("name", PRESETS)
def test_costs_by_kind(book, name):
    one = book(name)
    traded = sum(np.abs(np.diff(units)) * spot[:, :-1] for units, spot, _ in one.assets.values())
    np.testing.assert_allclose(np.diff(one["cost_underlying"]), RATE * traded, rtol=0.0, atol=1e-15)
    options = one.over_the_step()[-1] if one.option else 0.0 * traded
    np.testing.assert_allclose(np.diff(one["cost_option"]), options, rtol=0.0, atol=1e-14)


def test_first_day_by_hand(book, weights):
    """The mix trades its whole weight. With puts of premium P it is scaled by s = 1 / (1 + .6 P (1 + spread) / S); there are .6 s / S of them."""
    mix, put = book("unhedged"), book("static_put")
    np.testing.assert_allclose(mix["cost_underlying"][:, 1], RATE * sum(weights.values()), **EXACT)
    premium = put.put(np.array([0]), 95.0, STEPS)[0, 0]
    scale = 1.0 / (1.0 + weights["equity"] * premium * (1.0 + SPREAD) / 100.0)
    np.testing.assert_allclose(put["put.units"][:, 1], weights["equity"] * scale / 100.0, **EXACT)
    np.testing.assert_allclose(put["cost_underlying"][:, 1], RATE * scale, **EXACT)
    np.testing.assert_allclose(put["cost_option"][:, 1], SPREAD * premium * weights["equity"] * scale / 100.0, **EXACT)


def test_a_roll_closes_and_opens(book):
    """Terms change on roll dates only, and both sides pay the spread though the number of puts hardly changes."""
    one = book("rolled_put")
    units, strike, price = (one[f"rolled_put.{c}"] for c in ("units", "strike", "price"))
    changed = np.diff(strike) != 0.0
    np.testing.assert_array_equal(changed, np.broadcast_to(np.isin(np.arange(STEPS), [0, 4, 8]), changed.shape))
    opened = one.put(np.arange(STEPS), strike[:, 1:], one["rolled_put.expiry"][:, 1:])
    np.testing.assert_allclose(np.diff(one["cost_option"])[:, 4], SPREAD * (units[:, 4] * price[:, 4] + units[:, 5] * opened[:, 4]), **EXACT)


def test_expiry_pays_the_intrinsic_value(book):
    """At the horizon a put turns into cash: max(K - S, 0) a unit, on paths in and out of the money."""
    one = book("static_put")
    held, strike, spot = one["put.units"][:, -2], one["put.strike"][:, -1], one.column("equity.spot")
    assert 0 < np.sum(spot[:, -1] < strike) < len(spot)
    np.testing.assert_array_equal(one["put.units"][:, -1], 0.0)
    rate = float(one.study.market.rate.rate)
    invested = sum(units[:, -1] * spot[:, -2] for units, spot, _ in one.assets.values())
    income = sum(units[:, -1] * spot[:, -1] * math.expm1(dividend * DT) for units, spot, dividend in one.assets.values())
    after_trade = one.wealth[:, -2] - one.cost[:, -1] - invested - held * one["put.price"][:, -2]
    settlement = held * np.maximum(strike - spot[:, -1], 0.0)
    np.testing.assert_allclose(one.cash[:, -1], after_trade * math.exp(rate * DT) + income + settlement, **EXACT)


@pytest.mark.parametrize("field", ["rate", "option_spread"])
@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan"), "0.1"])
def test_costs_refuse(field, value):
    with pytest.raises(ValueError, match=f"Proportional.{field}: expected"):
        mc.ledger.Proportional(**{field: value})
