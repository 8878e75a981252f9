"""Fixtures shared by the tests of several rooms."""

import gc
import os
from pathlib import Path

import haste
import jax
import pytest
from precision import double_precision

import mcengine as mc
from mcengine.engine import program

os.environ.setdefault("MC_CACHE", "off")  # tests compile what they test, and leave nothing in the user's cache
os.environ.pop("MC_SMALL", None)  # a run cut to 4,096 paths would test less than a test says; those that want it small set it themselves


# What a test's time goes into is tracing and compiling. Millions of objects are made that live on: to look for cycles among them is a fifth of
# tracing. And no test reads the lines of source that compiled programs note, which cost a tenth of all.
gc.set_threshold(50_000, 20, 20)
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")  # of processes that tests start
jax.config.update("jax_traceback_in_locations_limit", int(os.environ["JAX_TRACEBACK_IN_LOCATIONS_LIMIT"]))

_compiled: list[float] = []


def _seen(event, seconds, **_):
    if event == "/jax/core/compile/backend_compile_duration":
        _compiled.append(seconds)


jax.monitoring.register_event_duration_secs_listener(_seen)


@pytest.fixture
def compilations():
    """``compilations()``: how many programs this process has compiled so far."""
    before = len(_compiled)
    jax.jit(lambda x: x + 1.0)(0.0)
    assert len(_compiled) > before, "JAX no longer tells what it compiles"
    return lambda: len(_compiled)


@pytest.fixture
def float64():
    """Double precision for one test."""
    with double_precision():
        yield


@pytest.fixture(scope="module", autouse=True)
def few_pieces_of_memory():
    """Linux lets a process have 65,530 of them, then LLVM aborts: programs of the tests before are forgotten long before that."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 40_000:
        program._cache.clear()
        haste._made.clear()
        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="session")
def weights():
    return {"equity": 0.6, "bond": 0.4}


@pytest.fixture(scope="session")
def heston_market():
    """Heston equity, lognormal bond, dividends, interest, implied above expected variance."""
    equity = mc.market.Heston(spot=100.0, v0=0.04, kappa=2.0, theta=0.04, vol_of_vol=0.5, rho=-0.7, drift=0.07, dividend=0.015, variance_premium=1.2)
    bond = mc.market.GBM(spot=50.0, sigma=0.06, drift=0.035, dividend=0.03)
    return mc.market.Market({"equity": equity, "bond": bond}, {"equity-bond": -0.2}, rate=0.03)


@pytest.fixture(scope="session")
def gbm_market():
    """The same market with constant volatility, where options have Black's price exactly."""
    equity = mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07, dividend=0.015, variance_premium=1.2)
    bond = mc.market.GBM(spot=50.0, sigma=0.06, drift=0.035, dividend=0.03)
    return mc.market.Market({"equity": equity, "bond": bond}, {"equity-bond": -0.2}, rate=0.03)


@pytest.fixture(scope="session")
def presets(weights):
    """Every named policy on one mix; dates fit a run of 12 steps and more."""
    made = mc.policy.presets
    return {
        "unhedged": made.unhedged(weights),
        "static_put": made.static_put(weights, 0.95),
        "rolled_put": made.rolled_put(weights, 0.98, coverage=0.8, tenor=6, roll=4),
        "expiring_put": made.rolled_put(weights, 0.98, tenor=4, roll=4),
        "stop_loss": made.stop_loss(weights, 0.95, buffer=0.01),
        "cppi": made.cppi(weights, 0.9, multiplier=5.0),
        "vol_target_cppi": made.vol_target_cppi(weights, 0.9, target=0.1, halflife=5.0, multiplier=5.0, tolerance=0.02),
    }


@pytest.fixture(scope="session")
def preset_trace(gbm_market, presets):
    """(study, its trace in float64): every named policy with costs, 16 paths of 12 months."""
    study = mc.Study(gbm_market, presets, costs=mc.ledger.Proportional(5e-4, 0.01), steps=12)
    with double_precision():
        return study, study.trace(range(16), seed=11)
