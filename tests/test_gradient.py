"""Derivatives of a batch: both modes, any split into blocks, the memory of one block."""

import numpy as np
import pytest

import mcengine as mc
from mcengine._model import parameters, replace
from mcengine.noise import make_key

NAMES = ("market.equity.sigma", "policy.cppi.multiplier")


@pytest.fixture(scope="module")
def study():
    market = mc.market.Market({"equity": mc.market.GBM(1.0, sigma=0.2, drift=0.05)}, rate=0.02)
    policy = mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.Cppi(floor=0.8))
    return mc.Study(market, policy, steps=8, width=0.01)


def _loss(outcomes, extra):
    return outcomes["policy"]["wealth"], {"lowest": outcomes["policy"]["lowest"]}


def _slopes(study, names=NAMES, **options):
    gradient = mc.engine.BatchGradient(study, _loss, names, label="test", **options)
    known = parameters(study)
    value, more, slopes = gradient({n: known[n] for n in names}, study, make_key(3), 0)
    return gradient, float(value), float(more["lowest"]), np.array([float(slopes[n]) for n in names])


def test_forward_and_reverse_agree(study, float64):
    _, value, lowest, forward = _slopes(study, block=64, devices=1, mode="forward")
    _, same, also, reverse = _slopes(study, block=64, devices=1, mode="reverse")
    assert (value, lowest) == pytest.approx((same, also), rel=1e-13)
    np.testing.assert_allclose(forward, reverse, rtol=1e-11)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_a_batch_of_blocks_is_the_same_mean(study, float64, mode):
    whole, *one = _slopes(study, block=256, devices=1, mode=mode)
    parts, *four = _slopes(study, batch=256, block=64, devices=1, mode=mode)
    assert (whole.blocks, parts.blocks, whole.paths, parts.paths) == (1, 4, 256, 256)
    for a, b in zip(one, four, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_batch_takes_the_memory_of_a_block(study):
    few, *_ = _slopes(study, batch=128, block=128, devices=1, mode="reverse")
    many, *_ = _slopes(study, batch=128 * 64, block=128, devices=1, mode="reverse")
    memory = [g.compiled.call.memory_analysis().temp_size_in_bytes for g in (few, many)]
    assert memory[1] - memory[0] < 16 * 128 * 64  # the ids of its paths, no more


def test_few_numbers_go_forward_many_go_back(study):
    known = parameters(study)
    one = mc.engine.BatchGradient(study, _loss, NAMES[:1], label="test", block=64, devices=1)
    three = mc.engine.BatchGradient(study, _loss, (*NAMES, "market.equity.drift"), label="test", block=64, devices=1)
    assert (one.mode, three.mode) == ("forward", "reverse")
    assert set(three({n: known[n] for n in three.names}, study, make_key(3), 0)[2]) == set(three.names)
    with pytest.raises(ValueError, match="mode: expected 'auto', 'forward' or 'reverse', got 'sideways'"):
        mc.engine.BatchGradient(study, _loss, NAMES, mode="sideways")
    shifted = replace(study, noise=mc.noise.Shifted(np.array([-1.0])))
    with pytest.raises(ValueError, match="expected unshifted noise for a derivative"):
        mc.engine.BatchGradient(shifted, _loss, NAMES)


def test_derivatives_through_a_band_do_not_grow_with_the_days():
    """A step of the width of other gates would make the spread of these means .14, 26 and .8: one path in a thousand drowns all others."""
    market = mc.market.Market({"equity": mc.market.GBM(1.0, sigma=0.2, drift=0.05)}, rate=0.02)
    policy = mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.Cppi(floor=0.9, multiplier=5.0), mc.policy.Band(0.02))
    study = mc.Study(market, policy, mc.ledger.Proportional(5e-4), steps=252, width=0.002)
    names = ("policy.cppi.multiplier", "policy.band.tolerance", "market.equity.sigma")
    gradient = mc.engine.BatchGradient(study, _loss, names, label="test", block=256, devices=1)
    values = {n: parameters(study)[n] for n in names}
    batches = [gradient(values, study, make_key(0), batch)[2] for batch in range(16)]
    assert (np.std([[float(b[n]) for n in names] for b in batches], axis=0) < (0.01, 0.05, 0.1)).all()
