"""Figures of the table: against numpy on the outcomes, against closed forms, and by the axioms of a risk measure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import mcengine as mc
from mcengine.objective import figure
from mcengine.statistics import estimate

PATHS = 20_000


@pytest.fixture(scope="module")
def result():
    market = mc.market.Market(
        {"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.08), "bond": mc.market.GBM(spot=100.0, sigma=0.06, drift=0.04)},
        {"equity-bond": -0.2},
        rate=0.02,
    )
    presets, weights = mc.policy.presets, {"equity": 0.6, "bond": 0.4}
    books = {
        "unhedged": presets.unhedged(weights),
        "half": presets.unhedged({"equity": 0.3, "bond": 0.2}),
        "cppi": presets.cppi(weights, 0.9),
    }
    return mc.Study(market, books, years=2.0, steps=504).run(PATHS, progress=False)


@pytest.fixture(scope="module")
def table(result):
    return mc.objective.table(result, 0.9)


def test_each_figure_is_what_its_name_says(result, table):
    a, c = result["unhedged"], result["cppi"]
    w = np.asarray(c["wealth"], np.float64)
    row = table.loc["cppi"]
    assert row["mean_return"].value == pytest.approx(w.mean() - 1, abs=1e-6)
    assert row["annualised_return"].value == pytest.approx(w.mean() ** 0.5 - 1, abs=1e-6)
    assert row["difference"].value == pytest.approx((w - a["wealth"]).mean(), abs=1e-6)
    assert row["difference"].error == pytest.approx((w - a["wealth"]).std() / PATHS**0.5, rel=1e-3)
    assert row["breach_any_day"].value == np.mean(c["lowest"] < 0.9)
    assert row["mean_shortfall"].value == pytest.approx(np.maximum(0.9 - w, 0).mean(), abs=1e-7)
    assert row["cvar_95"].value == pytest.approx(1 - np.sort(w)[: PATHS // 20].mean(), abs=1e-4)
    assert row["p20_year_1"].value == pytest.approx(np.quantile(c["year_1"], 0.2), abs=1e-4)
    assert row["p20_lowest_year"].value == min(row["p20_year_1"].value, row["p20_year_2"].value)


def test_paired_errors_are_smaller_than_unpaired_ones(table):
    row = table.loc["cppi"]
    unpaired = np.hypot(row["mean_return"].error, table.loc["unhedged"]["mean_return"].error)
    assert row["difference"].error < 0.8 * unpaired


def test_a_half_sized_mix_is_the_benchmark_at_equal_leverage(table):
    # The two differ by dates only: held at half by daily trades against held at half continuously.
    half = table.loc["half"]["difference_at_equal_leverage"]
    assert abs(half.value) < 4 * half.error + 2e-5
    assert table.loc["half"]["difference"].value < -0.02


def test_no_hit_still_has_an_error():
    none = estimate.probability(np.zeros(10_000))
    assert none.value == 0.0
    assert none.error == pytest.approx(1e-4, rel=0.01)
    assert estimate.probability(np.arange(10_000) < 2_500).error == pytest.approx((0.25 * 0.75 / 1e4) ** 0.5, rel=1e-3)


def test_what_binds_is_said(table):
    lines = mc.objective.binding(table, 0.9)
    assert len(lines) == 3
    assert "P(any day below)" in lines[0]
    assert lines[0].endswith("binds")
    high = mc.objective.binding(table, 1.5)
    assert all("the percentile binds" in line for line in high)


def test_streamed_figures_agree_with_exact_ones(result):
    streamed = result.study.run(PATHS, keep=5_000, figures=mc.objective.figures(result.study, 0.9), progress=False)
    exact, loose = mc.objective.table(result, 0.9), mc.objective.table(streamed, 0.9)
    for book in exact.index:
        for name in exact.columns:
            a, b = exact.loc[book, name], loose.loc[book, name]
            if isinstance(a, mc.Estimate):
                assert abs(a.value - b.value) <= 0.35 * a.error + 1e-9, (book, name, str(a), str(b))
                assert b.error == pytest.approx(a.error, rel=0.25, abs=1e-9), (book, name)


def test_unknown_books_are_refused(result):
    with pytest.raises(ValueError, match="unknown book 'cpi'; did you mean cppi"):
        mc.objective.table(result, 0.9, ["cpi"])


LOSSES = arrays(np.float64, 200, elements=st.floats(0.125, 3.0))


def _risk(wealth, level=0.95):
    return -estimate.tail_mean(wealth, 1 - level).value


@settings(max_examples=50, deadline=None)
@given(LOSSES, LOSSES, st.floats(-0.5, 0.5), st.floats(0.0, 1.0))
def test_cvar_is_coherent(x, y, cash, share):
    assert _risk(x + cash) == pytest.approx(_risk(x) - cash, abs=1e-9)
    assert _risk(np.maximum(x, y)) <= _risk(x) + 1e-9
    assert _risk(share * x + (1 - share) * y) <= share * _risk(x) + (1 - share) * _risk(y) + 1e-9
    assert _risk(2.0 * x) == pytest.approx(2.0 * _risk(x), abs=1e-9)


def test_protection_loss_prices_the_breach():
    objective = mc.objective.FloorProtection(floor=0.9, probability=0.01)
    outcomes = {"wealth": np.array([1.1, 0.95]), "lowest": np.array([1.0, 0.8])}
    loss, parts = objective.loss(outcomes, 2.0)
    np.testing.assert_allclose(parts["breach_any_day"], [0.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(loss, [-0.1 - 0.02, 0.05 + 2 * 0.99], atol=1e-5)


def test_annualised_error_is_the_delta_method_s():
    value, error = figure.annualised(0.21, 0.01, 2.0)
    assert value == pytest.approx(0.1)
    assert error == pytest.approx((np.sqrt(1.211) - np.sqrt(1.209)) / 2 / 0.001 * 0.01, rel=1e-4)
