"""Two processes as two hosts: one run folder, the same bits."""

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mcengine as mc

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", 2, 0), "hosts.coordinator: expected an address like 10.0.0.1:8476, got 'nowhere'"),
        (("localhost:1", 0, 0), "hosts.processes: expected a whole number of at least 1, got 0"),
        (("localhost:1", 2, 2), "hosts.process: expected a whole number from 0 to 1, got 2"),
    ],
)
def test_bad_hosts(arguments, message):
    with pytest.raises(ValueError, match=message):
        mc.engine.hosts.start(*arguments)


FOUR = """
import sys
import jax
jax.config.update("jax_num_cpu_devices", 4)
import numpy as np
sys.path.insert(0, sys.argv[1])
from test_hosts import study
result = study().run(5000, block=128, seed=7, progress=False)
assert len(jax.devices()) == 4
np.save(sys.argv[2], np.stack([*result["policy"].values(), *result["market"].values()]))
"""


def study():
    market = mc.market.Market({"equity": mc.market.Heston(1.0, 0.04, 2.0, 0.04, 0.5, -0.7)}, rate=0.02)
    return mc.Study(market, mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.Cppi(floor=0.8)), steps=8)


def test_four_devices_make_the_same_bits_as_one(tmp_path):
    file = tmp_path / "four.npy"
    subprocess.run([sys.executable, "-c", FOUR, str(Path(__file__).parent), str(file)], check=True)
    one = study().run(5000, block=4096, devices=1, seed=7, progress=False)
    assert np.stack([*one["policy"].values(), *one["market"].values()]).tobytes() == np.load(file).tobytes()


@pytest.mark.slow
def test_two_processes_make_the_run_of_one(tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]

    def command(*more):
        common = ["policy=cppi", "market=lognormal", "steps=16", "paths=20000", "engine.block=1024", "plots=false"]
        return [sys.executable, str(ROOT / "experiments" / "hedge.py"), *common, *more]

    def host(k):
        where = ["engine=multi_host", f"engine.hosts.coordinator=localhost:{port}", f"engine.hosts.process={k}"]
        return subprocess.Popen(command(*where, f"hydra.run.dir={tmp_path / 'both'}"), cwd=tmp_path, stdout=subprocess.PIPE, text=True)

    second, first = host(1), host(0)
    printed, nothing = first.communicate(timeout=200)[0], second.communicate(timeout=200)[0]
    assert (first.returncode, second.returncode) == (0, 0)
    assert printed.splitlines()[-1] == str(tmp_path / "both")
    assert not [line for line in nothing.splitlines() if "Gloo" not in line]
    alone = subprocess.run(command(f"hydra.run.dir={tmp_path / 'one'}"), cwd=tmp_path, capture_output=True, text=True, check=True, timeout=200)
    assert alone.stdout.splitlines()[-1] == str(tmp_path / "one")
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one" / "outcomes").rglob("*.npy"))
    assert len(files) > 5
    for file in files:
        assert np.load(tmp_path / "one" / file).tobytes() == np.load(tmp_path / "both" / file).tobytes(), file
