"""Slots: what a book can hold. Payoffs path by path, fair prices, what is refused; a new kind is a new row of ``KINDS``."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from haste import compiled_in_haste
from precision import double_precision

import mcengine as mc
from mcengine._model import Scalar, model, number, static
from mcengine.engine import recorder
from mcengine.engine.book import Book, Now
from mcengine.instrument import Barrier, ContractSlot, Digital, ForwardSlot, FutureSlot, OptionSlot, Rolled, ToHorizon
from mcengine.policy import AbstractStage
from mcengine.statistics import estimate

STEPS, RATE, DIVIDEND, ERRORS = 12, 0.03, 0.015, 4.0
DT = 1.0 / STEPS


@model
class HoldOne(AbstractStage):
    """``units`` of one slot, all else in cash: bought on each roll date and held until the next."""

    slot: Any
    units: Scalar = number()
    name: str = static(default="held")

    kind: ClassVar[str] = "allocator"

    def slots(self):
        return {self.name: self.slot}

    def act(self, target, seen, memory):
        return target | {self.name: jnp.where(seen.rolls(self.name), self.units, target[self.name])}, memory


@pytest.fixture(scope="module")
def market():
    """Two lognormal assets under Q, a bond option's rate known."""
    equity = mc.market.GBM(spot=100.0, sigma=0.2, drift=RATE, dividend=DIVIDEND)
    other = mc.market.GBM(spot=50.0, sigma=0.3, drift=RATE)
    return mc.market.Market({"equity": equity, "other": other}, {"equity-other": 0.4}, rate=RATE)


def contract(cls, /, **terms):
    return ContractSlot(cls(**terms), ToHorizon())


BARRIER = {"kind": "put", "direction": "down", "effect": "out", "strike": 100.0, "barrier": 80.0, "expiry": 1.0, "asset": "equity"}
KINDS = {
    "option": (OptionSlot("put", "equity"), 1e-2),
    "rolled_option": (OptionSlot("call", "equity", Rolled(tenor=4, roll=3)), 1e-2),
    "forward": (ForwardSlot("equity"), 1e-2),
    "rolled_forward": (ForwardSlot("equity", Rolled(tenor=4, roll=4)), 1e-2),
    "future": (FutureSlot("equity"), 1e-2),
    "rolled_future": (FutureSlot("equity", Rolled(tenor=5, roll=3)), 1e-2),
    "barrier": (contract(Barrier, **BARRIER), 1e-2),
    "rolled_barrier": (
        ContractSlot(Barrier(**BARRIER | {"strike": 1.0, "barrier": 0.9, "expiry": 0.25}), Rolled(tenor=3, roll=3), relative=True),
        1e-2,
    ),
    "digital": (contract(Digital, kind="put", strike=95.0, expiry=1.0, asset="equity"), 0.5),
    "asian": (contract(mc.instrument.Asian, kind="call", strike=100.0, expiry=1.0, average="geometric", fixings=4, asset="equity"), 1e-2),
    "spread": (contract(mc.instrument.Spread, kind="call", strike=40.0, expiry=1.0, first="equity", second="other"), 1e-2),
    "future_option": (contract(mc.instrument.FutureOption, kind="put", strike=100.0, expiry=0.75, delivery=1.0, asset="equity"), 1e-2),
    "variance_swap": (contract(mc.instrument.VarianceSwap, strike=0.04, expiry=1.0, asset="equity"), 1.0),
}
TENORS = {"future_option": Rolled(tenor=9, roll=9)}
KINDS = {name: (mc.replace(slot, schedule=TENORS.get(name, slot.schedule)), units) for name, (slot, units) in KINDS.items()}
BOOKS = {name: HoldOne(slot, units) for name, (slot, units) in KINDS.items()}


@pytest.fixture(scope="module")
def study(market):
    return mc.Study(market, BOOKS, steps=STEPS, recorders=(recorder.Wealth(), recorder.Trading()))


@pytest.fixture(scope="module")
def result(study):
    return study.run(65_536, seed=4, progress=False)


@pytest.mark.parametrize("name", KINDS)
def test_a_fair_book_earns_the_rate(result, name):
    """E[e^{-rT} V_T] = V_0 under Q whatever is held; and what is held matters."""
    wealth = result[name]["wealth"]
    one = estimate.mean(wealth).scaled(math.exp(-RATE))
    assert abs(one.z(1.0)) < ERRORS, one
    assert wealth.std() > 1e-4


def test_a_fair_book_on_a_rate_that_moves(market):
    """A bond option, a forward and a put under Vasicek, where cash and discounts depend on the path: E[V_T / B_T] = V_0.

    The put costs what the rate's variance adds: 7 % more, ten errors.
    """
    rate = mc.market.Vasicek(rate=0.03, kappa=0.5, theta=0.04, sigma=0.05)
    moving = mc.market.Market(dict(market.assets), market.correlation | {"equity-rate": 0.6}, rate=rate).risk_neutral()
    bond = contract(mc.instrument.BondOption, kind="call", strike=0.98, expiry=0.5, maturity=1.0)
    held = {"bond_option": HoldOne(mc.replace(bond, schedule=Rolled(tenor=6, roll=6)), 20.0), "forward": HoldOne(ForwardSlot("equity"), 1e-2)}
    held["put"] = HoldOne(OptionSlot("put", "equity"), 1e-1)
    books = held | {"cash": HoldOne(ForwardSlot("equity"), 0.0)}
    result = mc.Study(moving, books, steps=STEPS, recorders=(recorder.Wealth(),)).run(65_536, seed=5, progress=False)
    for name in held:
        ratio = result[name]["wealth"] / result["cash"]["wealth"]
        assert abs(estimate.mean(ratio).z(1.0)) < ERRORS, name
        assert ratio.std() > 1e-2


@pytest.fixture(scope="module")
def traced(study):
    """(equity spots [paths, dates], wealth by book) in float64."""
    with double_precision(), compiled_in_haste():
        table = study.trace(range(48), seed=2)
    return lambda name: table[name].to_numpy().reshape(-1, STEPS + 1)


GROWN = math.exp(RATE)


class TestPathByPath:
    """V_T = (V_0 - units x price) e^{rT} + units x payoff, from the traced spots alone."""

    def test_forward(self, traced):
        spot, wealth = traced("equity.spot")[:, -1], traced("forward.wealth")[:, -1]
        agreed = 100.0 * math.exp(RATE - DIVIDEND)
        np.testing.assert_allclose(wealth, GROWN + 1e-2 * (spot - agreed), rtol=1e-12)

    def test_future(self, traced):
        """Daily settlement: each change of F(t) = S e^{(r - q)(T - t)} earns interest from its own date on."""
        dates = np.arange(STEPS + 1) * DT
        future = traced("equity.spot") * np.exp((RATE - DIVIDEND) * (1.0 - dates))
        gains = np.diff(future, axis=1) * np.exp(RATE * (1.0 - dates[1:]))
        np.testing.assert_allclose(traced("future.wealth")[:, -1], GROWN + 1e-2 * gains.sum(axis=1), rtol=1e-12)
        np.testing.assert_array_equal(traced("future.held.price"), 0.0)

    def test_digital(self, traced):
        spot, price = traced("equity.spot")[:, -1], traced("digital.held.price")
        paid = 0.5 * (spot <= 95.0)
        assert 0 < paid.sum() < 0.5 * len(paid)
        bought = 1.0 - (traced("digital.wealth")[:, -1] - paid) / GROWN  # units x price, the same on every path
        np.testing.assert_allclose(bought, bought[0], rtol=1e-11)
        d2 = (math.log(100.0 / 95.0) + RATE - DIVIDEND - 0.02) / 0.2
        assert bought[0] == pytest.approx(0.5 * math.exp(-RATE) * 0.5 * math.erfc(d2 / math.sqrt(2.0)), rel=1e-9)
        assert np.all(price[:, 1:-1] > 0.0)

    def test_a_barrier_put_dies(self, traced):
        """Watched between dates by the bridge: what is paid is the weight of survival times the payoff, what is marked falls with it."""
        spot = traced("equity.spot")
        x, variance = np.log(spot / 80.0), 0.04 * DT
        inside = (x[:, :-1] > 0.0) & (x[:, 1:] > 0.0)
        alive = np.prod(np.where(inside, -np.expm1(-2.0 * np.maximum(x[:, :-1] * x[:, 1:], 0.0) / variance), 0.0), axis=1)
        assert (alive == 0.0).any()
        assert (alive > 0.9).any()
        paid = 1e-2 * alive * np.maximum(100.0 - spot[:, -1], 0.0)
        bought = 1.0 - (traced("barrier.wealth")[:, -1] - paid) / GROWN
        np.testing.assert_allclose(bought, bought[0], rtol=1e-9)
        asset = mc.market.GBM(spot=100.0, sigma=0.2, dividend=DIVIDEND)
        price = mc.greeks.value(Barrier(**BARRIER), mc.market.Market({"equity": asset}, rate=RATE))
        assert bought[0] == pytest.approx(1e-2 * float(price), rel=1e-5)

    def test_a_relative_contract_is_written_on_the_spot_of_its_day(self, traced):
        """The knocked-out price is homogeneous in spot, strike and barrier: on each roll date a contract costs the same share of the spot."""
        spot, written = traced("equity.spot"), traced("rolled_barrier.held.written_on_equity")
        for date in range(STEPS):
            np.testing.assert_allclose(written[:, date + 1], spot[:, date - date % 3], rtol=1e-12)
        np.testing.assert_array_equal(traced("rolled_barrier.held.expiry")[0, 1:], 3 * (np.arange(STEPS) // 3) + 3)


class TestGeneralities:
    """All kinds at once: bits, delay, day by day."""

    def test_the_same_bits_for_blocks_and_devices(self, study, result):
        """A contract's formula, a sum of products, may be rounded otherwise as the compiler fuses it: to rounding on another number of devices."""
        whole = {name: np.asarray(result[name]["wealth"]) for name in KINDS}
        formula = {name for name, (slot, _) in KINDS.items() if isinstance(slot, ContractSlot)}
        for devices, marked in ((2, 0.0), (1, 3e-7)):
            small = study.run(256, seed=4, block=64, devices=devices, progress=False)
            for name in KINDS:
                np.testing.assert_allclose(small[name]["wealth"], whole[name][:256], rtol=marked * (name in formula), err_msg=name)

    def test_delayed_a_book_is_still_fair(self, study):
        """Trades a date later at that date's prices: nothing is earned, and contracts keep the expiry they were chosen for."""
        late = mc.replace(study, delay=1).run(32_768, seed=6, progress=False)
        for name in KINDS:
            assert abs(estimate.mean(late[name]["wealth"]).scaled(math.exp(-RATE)).z(1.0)) < ERRORS, name

    def test_day_by_day_by_hand(self, market, float64):
        """The object that the engine scans, driven from outside: after every trade and every mark wealth is cash and positions, to 1e-12."""
        study = mc.Study(market, {name: BOOKS[name] for name in ("option", "rolled_forward", "rolled_future", "rolled_barrier")}, steps=STEPS)
        ready = market.prepare(study.calendar)
        draws = np.random.default_rng(1).standard_normal((STEPS, ready.n_factors))
        pricers = {**market.pricers(), **market.correlation, "rate": market.rate}
        books = {name: Book(study, policy, pricers, ready.times[1]) for name, policy in study.books.items()}
        tables = {name: book.dates() for name, book in books.items()}
        at = lambda tree, step: jax.tree.map(lambda table: jnp.asarray(table)[step], tree)  # noqa: E731
        unread = lambda shares: 0.0  # the variance of a mix: no rule here asks for it  # noqa: E731

        @jax.jit
        def open_all(states):
            return {n: book.open(Now(0, ready.quotes(states, 0), {}, at(tables[n], 0), unread)) for n, book in books.items()}

        @jax.jit
        def day(states, held, step, normals):
            quotes, dates = ready.quotes(states, step), at(tables, step)
            after = {n: book.decide_and_trade(held[n], Now(step, quotes, {}, dates[n], unread)) for n, book in books.items()}
            row = at(ready.rows, step) | {"last": step == STEPS - 1}
            moved = ready.step(states, row, tuple(normals))
            later = ready.quotes(moved, step + 1)
            ended = {n: book.end(held[n], after[n][0], after[n][1:], row, Now(step + 1, later, {}, dates[n], unread)) for n, book in books.items()}
            gaps = {n: (worth(after[n][0].account, quotes), worth(ended[n].account, later)) for n in books}
            return moved, ended, gaps

        states = jax.tree.map(jnp.asarray, ready.start())
        held = open_all(states)
        for step in range(STEPS):
            states, held, gaps = day(states, held, jnp.int32(step), draws[step])
            for name, found in gaps.items():
                for account_less_worth in found:
                    assert abs(float(account_less_worth)) < 1e-12, (name, step)
        assert all(abs(float(one.account.wealth) - 1.0) > 1e-4 for one in held.values())


def worth(account, quotes):
    """What an account says it is worth, less its cash and positions."""
    value = account.cash
    for name, one in account.held.items():
        value = value + one.units * (one.mark.price if one.mark else quotes[name].spot)
    return account.wealth - value


@model
class DailyStrike(AbstractStage):
    """Calls struck anew at the money on every date, beside puts of another slot."""

    kind: ClassVar[str] = "overlay"

    def slots(self):
        return {"daily": OptionSlot("call", "equity", Rolled(6, 6), restrikes=True)}

    def act(self, target, seen, memory):
        return target | {"daily": 0.001}, memory


def test_a_slot_that_restrikes_leaves_others_alone(market):
    rule = mc.policy.chain(mc.policy.Mix(equity=0.5), DailyStrike(), mc.policy.RolledPut(0.95, tenor=6, roll=6))
    table = mc.Study(market, rule, steps=STEPS, costs=mc.ledger.Proportional(0.0, 0.01)).trace([0])
    spot, daily, put = (table[c].to_numpy() for c in ("equity.spot", "daily.strike", "rolled_put.strike"))
    np.testing.assert_allclose(daily[1:], spot[:-1], rtol=1e-6)
    np.testing.assert_allclose(put[1:], 0.95 * np.repeat(spot[[0, 6]], 6), rtol=1e-6)
    assert (np.diff(table["cost_option"]) > 0.0).all()


def test_what_has_expired_is_not_bought_again(market):
    dates = mc.instrument.RollSchedule((0, 6), (2, 8))
    rule = mc.policy.chain(mc.policy.Mix(equity=0.5), mc.policy.ForwardOverlay(-0.5, schedule=dates))
    units = mc.Study(market, rule, steps=STEPS).trace([0])["forward.units"].to_numpy()
    assert (units[[1, 7]] < 0.0).all()
    np.testing.assert_array_equal(units[[2, 3, 4, 5, 6, 8, 9, 10, 11, 12]], 0.0)


@pytest.mark.parametrize(
    ("given", "message"), [("terms", "terms: unknown slot 'hold'; did you mean held"), ("target", "target: unknown slot 'hold'")]
)
def test_a_stage_that_misspells_its_slot(market, given, message):
    class Misspelt(HoldOne):
        def terms(self, seen, memory):
            return {"hold": 1.0} if given == "terms" else {}

        def act(self, target, seen, memory):
            return target | {"hold": 1.0}, memory

    with pytest.raises(ValueError, match=message):
        mc.Study(market, model(Misspelt)(OptionSlot("put", "equity"), 1.0), steps=STEPS).run(64, progress=False)


class TestRefusals:
    @pytest.mark.parametrize(
        ("cls", "terms", "message"),
        [
            (Digital, {"kind": "put", "strike": 1.0, "expiry": 0.5, "asset": "equity"}, r"that lives as long as .* 12 steps .*, got Digital of 0.5"),
            (Digital, {"kind": "put", "strike": 1.0, "expiry": 1.0, "asset": "equty"}, "held: unknown asset 'equty'; did you mean equity"),
            (mc.instrument.FixedLookback, {"kind": "call", "strike": 100.0, "expiry": 1.0, "asset": "equity"}, "that draws no numbers of its own"),
            (mc.instrument.Basket, {"kind": "put", "strike": 75.0, "expiry": 1.0, "weights": {"equity": 0.5, "other": 0.5}}, "is an approximation"),
        ],
    )
    def test_a_contract_that_does_not_fit(self, market, cls, terms, message):
        with pytest.raises(ValueError, match=message):
            mc.Study(market, HoldOne(contract(cls, **terms), 1.0), steps=STEPS)

    def test_a_future_under_a_stochastic_rate(self, market):
        moving = mc.replace(market, rate=mc.market.Vasicek(rate=0.03, kappa=0.5, theta=0.03, sigma=0.01))
        with pytest.raises(ValueError, match="held: expected a market whose rate is known for a future"):
            mc.Study(moving, HoldOne(FutureSlot("equity"), 1.0), steps=STEPS)

    @pytest.mark.parametrize(("tenor", "roll"), [(5, 6), (5.5, 5), (5, 0)])
    def test_dates(self, tenor, roll):
        with pytest.raises(ValueError, match="roll: expected whole numbers of steps, roll from 1 to tenor"):
            Rolled(tenor, roll)
