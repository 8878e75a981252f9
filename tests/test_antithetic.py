"""Antithetic pairs: mirrored draws, addresses of the base, errors by pairs."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mcengine as mc
from mcengine.noise import Antithetic, Counter, Given, Path, Sobol, make_key, path_ids, split_ids
from mcengine.statistics import Sampling

K = 4.5


def draw(noise, ids, verb="normals", steps=3, factors=2):
    """[paths, steps, factors]"""
    key = make_key(0)

    def one(high, low):
        source = noise.begin(key, Path(high, low), steps, factors)
        return jax.vmap(lambda step: jnp.stack(getattr(source.at(()), verb)(step, factors)))(jnp.arange(steps))

    return np.asarray(jax.jit(jax.vmap(one))(*ids))


def test_pairs_are_mirrored_paths_of_the_base():
    """Also where the id takes two words: half of it carries a bit from the high one."""
    for first in (0, (1 << 33) + (1 << 32)):
        z, base = draw(Antithetic(), path_ids(first, 128)), draw(Counter(), path_ids(first // 2, 64))
        np.testing.assert_array_equal(z[0::2], base)
        np.testing.assert_array_equal(z[1::2], -base)


def test_uniforms_are_mirrored():
    u = draw(Antithetic(), path_ids(0, 128), "uniforms")
    np.testing.assert_array_equal(u[0::2], draw(Counter(), path_ids(0, 64), "uniforms"))
    np.testing.assert_allclose(u[0::2] + u[1::2], 1.0, atol=1e-7)
    assert ((u > 0.0) & (u < 1.0)).all()


def test_other_bases():
    np.testing.assert_array_equal(
        draw(Antithetic(Counter("threefry")), split_ids(np.array([6], np.uint64))), draw(Counter("threefry"), path_ids(3, 1))
    )
    given = Given(np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(draw(Antithetic(given), path_ids(0, 2))[1], -given.draws)


@pytest.mark.parametrize("base", [Sobol(), Antithetic()])
def test_refuses_paths_that_are_not_independent(base):
    message = f"Antithetic.base: expected a noise of independent paths, Counter or Given, got {type(base).__name__}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Antithetic(base)


def test_the_error_is_that_of_pairs():
    """Wealth of a mix is nearly odd in the normals: the error by pairs is small and holds the truth; the i.i.d. formula would be far too wide."""
    market = mc.market.Market({"a": mc.market.GBM(100.0, 0.2, drift=0.05)})
    study = mc.Study(market, mc.policy.Mix(a=1.0), steps=4, noise=Antithetic())
    assert study.noise.sampling == Sampling("pairs", 2)
    wealth = np.asarray(study.run(4096).outcomes["policy"]["wealth"], np.float64)
    pairs = study.noise.sampling.draws(wealth)
    error = pairs.std(ddof=1) / np.sqrt(len(pairs))
    assert abs(pairs.mean() - np.exp(0.05)) < K * error
    assert error < 0.3 * wealth.std() / np.sqrt(len(wealth))
