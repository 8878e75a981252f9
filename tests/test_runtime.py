"""What is set before XLA starts."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcengine._runtime import FUSION_OPTION, OPTIONS, merge_flags, set_precision
from mcengine.engine import program

EXTRA = "--xla_backend_extra_options="
OURS = ",".join(OPTIONS)
WORDS = ["--xla_cpu_foo=true", "--xla_force_host_platform_device_count=3", "--xla_bar=1,2", EXTRA + "a=1", EXTRA + "b,c=2", EXTRA + FUSION_OPTION]


@pytest.mark.parametrize(
    ("flags", "merged"),
    [
        ("", EXTRA + OURS),
        ("--xla_cpu_foo=true", f"--xla_cpu_foo=true {EXTRA}{OURS}"),
        (f"{EXTRA}a=1 --xla_bar=2", f"{EXTRA}a=1,{OURS} --xla_bar=2"),
        (f"{EXTRA}{FUSION_OPTION}=false", f"{EXTRA}{FUSION_OPTION}=false,{OPTIONS[1]}"),
        (EXTRA + OURS, EXTRA + OURS),
    ],
)
def test_merge_flags(flags, merged):
    assert merge_flags(flags) == merged


@settings(deadline=None, derandomize=True, database=None)
@given(st.lists(st.sampled_from(WORDS), unique=True).map(" ".join))
def test_merging_keeps_the_users_flags_and_is_idempotent(flags):
    merged = merge_flags(flags)
    assert merge_flags(merged) == merged
    assert all(merged.count(option) == 1 for option in OPTIONS)
    kept = merged.split()
    assert all(after.startswith(before) for before, after in zip(flags.split(), kept, strict=False))
    assert len(kept) - len(flags.split()) in (0, 1)


def fresh(code: str, **environment: str) -> str:
    """What a new Python process prints, started as a user's would be."""
    clean = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES")}
    done = subprocess.run([sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


COUNT = """
import mcengine, jax, os
from mcengine import _runtime
print(len(jax.devices("cpu")), _runtime.cores(), _runtime.FUSION_OPTION in os.environ["XLA_FLAGS"])
"""


def test_a_fresh_process_has_one_cpu_device_per_core():
    devices, cores, fused = fresh(COUNT).split()
    assert devices == cores
    assert fused == "True"


def test_a_users_own_device_count_stands():
    devices, _, fused = fresh(COUNT, XLA_FLAGS="--xla_force_host_platform_device_count=3").split()
    assert devices == "3"
    assert fused == "True"


def test_importing_after_jax_has_started_warns_once_and_works():
    seen = fresh("""
import warnings, jax
jax.block_until_ready(jax.numpy.ones(3) + 1.0)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import mcengine as mc
    import mcengine.market
late = [w for w in caught if "before the first JAX computation" in str(w.message)]
result = mc.Study(mc.market.Market({"a": mc.market.GBM(100.0, 0.2)}), mc.policy.Mix(a=1.0), steps=2).run(paths=64, progress=False)
print(len(late), late[0].category.__name__, result.outcomes["market"]["price_a"].shape)
""")
    assert seen.split(maxsplit=2) == ["1", "RuntimeWarning", "(64,)\n"]


@pytest.mark.parametrize(("precision", "dtype"), [("float64", "float64"), ("float32", "float32")])
def test_set_precision(precision, dtype):
    before = jax.config.jax_enable_x64
    try:
        set_precision(precision)
        assert jnp.result_type(float) == dtype
    finally:
        jax.config.update("jax_enable_x64", before)


def test_set_precision_refuses():
    with pytest.raises(ValueError, match="precision: expected 'float32' or 'float64', got 'half'"):
        set_precision("half")


def test_programs_met_last_are_kept(monkeypatch):
    """A process may not keep them without end: Linux lets it have 65,530 pieces of memory, then LLVM aborts."""
    monkeypatch.setattr(program, "_cache", {})
    monkeypatch.setattr(program, "KEPT", 2)
    made = {name: program.compiled(name, lambda x: x + 1.0, 0.0) for name in "ab"}
    assert program.compiled("a", None, 0.0) is made["a"]  # found, and met after b
    program.compiled("c", lambda x: x + 2.0, 0.0)
    assert [key[0] for key in program._cache] == ["a", "c"]
