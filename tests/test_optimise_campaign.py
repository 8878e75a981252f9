"""What a fit says to hold holds, over many fits of four numbers; and little is given away for it."""

from typing import NamedTuple

import numpy as np
import pytest

import mcengine as mc
from mcengine.objective import Wish

LIMIT = 0.005
WISH = Wish("mean_return", {"breach": {"most": LIMIT}})


class Found(NamedTuple):
    """Of one fit: whether it was said to hold, and on a million paths of another stream the true P and the return."""

    said: bool
    chance: float
    gain: float


def study_of(market, weights):
    return mc.Study(market, mc.policy.presets.vol_target_cppi(weights, 0.9, multiplier=3.0), mc.ledger.Proportional(5e-4), steps=52)


def truly(study):
    out = study.run(1 << 20, stream="pilot", progress=False)["policy"]
    return float(np.mean(out["lowest"] < 0.9)), float(out["wealth"].mean(dtype=float))


def best_known(study):
    """The return of a search on many paths, moved by its price to where P is exactly the limit."""
    fit = mc.optimise.fit(study, WISH, paths=131_072, validation_paths=1 << 21, progress=False)
    chance, gain = truly(fit.study)
    return gain + fit.terms[0].price * (LIMIT - chance)


def repeated(study, seeds):
    out = []
    for seed in seeds:
        fit = mc.optimise.fit(study, WISH, seed=seed, paths=4096, validation_paths=65_536, progress=False)
        out.append(Found(fit.feasible, *truly(fit.study)))
    return out


@pytest.mark.slow
def test_a_hundred_fits_of_four_numbers(heston_market, weights):
    """At 99 % one in a hundred may be wrong. Three quarters of the limit are used on average, and 12 basis points at most given away."""
    study = study_of(heston_market, weights)
    best, found = best_known(study), repeated(study, range(100))
    assert sum(one.chance <= LIMIT for one in found) >= 97
    assert sum(one.said for one in found) >= 95
    assert np.mean([one.chance for one in found]) >= 0.75 * LIMIT
    assert best - np.mean([one.gain for one in found]) <= 12e-4
