"""Books of options and their hedges: laws of hedging on discrete dates, bands, targets of Greeks, minimum variance; what is refused.

Numbers without another source are those of REFERENCES, "Hedging with discrete dates". Tolerances are 3 standard errors, with fixed seeds.
"""

import math
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from precision import double_precision
from reference import black
from scipy.stats import norm

import mcengine as mc
from mcengine.engine import Scalping, recorder
from mcengine.instrument import Greeks
from mcengine.market import Ewma
from mcengine.policy import (
    DeltaHedge,
    ForwardOverlay,
    GreekLimit,
    GreekTargets,
    HedgeBand,
    Implied,
    Leland,
    MinimumVariance,
    Mix,
    OptionBook,
    OptionLeg,
    Realised,
    Rebalance,
    RolledPut,
    WhalleyWilmott,
    chain,
)
from mcengine.policy.greek_targets import solved
from mcengine.pricing.black import root
from mcengine.pricing.hedging import leland_volatility, whalley_wilmott_width
from mcengine.pricing.vanilla import AbstractVanillaPricer
from mcengine.statistics import estimate

ERRORS = 3.0
CASH = Mix(equity=0.0)


def assert_near(one, truth):
    assert abs(one.z(truth)) < ERRORS, f"{one} against {truth}"


def deviation(x):
    """Standard deviation of a sample, its error from the fourth moment."""
    x = x - x.mean()
    variance, fourth = np.mean(x**2), np.mean(x**4)
    return mc.Estimate(math.sqrt(variance), math.sqrt((fourth - variance**2) / (4.0 * variance * x.size)))


def hedged(coverage, steps, volatility=None):
    """One call at the money to the horizon for each unit that the wealth would buy, hedged on every date."""
    leg = OptionLeg("call", 1.0, coverage, tenor=steps, roll=steps)
    return chain(CASH, OptionBook({"call": leg}, per="wealth"), DeltaHedge(volatility=volatility))


def funded(premium, coverage=1.0):
    """Contracts held for each unit wanted: what is not in premia is scaled with them (see ``Fund``)."""
    return 1.0 / (1.0 + coverage * premium)


class TestDermanKamal:
    """A call sold and hedged on N dates leaves an error of mean 0 and sd near sqrt(pi/4) vega s / sqrt(N) (Derman & Kamal 1999)."""

    @staticmethod
    def error(dates, volatility=0.2):
        market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.05)}, rate=0.05)
        study = mc.Study(market, hedged(-1.0, dates, volatility), steps=dates, years=1.0 / 12.0, wealth=100.0, recorders=(recorder.Wealth(),))
        return (100.0 * study.run(65_536, seed=9).wealth.astype(float) - 100.0 * math.exp(0.05 / 12.0)) / funded(0.0251206709, -1.0)

    @pytest.mark.parametrize(("dates", "simulated", "formula"), [(21, 0.4279, 0.443168), (84, 0.2178, 0.221584)])
    def test_hedge_error(self, dates, simulated, formula):
        error = self.error(dates)
        assert_near(estimate.mean(error), 0.0)
        assert_near(deviation(error), simulated)
        assert deviation(error).value == pytest.approx(formula, rel=0.05)

    def test_a_hedge_at_the_wrong_volatility_is_worse(self):
        assert deviation(self.error(21, 0.3)).z(0.4279) > 8.0


REALISED, QUOTED, YEARS = 0.2, 0.25, 0.25


@pytest.fixture(scope="module")
def scalped():
    """Calls bought at 25 % in a market of 20 %, r = 0, hedged at either, by number of dates."""
    equity = mc.market.GBM(spot=100.0, sigma=REALISED, variance_premium=(QUOTED / REALISED) ** 2)
    market = mc.market.Market({"equity": equity})
    recorders = (recorder.Wealth(), Scalping())
    out = {}
    for steps in (32, 128):
        books = {"realised": hedged(1.0, steps, REALISED)} | ({"implied": hedged(1.0, steps)} if steps == 128 else {})
        out[steps] = mc.Study(market, books, steps=steps, years=YEARS, wealth=100.0, recorders=recorders).run(16_384, seed=5)
    return out


def profit(result, book):
    premium = black("call", 100.0, 100.0, QUOTED * math.sqrt(YEARS)) / 100.0
    return 100.0 * (result[book]["wealth"].astype(float) - 1.0) / funded(premium)


class TestGammaScalping:
    truth = black("call", 100.0, 100.0, REALISED * math.sqrt(YEARS)) - black("call", 100.0, 100.0, QUOTED * math.sqrt(YEARS))

    @pytest.mark.parametrize(("book", "dates"), [("realised", 32), ("realised", 128), ("implied", 128)])
    def test_the_mean_is_the_difference_of_prices(self, scalped, book, dates):
        """C(s_r) - C(s_i), whatever the number of dates."""
        assert_near(estimate.mean(profit(scalped[dates], book)), self.truth)

    def test_hedged_at_what_is_realised_every_path_earns_it(self, scalped):
        """Its variance is that of discrete dates, which falls as 1 / N, to nothing; hedged at what is implied, what depends on the path stays."""
        few, many = (deviation(profit(result, "realised")).value ** 2 for result in scalped.values())
        assert few / many == pytest.approx(4.0, rel=0.1)
        assert deviation(profit(scalped[128], "implied")).value ** 2 - many > 0.1

    def test_scalping_and_theta_are_the_profit(self, scalped):
        """Of a hedged book, to a rest of higher order in the step."""
        found = {name: 100.0 * scalped[128]["implied"][name].astype(float) for name in ("scalping", "theta", "wealth", "paid")}
        assert (found["scalping"] > 0.0).all()
        assert (found["theta"] < 0.0).all()
        assert (found["paid"] == 0.0).all()
        rest = found["wealth"] - 100.0 - found["scalping"] - found["theta"]
        assert deviation(rest).value < 0.15 * deviation(found["wealth"]).value


class TestFormulas:
    @pytest.mark.parametrize(("dates", "truth"), [(52, 0.22695210), (252, 0.25560135)])
    def test_leland(self, dates, truth, float64):
        assert float(leland_volatility(0.2, 0.01, 1.0 / dates)) == pytest.approx(truth, rel=1e-7)
        bought = float(leland_volatility(0.2, 0.01, 1.0 / dates, 1.0))
        assert truth**2 + bought**2 == pytest.approx(2.0 * 0.2**2, rel=1e-7)
        slope = jax.grad(leland_volatility, argnums=(0, 1))(0.2, 10.0, 1.0 / dates, 1.0)
        np.testing.assert_array_equal(slope, 0.0)

    @pytest.mark.parametrize(("moneyness", "hedge"), [(-0.05, 0.2946), (-0.01, 0.5), (0.0, 0.5), (0.01, 0.5), (0.05, 0.7284)])
    def test_whalley_wilmott(self, moneyness, hedge, float64):
        spot, deviation = math.exp(moneyness), 0.2 * math.sqrt(0.1)
        d1 = moneyness / deviation + 0.5 * deviation
        half = float(whalley_wilmott_width(norm.pdf(d1) / (spot * deviation), spot, 1e-5, 1.0))
        assert np.clip(0.5, norm.cdf(d1) - half, norm.cdf(d1) + half) == pytest.approx(hedge, abs=1e-4)
        assert np.isfinite(jax.grad(whalley_wilmott_width)(0.0, 1.0, 1e-5, 1.0))

    def test_elimination(self, float64):
        rng = np.random.default_rng(1)
        for n in (1, 2, 3):
            a, b = rng.standard_normal((n, 4)), rng.standard_normal(n)
            made = solved((a @ a.T).tolist(), b.tolist(), 1e-3)
            np.testing.assert_allclose(np.asarray(made), np.linalg.solve(a @ a.T + 1e-3 * np.eye(n), b), rtol=1e-9)


STEPS = 12
LEGS = {"bought": OptionLeg("put", 0.97, 1.0, 8, 4), "sold": OptionLeg("call", 1.02, -0.5, schedule=mc.instrument.RollSchedule((0, 5), (6, 14)))}
HEDGES = {"near": OptionLeg("call", 1.0, 0.0, 10, 5), "far": OptionLeg("put", 1.0, 0.0, 40, 6)}
TARGETS = {"gamma": 0.5, "vega": 2e-3, "delta": 0.1}
KEPT = [1, 2, 3, 7, 9, 11]
"""Dates on which nothing rolls."""


@pytest.fixture(scope="module")
def column(gbm_market, weights):
    """A table by path and step of rules over one book of options, in double precision."""
    mix, kept, at = Mix(weights), Rebalance(GreekLimit("delta", 9.0), only="delta_hedge"), Leland(Realised(Ewma("equity", 5.0)), 0.01)
    rules = {
        "book": chain(mix, OptionBook(LEGS), DeltaHedge(volatility=at), HedgeBand(WhalleyWilmott(1e-3, 4.0))),
        "once": chain(mix, OptionBook(LEGS), DeltaHedge(through="forward", tenor=8, roll=5, volatility=Implied()), kept),
        "targets": chain(mix, OptionBook(LEGS | HEDGES), GreekTargets(TARGETS, tuple(HEDGES), {"far": 2.0}, ridge=1e-5)),
    }
    study = mc.Study(gbm_market, rules, steps=STEPS, costs=mc.ledger.Proportional(5e-4, 0.01), recorders=(recorder.Wealth(),))
    with double_precision():
        table = study.trace(range(4), seed=5)
    return lambda name: table[name].to_numpy().reshape(4, STEPS + 1)


class TestDateByDate:
    """Units of row k + 1 are decided on date k, on the marks of row k where nothing rolls."""

    @staticmethod
    def book(column, rule, greek, legs=tuple(LEGS)):
        return sum(column(f"{rule}.{leg}.units")[:, 1:] * column(f"{rule}.{leg}.{greek}.equity")[:, :-1] for leg in legs)

    def test_legs(self, column):
        held = column("book.equity.units")
        for date in (0, 4, 8):
            np.testing.assert_allclose(column("book.bought.units")[:, date + 1], held[:, date + 1], rtol=1e-12)
            np.testing.assert_allclose(column("book.bought.strike")[:, date + 1], 0.97 * column("equity.spot")[:, date], rtol=1e-12)
        np.testing.assert_allclose(column("book.sold.units")[:, 6:], -0.5 * np.repeat(held[:, 6:7], 7, axis=1), rtol=1e-12)
        assert [int(x) for x in np.unique(column("book.sold.expiry")[:, 1:])] == [6, 14]

    def test_lelands_volatility_and_whalley_wilmotts_band(self, column):
        """Black's delta with a yield, at what a signal says, lower for puts bought and higher for calls sold; the hedge is clamped to it."""
        spot, ewma, wanted = column("equity.spot")[:, :-1], column("signal.ewma_equity")[:, :-1], 0.0
        for leg, sign, side in (("bought", -1.0, 1.0), ("sold", 1.0, -1.0)):
            strike, expiry = (column(f"book.{leg}.{what}")[:, 1:] for what in ("strike", "expiry"))
            years = (expiry - np.arange(STEPS)) / STEPS
            sigma = ewma * np.sqrt(1.0 - side * math.sqrt(2.0 / math.pi) * 0.01 / (ewma * math.sqrt(1.0 / STEPS)))
            d1 = (np.log(spot / strike) + (0.03 - 0.015) * years) / (sigma * np.sqrt(years)) + 0.5 * sigma * np.sqrt(years)
            wanted = wanted - column(f"book.{leg}.units")[:, 1:] * sign * np.exp(-0.015 * years) * norm.cdf(sign * d1)
        half = np.cbrt(1.5 * 1e-3 * self.book(column, "book", "gamma") ** 2 * spot / 4.0)
        units = column("book.delta_hedge.units")
        clamped = np.clip(units[:, :-1], wanted - half, wanted + half)
        np.testing.assert_allclose(units[:, 1:][:, KEPT], clamped[:, KEPT], rtol=1e-9)
        still = np.diff(units)[:, KEPT] == 0.0
        assert still.any()
        assert not still.all()

    def test_traded_by_a_trigger(self, column):
        """One that never fires leaves the hedge, and opens it anew where the forward rolls; where volatility is flat its implied delta is the
        market's."""
        units = column("once.delta_hedge.units")
        moves = np.diff(units)
        assert (np.delete(moves, [0, 5, 10], axis=1) == 0.0).all()
        assert (moves[:, [0, 5, 10]] != 0.0).all()
        # The forward opened on date 10 is marked on date 11; that of an asset with a yield q has a delta of e^{-q years}.
        unit = column("once.delta_hedge.delta.equity")[:, 11] * math.exp(-0.015 / STEPS)
        np.testing.assert_allclose(units[:, 11], -self.book(column, "once", "delta")[:, 10] / unit, rtol=1e-9)

    def test_targets_are_met(self, column):
        """As fractions of wealth, to what the ridge leaves of them."""
        spot, wealth = (column(name)[:, :-1] for name in ("equity.spot", "targets.wealth"))
        names = (*LEGS, *HEDGES)
        for greek, scale in (("gamma", spot**2 / wealth), ("vega", 1.0 / wealth)):
            before, after = ((scale * self.book(column, "targets", greek, legs))[:, KEPT] - TARGETS[greek] for legs in (tuple(LEGS), names))
            assert np.abs(after).max() < 1e-3 * np.abs(before).mean()
        delta = self.book(column, "targets", "delta", names) + column("targets.greek_hedge.units")[:, 1:]
        np.testing.assert_allclose((spot * delta / wealth)[:, KEPT], TARGETS["delta"], rtol=1e-4)

    def test_at_least_cost(self, column):
        """Two options for one target: more of the cheaper, in inverse proportion to cost."""
        seen = self.at(Greeks({"gamma": {"equity": -0.02}}), {"near": 0.03, "far": 0.01})
        stage = GreekTargets({"gamma": 0.0}, ("near", "far"), {"far": 2.0}, ridge=1e-6)
        units, _ = stage.act({"near": 1.0, "far": 1.0, "bought": 5.0}, seen, ())
        near, far = (float(units[n]) - 1.0 for n in ("near", "far"))
        assert 0.03 * near + 0.01 * far == pytest.approx(0.02, rel=1e-6)
        assert near / far == pytest.approx(0.03 / (0.01 / 2.0), rel=1e-6)
        assert units["bought"] == 5.0

    @staticmethod
    def at(book, gammas):
        """A date on which a book has Greeks, and hedges the gammas."""
        offers = {n: SimpleNamespace(mark=mc.instrument.Mark(1.0, {"gamma": {"equity": g}})) for n, g in gammas.items()}
        slots = dict.fromkeys(gammas, mc.instrument.OptionSlot("call", "equity"))
        quotes = {"equity": SimpleNamespace(spot=100.0)}
        return SimpleNamespace(slots=slots, quotes=quotes, wealth=1.0, on_offer=offers.get, greeks=lambda target, of: book)


class Instant(AbstractVanillaPricer):
    """Black's formula at the variance of the moment."""

    def total_volatility(self, option):
        return root(option.variance * option.years), ()


jax.tree_util.register_static(Instant)


@pytest.fixture(scope="module")
def one_day():
    """One day of puts under Heston's variance, unhedged and hedged: what a hedge adds is its units times the move of what it holds."""
    equity = mc.market.Heston(spot=100.0, v0=0.04, kappa=2.0, theta=0.04, vol_of_vol=0.3, rho=-0.7)
    market = mc.market.Market({"equity": equity, "other": mc.market.GBM(spot=50.0, sigma=0.3)}, {"equity-other": 0.6})
    put = OptionBook({"put": OptionLeg("put", 1.0, 1.0, 21, 21)}, per="wealth")
    hedges = {"minimum": MinimumVariance(-0.7, 0.3), "through": MinimumVariance(-0.7, 0.3, through="other")}
    books = {"none": chain(CASH, put)} | {name: chain(CASH, put, hedge) for name, hedge in hedges.items()}
    options = {"recorders": (recorder.Wealth(),), "pricers": {"equity": Instant(), "other": Instant()}}
    result = mc.Study(market, books, steps=1, years=1.0 / 252, **options).run(16_384, seed=6)
    moves = {n: result["market"][f"price_{n}"].astype(float) / spot - 1.0 for n, spot in (("equity", 100.0), ("other", 50.0))}
    return {book: result[book]["wealth"].astype(float) for book in books}, moves


def slope(y, x):
    """Of a regression of y on x, and its error."""
    x, y = x - x.mean(), y - y.mean()
    b = (x @ y) / (x @ x)
    return mc.Estimate(b, math.sqrt(np.mean((x * (y - b * x)) ** 2) / x.size) / np.mean(x * x))


class TestMinimumVariance:
    @pytest.mark.parametrize(("book", "through"), [("minimum", "equity"), ("through", "other")])
    def test_no_other_hedge_leaves_less(self, one_day, book, through):
        wealth, moves = one_day
        held = slope(wealth[book] - wealth["none"], moves[through]).value
        assert_near(slope(wealth["none"], moves[through]), -held)

    def test_it_is_not_the_delta(self, one_day):
        """Falling spots bring variance, which puts gain by: more is held against them."""
        wealth, moves = one_day
        delta = -norm.cdf(-0.5 * 0.2 * math.sqrt(21 / 252)) * funded(black("put", 1.0, 1.0, 0.2 * math.sqrt(21 / 252)))
        assert slope(wealth["none"], moves["equity"]).z(delta) < -10.0 * ERRORS


@pytest.fixture(scope="module")
def jointly():
    """A day of a call far in the money on one of three lognormal assets, hedged through the other two together and one by one."""
    assets = {name: mc.market.GBM(spot=spot, sigma=sigma) for name, spot, sigma in (("a", 100.0, 0.2), ("b", 50.0, 0.3), ("c", 20.0, 0.1))}
    market = mc.market.Market(assets, {"a-b": 0.6, "a-c": -0.5, "b-c": 0.2})
    cash = Mix(a=0.0)
    call = OptionBook({"call": OptionLeg("call", 0.3, 1.0, 252, 252)}, "a", per="wealth")
    through = {"b": "b", "c": ["c"], "both": ("b", "c"), "with_itself": ("b", "a")}
    books = {"none": chain(cash, call)} | {name: chain(cash, call, MinimumVariance(asset="a", through=names)) for name, names in through.items()}
    result = mc.Study(market, books, steps=1, years=1.0 / 252, recorders=(recorder.Wealth(),)).run(16_384, seed=6)
    return {book: result[book]["wealth"].astype(float) for book in books}


class TestJointly:
    """A call far in the money moves as its asset: what is left of its variance is 1 - R^2, R^2 = c' C^{-1} c of the correlations."""

    @pytest.mark.parametrize(("book", "square"), [("b", 0.36), ("c", 0.25), ("both", (0.36 + 0.25 + 2.0 * 0.6 * 0.5 * 0.2) / 0.96)])
    def test_what_is_left(self, jointly, book, square):
        """The share is known to 2 R / sqrt(n) of itself."""
        share = np.var(jointly[book]) / np.var(jointly["none"])
        error = 2.0 * math.sqrt(square / 16_384)
        assert abs(share / (1.0 - square) - 1.0) < ERRORS * error

    def test_the_asset_itself_leaves_nothing_to_others(self, jointly):
        assert np.var(jointly["with_itself"]) < 1e-4 * np.var(jointly["none"])

    def test_assets_that_move_as_one_share_the_hedge(self):
        """Correlated at 1 the normal equations are singular; what the ridge leaves of them is half each."""
        quotes = {name: SimpleNamespace(spot=spot) for name, spot in (("a", 1.0), ("b", 1.0), ("c", 2.0))}
        seen = SimpleNamespace(risky=tuple(quotes), quotes=quotes, variance_of=lambda shares: 0.04 * sum(shares.values()) ** 2)
        betas = MinimumVariance(asset="a", through=("b", "c"))._betas(seen)
        assert float(betas["minimum_variance_b"]) == pytest.approx(0.5, rel=1e-3)
        assert float(betas["minimum_variance_c"]) == pytest.approx(0.25, rel=1e-3)


class TestImplied:
    """The volatility that a price was made with, of calls and puts on either side of the forward."""

    @staticmethod
    def of(kind, strike, price, years):
        quote = SimpleNamespace(spot=100.0, variance=0.09, forward=lambda _: 101.0, discount=lambda _: 0.98, years=lambda _: years)
        life = SimpleNamespace(chosen=SimpleNamespace(expiry=1))
        offer = SimpleNamespace(terms=strike, mark=mc.instrument.Mark(price, {}))
        slots = {"option": mc.instrument.OptionSlot(kind, "equity")}
        return Implied().of(SimpleNamespace(slots=slots, dates={"option": life}, quotes={"equity": quote}, on_offer=lambda _: offer), "option", 1.0)

    @pytest.mark.parametrize("kind", ["call", "put"])
    def test_it_is_found(self, kind, float64):
        """The quote's own where a price tells nothing, worth its intrinsic value or expired."""
        strikes, sigma, years = np.array([70.0, 101.0, 102.0, 130.0, 40.0, 40.0]), np.array([0.35, 0.2, 0.1, 0.25, 0.3, 0.3]), np.full(6, 0.5)
        price = black(kind, 101.0, strikes, sigma * np.sqrt(years), 0.98)
        years[-1], price[-1] = 0.0, 0.0
        found, slope = jax.jit(jax.vmap(jax.value_and_grad(lambda k, p, t: self.of(kind, k, p, t), argnums=1)))(strikes, price, years)
        np.testing.assert_allclose(found, sigma, rtol=1e-6)
        assert np.isfinite(slope).all()


class TestGreekLimit:
    @staticmethod
    def seen(delta, wealth=2.0, width=0.0):
        book = Greeks({"delta": {"equity": delta, "bond": 0.01}, "gamma": {"equity": 0.001, "bond": 0.0}, "theta": -0.1})
        quotes = {"equity": SimpleNamespace(spot=100.0), "bond": SimpleNamespace(spot=50.0)}
        tell = lambda name, value: None  # noqa: E731
        return SimpleNamespace(greeks=lambda target, bucket: book, target=None, wealth=wealth, quotes=quotes, width=width, tell=tell)

    @pytest.mark.parametrize(
        ("limit", "share", "weight"),
        [
            (GreekLimit("delta", 0.5), 0.75, 1.0),
            (GreekLimit("delta", 0.6, asset="equity"), 0.5, 0.0),
            (GreekLimit("delta", 0.9, low=0.8), 0.75, 1.0),
            (GreekLimit("gamma", 4.0), 5.0, 1.0),
            (GreekLimit("theta", 0.06), -0.05, 0.0),
            (GreekLimit("theta", 0.04), -0.05, 1.0),
        ],
    )
    def test_fires(self, limit, share, weight, float64):
        seen = self.seen(0.01)
        assert float(limit.share(seen)) == pytest.approx(share, rel=1e-12)
        assert float(limit.fires(seen, ())[0]) == weight

    def test_smooth(self, float64):
        """Half at either limit."""
        for delta in (0.015, 0.005):
            weight, _ = GreekLimit("delta", 0.75, low=0.25, asset="equity").fires(self.seen(delta, width=0.01), ())
            assert float(weight) == pytest.approx(0.5, rel=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OptionLeg("cal"), "OptionLeg.kind: expected 'call' or 'put', got 'cal'"),
        (lambda: OptionLeg("put", tenor=5, roll=6), "OptionLeg.roll: expected whole numbers of steps, roll from 1 to tenor"),
        (lambda: OptionBook({}), "OptionBook.legs: expected a dict of legs by slot, got {}"),
        (lambda: OptionBook({"put": RolledPut(0.9)}), "OptionBook.legs.put: expected an OptionLeg, got RolledPut"),
        (lambda: OptionBook(LEGS, per="spot"), "OptionBook.per: expected 'asset' or 'wealth', got 'spot'"),
        (
            lambda: DeltaHedge(volatility="implied"),
            "DeltaHedge.volatility: expected a volatility a year above 0, Implied, Realised or Leland, got 'implied'",
        ),
        (lambda: DeltaHedge(volatility=-0.2), "DeltaHedge.volatility: expected a volatility a year above 0, .* got -0.2"),
        (lambda: Realised(0.2), "Realised.signal: expected a signal such as Ewma, got float"),
        (lambda: Leland(None), "Leland.volatility: expected a volatility a year above 0, .* got None"),
        (lambda: HedgeBand("wide"), "HedgeBand.width: expected a number or a WhalleyWilmott, .*, got 'wide'"),
        (lambda: HedgeBand(-1.0), "HedgeBand.width: expected a number not below 0, got -1.0"),
        (lambda: MinimumVariance(through=("a", "b", "a")), r"MinimumVariance.through: expected up to 3 assets, each once, got \('a', 'b', 'a'\)"),
        (lambda: MinimumVariance(through=5), "MinimumVariance.through: expected up to 3 assets, each once, got 5"),
        (lambda: MinimumVariance(through=("a", "b", "c", "d")), "MinimumVariance.through: expected up to 3 assets, each once"),
        (lambda: GreekTargets({}), "GreekTargets.targets: expected a dict of targets by Greek, got {}"),
        (lambda: GreekTargets({"theta": 0.0}, ("a",)), "GreekTargets.targets: expected 'delta' or 'gamma' or 'vega', got 'theta'"),
        (
            lambda: GreekTargets({"gamma": 0.0, "vega": 0.0}, ("a",)),
            r"GreekTargets.through: expected as many slots as targets .*\(gamma, vega\), got 1",
        ),
        (lambda: GreekTargets({"gamma": 0.0}, ("near",), {"naer": 1.0}), "GreekTargets.costs: unknown slot 'naer'; did you mean near"),
        (lambda: GreekLimit("delta", -0.1), r"GreekLimit.low: expected a number below high = -0.1, got 0.1; no book is within both"),
        (lambda: GreekLimit("delta", 0.1, 0.2), "GreekLimit.low: expected a number below high = 0.1, got 0.2"),
        (
            lambda: GreekLimit("speed", 0.1),
            "GreekLimit.greek: expected 'delta' or 'gamma' or 'vega' or 'theta' or 'rho' or 'vanna' or 'volga', got 'speed'",
        ),
        (lambda: GreekLimit("theta", 0.1, asset="equity"), "GreekLimit.asset: expected no asset, as theta is of the whole book, got 'equity'"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


BARRIER = mc.instrument.Barrier("put", "down", "out", 0.98, 0.9, 3 / 12, "equity")


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ((OptionBook(LEGS, "equty"),), "OptionBook.asset: unknown asset 'equty'; did you mean equity"),
        (
            (mc.policy.ContractOverlay(BARRIER, schedule=mc.instrument.Rolled(3, 3), approximate=True), DeltaHedge(volatility=0.2)),
            "DeltaHedge.volatility: expected options alone on 'equity', got contract",
        ),
        ((ForwardOverlay(), HedgeBand(0.1, "forwrd")), "HedgeBand.slot: unknown slot 'forwrd'; did you mean forward"),
        ((ForwardOverlay(), HedgeBand(WhalleyWilmott(), "forward")), "HedgeBand.width: expected a book with options or contracts on 'equity'"),
        ((ForwardOverlay(), Rebalance(GreekLimit("delta", 1.0), only="forwrd")), "Rebalance.only: unknown slot 'forwrd'; did you mean forward"),
        ((Rebalance(GreekLimit("vega", 1.0)),), "GreekLimit.greek: expected a Greek that the book has, got 'vega' of a book without options"),
        ((RolledPut(0.9), Rebalance(GreekLimit("gamma", 1.0, asset="bond"))), "got 'gamma' of a book without options on 'bond'"),
        ((Rebalance(GreekLimit("delta", 1.0, asset="bnd")),), "GreekLimit.asset: unknown asset 'bnd'; did you mean bond"),
        ((MinimumVariance(),), "MinimumVariance.asset: expected a book with options or contracts on 'equity', got none"),
        ((RolledPut(0.9), MinimumVariance(through="bnd")), "MinimumVariance.through: unknown asset 'bnd'"),
        ((RolledPut(0.9), MinimumVariance(through=("equity", "bnd"))), "MinimumVariance.through: unknown asset 'bnd'"),
        ((OptionBook(LEGS), GreekTargets({"gamma": 0.0}, ("boght",))), "GreekTargets.through: unknown slot 'boght'; did you mean bought"),
        ((ForwardOverlay(), GreekTargets({"delta": 0.0}, ("forward",))), "GreekTargets.through: expected slots of options on 'equity', got forward"),
    ],
)
def test_what_does_not_fit_a_study(gbm_market, stages, message):
    with pytest.raises(ValueError, match=message):
        mc.Study(gbm_market, chain(Mix(equity=1.0), *stages), steps=STEPS)
