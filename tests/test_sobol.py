"""Sobol noise: points as scipy has them, nets that survive scrambling, independent randomisations, orthogonal orderings, addresses."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr
from scipy.stats import qmc

import mcengine as mc
from mcengine._model import replace
from mcengine.engine import program, recorder
from mcengine.engine.trace import outcomes
from mcengine.noise import Counter, Path, Sobol, make_key, path_ids, principal_rotation
from mcengine.noise.bridge import bridge, component_matrix, components
from mcengine.noise.directions import MAX_DIMENSIONS, directions
from mcengine.noise.sobol import ORDERINGS, SobolSource, gray_index, point_reversed, reverse_bits
from mcengine.statistics import Sampling

K = 4.5
STEPS, FACTORS = 6, 2


@partial(jax.jit, static_argnames=("steps", "factors", "by_row"))
def _draw(key, ids, noise, steps, factors, by_row):
    def one(high, low):
        source = noise.begin(key, Path(high, low), steps, factors)

        def read(_, row):
            return None, jnp.stack((source.at(row[1]) if by_row else source).normals(row[0], factors))

        return jax.lax.scan(read, None, (jnp.arange(steps), source.rows))[1]

    return jax.vmap(one)(*ids)


def draw(noise=Sobol(4, "none"), *, seed=0, first=0, paths=1024, steps=STEPS, factors=FACTORS, by_row=True):  # noqa: B008
    """[paths, steps, factors]"""
    return np.asarray(_draw(make_key(seed), path_ids(first, paths), noise, steps, factors, by_row))


@pytest.fixture(scope="module")
def noise():
    return Sobol(4, "none")


@pytest.fixture(scope="module")
def uniforms(noise):
    """[point, randomisation, dimension] of 256 points of four randomisations."""
    return ndtr(np.asarray(draw(noise), np.float64)).reshape(256, 4, STEPS * FACTORS)


# ---- the sequence ----


@partial(jax.jit, static_argnames="randomisations")
def point_words(ids, dimensions, randomisations):
    """Plain words [path, dimension]."""
    return reverse_bits(point_reversed(gray_index(ids, randomisations)[:, None], reverse_bits(dimensions)))


@pytest.mark.parametrize("dimensions", [1, 2, 7, 300, MAX_DIMENSIONS])
def test_directions_are_scipys(dimensions):
    """scipy with bits=32; the integers themselves, which it keeps in a private table, and the points made of them."""
    np.testing.assert_array_equal(directions(dimensions), qmc.Sobol(dimensions, scramble=False, bits=32)._sv)


def test_points_are_scipys():
    """Equal numbers, in the same order, of the first, the middle and the last of 21,201 dimensions."""
    chosen = [0, 1, 2, 17, 500, 10_000, MAX_DIMENSIONS - 1]
    words = point_words(path_ids(0, 64 * 4), directions(MAX_DIMENSIONS)[chosen], 4)
    expected = qmc.Sobol(MAX_DIMENSIONS, scramble=False, bits=32).random(64)[:, chosen]
    np.testing.assert_array_equal(np.asarray(words, np.float64)[::4] * 2.0**-32, expected)
    np.testing.assert_array_equal(words[::4], words[3::4])  # ids 4k ... 4k + 3 are four randomisations of a point


def test_far_points_are_scipys():
    """Points beyond 2^24, whose ids take the high word: 2^28 + 5 of 64 randomisations."""
    point = (1 << 28) + 5
    words = point_words(path_ids(point * 64, 64), directions(3), 64)
    expected = qmc.Sobol(3, scramble=False, bits=32).fast_forward(point).random(1)
    np.testing.assert_array_equal(np.asarray(words, np.float64)[:1] * 2.0**-32, expected)


def test_bits_reversed_twice_are_as_before():
    words = np.random.default_rng(0).integers(0, 2**32, 1000, dtype=np.uint32)
    assert int(reverse_bits(np.uint32(1))) == 1 << 31
    np.testing.assert_array_equal(reverse_bits(reverse_bits(words)), words)


# ---- scrambling ----


def test_every_dimension_stays_stratified(uniforms):
    """A one-dimensional net: each of 256 equal intervals holds one of the first 256 points, in every dimension and randomisation."""
    cells = np.sort(np.floor(uniforms * 256).astype(int), axis=0)
    assert (cells == np.arange(256)[:, None, None]).all()


def test_pairs_of_dimensions_stay_a_net(uniforms):
    """As many points in each elementary interval of area 1/64 as the plain sequence has, up to order: scrambling permutes the intervals."""
    plain = qmc.Sobol(STEPS * FACTORS, scramble=False, bits=32).random(256)
    for a, b in ((0, 1), (1, 2), (3, 8), (5, 11)):
        for k in range(1, 6):
            wide, narrow = 2**k, 2 ** (6 - k)
            count = lambda u: np.sort(np.bincount((np.floor(u[:, a] * wide) * narrow + np.floor(u[:, b] * narrow)).astype(int), minlength=64))  # noqa: B023, E731
            for r in range(4):
                np.testing.assert_array_equal(count(uniforms[:, r]), count(plain))
    first = (np.floor(uniforms[..., 0] * 8) * 8 + np.floor(uniforms[..., 1] * 8)).astype(int)
    assert all((np.bincount(first[:, r]) == 4).all() for r in range(4))  # the first two dimensions are a (0, m, 2)-net


@pytest.fixture(scope="module")
def many_scrambles():
    """Two points [randomisation, dimension] as uniforms under 1,024 scramblings."""
    return [ndtr(np.asarray(draw(Sobol(1024, "none"), first=1024 * point, steps=32, factors=1), np.float64))[..., 0] for point in (5, 9)]


def test_a_scrambled_point_is_uniform(many_scrambles):
    """By Kolmogorov and Smirnov, for each of 32 dimensions: the smallest p-value is not surprising; leading and second digits are fair."""
    p_values = [stats.kstest(column, "uniform").pvalue for column in many_scrambles[0].T]
    assert min(p_values) > 1e-4
    digits = np.floor(many_scrambles[0] * 4).astype(int)
    chi2 = [stats.chisquare(np.bincount(column, minlength=4)).pvalue for column in digits.T]
    assert min(chi2) > 1e-4


def test_dimensions_and_points_are_scrambled_independently(many_scrambles):
    """Correlations over randomisations: between dimensions of a point, and in one dimension between two points that differ in the first digit."""
    one, other = many_scrambles
    between = np.corrcoef(one.T)[np.triu_indices(32, 1)]
    assert np.abs(between).max() < K / np.sqrt(1024)
    inside = lambda u: 2.0 * u - np.floor(2.0 * u)  # where in its half a point lies is drawn for each half  # noqa: E731
    apart = np.flatnonzero(np.floor(2.0 * other[0]) != np.floor(2.0 * one[0]))
    assert len(apart) > 5
    for d in apart:
        assert abs(np.corrcoef(inside(one[:, d]), inside(other[:, d]))[0, 1]) < K / np.sqrt(1024)


def test_variance_falls_faster_than_one_over_n(noise):
    """Mean of a smooth function over 32 randomisations: at 256 points its variance is far below the i.i.d. one, and it falls by more than 4^2 for
    4 times the points (scrambled nets: n^-3 up to logarithms; Owen 1997).
    """
    u = ndtr(np.asarray(draw(Sobol(32, "none"), paths=256 * 32, steps=2, factors=2), np.float64)).reshape(256, 32, 4)
    values = np.prod(1.0 + 0.5 * (u - 0.5), axis=2)
    variance = [values[:n].mean(axis=0).var(ddof=1) for n in (64, 256)]
    assert variance[1] < 0.01 * values.var() / 256
    assert variance[0] / variance[1] > 16
    z = (values.mean(axis=0).mean() - 1.0) / np.sqrt(variance[1] / 32)
    assert abs(z) < K


def test_seeds_and_streams_scramble_anew(noise, uniforms):
    for key in (make_key(1), make_key(0, "train")):
        other = ndtr(np.asarray(_draw(key, path_ids(0, 1024), noise, STEPS, FACTORS, True), np.float64)).reshape(uniforms.shape)
        assert abs(np.corrcoef(other[:4].ravel(), uniforms[:4].ravel())[0, 1]) < K / np.sqrt(192)


def test_float64_keeps_the_leading_digits(noise, float64):
    """Both precisions scramble the first 32 digits alike; float64 adds digits that are as good as random."""
    double = draw(noise)
    assert double.dtype == np.float64
    fine = ndtr(double) * 2.0**32
    below = fine - np.floor(fine)
    central = below[(np.abs(double) < 2).all(axis=(1, 2))].ravel()
    assert abs(central.mean() - 0.5) < K / np.sqrt(12 * central.size)
    with jax.enable_x64(False):
        single = draw(noise)
    np.testing.assert_allclose(double, single, rtol=2e-6, atol=2e-6)


# ---- orderings ----


@pytest.mark.parametrize("steps", [1, 2, 3, 13, 100])
def test_orderings_are_orthogonal(steps):
    """So increments are independent standard normals: A A' = 1."""
    identity = jnp.eye(steps)
    for ordering in ORDERINGS.values():
        matrix = np.asarray(jax.jit(ordering)(identity), np.float64)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(steps), atol=3e-6)
    np.testing.assert_allclose(component_matrix(steps) @ component_matrix(steps).T, np.eye(steps), atol=1e-12)


def test_components_diagonalise_the_walk():
    """Columns summed over steps are eigenvectors of min(i, j), largest eigenvalue first."""
    walk = np.cumsum(component_matrix(20), axis=0)
    values = np.linalg.eigvalsh(np.minimum.outer(np.arange(1, 21), np.arange(1, 21)))[::-1]
    np.testing.assert_allclose(walk.T @ walk, np.diag(values), atol=1e-9)


def test_bridge_decides_the_end_first_and_then_the_middle():
    walk = np.cumsum(np.asarray(jax.jit(bridge)(jnp.eye(8)), np.float64), axis=0)
    np.testing.assert_allclose(walk[-1], [np.sqrt(8.0), *[0.0] * 7], atol=1e-6)
    np.testing.assert_allclose(walk[3], [np.sqrt(2.0), np.sqrt(2.0), *[0.0] * 6], atol=1e-6)
    np.testing.assert_allclose(np.cumsum(np.asarray(jax.jit(bridge)(jnp.eye(3))), axis=0)[:, 0], np.sqrt(3.0) * np.arange(1, 4) / 3.0, atol=1e-6)


def test_a_product_as_one_block_is_its_blocks():
    """Components by one matrix product: the same bits for 64 paths as for 1,024 (on a CPU)."""
    z = jax.random.normal(jax.random.key(0), (100, 2, 1024))
    product = jax.jit(components, compiler_options=program.compiler_options())
    whole = product(z)
    for first in range(0, 1024, 64):
        np.testing.assert_array_equal(whole[..., first : first + 64], product(z[..., first : first + 64]))


def test_a_rotation_turns_the_factors(noise):
    """Normals handed out are Q z; the principal one puts what all assets share first."""
    rotation = principal_rotation(np.linalg.cholesky(np.array([[1.0, 0.5], [0.5, 1.0]])))
    np.testing.assert_allclose((np.linalg.cholesky(np.array([[1.0, 0.5], [0.5, 1.0]])) @ rotation)[:, 0], np.sqrt([0.75, 0.75]))
    turned = draw(Sobol(4, "none", rotation=rotation))
    np.testing.assert_allclose(turned, draw(noise) @ rotation.T, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"^Sobol.rotation: expected an orthogonal matrix"):
        Sobol(4, rotation=[[1.0, 0.5], [0.0, 1.0]])
    with pytest.raises(ValueError, match=r"^Sobol.rotation: expected 3 factors, got 2$"):
        Sobol(4, rotation=rotation).begin(make_key(0), Path(np.uint32(0), np.uint32(0)), 2, 3)


# ---- addresses ----


def test_rows_are_what_an_index_reads(noise):
    np.testing.assert_array_equal(draw(noise), draw(noise, by_row=False))


def test_one_path_alone(noise):
    key = make_key(0)
    columns = jax.jit(lambda low: noise.begin(key, Path(np.uint32(0), low), STEPS, FACTORS).columns)(np.uint32(9))
    one = np.stack([np.asarray(column) for column in columns], axis=1)
    np.testing.assert_allclose(one, draw(noise)[9], rtol=2e-6, atol=1e-6)


def test_more_factors_than_begun_with():
    source = SobolSource((jnp.zeros(3),) * 2, None)
    with pytest.raises(ValueError, match="expected the 2 factors it was begun with, got 3"):
        source.normals(0, 3)


def test_ranks_beyond_the_dimensions_come_from_the_counter():
    """Nine dimensions of four factors hold two whole ranks; the third is the counter's, to the bit."""
    short = Sobol(4, "none", dimensions=9)
    assert short.coverage(3, 4) == (8, 4)
    assert Sobol().coverage(252, 100) == (21_200, 4_000)
    assert Sobol().coverage(252, 8) == (2016, 0)
    drawn, counted = draw(short, paths=64, steps=3, factors=4), draw(Counter(), paths=64, steps=3, factors=4)
    np.testing.assert_array_equal(drawn[:, 2], counted[:, 2])
    cells = np.floor(ndtr(drawn[:, :2].astype(np.float64)) * 16).astype(int).reshape(16, 4, 8)  # one point each: those are the sequence's
    assert (np.sort(cells, axis=0) == np.arange(16)[:, None, None]).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Sobol(3), "Sobol.randomisations: expected a power of two from 2 to 1024, got 3"),
        (lambda: Sobol(1), "Sobol.randomisations: expected a power of two from 2 to 1024, got 1"),
        (lambda: Sobol(ordering="pcaa"), "Sobol.ordering: expected one of bridge, pca, none, got 'pcaa'"),
        (lambda: Sobol(dimensions=30_000), "Sobol.dimensions: expected a whole number from 1 to 21,201, got 30000"),
        (lambda: Sobol(dimensions=2).coverage(5, 3), "Sobol.dimensions: expected at least one for each of 3 factors, got 2"),
        (lambda: Sampling("twins"), "Sampling.kind: expected one of iid, pairs, randomisations, windows, got 'twins'"),
        (lambda: Sampling("randomisations", 6), "Sampling.size: expected a power of two from 2 up for randomisations, got 6"),
        (lambda: Sampling("pairs"), "Sampling.size: expected 2 for pairs, got 1"),
        (lambda: Sobol(32).sampling.check_run(1000), "paths: expected a multiple of 32 (32 randomisations), got 1,000"),
        (lambda: Sobol(4).sampling.check_run(64, 2), "first: expected a multiple of 4 (4 randomisations), got 2"),
        (lambda: Sampling("pairs", 2).check_run(7), "paths: expected a multiple of 2 (pairs of paths), got 7"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build()


def test_draws_of_a_sampling():
    values = np.arange(8.0)
    np.testing.assert_array_equal(Sampling().draws(values), values)
    np.testing.assert_array_equal(Sampling("pairs", 2).draws(values), [0.5, 2.5, 4.5, 6.5])
    np.testing.assert_array_equal(Sampling("randomisations", 4).draws(values), [2.0, 3.0, 4.0, 5.0])
    assert Sobol(8).sampling == Sampling("randomisations", 8)


# ---- in a study ----


@pytest.fixture(scope="module")
def study():
    market = mc.market.Market({"a": mc.market.GBM(100.0, 0.2, drift=0.05), "b": mc.market.GBM(50.0, 0.1)}, {"a-b": 0.5})
    return mc.Study(market, mc.policy.Mix(a=0.6, b=0.4), steps=12, noise=Sobol(32), recorders=(recorder.Wealth(),))


def test_a_study_is_the_same_in_blocks_of_any_size_and_on_every_device(study):
    small = study.run(512, block=64, devices=1).outcomes
    jax.tree.map(np.testing.assert_array_equal, small, study.run(512, block=max(64, 512 // len(jax.devices()))).outcomes)
    traced = outcomes(study, [3, 200])
    jax.tree.map(lambda kept, again: np.testing.assert_array_equal(np.asarray(kept)[[3, 200]], again), small, traced)


@pytest.mark.slow
@pytest.mark.parametrize("ordering", ["bridge", "pca"])
def test_a_year_of_days_is_the_same_in_blocks_of_any_size(study, ordering):
    daily = replace(study, steps=252, noise=Sobol(32, ordering))
    small = daily.run(8192, block=64, devices=1).outcomes
    for block, devices in ((1024, 1), (4096, 1), (1024, len(jax.devices()))):
        jax.tree.map(np.testing.assert_array_equal, small, daily.run(8192, block=block, devices=devices).outcomes)


def test_mean_wealth_meets_its_expectation(study):
    """Rebalanced at each date: E[W_T] = (1 + .6 (e^{.05/12} - 1))^12; with 16 points of 32 randomisations the error is far below the i.i.d. one."""
    wealth = np.asarray(study.run(512).outcomes["policy"]["wealth"], np.float64)
    means = study.noise.sampling.draws(wealth)
    error = means.std(ddof=1) / np.sqrt(32)
    assert abs(means.mean() - (1.0 + 0.6 * np.expm1(0.05 / 12)) ** 12) < K * error
    assert error < 0.35 * wealth.std() / np.sqrt(512)


def test_a_gradient_passes_by_the_table(study):
    """Derivative of mean wealth by the drift of an asset, in one block, against a central difference on the same points."""
    ids, key = path_ids(0, 64), make_key(0)

    def mean(drift):
        market = mc.market.Market({"a": mc.market.GBM(100.0, 0.2, drift=drift), "b": mc.market.GBM(50.0, 0.1)}, {"a-b": 0.5})
        moved = replace(study, market=market)
        return jnp.mean(program.simulate_block(moved, key, ids, checkpoint=True)["policy"]["wealth"])

    value = jax.jit(jax.value_and_grad(mean))
    slope = (value(0.06)[0] - value(0.04)[0]) / 0.02
    assert value(0.05)[1] == pytest.approx(float(slope), rel=2e-3)
