"""Ruin: a book whose wealth falls to zero or below is closed at its marks, and keeps wealth, costs and turnover; its derivatives stay finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcengine as mc
from mcengine._model import replace
from mcengine.engine import program
from mcengine.ledger import Exit, Financing, Fixed, Proportional, Total
from mcengine.noise import make_key, path_ids
from mcengine.policy import ForwardOverlay, Mix, chain

STEPS, PATHS = 24, 64
BOOKS = ("levered", "forwards", "late")


def study():
    """Three times an asset of 60 %: outright, and two of the three by forwards, which cost nothing to open."""
    market = mc.market.Market({"a": mc.market.GBM(100.0, 0.6, drift=0.0)}, rate=0.05)
    forwards = chain(Mix(a=1.0), ForwardOverlay(2.0, asset="a", tenor=6, roll=6))
    costs = Total(Proportional(1e-3), Fixed(1e-5), Financing(0.02), Exit(Proportional(1e-3)))
    books = {"levered": Mix({"a": 3.0}, leverage=3.0), "forwards": forwards}
    return mc.Study(market, books, costs=costs, years=2.0, steps=STEPS)


@pytest.fixture(scope="module")
def traces():
    """{book: {column: [path, date]}}; ``late`` is the levered book that trades a date after it decides."""
    found = {}
    late = replace(study(), policy={"late": study().books["levered"], "cash": Mix(a=0.0)}, delay=1)
    for table in (study().trace(range(PATHS)), late.trace(range(PATHS))):
        for key in table:
            book, _, column = key.partition(".")
            found.setdefault(book, {})[column] = table[key].to_numpy().reshape(PATHS, -1)
    return found


@pytest.mark.parametrize("book", BOOKS)
def test_what_is_ruined_is_closed_and_stays(traces, book):
    """From the first date with wealth at or below 0 on: wealth and costs to the bit, cash all of it and no unit from the next date on."""
    columns = traces[book]
    wealth = columns["wealth"]
    ruined = np.flatnonzero((wealth <= 0.0).any(axis=1))
    assert 8 < ruined.size < PATHS
    for path in ruined:
        date = int(np.argmax(wealth[path] <= 0.0))
        units = [key for key in columns if key.endswith(".units")]
        assert (wealth[path, date:] == wealth[path, date]).all()
        assert any(columns[key][path, date] != 0.0 for key in units)
        for key in columns:
            if key.startswith("cost_"):
                assert (columns[key][path, date:] == columns[key][path, date]).all(), key
        for key in units:
            assert (columns[key][path, date + 1 :] == 0.0).all(), key
        assert (columns["cash"][path, date + 1 :] == wealth[path, date]).all()
        assert (columns["exposure"][path, date + 1 :] == 0.0).all()


def test_until_then_the_book_is_self_financing(traces):
    """Cash before the trade earns the rate after it, to the date of ruin and on every other path: what it was before, less costs."""
    c = traces["levered"]
    growth = np.exp(0.05 * 2.0 / STEPS)
    alive = c["wealth"][:, :-1] > 0.0
    costs = sum(np.diff(c[key]) for key in c if key.startswith("cost_"))
    at_once = sum(np.diff(c[f"cost_{name}"]) for name in ("underlying", "option", "fixed"))
    gained = c["a.units"][:, 1:] * np.diff(traces["a"]["spot"]) + (growth - 1.0) * (c["cash"][:, 1:] + costs - at_once) / growth
    found, expected = np.diff(c["wealth"])[alive], (gained - costs)[alive]
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


@pytest.fixture(scope="module")
def result():
    return study().run(4096, progress=False)


def test_outcomes_and_the_table_say_so(result):
    """The share of ruined paths, years after it worth nothing, a comparison with a benchmark that is ruined itself; all finite."""
    for book in result.books:
        o = result[book]
        gone = o["lowest"] <= 0.0
        assert 0.05 < gone.mean() < 0.99
        np.testing.assert_array_equal(o["wealth"][gone], o["lowest"][gone])
        assert (o["year_2"][o["year_1"] <= 0.0] == 0.0).all()
        assert all(np.isfinite(x).all() for x in o.values())
    table = mc.objective.table(result, 0.9, benchmark="levered")
    for book, row in table.iterrows():
        assert row["ruined"].value == np.mean(result[book]["lowest"] <= 0.0)
        assert all(np.isfinite(cell.value) for cell in row if isinstance(cell, mc.Estimate)), row
    said = mc.objective.binding(table, 0.9)
    assert all(f"ruined on {row['ruined'].scaled(100.0)} % of paths" in line for line, (_, row) in zip(said, table.iterrows(), strict=True))
    assert "P(ruined), %" in mc.report.text(table)


def test_a_wealth_of_exactly_nothing(float64):
    """A fee that takes all there is: no return, turnover or exposure is divided by it, nor is any derivative."""
    market = mc.market.Market({"a": mc.market.GBM(1.0, 0.0)})
    broke = mc.Study(market, Mix(a=1.0), costs=Fixed(1.0), years=2.0, steps=4, steps_per_year=2)

    key, ids = make_key(0), path_ids(0, 2)

    def mean(fee):
        return program.simulate_block(replace(broke, costs=Fixed(fee)), key, ids, checkpoint=True)["policy"]

    found = jax.jit(mean)(1.0)
    shown = {name: float(x[0]) for name, x in found.items()}
    assert shown | {"volatility": 0.0} == {
        "wealth": 0.0,
        "lowest": 0.0,
        "drawdown": 1.0,
        "volatility": 0.0,
        "turnover": 1.0,
        "exposure": 0.25,
        "cost_fixed": 1.0,
        "year_1": 0.0,
        "year_2": 0.0,
    }
    assert shown["volatility"] == pytest.approx(np.sqrt(1.0 / 2.0))
    slopes = jax.jit(jax.grad(lambda fee: sum(jnp.sum(x) for x in mean(fee).values())))(1.0)
    assert np.isfinite(slopes)


def test_derivatives_of_ruined_paths(float64):
    """Mean wealth by the weight, against central differences on the same paths: a mix's wealth is continuous in it, ruined or not."""
    one = replace(study(), policy=Mix({"a": 3.0}, leverage=4.0))

    key, ids = make_key(0), path_ids(0, PATHS)

    def mean(weight):
        moved = replace(one, policy=replace(one.policy, weights={"a": weight}))
        return jnp.mean(program.simulate_block(moved, key, ids, checkpoint=True)["policy"]["wealth"])

    value = jax.jit(jax.value_and_grad(mean))
    slope = (value(3.0 + 1e-6)[0] - value(3.0 - 1e-6)[0]) / 2e-6
    assert value(3.0)[1] == pytest.approx(float(slope), rel=1e-4)
