"""Programs exported for platforms that are not at hand: what a GPU and a TPU would be given to compile.

An export says which operations a program has, not how fast they are there.
"""

import re

import jax
import numpy as np
import pytest
from checksums import default_books

import mcengine as mc
from mcengine import config as configuration
from mcengine._model import parameters, replace
from mcengine.engine import program
from mcengine.engine.prepared import PreparedStudy
from mcengine.noise import make_key

BLOCK = 1 << 16
WIDE = re.compile(r"\b(?:f64|i64|ui64|complex<f64>)>")


@pytest.fixture
def programs(monkeypatch):
    """{name: (function, arguments)} of what the engine would compile. Nothing is compiled here: a call gives zeros."""
    made = {}

    def compiled(name, fn, *arguments):
        made[name if isinstance(name, str) else name[0]] = jax.jit(fn), arguments
        zeros = lambda *given: jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), jax.eval_shape(fn, *given))  # noqa: E731
        return program.Compiled(zeros, 0.0)

    monkeypatch.setattr(program, "compiled", compiled)
    return made


def exported(fn, arguments, platform):
    """StableHLO of a program for a platform."""
    return str(jax.export.export(fn, platforms=[platform])(*arguments).mlir_module())


def path_loops(text):
    """Loops over steps, and inside them over contracts, each with all functions that it calls: they have arrays of one value a path."""
    functions = {re.search(r"@([\w.]+)", part)[1]: part for part in re.split(r"(?=func\.func)", text) if part.startswith("func.func")}

    def called(part, known):
        for name in set(re.findall(r"@([\w.]+)", part)) & set(functions) - known:
            known.add(name)
            called(functions[name], known)
        return known

    lines, found = text.splitlines(), []
    for start in (k for k, line in enumerate(lines) if "stablehlo.while" in line):
        margin = re.match(" *", lines[start])[0]
        end = next(k for k in range(start, len(lines)) if re.match(margin + r"} loc", lines[k]))
        body = "\n".join(lines[start : end + 1])
        found.append("\n".join([body, *(functions[name] for name in called(body, set()))]))
    return [loop for loop in found if f"tensor<{BLOCK}x" in loop]


def check_runs_elsewhere(text, least):
    """At least so many loops, none with 64-bit numbers, and no call to the host nor to anything else outside the program."""
    loops = path_loops(text)
    assert len(loops) >= least
    assert not [WIDE.findall(loop) for loop in loops if WIDE.search(loop)]
    assert "custom_call" not in text


@pytest.fixture
def default_programs(programs):
    """The default study's: every policy at every floor."""
    config = configuration.load_config(name="study")
    PreparedStudy(configuration.study(config, default_books(config)), make_key(0)).forward(BLOCK, 1)
    return programs


def test_the_default_study(default_programs):
    assert set(default_programs) == {"tables", "forward"}
    for platform in ("cuda", "tpu"):
        paths = exported(*default_programs["forward"], platform)
        check_runs_elsewhere(paths, 1)
        assert not WIDE.search(paths)
        assert "optimization_barrier" in paths  # what reads several values at once is a CPU's alone (see ``_kernel``)
        assert "custom_call" not in exported(*default_programs["tables"], platform)
    loop = path_loops(exported(*default_programs["forward"], "cpu"))[0]  # would fail: its hash multiplies in 64 bits
    assert WIDE.search(loop)
    assert "optimization_barrier" not in loop


def test_the_gradient_of_a_book_with_puts(heston_market, weights, programs):
    """Its tables, which are differentiated with it, are in float64; they come before the paths."""
    study = replace(mc.Study(heston_market, mc.policy.presets.rolled_put(weights, 0.95), steps=252), width=0.01)
    names = ("market.equity.v0", "market.equity.kappa", "policy.rolled_put.moneyness")
    assert set(names) <= set(parameters(study))
    mc.engine.BatchGradient(study, lambda outcomes, extra: (outcomes["policy"]["wealth"], {}), names, block=BLOCK, devices=1)
    for platform in ("cuda", "tpu"):
        check_runs_elsewhere(exported(*programs["gradient"], platform), 2)  # there and back
