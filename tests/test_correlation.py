"""Correlation repaired, stressed, and seen: nearest matrices against published and independent solutions, blends, target against realised."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import mcengine as mc
from mcengine._model import replace
from mcengine.market import GBM, Heston, Market, RegimeGBM, Regimes, Stress, Vasicek
from mcengine.market import correlation as corr

BROKEN = np.array([[1.0, 0.9, 0.7], [0.9, 1.0, -0.9], [0.7, -0.9, 1.0]])
THREE = {name: GBM(100.0, 0.2) for name in ("a", "b", "c")}

# ---- the nearest matrix ----


def test_higham_s_example():
    """Higham (2002), section 4: the second difference matrix of order 4."""
    tridiagonal = 2.0 * np.eye(4) - np.eye(4, k=1) - np.eye(4, k=-1)
    found = corr.nearest(tridiagonal, smallest=0.0)
    expected = [[1.0, -0.8084, 0.1916, 0.1068], [-0.8084, 1.0, -0.6562, 0.1916], [0.1916, -0.6562, 1.0, -0.8084], [0.1068, 0.1916, -0.8084, 1.0]]
    np.testing.assert_allclose(found.matrix, expected, atol=5e-5)
    assert found.distance == pytest.approx(2.1337, abs=1e-4)


def test_nearest_is_what_an_optimiser_finds():
    """Over factors with rows of length 1, from several starts: no correlation matrix is nearer."""
    found = corr.nearest(BROKEN, smallest=1e-9)

    def distance(flat):
        rows = flat.reshape(3, 3)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return np.linalg.norm(rows @ rows.T - BROKEN)

    random = np.random.default_rng(0)
    best = min(minimize(distance, random.standard_normal(9), method="BFGS", options={"gtol": 1e-9}).fun for _ in range(6))
    assert found.distance == pytest.approx(best, abs=1e-5)
    assert found.distance == pytest.approx(np.linalg.norm(found.matrix - BROKEN), abs=1e-12)


@settings(deadline=None, derandomize=True, database=None, max_examples=40)
@given(data=st.data())
def test_nearest_is_a_correlation_matrix_and_a_projection(data):
    """Ones on the diagonal, eigenvalues as target; once repaired it stays; a matrix that was one is left alone."""
    n = data.draw(st.integers(2, 7))
    upper = data.draw(st.lists(st.floats(-1.0, 1.0), min_size=n * (n - 1) // 2, max_size=n * (n - 1) // 2))
    matrix = np.eye(n)
    matrix[np.triu_indices(n, 1)] = upper
    matrix = np.maximum(matrix, matrix.T) + np.minimum(matrix, matrix.T) - np.eye(n) * np.diag(matrix)
    np.fill_diagonal(matrix, 1.0)
    found = corr.nearest(matrix)
    np.testing.assert_array_equal(np.diag(found.matrix), 1.0)
    assert np.linalg.eigvalsh(found.matrix)[0] > 0.9e-5
    assert np.abs(found.matrix).max() <= 1.0
    again = corr.nearest(found.matrix, smallest=0.9e-5)
    assert again.distance == 0.0
    if np.linalg.eigvalsh(matrix)[0] >= 1e-5:
        np.testing.assert_array_equal(found.matrix, matrix)
        assert found.distance == 0.0
    else:
        # Optimal over a convex set: from the solution every other member lies on the far side.
        other = np.eye(n)
        assert np.sum((matrix - found.matrix) * (other - found.matrix)) <= 1e-6


def test_a_market_repairs_when_asked():
    with pytest.raises(ValueError, match=r"^correlation: expected a positive definite matrix, got one with smallest eigenvalue -0\.67"):
        Market(THREE, BROKEN)
    market = Market(THREE, BROKEN, repair=True)
    found = corr.nearest(BROKEN)
    np.testing.assert_allclose(corr.to_matrix(market.correlation, list(THREE)), found.matrix)
    assert market.repaired == pytest.approx(found.distance)
    assert 0.5 < market.repaired < 1.0
    assert replace(market, rate=0.05).repaired == market.repaired
    sound = Market(THREE, {"a-b": 0.5}, repair=True)
    assert sound.repaired == 0.0
    assert float(sound.correlation["a-b"]) == 0.5


def test_a_regime_s_correlation_is_repaired_too():
    chain = Regimes(("x", "y"), {"x-y": 1.0, "y-x": 1.0}, correlation={"y": BROKEN})
    with pytest.raises(ValueError, match=r"^regimes\.y: correlation: expected a positive definite matrix"):
        Market(THREE, regimes=chain)
    market = Market(THREE, regimes=chain, repair=True)
    np.testing.assert_allclose(corr.to_matrix(market.regimes.correlation["y"], list(THREE)), corr.nearest(BROKEN).matrix)
    assert market.repaired > 0.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[1.0, 0.5], [0.5]], "correlation: expected a 2 x 2 matrix of numbers for a, b, got [[1.0, 0.5], [0.5]]"),
        ([1.0, [0.5, 1.0]], "correlation: expected a 2 x 2 matrix of numbers for a, b, got [1.0, [0.5, 1.0]]"),
        ([[1.0, "x"], ["x", 1.0]], "correlation: expected a 2 x 2 matrix of numbers for a, b, got [[1.0, 'x'], ['x', 1.0]]"),
        ([[1.0, None], [None, 1.0]], "correlation: expected a 2 x 2 matrix of numbers for a, b, got [[1.0, None], [None, 1.0]]"),
        ({"a-b": None}, "correlation.a-b: expected a number between -1 and 1, got None"),
        ({"a-b": [0.1, 0.2]}, "correlation.a-b: expected a number between -1 and 1, got [0.1, 0.2]"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused_by_name(given, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Market({name: THREE[name] for name in ("a", "b")}, given)


@pytest.mark.parametrize("matrix", [[[1.0, 0.2], [0.3, 1.0]], [[1.0, np.nan], [np.nan, 1.0]], [[1.0, 0.2]], [[1.0, 0.2], [0.2]]])
def test_nearest_refuses_what_is_no_symmetric_matrix(matrix):
    with pytest.raises(ValueError, match=r"^nearest: expected a symmetric matrix of finite numbers"):
        corr.nearest(matrix)


# ---- stress ----


def test_stress_moves_part_of_the_way():
    market = Market(THREE, {"a-b": 0.2, "a-c": -0.1}, Vasicek(0.03, 0.5, 0.03, 0.01))
    stressed = Stress(0.5, common=0.8, pairs={"c-b": 0.5}).apply(market)
    got = {pair: float(value) for pair, value in stressed.correlation.items()}
    expected = {"a-b": 0.5, "a-c": 0.35, "b-c": 0.25, "a-rate": 0.0, "b-rate": 0.0, "c-rate": 0.0}
    assert got == pytest.approx(expected)
    assert Stress(0.0).apply(market) is market


def test_stress_reaches_every_regime():
    chain = Regimes(("x", "y"), {"x-y": 1.0, "y-x": 1.0}, correlation={"y": {"a-b": -0.2}})
    stressed = Stress(1.0, common=0.6).apply(Market(THREE, {"a-b": 0.4}, regimes=chain))
    for pairs in (stressed.correlation, stressed.regimes.correlation["y"]):
        assert {float(value) for value in pairs.values()} == {0.6}


def test_a_crash_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"^Stress\.pairs: expected a crash whose correlation matrix is positive semi-definite, got smallest"):
        Stress(0.5, common=0.9, pairs={"b-c": -0.9}).apply(Market(THREE))


# ---- target and realised ----


def test_asked_and_realised():
    """Prices, the rate and variances, by regime; what QE-M makes of two variances is within sampling error at a daily step and mild vol of vol."""
    heston = {"v0": 0.04, "kappa": 3.0, "theta": 0.04, "vol_of_vol": 0.25, "rho": -0.7}
    assets = {"e": Heston(100.0, **heston), "f": Heston(100.0, **heston | {"rho": 0.4}), "g": RegimeGBM(10.0, {"x": 0.1, "y": 0.3})}
    chain = Regimes(("x", "y"), {"x-y": 8.0, "y-x": 8.0}, correlation={"y": {"e-g": 0.6, "g-rate": 0.5, "e-f": 0.5}})
    market = Market(assets, {"e-f": 0.3, "e-g": -0.4, "f-rate": 0.2}, Vasicek(0.03, 0.5, 0.03, 0.01), chain)
    seen = mc.engine.correlations(market, 1024, years=16.0 / 252.0, steps=16)
    assert set(seen) == {"x", "y"}
    for regime, wanted in {
        "x": {"e-f": 0.3, "e-g": -0.4, "f-rate": 0.2, "g-rate": 0.0},
        "y": {"e-f": 0.5, "e-g": 0.6, "f-rate": 0.0, "g-rate": 0.5},
    }.items():
        found = seen[regime]
        assert found.names == ("e", "f", "g", "rate", "e.variance", "f.variance")
        table = found.table()
        for pair, target in wanted.items():
            assert table.loc[pair, "target"] == pytest.approx(target)
        assert table.loc["e-e.variance", "target"] == pytest.approx(-0.7)
        assert table.loc["f-e.variance", "target"] == pytest.approx(-0.7 * wanted["e-f"])
        assert table.loc["e.variance-f.variance", "target"] == pytest.approx(-0.28 * wanted["e-f"])
        gap = (table["realised"] - table["target"]).abs()
        own = [pair for pair in table.index if pair.endswith(".variance")]
        assert (gap.drop(own) < 4.0 * table["error"].drop(own) + 0.01).all(), table
        assert (gap[own] < 4.0 * table["error"][own] + 0.02).all(), table


def test_too_few_steps_in_a_regime():
    chain = Regimes(("x", "y"), {"x-y": 1e-9, "y-x": 1.0})
    market = Market({"g": RegimeGBM(10.0, {"x": 0.1, "y": 0.3})}, regimes=chain)
    with pytest.raises(ValueError, match=re.escape("correlations: expected at least 3 steps in regime 'y', got 0 on 8 paths")):
        mc.engine.correlations(market, 8, years=0.1, steps=4)
