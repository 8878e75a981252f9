"""Checksums of outcomes, to show that a refactoring moves no number: ``python tests/checksums.py`` compares, ``... write`` records.

The default study, rolled puts under Heston, Bates, replay and bootstrap, and samples of every market. Bits agree on one type of processor and one
version of JAX only, so a record carries both; elsewhere means are compared, to rounding.
"""

import json
import sys
import zlib
from pathlib import Path

import jax
import numpy as np

import mcengine as mc
from mcengine import _runtime
from mcengine import config as configuration

RECORD = Path(__file__).with_name("checksums.json")
PATHS = 2048
ROLLED = ("heston", "bates", "replay", "bootstrap")
SAMPLED = ("lognormal", "heston", "merton", "kou", "bates", "gjr_garch", "schwartz", "fx", "regimes", "vasicek", "hull_white", "events")
ROUNDING = 2e-4
"""Of a mean over 2,048 paths on another processor, relative: a hard trigger flips on single paths."""


def where() -> dict[str, str]:
    return {"processor": _runtime.processor(), "jax": jax.__version__}


def default_books(config):
    """The benchmark and every other policy at both floors, as the default study has them."""
    books = {"unhedged": configuration.build(config.policies["unhedged"])}
    for floor in config.floors:
        at = configuration.at_floor(config, floor)
        books |= {f"{name} {floor:g}": configuration.build(node) for name, node in at.policies.items() if name != "unhedged"}
    return books


def outcomes():
    """``{name: array}`` of everything that is compared."""
    out = {}

    def add(prefix, values):
        for key, value in values.items():
            out[f"{prefix}/{key}"] = np.asarray(value)

    config = configuration.load_config(name="study")
    result = configuration.study(config, default_books(config)).run(PATHS, progress=False)
    for book in [*result.study.books, "market"]:
        add(f"study/{book}", result[book])
    for market in ROLLED:
        config = configuration.load_config([f"market={market}", "policy=rolled_put"], "hedge")
        result = configuration.study(config).run(PATHS, progress=False)
        for book in ("policy", "market"):
            add(f"rolled_put/{market}/{book}", result[book])
    for market in SAMPLED:
        model = configuration.build(configuration.load_config([f"market={market}"], "hedge").market)
        spots, variances = mc.engine.sample(model, 64, years=0.25, steps=63, seed=3)
        add(f"sample/{market}/spot", spots)
        add(f"sample/{market}/variance", variances)
    return out


def summary(values):
    return {name: {"crc32": zlib.crc32(np.ascontiguousarray(v).tobytes()), "mean": float(np.mean(v, dtype=np.float64))} for name, v in values.items()}


def differences(known, now):
    """A line for everything that is not as recorded, with the size of the change."""
    here = {key: known[key] for key in where()} == where()
    lines = [f"{name}: gone" for name in known["outcomes"] if name not in now]
    for name, value in now.items():
        before = known["outcomes"].get(name)
        if before is None:
            lines.append(f"{name}: new")
            continue
        change = abs(value["mean"] - before["mean"])
        if (here and value["crc32"] != before["crc32"]) or change > ROUNDING * max(1.0, abs(before["mean"])):
            lines.append(f"{name}: mean {before['mean']:.8g} -> {value['mean']:.8g}")
    return lines


def main():
    now = summary(outcomes())
    if sys.argv[1:] == ["write"]:
        RECORD.write_text(json.dumps(where() | {"outcomes": now}, indent=0) + "\n")
        print(f"{len(now)} outcomes recorded")
        return 0
    lines = differences(json.loads(RECORD.read_text()), now)
    print("\n".join(lines) or f"{len(now)} outcomes, all as recorded")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
