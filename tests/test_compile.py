"""What compiling a book takes: no yaml of conf/policy is too slow for a notebook, whatever prices its options, and none ends the compiler."""

import time

import jax
import pytest

import mcengine as mc
from mcengine import config as configuration
from mcengine._model import trainable
from mcengine.engine import BatchGradient, program

POLICIES = sorted(path.stem for path in configuration.CONF.glob("policy/*.yaml"))
FORWARD, GRADIENT = 15.0, 45.0
"""Most CPU seconds, tracing included; the slowest takes some 10 and 35."""


@pytest.fixture
def nothing_compiled():
    """As in a new process without a cache on disk (which tests have not)."""
    program._cache.clear()
    jax.clear_caches()


@pytest.mark.slow
@pytest.mark.parametrize("market", ["lognormal", "heston", "gjr_garch"])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_book_is_compiled_in_seconds(nothing_compiled, policy, market):
    study = configuration.study(mc.load_config([f"market={market}", f"policy={policy}"], "hedge"))
    start = time.process_time()
    study.run(64, progress=False, devices=1)
    forward = time.process_time() - start
    assert forward < FORWARD, f"{policy}, {market}: forward {forward:.1f} s"
    start = time.process_time()
    BatchGradient(study, lambda outcomes, extra: (outcomes["policy"]["wealth"], {}), trainable(study), label=(policy, market), devices=1)
    gradient = time.process_time() - start
    assert gradient < GRADIENT, f"{policy}, {market}: gradient {gradient:.1f} s"
