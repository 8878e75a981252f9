"""Blocks within a budget, and the refusal of what cannot fit."""

import re
import subprocess
import sys

import pytest

import mcengine as mc
from mcengine.engine import memory, program
from mcengine.engine.prepared import PreparedStudy
from mcengine.noise import make_key


@pytest.fixture(scope="module")
def study():
    market = mc.market.Market({"equity": mc.market.GBM(1.0, sigma=0.2, drift=0.05)}, rate=0.02)
    return mc.Study(market, mc.policy.Mix(equity=1.0), steps=8)


@pytest.mark.parametrize(
    ("text", "size"), [("4GiB", 4 << 30), ("500MB", 5e8), ("1.5 gib", 1.5 * (1 << 30)), ("64 KiB", 1 << 16), (1e9, 1e9), ("2048", 2048)]
)
def test_sizes(text, size):
    assert memory.bytes_of(text) == size


@pytest.mark.parametrize("bad", ["lots", "4 apples", "-1GB", "", 0, -5, True, "0GiB"])
def test_what_is_no_size(study, bad):
    with pytest.raises(ValueError, match=r"memory: expected a size like 4GiB or 500MB, got"):
        study.run(64, memory=bad, progress=False)


def test_a_block_fits_the_budget_and_changes_nothing(study):
    prepared, devices = PreparedStudy(study, make_key(0)), program.check_devices(None)
    whole, block = memory.fit_block(prepared, paths=10**6, devices=devices, block=None, memory=None)
    need = memory.needed(whole, devices)
    fitted, smaller = memory.fit_block(prepared, paths=10**6, devices=devices, block=None, memory=0.3 * need)
    assert block == program.default_block(prepared.carried_bytes)
    assert smaller % program.PAD == 0
    assert 0.2 * block < smaller < 0.31 * block  # as much as fits, not merely something small
    assert memory.needed(fitted, devices) <= 0.3 * need
    a, b = (study.run(10_000, memory=memory, progress=False).wealth for memory in (None, "2MB"))
    assert a.tobytes() == b.tobytes()


def test_what_cannot_fit_is_refused_in_one_sentence(study):
    with pytest.raises(ValueError, match=r"^memory: blocks of 64 paths on \d+ devices need .* for outcomes; expected at most 9\.77 KiB in all$"):
        study.run(64, memory="10KB", super_block=64, progress=False)
    with pytest.raises(ValueError, match=r"^memory: .* MiB cannot hold the outcomes that are kept, .* MiB; lower keep or raise memory$"):
        study.run(1_000_000, memory="8MB", progress=False)
    with pytest.raises(ValueError, match=r"^memory: blocks of 16,384 paths"):
        study.run(100_000, memory="1.5MB", block=16_384, keep=64, super_block=64, progress=False)


CODE = """
import mcengine as mc
from mcengine.engine import memory
from mcengine.engine.prepared import PreparedStudy
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024
market = mc.market.Market({"equity": mc.market.GBM(1.0, sigma=0.2, drift=0.05)}, rate=0.02)
study = mc.Study(market, mc.policy.Mix(equity=1.0), steps=64, noise=mc.noise.Sobol(32, "bridge"))
size = 1 << 19
program, _ = memory.fit_block(PreparedStudy(study, mc.noise.make_key(0)), paths=size, devices=1, block=size, memory=None)
before = peak()
study.run(size, devices=1, block=size, keep=64, super_block=64, progress=False)
print(peak() - before, memory.needed(program, 1))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
def test_the_prediction_is_about_what_a_run_takes():
    """A noise with a table, in a block so big that the process's own growth is small beside it."""
    out = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    grown, predicted = (float(x) for x in re.findall(r"[\d.]+", out))
    assert 0.7 * predicted < grown < 1.3 * predicted
