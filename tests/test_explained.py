"""What a book has gained, explained: parts that add up to each day's change of wealth, and a rest that falls with the step.

A day's remainder is O(dt^{3/2}), mostly of mean zero: over a span its RMS falls as dt. Held to expiry a gamma bends within the last steps, where
spots within sqrt(dt) of the strike leave sqrt(dt) each: RMS then falls as dt^{3/4}.
"""

import math

import jax
import numpy as np
import pytest
from precision import double_precision

import mcengine as mc
from mcengine import objective, report
from mcengine.engine import BookGreeks, Explained, recorder
from mcengine.engine.explained import PARTS
from mcengine.instrument import BUCKETS, POWERS
from mcengine.ledger import Borrow, Financing, Margin, Proportional, Total
from mcengine.policy import DeltaHedge, ForwardOverlay, GreekLimit, Mix, OptionBook, OptionLeg, Reduce, RolledPut, When, chain
from mcengine.pricing.black import root
from mcengine.pricing.vanilla import AbstractVanillaPricer

STEPS = 12
COSTS = Total(Proportional(5e-4, 0.01), Financing(0.02), Borrow(0.01), Margin(0.01))
HEDGED = chain(
    Mix(equity=1.2, bond=0.2, leverage=2.0), RolledPut(0.97, 0.5, tenor=4, roll=4), RolledPut(1.0, 0.3, tenor=80, roll=7, slot="far"), DeltaHedge()
)
RULES = {"hedged": HEDGED, "forward": chain(Mix(equity=0.6), ForwardOverlay(-0.7, through="future", tenor=5, roll=3))}


class Instant(AbstractVanillaPricer):
    """Black's formula at the variance of the moment: a price that moves with what the market shows of it."""

    def total_volatility(self, option):
        return root(option.variance * option.years), ()


jax.tree_util.register_static(Instant)


@pytest.fixture(scope="module")
def table():
    """Every day of paths of two books, one under water on all of them: levered, with all costs, options that expire and that do not."""
    equity = mc.market.Heston(spot=100.0, v0=0.04, kappa=2.0, theta=0.04, vol_of_vol=0.3, rho=-0.7, drift=0.07, dividend=0.015)
    market = mc.market.Market({"equity": equity, "bond": mc.market.GBM(spot=50.0, sigma=0.06, dividend=0.03)}, {"equity-bond": -0.2}, rate=0.03)
    recorders = (recorder.Wealth(), Explained(), BookGreeks(by_expiry=True))
    study = mc.Study(market, RULES, COSTS, steps=STEPS, years=STEPS / 252, pricers=dict.fromkeys(market.assets, Instant()), recorders=recorders)
    with double_precision():
        return study.trace(range(8), seed=2)


def daily(table, column):
    return table[column].to_numpy().reshape(8, STEPS + 1)


@pytest.mark.parametrize("book", RULES)
class TestADay:
    def test_parts_add_up_to_the_change_of_wealth(self, table, book):
        gained = {part: daily(table, f"{book}.explained_{part}")[:, 1:] for part in PARTS}
        np.testing.assert_allclose(sum(gained.values()), np.diff(daily(table, f"{book}.wealth")), rtol=0.0, atol=1e-12)

    def test_carry_and_cost(self, table, book):
        """Interest on cash, dividends, financing, borrowing and margin; what trades have cost."""
        cost = {name: np.diff(daily(table, f"{book}.cost_{name}")) for name in COSTS.names}
        np.testing.assert_allclose(daily(table, f"{book}.explained_cost")[:, 1:], -cost["underlying"] - cost["option"], atol=1e-14)
        prices = {n: daily(table, f"{n}.spot")[:, 1:] for n in ("equity", "bond")}
        income = {"equity": math.expm1(0.015 / 252), "bond": math.expm1(0.03 / 252)}
        units = {n: daily(table, f"{book}.{n}.units")[:, 1:] for n in prices}
        if book == "hedged":
            units["equity"] = units["equity"] + daily(table, "hedged.delta_hedge.units")[:, 1:]
        paid = sum(units[n] * prices[n] * income[n] for n in prices)
        held = cost["financing"] + cost["borrow"] + cost["margin"]
        assert held.max() > 0.0
        interest = daily(table, f"{book}.explained_carry")[:, 1:] - paid + held
        spent = {n: units[n] * daily(table, f"{n}.spot")[:, :-1] for n in prices}
        if book == "hedged":
            spent |= {n: daily(table, f"hedged.{n}.units")[:, 1:] * daily(table, f"hedged.{n}.price")[:, :-1] for n in ("rolled_put", "far")}
        cash = daily(table, f"{book}.wealth")[:, :-1] - cost["underlying"] - cost["option"] - sum(spent.values())
        known = np.array([1, 2, 5, 6, 9, 10])  # what is opened on the others has no price in the trace, or no units once it has expired
        np.testing.assert_allclose(interest[:, known], cash[:, known] * math.expm1(0.03 / 252), atol=1e-12)


def test_a_days_parts_by_hand(table):
    """From the units and Greeks of the day before, where nothing has rolled; a future has a delta and no gamma."""
    day = 3
    spot, variance = (np.diff(daily(table, f"equity.{what}"))[:, day - 1] for what in ("spot", "variance"))
    book = lambda greek: sum(  # noqa: E731
        daily(table, f"hedged.{slot}.units")[:, day] * daily(table, f"hedged.{slot}.{greek}")[:, day - 1] for slot in ("rolled_put", "far")
    )
    known = {
        "gamma": 0.5 * book("gamma.equity") * spot**2,
        "theta": book("theta") / 252,
        "vega": book("variance_vega.equity") * variance,
        "cross": book("variance_vanna.equity") * spot * variance + 0.5 * book("variance_volga.equity") * variance**2,
    }
    for part, value in known.items():
        np.testing.assert_allclose(daily(table, f"hedged.explained_{part}")[:, day], value, rtol=1e-9, err_msg=part)
        assert np.abs(value).min() > 0.0
    assert np.abs(daily(table, "forward.explained_gamma")).max() < 1e-15
    assert np.abs(daily(table, "forward.explained_rest")).max() < 1e-6


def test_greeks_by_expiry_are_those_of_the_book(table):
    """Sums over buckets are the contracts', each in its own; the delta of what has no expiry is beside them."""
    for name in ("gamma", "vega", "vanna", "volga"):
        parts = {bucket: daily(table, f"hedged.{name}_equity_{bucket}") for bucket in BUCKETS}
        np.testing.assert_allclose(sum(parts.values()), daily(table, f"hedged.{name}_equity"), rtol=1e-9, atol=1e-15)
        assert np.all(parts["longer"] == 0.0)
        assert np.all(parts["1m"][:, 1:] != 0.0)
        assert np.all(parts["1y"][:, 1:] != 0.0)
    share = daily(table, "equity.spot")[:, :-1] / daily(table, "hedged.wealth")[:, :-1]
    own = sum(daily(table, f"hedged.{slot}.units")[:, 1:] for slot in ("equity", "delta_hedge")) * share
    contracts = sum(daily(table, f"hedged.delta_equity_{bucket}")[:, 1:] for bucket in BUCKETS)
    np.testing.assert_allclose(daily(table, "hedged.delta_equity")[:, 1:], own + contracts, rtol=1e-9)
    far = daily(table, "hedged.far.units")[:, 4] * daily(table, "hedged.far.vanna.equity")[:, 3]
    assert POWERS["vanna"] == 1
    np.testing.assert_allclose(daily(table, "hedged.vanna_equity_1y")[:, 4], (far * share[:, 3]), rtol=1e-9)


def order_of(market, *, cross=True, held=2.0, pricers=None, steps=(16, 64), paths=1024):
    """Order of the RMS of a hedged call's summed rest in dt, by regression of its logarithm, with its standard error."""
    points = []
    for n in steps:
        leg = OptionLeg("call", 1.0, 1.0, tenor=int(held * n), roll=n)
        rule = chain(Mix(equity=0.3), OptionBook({"call": leg}, per="wealth"), DeltaHedge())
        study = mc.Study(market, rule, steps=n, years=0.25, pricers=pricers, recorders=(Explained(cross=cross),))
        square = study.run(paths, seed=3, progress=False)["policy"]["explained_rest"].astype(float) ** 2
        points.append((-math.log(n), 0.5 * math.log(square.mean()), 0.5 * square.std() / math.sqrt(paths) / square.mean()))
    x, y, error = np.array(points).T
    weight = (x - x.mean()) / np.sum((x - x.mean()) ** 2)
    return mc.Estimate(float(weight @ y), float(np.sqrt(np.sum((weight * error) ** 2))))


BLACK = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.05, dividend=0.015)}, rate=0.03)
HESTON = mc.market.Market(
    {"equity": mc.market.Heston(spot=100.0, v0=0.04, kappa=2.0, theta=0.04, vol_of_vol=0.3, rho=-0.7, drift=0.05, dividend=0.015)}, rate=0.03
)
INSTANT = {"equity": Instant()}


class TestTheRestFalls:
    @pytest.mark.slow
    def test_as_dt_under_black(self, float64):
        order = order_of(BLACK, steps=(16, 32, 64))
        assert abs(order.z(1.0)) < 3.0, order
        assert order.error < 0.05

    def test_as_dt_to_three_quarters_where_options_expire(self, float64):
        order = order_of(BLACK, held=1.0, paths=8192)
        assert abs(order.z(0.75)) < 3.0, order
        assert order.z(1.0) < -3.0

    def test_as_dt_under_heston(self, float64):
        order = order_of(HESTON, pricers=INSTANT)
        assert abs(order.z(1.0)) < 3.0, order
        assert order.error < 0.06

    def test_not_without_vanna_and_volga(self, float64):
        """Of the order of the quadratic covariation, which no step makes smaller."""
        order = order_of(HESTON, pricers=INSTANT, cross=False)
        assert order.value < 0.1
        assert order.z(1.0) < -10.0

    @pytest.mark.slow
    def test_as_dt_by_the_table(self, float64):
        order = order_of(HESTON, steps=(16, 32, 64, 128), paths=8192)
        assert abs(order.z(1.0)) < 3.0, order
        assert order.error < 0.02


@pytest.fixture(scope="module")
def study():
    return mc.Study(BLACK, {"put": chain(Mix(equity=0.8), RolledPut(0.98, tenor=6, roll=3))}, steps=6, years=6 / 252, recorders=(Explained(),))


def test_table(study):
    with double_precision():
        study = mc.replace(study, recorders=(recorder.Wealth(), Explained(), BookGreeks(("vega", "theta"))))
        result = study.run(256, seed=1, progress=False)
    rows = objective.explained(result)
    assert [*rows.columns] == [*(f"explained_{part}" for part in PARTS), "mean_return"]
    sums = sum(rows.loc["put", f"explained_{part}"].value for part in PARTS)
    assert sums == pytest.approx(rows.loc["put", "mean_return"].value, abs=1e-12)
    lines = report.text(rows).splitlines()
    assert lines[2].startswith("gained: delta, %")
    assert all(line.count("±") == 1 for line in lines[2:])
    one = result["put"]
    assert (one["most_vega_equity"] >= one["vega_equity"]).all()
    assert (one["theta"] < 0.0).all()


def test_what_is_missing_is_said(study, table):
    with pytest.raises(ValueError, match="explained: expected a study with the recorder Explained, got none"):
        objective.explained_figures(mc.replace(study, recorders=()))
    with pytest.raises(ValueError, match=r"explained: unknown book 'putt'; did you mean put\?"):
        objective.explained_figures(study, ["putt"])
    with pytest.raises(ValueError, match=r"BookGreeks.greeks: unknown Greek 'volgaa'; did you mean volga"):
        BookGreeks(("volgaa",))
    bare = table.drop(columns=[c for c in table.columns if "explained" in c or c.rpartition(".")[2].partition("_")[0] in POWERS])
    for plot, name in ((report.plot_explained, "Explained"), (report.plot_greeks, "BookGreeks")):
        with pytest.raises(ValueError, match=f"{plot.__name__}: expected a trace of a study with the recorder {name}, got none of its columns"):
            plot(bare, 0, "hedged")


def test_pictures(table, tmp_path):
    """The line of the whole is the change of wealth; the line of a Greek is what was recorded."""
    pictures = {"explained": report.plot_explained(table, 3, "hedged"), "greeks": report.plot_greeks(table, 3, "hedged")}
    for name, picture in pictures.items():
        report.RunFolder(tmp_path).write_picture(name, picture)
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
    above, below = pictures["explained"].axes
    wealth = daily(table, "hedged.wealth")[3]
    np.testing.assert_allclose(above.lines[0].get_ydata(), 100.0 * np.diff(wealth), atol=1e-9)
    assert below.patches[-1].get_height() == pytest.approx(100.0 * (wealth[-1] - 1.0), abs=1e-9)
    panels = {axis.get_title(): axis for axis in pictures["greeks"].axes}
    assert set(panels) == {"delta", "gamma", "vega", "theta", "vanna", "volga"}
    np.testing.assert_array_equal(panels["volga"].lines[0].get_ydata(), daily(table, "hedged.volga_equity")[3, 1:])


LIMITED = RolledPut(0.98, tenor=12, roll=12, slot="put")


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (GreekLimit("vanna", 1.0), "GreekLimit.greek: expected a Greek that the book has, got 'vanna' of a book without options"),
        (GreekLimit("theta", 1.0), "GreekLimit.greek: expected a Greek that the book has, got 'theta' of a book without contracts"),
        (GreekLimit("delta", 1.0, bucket="1m"), "GreekLimit.bucket: expected expiries that the book has, got '1m' of a book with no contracts"),
    ],
)
def test_a_greek_that_the_book_lacks(limit, message):
    with pytest.raises(ValueError, match=message):
        mc.Study(BLACK, chain(Mix(equity=0.8), When(limit, Reduce(0.5))), steps=6)


def test_limits_by_expiry_and_of_the_second_order(float64):
    """Half the book wherever the Greek of a bucket is beyond its limit, what was sold of the put bought again when it rolls."""
    with pytest.raises(ValueError, match="expected expiries that the book has, got '1y' of a book with those of 1m"):
        mc.Study(BLACK, chain(Mix(equity=0.8), LIMITED, When(GreekLimit("vega", 1.0, bucket="1y"), Reduce(0.5))), steps=12, years=12 / 252)
    with pytest.raises(ValueError, match=r"GreekLimit.bucket: expected '1m' or '3m' or '1y' or 'longer', got '2m'"):
        GreekLimit("vega", 1.0, bucket="2m")
    options = {"steps": 12, "years": 12 / 252, "recorders": (BookGreeks(("vega", "vanna", "volga"), by_expiry=True),)}
    free = mc.Study(BLACK, chain(Mix(equity=0.8), LIMITED), **options).trace([4], seed=1)
    levels = {greek: float(np.quantile(np.abs(free[f"{greek}_equity_1m"].to_numpy()[1:]), 0.6)) for greek in ("vega", "vanna", "volga")}
    limited = {n: chain(Mix(equity=0.8), LIMITED, When(GreekLimit(n, level, bucket="1m"), Reduce(0.5))) for n, level in levels.items()}
    kept = mc.Study(BLACK, limited, **options).trace([4], seed=1)
    for greek, level in levels.items():
        units, share = kept[f"{greek}.put.units"].to_numpy()[1:-1], np.abs(kept[f"{greek}.{greek}_equity_1m"].to_numpy()[1:-1])
        before = np.concatenate([free["put.units"].to_numpy()[1:2], units[:-1]])
        fired = share * before / units > level
        assert 0 < fired.sum() < len(fired)
        np.testing.assert_allclose(units / before, np.where(fired, 0.5, 1.0), rtol=1e-9)
