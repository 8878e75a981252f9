"""Laws of rules that no other file holds: by closed form within 3 standard errors, with fixed seeds, or by the order in which a step's error falls.

Which law is held where: mcengine/README, "Laws that rules are held to".
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from reference import black
from scipy.stats import norm

import mcengine as mc
from mcengine._model import with_parameters
from mcengine.engine import recorder
from mcengine.market import GBM, Market
from mcengine.policy import (
    Cppi,
    DeltaHedge,
    HedgeBand,
    HighWater,
    Leland,
    Mix,
    OptionBook,
    OptionLeg,
    RolledPut,
    WhalleyWilmott,
    chain,
)
from mcengine.statistics import estimate

ERRORS = 3.0
CASH, EQUITY = Mix(equity=0.0), Mix(equity=1.0)


def assert_near(one, truth):
    assert abs(one.z(truth)) < ERRORS, f"{one} against {truth}"


def run(books, steps, paths, *, drift=0.0, rate=0.0, years=1.0, costs=0.0, recorders=(), premium=1.0):
    """Rules on one lognormal asset of 20 %."""
    equity = GBM(spot=100.0, sigma=0.2, drift=drift, variance_premium=premium)
    recorders = (recorder.Wealth(), *recorders)
    study = mc.Study(Market({"equity": equity}, rate=rate), books, mc.ledger.Proportional(costs), steps=steps, years=years, recorders=recorders)
    return study.run(paths, seed=4, progress=False)


SHARE, MULTIPLIER = 0.7, 3.0


class _Path(NamedTuple):
    last: Any
    highest: Any


@dataclass(frozen=True)
class AzemaYor(recorder.AbstractRecorder):
    """Of TIPP: ``peak``, the highest wealth, and ``law``, a N'^{1-a} + (1 - a) N'^{-a} N of N_t = (S_t/S_0)^m e^{-m(m-1)s^2 t/2}, its highest N'."""

    def start(self, day):
        return _Path(jnp.ones_like(day.account.wealth), jnp.ones_like(day.account.wealth))

    def step(self, state, day):
        grown = (day.quotes["equity"].spot / 100.0) ** MULTIPLIER
        now = grown * jnp.exp(-0.5 * MULTIPLIER * (MULTIPLIER - 1.0) * 0.2**2 * day.step * day.dt)
        return _Path(now, jnp.maximum(state.highest, now))

    def finish(self, state, day):
        law = SHARE * state.highest ** (1.0 - SHARE) + (1.0 - SHARE) * state.highest**-SHARE * state.last
        return {"peak": day.account.high_water / day.start_wealth, "law": law}


@pytest.fixture(scope="module")
def tipp():
    """The floor .7 of the highest wealth, multiplier 3, by number of dates; no interest."""
    rule = {"tipp": chain(EQUITY, Cppi(HighWater(SHARE), MULTIPLIER, leverage=1e9, exposure="set"))}
    return {n: run(rule, n, 131_072, drift=0.05, recorders=(AzemaYor(),))["tipp"] for n in (12, 63, 252)}


class TestTipp:
    @pytest.mark.parametrize(("dates", "wealth", "peak"), [(12, 1.04006, 1.13568), (252, 1.03782, 1.15128)])
    def test_on_dates(self, tipp, dates, wealth, peak):
        """E V_T and E M_T, M the highest wealth; watched all the time they are 1.0371864 and 1.1561128 (Azema & Yor 1979)."""
        assert_near(estimate.mean(tipp[dates]["wealth"]), wealth)
        assert_near(estimate.mean(tipp[dates]["peak"]), peak)

    def test_by_path(self, tipp):
        """V_T follows from the path's N_T and its highest: the distance halves when dates are four times as many."""
        few, many = (math.sqrt(np.mean((tipp[n]["wealth"].astype(float) - tipp[n]["law"]) ** 2)) for n in (63, 252))
        assert few / many == pytest.approx(2.0, rel=0.1)
        assert many < 0.01


def met(level, years=1.0, mu=0.08, s=0.2):
    """P(a lognormal path from 1 meets a level below it by then), watched all the time."""
    drift, root = mu - 0.5 * s * s, s * math.sqrt(years)
    log = math.log(level)
    return norm.cdf((log - drift * years) / root) + level ** (2.0 * drift / s**2) * norm.cdf((log + drift * years) / root)


def test_a_floor_watched_on_ever_more_dates():
    """P(70 met): .0422712 watched all the time. On n dates that of a floor lower by e^{-.5826 s sqrt(dt)} (Broadie, Glasserman & Kou 1997)."""
    assert met(0.7) == pytest.approx(0.0422712, abs=5e-8)
    shifted = lambda n: met(0.7 * math.exp(-0.5825971579 * 0.2 / math.sqrt(n)))  # noqa: E731
    assert shifted(252) == pytest.approx(0.0385563, abs=5e-8)
    share = {n: estimate.mean(run({"mix": EQUITY}, n, 131_072, drift=0.08)["mix"]["lowest"] <= 0.7) for n in (63, 252)}
    for n, one in share.items():
        assert_near(one, shifted(n))
    error = math.hypot(2.0 * share[252].error, share[63].error)
    assert abs(2.0 * share[252].value - share[63].value - met(0.7)) < ERRORS * error  # its error falls as 1/sqrt(n)


def test_what_dear_puts_drag():
    """Puts 5 % out of the money, each month anew, at 22 % where 20 % is fair: a year leaves ((1 + fair) / (1 + asked))^12, 1.9 % less."""
    asked, fair = (float(black("put", 1.0, 0.95, s / math.sqrt(12.0))) for s in (0.22, 0.20))
    assert (100.0 * asked, 100.0 * fair) == pytest.approx((0.7338766, 0.5770994), rel=1e-6)
    assert 12.0 * (asked - fair) == pytest.approx(0.0188, abs=5e-5)
    result = run({"puts": chain(EQUITY, RolledPut(0.95, tenor=1, roll=1))}, 12, 131_072, premium=1.1**2)
    gain = result["puts"]["wealth"].astype(float) - (result["market"]["price_equity"].astype(float) / 100.0 - 1.0)
    assert_near(estimate.mean(gain), ((1.0 + fair) / (1.0 + asked)) ** 12)


class TestLeland:
    """Costs that fall as the root of the step, k = k0 / sqrt(N): Leland's volatility is the same for every N. What is sold at its price and hedged at
    its deltas, costs paid, is replicated as N grows (Lott 1993; Gamys & Kabanov 2009: its mean square falls as 1 / N). Where k stays it is not.
    """

    @staticmethod
    def errors(dates, k=0.06, years=0.25):
        """RMS of what is left of a call's premium, by the volatility it is hedged at."""
        trip, raised = k / math.sqrt(dates), 0.2 * math.sqrt(1.0 + math.sqrt(2.0 / math.pi) * k / (0.2 * math.sqrt(years)))
        book = OptionBook({"call": OptionLeg("call", 1.0, -1.0, tenor=dates, roll=dates)}, per="wealth")
        books = {"leland": chain(CASH, book, DeltaHedge(volatility=Leland(0.2, trip))), "plain": chain(CASH, book, DeltaHedge(volatility=0.2))}
        result = run(books, dates, 8192, years=years, costs=0.5 * trip)
        fair, sold = (float(black("call", 1.0, 1.0, s * math.sqrt(years))) for s in (0.2, raised))
        left = {name: (result[name]["wealth"].astype(float) - 1.0) * (1.0 - fair) + sold - fair for name in books}
        return {name: math.sqrt(np.mean(one**2)) for name, one in left.items()}

    def test_its_error_falls_as_the_root_of_the_step(self):
        few, many = self.errors(32), self.errors(512)
        assert few["leland"] / many["leland"] == pytest.approx(4.0, rel=0.1)
        assert few["plain"] / many["plain"] < 3.0


@pytest.fixture(scope="module")
def parts():
    """Of a straddle sold and hedged half-way to its expiry: (costs, risk) by c / a over its usual value, risk being half the aversion times the
    variance that the band adds; and a date's move of delta over the first band.
    """
    steps, years, cost, aversion = 2016, 0.25, 1e-3, 24.0
    legs = {kind: OptionLeg(kind, 1.0, -1.0, tenor=2 * steps, roll=2 * steps) for kind in ("call", "put")}
    rule = chain(CASH, OptionBook(legs, per="wealth"), DeltaHedge(), HedgeBand(WhalleyWilmott(cost, aversion)))
    recorders = (recorder.Wealth(), recorder.Trading())
    market = Market({"equity": GBM(spot=1.0, sigma=0.2)})
    study = mc.Study(market, rule, mc.ledger.Proportional(cost), steps=steps, years=years, recorders=recorders)

    def at(ratio):
        found = with_parameters(study, {"policy.hedge_band.width.aversion": aversion / ratio}).run(2048, seed=4, progress=False)["policy"]
        paid = found["cost_underlying"].astype(float)
        return ratio * paid.mean(), 0.5 * aversion * np.var(found["wealth"].astype(float) + paid)

    none = at(1e-12)[1]
    gamma = 2.0 * norm.pdf(0.5 * 0.2 * math.sqrt(2.0 * years)) / (0.2 * math.sqrt(2.0 * years))
    band = math.cbrt(1.5 * cost * gamma**2 / aversion)
    move = gamma * 0.2 * math.sqrt(years / steps)
    return {ratio: (paid / ratio, risk - none) for ratio in (0.125, 1.0, 8.0) for paid, risk in (at(ratio),)}, move / band


class TestNoTradeBand:
    """Whalley & Wilmott (1997): what costs and risk take of the certainty equivalent, to leading order."""

    def test_it_grows_as_the_cost_to_two_thirds(self, parts):
        """Eight times the cost, and the band that is twice as wide: four times as much."""
        (paid, risk), (paid_dear, risk_dear) = parts[0][1.0], parts[0][8.0]
        assert (8.0 * paid_dear + risk_dear) / (paid + risk) == pytest.approx(4.0, rel=0.05)

    def test_two_thirds_of_it_are_costs(self, parts):
        """Costs are as 1 / band, risk as its square. On dates a band is as one wider by .5826 of a date's move of delta, as a barrier is."""
        (paid, risk), moved = parts[0][1.0], parts[1]
        assert paid / risk == pytest.approx(2.0 / (1.0 + 0.5826 * moved) ** 3, rel=0.1)

    @pytest.mark.parametrize("ratio", [0.125, 8.0])
    def test_no_other_band_is_better(self, parts, ratio):
        """Half and twice as wide cost 1.42 and 1.67 times as much."""
        assert sum(parts[0][ratio]) > 1.2 * sum(parts[0][1.0])
