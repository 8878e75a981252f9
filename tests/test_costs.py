"""What costs are, in numbers worked out by hand; how overlays are paid for; what is refused. A new cost is a new row."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

import mcengine as mc
from mcengine.instrument import FutureSlot, Mark, OptionSlot, Position, Rolled, Underlying
from mcengine.ledger import Account, Borrow, Exit, Financing, Fixed, HalfSpread, Holding, Impact, Margin, Proportional, Total, order
from mcengine.policy import ContractOverlay, Cppi, DeltaHedge, Mix, RolledPut, StaticPut, chain

DT = 1.0 / 252
SLOTS = {"equity": Underlying("equity"), "put": OptionSlot("put", "equity", Rolled(5, 5)), "future": FutureSlot("equity", Rolled(5, 5), 0.1)}


def option(units, price, vega):
    return Position(units, 95.0, (), Mark(price, {"vega": {"equity": vega}}))


@pytest.fixture
def quotes(float64):
    times = jnp.arange(8) * DT
    return {"equity": mc.pricing.Quote(100.0, 0.04, 2, times, jnp.ones(8), jnp.ones(8))}


@pytest.fixture
def trade(quotes):
    """10 of the asset bought; 4 puts at 2.0 (vega 9) closed and 6 at 3.0 (vega 12) opened; the short future cut from -5 to -3 without a roll."""
    future = Position(-5.0, (), 100.0, Mark(0.0, {"vega": {"equity": 0.0}}))
    held = {"equity": Position(20.0), "put": option(4.0, 2.0, 9.0), "future": future}
    offered = {"put": option(0.0, 3.0, 12.0), "future": future}
    return order(held, {"equity": 30.0, "put": 6.0, "future": -3.0}, offered, {"put": True, "future": False}, SLOTS, quotes)


SPENT = {
    "proportional": (Proportional(1e-3, 0.01), {"underlying": 1e-3 * (1000.0 + 200.0), "option": 0.01 * (8.0 + 18.0)}),
    "half_spread_by_vega": (HalfSpread(1e-3, 1e-4, 0.01, 1e-5), {"underlying": 1.0, "linear": 0.02, "option": 0.01 * (4 * 9.0 + 6 * 12.0)}),
    "half_spread_at_its_floor": (HalfSpread(0.0, 0.0, 1e-6, 1e-3), {"underlying": 0.0, "linear": 0.0, "option": 1e-3 * 10 * 100.0}),
    "fixed": (Fixed(0.5), {"fixed": 1.5}),
    "impact": (
        Impact(volume=1e4, coefficient=2.0),
        {"impact": 2.0 * 0.2 * math.sqrt(DT) * (math.sqrt(0.1) * 1000.0 + math.sqrt(0.02) * 200.0)},
    ),
    "total": (Total(Proportional(1e-3, 0.01), HalfSpread(1e-3)), {"underlying": 2.2, "option": 0.26, "linear": 0.0}),
}


@pytest.mark.parametrize("name", SPENT)
def test_on_a_trade(trade, name, float64):
    cost, expected = SPENT[name]
    paid = cost.on_trade(trade)
    assert set(paid) <= set(cost.names)
    for kind, amount in expected.items():
        assert float(paid[kind]) == pytest.approx(amount, rel=1e-9, abs=1e-15), kind


def test_nothing_traded_costs_nothing(quotes):
    held = {"equity": Position(20.0)}
    still = order(held, {"equity": 20.0}, {}, {}, {"equity": SLOTS["equity"]}, quotes)
    for cost, _ in SPENT.values():
        if "vega" not in cost.needs:
            assert float(sum(cost.on_trade(still).values())) == 0.0


HELD = {
    "financing": (Financing(0.02), "financing", 0.02 * DT * 300.0),
    "borrow": (Borrow(0.05), "borrow", 0.05 * DT * 7.0 * 100.0),
    "margin": (Margin(0.01), "margin", 0.01 * DT * 5.0 * 0.1 * 100.0),
    "exit": (Exit(Proportional(1e-3, 0.01)), "exit", 1e-3 * (700.0 + 500.0) + 0.01 * 8.0),
}


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize("last", [False, True])
def test_over_a_step(quotes, name, last, float64):
    """Cash at -300, 7 of the asset short, 4 puts at 2.0, 5 futures short."""
    cost, kind, amount = HELD[name]
    positions = {"equity": Position(-7.0), "put": option(4.0, 2.0, 9.0), "future": Position(-5.0, (), 100.0, Mark(0.0, {"vega": {"equity": 0.0}}))}
    nothing = dict.fromkeys(SLOTS, 0.0)
    closing = order(positions, nothing, positions, dict.fromkeys(SLOTS, False), SLOTS, quotes)
    prices, margins = {"equity": 100.0, "put": 2.0, "future": 0.0}, {n: s.margin(quotes) for n, s in SLOTS.items()}
    holding = Holding(slots=SLOTS, held=positions, prices=prices, margins=margins, cash=-300.0, dt=DT, last=last, closing=closing)
    expected = 0.0 if name == "exit" and not last else amount
    assert float(cost.on_hold(holding)[kind]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Total(Proportional(), "fee"), "Total: expected costs such as Proportional, got str"),
        (lambda: Exit(0.01), "Exit.cost: expected a cost such as Proportional, got float"),
        (lambda: Financing(-0.1), "Financing.spread: expected a number not below 0"),
        (lambda: Impact(0.0), "Impact.volume: expected a number above 0"),
        (lambda: HalfSpread(1.5), "HalfSpread.underlying: expected a number below 1"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_study_asks_for_a_cost(gbm_market):
    with pytest.raises(ValueError, match=r"Study.costs: expected a cost such as Proportional, or a Total of several, got .*0.001"):
        mc.Study(gbm_market, Mix(equity=1.0), costs=0.001)


@pytest.fixture(scope="module")
def plain_market():
    """No dividends, so that cash at a step's end is cash after the trade with its interest."""
    assets = {"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07), "bond": mc.market.GBM(spot=50.0, sigma=0.06, drift=0.03)}
    return mc.market.Market(assets, {"equity-bond": -0.2}, rate=0.03)


def overlays():
    digital = mc.instrument.Digital("put", 0.97, expiry=3 / 12, pays="asset", asset="equity")
    return (
        StaticPut(0.9, 0.7),
        RolledPut(0.97, tenor=4, roll=3),
        ContractOverlay(digital, 0.05, schedule=Rolled(3, 3), slot="digital"),
    )


COSTS = {
    "proportional": Proportional(0.0, 0.02),
    "tickets": Total(Proportional(0.0, 0.02), Fixed(1e-4)),
    "by_vega": HalfSpread(0.0, 0.0, 0.01, 1e-4),
}


def test_what_has_expired_is_not_closed_at_a_cost(plain_market):
    """A put that ends at the horizon is settled there; the mix alone pays its way out."""
    rule = chain(Mix(equity=1.0), StaticPut(1.1))
    table = mc.Study(plain_market, rule, costs=Exit(Proportional(0.0, 0.1)), steps=4).trace(range(4))
    assert (table["cost_exit"] == 0.0).all()
    paid = mc.Study(plain_market, rule, costs=Exit(Proportional(0.01, 0.1)), steps=4).trace(range(4))
    last = paid.groupby("path").last()
    np.testing.assert_allclose(last["cost_exit"], 0.01 * last["equity.units"] * last["equity.spot"], rtol=1e-5)


class TestFunding:
    """A fully invested mix with three overlays: wealth spent is wealth had, so that no cash is left over and none borrowed."""

    @staticmethod
    def left_over(market, costs, paths=16):
        study = mc.Study(market, chain(Mix(equity=0.7, bond=0.3), *overlays()), costs=costs, steps=12)
        table = study.trace(range(paths), seed=1)
        column = lambda name: table[name].to_numpy().reshape(paths, -1)  # noqa: E731
        interest = math.expm1(0.03 / 12)
        dates = np.arange(12)
        settled = (dates + 1) % 3 == 0  # the digital pays on its own dates
        cash = column("cash")[:, 1:] / (1.0 + interest)
        # A ticket of the mix is paid in cash, as every cost of the mix is.
        tickets = 2.0 * float(costs.costs["fixed"].fee) if isinstance(costs, Total) else 0.0
        return (cash + tickets)[:, ~settled & (dates < 11)] / column("wealth")[:, :-1][:, ~settled & (dates < 11)], column

    @pytest.mark.parametrize("name", COSTS)
    def test_in_double_precision(self, plain_market, name, float64):
        left, column = self.left_over(plain_market, COSTS[name])
        assert np.abs(left).max() < 1e-12
        assert (column("put.units")[:, 1] > 0.0).all()
        assert (column("digital.units")[:, 1] > 0.0).all()

    def test_in_single_precision(self, plain_market):
        left, _ = self.left_over(plain_market, COSTS["proportional"])
        assert np.abs(left).max() < 1e-6

    def test_what_each_covers_keeps_its_proportion(self, plain_market, float64):
        """Two puts on one sleeve, 3 % and 5 % of the spot: both cover what is held of the asset, and the mix pays for both at once."""
        rule = chain(Mix(equity=1.0), StaticPut(0.97, slot="one"), StaticPut(1.0, 0.5, slot="two"))
        table = mc.Study(plain_market, rule, steps=12).trace([0])
        first = table.iloc[1]
        assert first["one.units"] == pytest.approx(first["equity.units"], rel=1e-12)
        assert first["two.units"] == pytest.approx(0.5 * first["equity.units"], rel=1e-12)
        assert table["cash"].iloc[1] == pytest.approx(0.0, abs=1e-12)

    def test_a_hedge_is_no_overlay(self, plain_market, float64):
        """Short the asset against its puts: the proceeds are cash, the sleeve is not levered with them."""
        rule = chain(Mix(equity=1.0), StaticPut(0.97), DeltaHedge())
        first = mc.Study(plain_market, rule, steps=12).trace([0]).iloc[1]
        alone = mc.Study(plain_market, chain(Mix(equity=1.0), StaticPut(0.97)), steps=12).trace([0]).iloc[1]
        assert first["equity.units"] == alone["equity.units"]
        assert first["delta_hedge.units"] > 0.0  # a put's delta is negative, so the asset is bought

    def test_scalers_leave_overlays_and_hedges_alone(self, plain_market):
        rule = chain(Mix(equity=1.0), Cppi(0.95, 2.0), StaticPut(0.9), DeltaHedge())
        first = mc.Study(plain_market, rule, steps=12).trace([0]).iloc[1]
        assert 0.0 < first["equity.units"] < 0.002
        assert first["put.units"] == pytest.approx(first["equity.units"], rel=1e-6)


def test_an_account_opens_in_cash(quotes):
    account = mc.ledger.open_account(3.0, SLOTS, quotes, Proportional(), ("vega",))
    assert isinstance(account, Account)
    assert float(account.cash) == float(account.wealth) == 3.0
    assert set(account.costs) == {"underlying", "option"}
    assert all(float(one.units) == 0.0 for one in account.held.values())
    assert set(account.held["put"].mark.greeks) == {"vega"}
