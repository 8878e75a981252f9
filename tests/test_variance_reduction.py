"""Variance reduction by name: each method reads the same figure, and the choice is by error^2 x time."""

import importlib
import math
from pathlib import Path

import pytest

import mcengine as mc
from mcengine.engine.recorder import Wealth
from mcengine.statistics.estimate import Estimate
from mcengine.variance_reduction.choose import Candidate, Choice, Reduced

PATHS = 16_384
K = 4.0
ANY_DAY = "policy/breach_any_day"


@pytest.fixture(scope="module")
def study():
    market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.05)}, rate=0.02)
    return mc.Study(market, mc.policy.Mix(equity=0.9), steps=8, recorders=(Wealth(),))


@pytest.fixture(scope="module")
def figures(study):
    every = mc.objective.figures(study, 0.65, benchmark=None)
    return {name: every[name] for name in (ANY_DAY, "policy/mean_return")}


@pytest.fixture(scope="module")
def choice(study, figures):
    return mc.variance_reduction.choose(study, figures[ANY_DAY], name=ANY_DAY, floor=0.65, pilot=PATHS)


def test_choice_takes_the_least_error_for_the_time(choice):
    rows = {row.method: row for row in choice.candidates}
    assert set(rows) == set(mc.variance_reduction.METHODS)
    assert rows["none"].gain == 1.0
    # A breach of probability 0.004: over a hundred times fewer paths, whatever the machine's clock says of a path.
    assert choice.reduced.method == "importance"
    assert rows["importance"].gain == max(row.gain for row in rows.values()) > 10.0
    plain = rows["none"].estimate
    for row in rows.values():
        assert abs(row.estimate.value - plain.value) < K * math.hypot(row.estimate.error, plain.error), row.method
    assert rows["sobol"].estimate.sampling == "randomisations"
    assert rows["antithetic"].estimate.sampling == "pairs"
    assert "chosen: importance" in str(choice)


def test_what_was_chosen_runs(choice, figures):
    reduced = choice.reduced_for(figures)
    result = reduced.study.run(PATHS, progress=False)
    reduced.check(result)
    assert reduced.estimate(result, figures[ANY_DAY], ANY_DAY).error < 0.3 * choice.candidates[0].estimate.error


def test_nothing_better_leaves_plain_paths(study):
    """A method that is refused is listed with its reason."""
    plain = Candidate("none", Estimate(0.5, 0.1, 100), 1.0, 1.0)
    refused = Candidate("sobol", refused="too many steps")
    said = str(Choice(Reduced("none", study, ""), (plain, refused), "p20", {"pilot": 100}))
    assert "chosen: none, nothing is better than plain paths" in said
    assert "not possible: too many steps" in said


def test_refusals(study, figures):
    with pytest.raises(ValueError, match=r"unknown method 'importanc'; did you mean importance\?"):
        mc.variance_reduction.reduce(study, "importanc", figures=figures)
    with pytest.raises(ValueError, match="expected a floor for importance sampling"):
        mc.variance_reduction.reduce(study, "importance", figures=figures)
    with pytest.raises(ValueError, match="unknown figure 'policy/p02'"):
        mc.variance_reduction.reduce(study, "auto", figures=figures, figure="policy/p02")
    with pytest.raises(ValueError, match=r"choose\.methods: unknown 'quasi'"):
        mc.variance_reduction.choose(study, figures[ANY_DAY], methods=("quasi",))


def test_hedge_takes_a_method(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parent.parent / "experiments"))
    monkeypatch.setenv("MC_SMALL", "1")
    arguments = ["market=lognormal", "policy=stop_loss", "steps=8", "plots=false", "variance_reduction=antithetic"]
    assert importlib.import_module("hedge").main(arguments) == 0
    assert "antithetic pairs" in capsys.readouterr().out
