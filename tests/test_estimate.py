"""Figures and their errors: calibrated on samples whose truth is known."""

import math

import numpy as np
import pytest
from scipy.stats import norm

import mcengine as mc
from mcengine.statistics import estimate

NORMAL_SHORTFALL = {0.80: 1.39980960, 0.90: 1.75498332, 0.95: 2.06271281, 0.99: 2.66521422}
STATISTICS = {
    "mean": (estimate.mean, 0.0),
    "median": (lambda x: estimate.quantile(x, 0.5), 0.0),
    "p20": (lambda x: estimate.quantile(x, 0.2), norm.ppf(0.2)),
    "p95": (lambda x: estimate.quantile(x, 0.95), norm.ppf(0.95)),
    "worst 20 %": (lambda x: estimate.tail_mean(x, 0.2), -NORMAL_SHORTFALL[0.80]),
    "worst 5 %": (lambda x: estimate.tail_mean(x, 0.05), -NORMAL_SHORTFALL[0.95]),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_errors_are_calibrated(name):
    """Over 300 samples the z-scores have mean 0 and sd 1, both within 3 of their own standard errors (1/sqrt(300), 1/sqrt(600))."""
    statistic, truth = STATISTICS[name]
    samples = np.random.default_rng(7).standard_normal((300, 4000))
    z = np.array([statistic(sample).z(truth) for sample in samples])
    assert abs(z.mean()) < 3.0 / math.sqrt(300)
    assert abs(z.std(ddof=1) - 1.0) < 3.0 / math.sqrt(600)


@pytest.mark.parametrize("level", NORMAL_SHORTFALL)
def test_expected_shortfall_of_a_normal_loss(level):
    """On the normal's own quantiles there is no noise: what is left is the grid, of second order but at its ends."""
    x = norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    assert estimate.tail_mean(x, 1.0 - level).value == pytest.approx(-NORMAL_SHORTFALL[level], abs=2e-4)


def test_a_tail_is_the_mean_of_its_worst():
    x = np.random.default_rng(1).standard_normal(1000)
    assert estimate.tail_mean(x, 0.1).value == pytest.approx(np.sort(x)[:100].mean(), abs=1e-12)
    assert estimate.tail_mean(x, 1.0 - 1e-12).value == pytest.approx(x.mean(), abs=1e-9)


def test_float32_values_are_summed_in_float64():
    """A million times 1.1: float32 sums would already be wrong in the sixth digit."""
    x = np.full(1_000_000, 1.1, np.float32)
    assert estimate.mean(x).value == pytest.approx(float(np.float32(1.1)), rel=1e-12)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.23456, 0.0123, "1.235 ± 0.012"),
        (1234.56, 12.3, "1235 ± 12"),
        (0.000123456, 0.00000123, "0.0001235 ± 0.0000012"),
        (-0.5, 0.25, "-0.50 ± 0.25"),
        (1.0, 0.0, "1 ± 0"),
        (1.23456, math.nan, "1.235 (no error: too few draws)"),
    ],
)
def test_a_figure_prints_with_the_digits_its_error_allows(value, error, text):
    assert str(mc.Estimate(value, error)) == text


def test_too_few_draws_have_no_error():
    assert math.isnan(estimate.mean([1.0]).error)
    assert math.isnan(estimate.quantile(np.arange(20.0), 0.2).error)
    assert math.isnan(estimate.tail_mean(np.arange(20.0), 0.2).error)


def test_units_and_distance():
    one = mc.Estimate(0.02, 0.01, 100)
    assert str(one.scaled(-100.0)) == "-2.0 ± 1.0"
    assert one.z(0.0) == pytest.approx(2.0)
    assert mc.Estimate(1.0, 0.0).z(1.0) == 0.0
    assert mc.Estimate(1.0, 0.0).z(2.0) == -math.inf
