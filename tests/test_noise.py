"""Random numbers by address: known answers, accuracy of both kinds of normals, moments, independence, addressing.

Tolerances of sampled figures are K standard errors at a fixed seed.
"""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from mcengine._kernel import one_kernel
from mcengine.noise import (
    STREAMS,
    Counter,
    Given,
    Path,
    make_key,
    normal_from_words,
    normals_by_box_muller,
    path_ids,
    philox4x32,
    threefry2x32,
    uniform_from_words,
)
from mcengine.noise.bit_generators import _philox_by_halves
from mcengine.noise.normal import log_float32, normals_by_box_muller_float64

K = 4.5  # some hundred figures are tested: one in 1,500 families exceeds it by chance
ONES = 0xFFFFFFFF
LAST = np.uint32(ONES)
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0,) * 4, (0,) * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ((ONES,) * 4, (ONES,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (PI[:4], PI[4:], "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_known_answers(counter, key, expected):
    """Random123, kat_vectors: philox4x32 10."""
    words = philox4x32(tuple(map(np.uint32, counter)), tuple(map(np.uint32, key)))
    assert " ".join(f"{int(w):08x}" for w in words) == expected


def test_philox_has_the_same_words_without_64_bit_products():
    words = np.random.default_rng(0).integers(0, 1 << 32, (6, 1 << 16), dtype=np.uint32)
    np.testing.assert_array_equal(jax.jit(_philox_by_halves)(*words), philox4x32(tuple(words[:4]), tuple(words[4:])))


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0), (0, 0), "6b200159 99ba4efe"),
        ((ONES, ONES), (ONES, ONES), "1cb996fc bb002be7"),
        (PI[:2], PI[2:4], "c4923a9c 483df7a0"),
    ],
)
def test_threefry_known_answers(counter, key, expected):
    """Random123, kat_vectors: threefry2x32 20."""
    words = threefry2x32(tuple(map(np.uint32, counter)), tuple(map(np.uint32, key)))
    assert " ".join(f"{int(w):08x}" for w in words) == expected


# ---- inversion ----


def dense_words(n: int = 400_000) -> np.ndarray:
    """Sorted words: the first and last of all, those about the middle, others at random and evenly by order of magnitude of the tail."""
    rng = np.random.default_rng(0)
    small = np.concatenate([np.arange(5000), np.exp(rng.uniform(0.0, np.log(2.0**31), n))]).astype(np.uint32)
    near = (2**31 + np.arange(-5000, 5000)).astype(np.uint32)
    return np.unique(np.concatenate([small, ~small, near, rng.integers(0, 2**32, n).astype(np.uint32)]))


def exact_normal(word: np.ndarray, bits: int, tail_bits: int) -> np.ndarray:
    """Phi^{-1}((m + 1/2)/2^tail_bits) by scipy, from the tail so that nothing cancels."""
    upper = word >= np.uint64(1) << np.uint64(bits - 1)
    m = np.where(upper, ~word if bits == 64 else (np.uint64(2**bits - 1) - word), word) >> np.uint64(bits - tail_bits)
    z = -ndtri((m.astype(float) + 0.5) * 2.0**-tail_bits)
    return np.where(upper, z, -z)


def test_normal_float32_is_accurate():
    """Measured: 3.3e-7 of the value, 4e-8 near zero; the bounds are twice that. The largest of all is 6.34."""
    words = dense_words()
    z = np.asarray(jax.jit(lambda w: normal_from_words(w, None, jnp.dtype("float32")))(words), np.float64)
    exact = exact_normal(words.astype(np.uint64), 32, 32)
    error = np.abs(z - exact) / (np.abs(exact) + 0.13)
    inner = np.abs(exact) < 5.5
    assert error[inner].max() < 6.6e-7
    assert exact.max() > 6.3
    # The polynomials end near 5.4: beyond it the error must not exceed a few units in the last place either.
    assert error[~inner].max() < 1.5e-6


def test_normal_float64_is_accurate(float64):
    """Measured: 1.03e-15 of the value; the bound is twice that."""
    high = np.concatenate([dense_words(100_000), np.zeros(50_000, np.uint32), np.full(50_000, LAST)])
    low = np.random.default_rng(1).integers(0, 2**32, high.size).astype(np.uint32)
    low[-100_000:] >>= np.random.default_rng(2).integers(0, 32, 100_000).astype(np.uint32)  # deep into the lower tail
    low[-50_000:] = ~low[-50_000:]
    z = np.asarray(jax.jit(lambda h, w: normal_from_words(h, w, jnp.dtype("float64")))(high, low))
    exact = exact_normal((high.astype(np.uint64) << np.uint64(32)) | low, 64, 53)
    assert np.abs(z / exact - 1.0).max() < 2.1e-15
    assert exact.max() > 8.2
    assert exact.min() < -8.2


@pytest.mark.parametrize("deviations", [5.0, 6.0])
def test_tails_hold_as_many_words_as_they_should(deviations):
    """float32: words below -x and above x, of 2^32, against the normal distribution, to one word."""
    words = np.arange(5000, dtype=np.uint32)
    for side in (words, ~words):
        beyond = np.abs(np.asarray(normal_from_words(side, None, jnp.dtype("float32")))) > deviations
        assert abs(beyond.sum() - ndtr(-deviations) * 2.0**32) <= 1.0


def test_normals_increase_with_the_word():
    """Up to rounding: a neighbour may be lower by four units in the last place (measured), never more."""
    z = np.asarray(normal_from_words(dense_words(), None, jnp.dtype("float32")))
    assert (np.diff(z) >= -4.0 * np.spacing(np.maximum(np.abs(z[1:]), np.abs(z[:-1])))).all()
    assert z[0] == -z[-1] < -6.3


def exact_pair(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Box and Muller's formula in float64, for the radius' uniform and the angle rounded to 24 bits as float32 rounds them."""
    u = ((first & 0x7FFFFFFF).astype(np.float32) * np.float32(2.0**-31) + np.float32(2.0**-32)).astype(np.float64)
    angle = (second & 0x3FFFFFFF).astype(np.float32).astype(np.float64) * (np.pi / 2 * 2.0**-30)
    radius = np.sqrt(-2.0 * np.log(u))
    return np.where(second >> 31, -1.0, 1.0) * radius * np.cos(angle), np.where((second >> 30) & 1, -1.0, 1.0) * radius * np.sin(angle)


def test_pairs_of_normals_are_accurate():
    """Absolute; measured 6e-7, nearly all of it the angle's last bit times the radius. The bound is twice that. The largest radius is 6.66."""
    first = dense_words(200_000)
    second = np.random.default_rng(4).permutation(np.resize(dense_words(200_000), first.size))
    pair = jax.jit(normals_by_box_muller)(first, second)
    for z, exact in zip(pair, exact_pair(first, second), strict=True):
        assert np.abs(np.asarray(z, np.float64) - exact).max() < 1.2e-6
    radius = np.hypot(*(np.asarray(z, np.float64) for z in normals_by_box_muller(np.zeros(1, np.uint32), np.full(1, 1 << 29, np.uint32))))
    assert radius == pytest.approx(np.sqrt(64.0 * np.log(2.0)), rel=1e-6)


def test_pairs_of_normals_float64_are_accurate(float64):
    words = np.random.default_rng(5).integers(0, 2**32, (4, 100_000)).astype(np.uint32)
    u, v = ((words[i].astype(float) * 2.0**20 + (words[i + 1] >> 12) + 0.5) * 2.0**-52 for i in (0, 2))
    z = normals_by_box_muller_float64((words[0], words[1]), (words[2], words[3]))
    np.testing.assert_allclose(z[0], np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * np.pi * v), rtol=0.0, atol=1e-14)
    np.testing.assert_allclose(z[1], np.sqrt(-2.0 * np.log(u)) * np.sin(2.0 * np.pi * v), rtol=0.0, atol=1e-14)


@pytest.mark.parametrize("deviations", [5.0, 6.0])
def test_pairs_have_tails_as_heavy_as_they_should(deviations):
    """Of the 2^31 words of the radius as many lie beyond as exp(-x^2/2) says, to rounding, and so of the normals; of drawn ones as many."""
    first = np.arange(20_000, dtype=np.uint32)
    diagonal = np.full(first.size, 1 << 29, np.uint32)  # an angle of 45 degrees: both normals are the radius over the root of 2
    radius = np.hypot(*(np.asarray(z, np.float64) for z in normals_by_box_muller(first, diagonal)))
    far = radius[radius > deviations]
    assert abs(far.size - np.exp(-0.5 * deviations**2) * 2.0**31) <= 2.0
    beyond = 2.0 / np.pi * np.arccos(deviations / far)  # how often a normal of that radius is
    assert abs(beyond.sum() - 2.0 * ndtr(-deviations) * 2.0**31) <= 0.5
    rng, share = np.random.default_rng(6), beyond.mean()
    n = far.size * (1_000_000 // far.size)
    words = (np.arange(n) % far.size).astype(np.uint32), rng.integers(0, 2**32, n).astype(np.uint32)
    for z in map(np.asarray, normals_by_box_muller(*words)):
        error = np.sqrt(share * (1.0 - share) / n)
        assert abs((np.abs(z) > deviations).mean() - share) < K * error
        assert abs((z > deviations).mean() - 0.5 * share) < K * error


def test_the_other_kind_of_normal_is_one_word_each():
    source = Counter(normal="inversion").begin(make_key(0), Path(np.uint32(0), np.uint32(7)), 8, 8)
    words = philox4x32((np.uint32(7), np.uint32(0), np.uint32(3), np.uint32(0)), tuple(make_key(0)))
    expected = [float(normal_from_words(w, None, jnp.dtype("float32"))) for w in words]
    np.testing.assert_allclose([float(z) for z in source.normals(3, 4)], expected, rtol=5e-7, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_mirrored_word_gives_the_mirrored_normal(dtype, float64):
    """By inversion the complement of a word is the normal of the other sign, exactly."""
    high = dense_words(5000)
    low = None if dtype == "float32" else np.random.default_rng(3).integers(0, 2**32, high.size).astype(np.uint32)
    z = normal_from_words(high, low, jnp.dtype(dtype))
    mirrored = normal_from_words(~high, None if low is None else ~low, jnp.dtype(dtype))
    np.testing.assert_array_equal(z, -mirrored)
    assert z.dtype == dtype


def test_log_float32_is_accurate():
    """Measured: 1.6 units in the last place over all normal floats."""
    rng = np.random.default_rng(4)
    limits = np.finfo(np.float32)
    y = np.concatenate([np.exp(rng.uniform(-87.3, 88.7, 500_000)), rng.uniform(0.5, 2.0, 500_000), [limits.tiny, limits.max, 1.0]])
    y = y.astype(np.float32)
    got, exact = np.asarray(jax.jit(log_float32)(y), np.float64), np.log(y.astype(np.float64))
    assert got[-1] == 0.0
    assert (np.abs(got - exact) / np.spacing(np.abs(exact).astype(np.float32) + limits.tiny)).max() < 2.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniforms_are_never_0_or_1_and_increase(dtype, float64):
    high = dense_words(5000)
    low = None if dtype == "float32" else np.where(high == 0, 0, LAST).astype(np.uint32)
    u = np.asarray(uniform_from_words(high, low, jnp.dtype(dtype)))
    assert u.dtype == dtype
    assert u[0] > 0.0
    assert u[-1] < 1.0
    assert (np.diff(u) >= 0.0).all()
    np.testing.assert_allclose(u, (high + 0.5) * 2.0**-32, rtol=0.0, atol=2.0**-23 if dtype == "float32" else 2.0**-32)


# ---- what a source draws ----


@partial(jax.jit, static_argnames=("steps", "factors", "generator", "verb", "normal"))
def _draw(key, ids, steps, factors, generator, verb, normal):
    def one(high, low):
        source = Counter(generator, normal).begin(key, Path(high, low), steps, factors)
        return jax.vmap(lambda step: jnp.stack(getattr(source, verb)(step, factors)))(jnp.arange(steps))

    return jax.vmap(one)(*ids)


def draw(*, seed=0, stream="test", first=0, paths=1 << 14, steps=8, factors=8, generator="philox", verb="normals", normal="box_muller") -> np.ndarray:
    """[paths, steps, factors]"""
    return np.asarray(_draw(make_key(seed, stream), path_ids(first, paths), steps, factors, generator, verb, normal), np.float64)


@pytest.fixture(scope="module")
def normals():
    return draw()


@pytest.mark.parametrize(("generator", "normal"), [("philox", "box_muller"), ("threefry", "box_muller"), ("philox", "inversion")])
def test_moments_of_normals(generator, normal):
    z = draw(generator=generator, normal=normal)
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert abs((z**power).mean() - mean) < K * np.sqrt(variance / z.size), power


def test_moments_of_uniforms():
    u = draw(verb="uniforms")
    for power in range(1, 5):
        spread = 1 / (2 * power + 1) - 1 / (power + 1) ** 2
        assert abs((u**power).mean() - 1 / (power + 1)) < K * np.sqrt(spread / u.size), power


def test_every_path_step_and_factor_has_mean_0_and_variance_1(normals):
    for axes in ((0, 1), (0, 2), (1, 2), 0):
        n = normals.size / np.mean(normals, axis=axes).size
        tolerance = K if axes != (1, 2) else 5.5  # 16,384 paths: the largest of as many
        assert np.abs(normals.mean(axes)).max() * np.sqrt(n) < tolerance
    assert np.abs((normals**2).mean(0) - 1.0).max() * np.sqrt(normals.shape[0] / 2) < K


def pairs(z: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Normals that must be independent, laid side by side."""
    out = {f"paths {lag} apart": (z[lag:], z[:-lag]) for lag in (1, 2, 64, 4096)}
    out |= {f"steps {lag} apart": (z[:, lag:], z[:, :-lag]) for lag in (1, 2, 4)}
    out |= {f"factors {lag} apart": (z[..., lag:], z[..., :-lag]) for lag in (1, 2, 3, 4)}
    out["step and factor exchanged"] = (z[:, 0, 1:], z[:, 1:, 0])
    out["path and step exchanged"] = (z[1:8, 0], z[0, 1:8])
    out |= {f"stream {name}": (z, draw(stream=name)) for name in STREAMS[1:]}
    out |= {f"seed {seed}": (z, draw(seed=seed)) for seed in (1, 2, 1 << 32)}
    out["threefry"] = (z, draw(generator="threefry"))
    out["uniforms"] = (z, ndtri(draw(verb="uniforms")))
    out["paths beyond 2^32"] = (z, draw(first=1 << 32))
    return out


def test_everything_is_uncorrelated(normals):
    """Products, and products of squares: a shared magnitude shows in the second."""
    for name, (a, b) in pairs(normals).items():
        assert abs((a * b).mean()) * np.sqrt(a.size) < K, name
        assert abs(((a**2 - 1.0) * (b**2 - 1.0)).mean()) / 2.0 * np.sqrt(a.size) < K, name


def test_pairs_fill_the_square_evenly(normals):
    """Chi-square over 16 x 16 cells of equal probability, 255 degrees of freedom."""
    for name, (a, b) in pairs(normals).items():
        if a.size < 10_000:
            continue
        cells = (np.floor(ndtr(a) * 16) * 16 + np.floor(ndtr(b) * 16)).astype(int).ravel()
        counts = np.bincount(cells, minlength=256)
        chi2 = ((counts - cells.size / 256) ** 2).sum() / (cells.size / 256)
        assert abs(chi2 - 255) < K * np.sqrt(2 * 255), name


@pytest.mark.parametrize(
    ("verb", "generator", "precision", "normal"),
    [
        ("normals", "philox", "float32", "box_muller"),
        ("normals", "threefry", "float32", "box_muller"),
        ("normals", "philox", "float64", "box_muller"),
        ("normals", "philox", "float32", "inversion"),
        ("normals", "philox", "float64", "inversion"),
        ("uniforms", "philox", "float32", "box_muller"),
    ],
)
def test_an_address_does_not_depend_on_how_many_are_asked(verb, generator, precision, normal):
    with jax.enable_x64(precision == "float64"):
        one, several, many = (draw(factors=n, generator=generator, verb=verb, normal=normal, paths=64, steps=2) for n in (1, 3, 6))
    np.testing.assert_array_equal(several, many[..., :3])
    np.testing.assert_array_equal(one, many[..., :1])


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("normal", ["box_muller", "inversion"])
@pytest.mark.parametrize("generator", ["philox", "threefry"])
@pytest.mark.parametrize(("some", "others"), [(0, 0), (0, 3), (1, 0), (3, 1), (5, 3)])
def test_normals_and_uniforms_drawn_at_once_are_those_drawn_apart(some, others, generator, normal, precision):
    with jax.enable_x64(precision == "float64"):
        source = Counter(generator, normal).begin(make_key(1), Path(np.uint32(0), np.uint32(5)), 8, some)
        z, u = source.draw(3, some, others)
        assert (len(z), len(u)) == (some, others)
        for one, apart in ((z, source.normals(3, 6)), (u, source.uniforms(3, 6))):
            assert [x.dtype for x in one] == [precision] * len(one)
            np.testing.assert_allclose([float(x) for x in one], [float(x) for x in apart[: len(one)]], rtol=1e-6)


def test_one_kernel_gives_back_what_it_is_given():
    values = (jnp.float32(-2.5), jnp.int32(-3), jnp.uint32(2**32 - 1), jnp.float32(-jnp.inf))
    for count in range(5):
        kept = jax.jit(one_kernel)(values[:count])
        assert [(x.dtype, x.tolist()) for x in kept] == [(x.dtype, x.tolist()) for x in values[:count]]


def test_an_address_does_not_depend_on_the_block_nor_on_compilation(normals):
    np.testing.assert_array_equal(draw(first=100, paths=64), normals[100:164])
    eager = Counter().begin(make_key(0), Path(np.uint32(0), np.uint32(7)), 8, 8).normals(3, 2)
    np.testing.assert_allclose([float(z) for z in eager], normals[7, 3, :2], rtol=5e-7, atol=1e-7)


def test_no_two_addresses_share_a_block(normals):
    """Blocks of four float32 normals are equal by chance with probability 1e-27; a repeated address would repeat the block."""
    blocks = np.concatenate([z.reshape(-1, 4) for z in (normals, draw(first=1 << 32), draw(stream="train"), draw(seed=1))])
    assert np.unique(blocks, axis=0).shape == blocks.shape


def test_path_ids_cross_2_to_the_32():
    ids = path_ids(2**32 - 2, 4)
    assert ids.high.tolist() == [0, 0, 1, 1]
    assert ids.low.tolist() == [2**32 - 2, 2**32 - 1, 0, 1]
    across = draw(first=2**32 - 2, paths=4, steps=1, factors=1).ravel()
    assert np.unique(across).size == 4
    np.testing.assert_array_equal(across[2:], draw(first=2**32, paths=2, steps=1, factors=1).ravel())
    assert not np.isin(across[2:], draw(first=0, paths=2, steps=1, factors=1)).any()


def test_keys_of_seeds_and_streams_are_all_different():
    keys = {tuple(make_key(seed, stream).tolist()) for seed in (0, 1, 2**32, 2**63, 2**64 - 1) for stream in STREAMS}
    assert len(keys) == 25


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: make_key(0, "tests"), "stream: expected one of test, train, validate, pilot, scramble, got 'tests'"),
        (lambda: make_key(-1), "seed: expected a whole number from 0 to 2^64 - 1, got -1"),
        (lambda: make_key(1 << 64), "seed: expected a whole number from 0 to 2^64 - 1, got 18446744073709551616"),
        (lambda: Counter(normal="polar"), "Counter.normal: expected 'box_muller' or 'inversion', got 'polar'"),
        (lambda: Counter("mt19937"), "Counter.generator: expected 'philox' or 'threefry', got 'mt19937'"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build()


def test_given_hands_out_what_it_was_given():
    draws = np.arange(6.0).reshape(3, 2)
    source = Given(draws).begin(make_key(0), Path(np.uint32(0), np.uint32(1)), 3, 2)
    assert [float(z) for z in source.normals(1, 2)] == [2.0, 3.0]
    assert [float(z) for z in jax.jit(lambda step: source.normals(step, 2))(2)] == [4.0, 5.0]
    slope = jax.grad(lambda g: sum(z * z for z in g.begin(None, None, 3, 2).normals(1, 2)))(Given(draws))
    np.testing.assert_array_equal(slope.draws, [[0, 0], [4, 6], [0, 0]])
    with pytest.raises(ValueError, match="only normals were given"):
        source.uniforms(0, 1)


def test_given_refuses_more_factors_than_it_has():
    """An index beyond an array's end would quietly be its last."""
    with pytest.raises(ValueError, match=r"Given.*3.*2"):
        Given(np.zeros((4, 2))).begin(None, None, 4, 3).normals(0, 3)
