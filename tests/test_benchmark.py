"""The benchmark's peers do the engine's work, and what it prints can be read. No time is asserted."""

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
sys.path.insert(0, str(EXPERIMENTS))

import benchmark  # noqa: E402
import peers  # noqa: E402
from peers.terms import ASSETS, Terms  # noqa: E402

PATHS = 4096
TERMS = Terms(steps=12)
PRICES = [f"price_a{i}" for i in range(ASSETS)]
KEYS = {"workload", "device", "path_years_per_second", "seconds_median", "compile_seconds", "value", "standard_error", "peers"}

numba_needed = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is not installed: it comes with the extra `peers`, which `make bench` installs"
)


@pytest.fixture(scope="module")
def ours():
    result = benchmark.cppi_study(TERMS).run(PATHS, progress=False)
    return {**result["policy"], **result["market"]}


def standard_errors_apart(a, b):
    spread = math.sqrt(np.var(a, dtype=np.float64) / a.size + np.var(b, dtype=np.float64) / b.size)
    return abs(float(np.mean(a, dtype=np.float64) - np.mean(b, dtype=np.float64))) / spread


@pytest.mark.parametrize("name", ["numpy", pytest.param("numba_random", marks=numba_needed)])
def test_peers_with_noise_of_their_own_agree_in_the_mean(ours, name):
    theirs = peers.load(name)(TERMS, 16 * PATHS, 7)
    assert set(theirs) == set(ours)
    assert all(standard_errors_apart(ours[figure], theirs[figure]) < 4.0 for figure in theirs)


@pytest.mark.parametrize("name", ["numpy", pytest.param("numba_random", marks=numba_needed)])
def test_that_check_notices_twice_the_cost(ours, name):
    dear = peers.load(name)(Terms(steps=12, cost=0.05), 16 * PATHS, 7)
    assert standard_errors_apart(ours["wealth"], dear["wealth"]) > 4.0


@numba_needed
@pytest.mark.parametrize("name", peers.SAME_NOISE)
def test_peers_with_the_engines_noise_agree_path_by_path(ours, name):
    theirs = peers.load(name)(TERMS, PATHS, 0)
    assert benchmark.agreement(ours, theirs, TERMS) > 0.0
    for figure in ("wealth", "lowest"):
        np.testing.assert_allclose(theirs[figure], ours[figure], rtol=TERMS.steps * 2.0**-23)


def test_agreement_refuses_other_noise(ours):
    shifted = {name: np.roll(ours[name], 1) for name in PRICES}
    with pytest.raises(ArithmeticError, match="more than rounding"):
        benchmark.agreement(ours, shifted, TERMS)


def test_an_unknown_peer_is_refused_and_a_missing_package_named(monkeypatch):
    with pytest.raises(ValueError, match="numpy"):
        peers.load("nympy")
    monkeypatch.setitem(peers.PEERS, "absent", ("a_package_that_is_not_there", "run"))
    with pytest.raises(peers.PeerMissingError, match="a_package_that_is_not_there is not installed"):
        peers.load("absent")


@pytest.mark.slow
def test_memory_of_a_fresh_process_is_its_own():
    config = benchmark.configuration.load_config(["memory_paths=[64,128]", "steps=2"], "benchmark")
    line = benchmark.memory(config, {})
    assert all(50 < mb < 5000 for mb in line["peak_megabytes"].values())
    assert line["paths"] == 128


@pytest.mark.slow
def test_memory_does_not_grow_with_paths():
    config = benchmark.configuration.load_config([], "benchmark")
    assert abs(benchmark.memory(config, {})["growth"]) < 0.10


def run(tmp_path, *overrides):
    command = [sys.executable, str(EXPERIMENTS / "benchmark.py"), f"hydra.run.dir={tmp_path}/run", *overrides]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_prints_a_table_a_json_line_a_workload_and_its_folder(tmp_path):
    done = run(tmp_path, "paths=256", "repeats=1", "steps=4", "memory=false", "peers=[numpy]", "gradient_block=64")
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    lines = [json.loads(text) for text in printed if text.startswith("{")]
    assert [line["workload"] for line in lines] == ["cppi4", "study_book", "study_book_gradient"]
    assert all(set(line) >= KEYS for line in lines)
    assert lines[0]["asset_steps_per_second"] > 0.0
    assert {"ratio", "asset_steps_per_second", "value", "standard_error"} <= set(lines[0]["peers"]["numpy"])
    folder = Path(printed[-1])
    assert folder == tmp_path / "run"
    assert json.loads((folder / "metrics.json").read_text())["cppi4"]["value"] == lines[0]["value"]
    assert (folder / "speed.png").stat().st_size > 10_000


def test_unknown_workloads_and_peers_end_in_one_line(tmp_path):
    for override, near in (("workloads=[cppi]", "cppi4"), ("peers=[nunpy]", "numpy")):
        done = run(tmp_path, override)
        assert done.returncode == 2
        assert near in done.stderr
        assert not (tmp_path / "run").exists()
