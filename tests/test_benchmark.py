"""The benchmark's peers do the engine's work, its contracts cost what they should, and what it prints can be read. No time is asserted."""

import importlib.util
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

import mcengine as mc

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
sys.path.insert(0, str(EXPERIMENTS))

import benchmark  # noqa: E402
import peers  # noqa: E402
from peers.terms import BarrierTerms, BasketTerms, HedgeTerms, HestonTerms, Terms  # noqa: E402
from workloads import WORKLOADS, Bench, basket8, cppi4, heston, memory, pfhedge_case, printing, study_book, time_to_error, timing  # noqa: E402
from workloads.contracts import AsianBarrierCall, BasketCrossGamma, BasketDelta, EulerGBM, basket_market  # noqa: E402

PATHS = 4096
TERMS = Terms(steps=8)
PRICES = [f"price_a{i}" for i in range(4)]
KEYS = {"workload", "device", "path_years_per_second", "seconds_median", "compile_seconds", "value", "standard_error", "peers"}


def needs(package, name):
    return pytest.param(
        name, marks=pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not here: make bench brings it")
    )


@pytest.fixture(scope="module")
def ours():
    result = cppi4.study(TERMS).run(PATHS, progress=False)
    return {**result["policy"], **result["market"]}


@pytest.fixture(scope="module")
def basket():
    terms = BasketTerms(steps=4, assets=3)
    calls, market = basket8.contracts(terms)
    return mc.engine.payoffs(calls, market, paths=4 * PATHS, steps=terms.steps)


def apart(a, b):
    """Two figures' difference in standard errors."""
    x, y = timing.reading(a), timing.reading(b)
    return abs(x.value - y.value) / math.hypot(x.error, y.error)


def test_peers_with_noise_of_their_own_agree_in_the_mean(ours):
    theirs = peers.load("cppi4", "numpy")(TERMS, 16 * PATHS, 7)
    assert set(theirs) == set(ours)
    assert all(apart(ours[figure], theirs[figure]) < 4.0 for figure in theirs)


def test_that_check_notices_dear_trades(ours):
    dear = peers.load("cppi4", "numpy")(Terms(steps=8, cost=0.05), 16 * PATHS, 7)
    assert apart(ours["wealth"], dear["wealth"]) > 4.0


@pytest.mark.parametrize("name", ["numpy", needs("QuantLib", "quantlib")])
def test_the_basket_costs_the_same_everywhere(basket, name):
    theirs = peers.load("basket8", name)(BasketTerms(steps=4, assets=3), 4 * PATHS, 3)
    assert all(apart(basket.cash[call], theirs[call]) < 4.0 for call in ("end", "average") if call in theirs)


def test_the_barrier_call_costs_what_is_published():
    terms = BarrierTerms()
    market = mc.market.Market({"asset": EulerGBM(terms.spot, terms.sigma, terms.drift)}, rate=terms.rate)
    made = mc.price(AsianBarrierCall(terms.strike, terms.barrier, terms.years), market, paths=16 * PATHS, steps=terms.steps)
    assert abs(made.value - 18.70) < 4.0 * made.error + 0.005
    theirs = timing.reading(peers.load("asian_barrier", "numpy")(terms, PATHS, 1)["call"])
    assert abs(made.value - theirs.value) < 4.0 * math.hypot(made.error, theirs.error)


def test_the_hedged_call_has_the_risk_that_pfhedge_finds():
    result = pfhedge_case.study(HedgeTerms()).run(16 * PATHS, progress=False)
    left = result.wealth - 1.0 - np.maximum(result["market"]["price_asset"] - 1.0, 0.0)
    risk, error = pfhedge_case.entropic_risk(left)
    assert abs(risk - 0.022683) < 4.0 * math.hypot(error, 6e-6)  # pfhedge 0.23.0, two million paths


def test_heston_by_one_integral():
    ql = pytest.importorskip("QuantLib")
    assert ql
    from peers.quantlib_prices import heston_exact

    assert heston.exact(HestonTerms()) == pytest.approx(heston_exact(HestonTerms()), abs=1e-8)


def test_delta_and_cross_gamma_are_the_derivatives_of_the_call():
    def delta(bump):
        market = basket_market(2)
        market = mc.market.Market({"a0": market["a0"], "a1": mc._model.replace(market["a1"], spot=1.0 + bump)}, market.correlation, market.rate)
        names = tuple(market.assets)
        both = {
            "delta": BasketDelta(names, 1.0),
            "gamma": BasketCrossGamma(names, 1.0, 0.2, 0.5, 0.02),
            "call": mc.instrument.Basket("call", 1.0, 1.0, dict.fromkeys(names, 1.0 / len(names))),
        }
        return mc.engine.payoffs(both, market, paths=64 * PATHS, steps=1)

    up, middle, down = delta(0.02), delta(0.0), delta(-0.02)
    for of, into, allowed in (("delta", "gamma", 0.005), ("call", "delta", 0.0)):
        slope = (up.cash[of].astype(np.float64) - down.cash[of]) / 0.04
        expected, found = timing.reading(slope), middle.estimates[into]
        assert abs(expected.value - found.value) < 4.0 * math.hypot(expected.error, found.error) + allowed  # delta's slope is not linear in 2 %


def test_agreement_refuses_other_noise(ours):
    race, shifted = cppi4.race(TERMS), {name: np.roll(ours[name], 1) for name in PRICES}
    assert race.agreement(ours, ours) == 0.0
    with pytest.raises(ArithmeticError, match="more than rounding"):
        race.agreement(ours, shifted)


def test_a_wrong_price_is_not_timed():
    race = timing.Race("basket8", TERMS, 1, 1.0, "call", reference=1.0, known_to=0.01)
    runner = timing.Runner("mcengine", lambda: None, 1.0, last={"call": (1.1, 0.01)})
    with pytest.raises(ArithmeticError, match="standard errors from 1"):
        race.against_reference(runner)
    runner.last = {"call": (1.05, 0.01)}
    assert race.against_reference(runner)["errors_from_reference"] == pytest.approx(4.0)


def test_an_unknown_peer_is_refused_and_a_missing_package_named(monkeypatch):
    with pytest.raises(ValueError, match="numpy"):
        peers.load("cppi4", "nympy")
    monkeypatch.setattr(peers, "import_module", lambda name: (_ for _ in ()).throw(ModuleNotFoundError("no", name="a_package")))
    with pytest.raises(peers.PeerMissingError, match="a_package is not installed"):
        peers.load("cppi4", "numpy")


def test_a_missing_environment_is_said(monkeypatch, tmp_path):
    from peers import processes

    monkeypatch.setattr(processes, "PFHEDGE", tmp_path)
    processes._pfhedge.cache_clear()
    with pytest.raises(peers.PeerMissingError, match="make bench-pfhedge"):
        processes.pfhedge_case(HedgeTerms(), 64, 0)


def test_every_workload_has_its_yaml_and_its_peers():
    config = mc.load_config([], "benchmark")
    assert set(config.workload) == set(WORKLOADS) - {"memory"}
    assert set(config.workload) | {"memory"} == set(WORKLOADS)
    for name, settings in config.workload.items():
        assert set(settings.peers) == set(peers.PEERS.get(name, {}))
        assert settings.share > 0.0


def test_peers_chosen_by_name():
    bench = Bench(mc.load_config(["peers=[numpy]"], "benchmark"))
    assert bench.peers("basket8") == {"numpy": 0.015625}
    assert bench.peers("heston") == {}
    assert list(Bench(mc.load_config(["peers=[]"], "benchmark")).peers("cppi4")) == []


@pytest.mark.parametrize(("name", "power", "most"), [("plain", 0.5, 1e12), ("plain", 0.5, 1e5), ("sobol_bridge", 0.9, 1e12)])
def test_time_to_error_finds_the_paths_a_target_takes(name, power, most):
    problem = time_to_error.Problem("it", 1e-5, {name: lambda paths: mc.Estimate(1.0, 2.0 * paths**-power)}, 4096)
    made = time_to_error.solve(problem, name, 0.0, int(most))
    assert made["paths_to_error"] == pytest.approx((2.0 / 1e-5) ** (1.0 / power), rel=1e-6)
    assert made["rate"] == pytest.approx(power)
    assert made["extrapolated"] == (most == 1e5)


def test_turned_normals_are_the_assets_principal_components():
    correlation = BasketTerms(assets=3).correlations()
    loadings = np.linalg.cholesky(correlation)
    loadings = loadings @ mc.noise.principal_rotation(loadings)
    np.testing.assert_allclose(loadings.T @ loadings, np.diag([2.0, 0.5, 0.5]), atol=1e-12)  # eigenvalues 1 + 2 rho, 1 - rho


@pytest.mark.slow
def test_turned_noise_leaves_the_price_and_shrinks_its_error():
    terms = BasketTerms(steps=4, assets=3)
    calls, market = basket8.contracts(terms)
    sobol = mc.noise.Sobol(randomisations=16, ordering="pca")
    options = {"market": market, "paths": PATHS, "steps": 4, "keep": 0}
    rotation = mc.noise.principal_rotation(np.linalg.cholesky(terms.correlations()))
    turned = mc.noise.Sobol(randomisations=16, ordering="pca", rotation=rotation)
    plain, made = (mc.engine.payoffs({"it": calls["average"]}, noise=noise, **options).estimates["it"] for noise in (sobol, turned))
    assert plain.sampling == made.sampling == "randomisations"
    assert abs(plain.value - made.value) < 4.0 * math.hypot(plain.error, made.error)
    assert made.error < plain.error


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *overrides: benchmark.main([f"hydra.run.dir={tmp_path}/run", *overrides])


def test_it_prints_a_table_a_json_line_a_workload_and_its_folder(script, tmp_path, capfd):
    names = ["asian_barrier", "pfhedge_case"]
    small = ["paths=1024", "repeats=1", "memory=false", "peers=[numpy]", "workload.asian_barrier.steps=8", "workload.asian_barrier.share=1"]
    assert script(f"workload=[{','.join(names)}]", *small) == 0
    printed = capfd.readouterr().out.splitlines()
    lines = [json.loads(text) for text in printed if text.startswith("{")]
    assert [line["workload"] for line in lines] == names
    assert all(set(line) >= KEYS for line in lines)
    assert lines[0]["asset_steps_per_second"] > 0.0
    assert {"ratio", "asset_steps_per_second", "value", "standard_error"} <= set(lines[0]["peers"]["numpy"])
    folder = Path(printed[-1])
    assert folder == tmp_path / "run"
    assert json.loads((folder / "metrics.json").read_text())["asian_barrier"]["value"] == lines[0]["value"]
    assert (folder / "speed.png").stat().st_size > 10_000


@pytest.mark.parametrize(("override", "near"), [("workload=cppi", "cppi4"), ("peers=[nunpy]", "numpy")])
def test_unknown_workloads_and_peers_end_in_one_line(script, tmp_path, capfd, override, near):
    assert script(override) == 2
    assert near in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


def test_long_tables_print():
    one = {
        "paths_to_error": 1e6,
        "seconds": 2.0,
        "setup_seconds": 1.0,
        "fewer_paths": 10.0,
        "extrapolated": True,
        "value": 0.04,
        "standard_error": 1e-4,
    }
    problem = {"target": 0.01, "relative": True, "methods": {"plain": one}}
    line = {"workload": "time_to_error", "problems": {"breach": problem}, "peers": {}}
    text = printing.table([line])
    assert "breach, 1e-02 of itself" in text
    assert "(extrapolated)" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", peers.SAME_NOISE)
def test_peers_with_the_engines_noise_agree_path_by_path(ours, name):
    pytest.importorskip("numba")
    theirs = peers.load("cppi4", name)(TERMS, PATHS, 0)
    assert cppi4.race(TERMS).agreement(ours, theirs) > 0.0
    for figure in ("wealth", "lowest"):
        np.testing.assert_allclose(theirs[figure], ours[figure], rtol=TERMS.steps * 2.0**-23)


@pytest.mark.slow
def test_the_whole_bench_runs_small(script, capfd):
    """Every workload with every peer that is here, prices checked as always."""
    small = ["paths=1024", "repeats=1", "memory=false", "steps=8", "gradient_block=64", "workload.scaling.paths=[1e3,1e4]"]
    assert script(*small, "workload.scaling.by_steps=[4]", "workload.scaling.by_assets=[2]", "workload.time_to_error.most=1e5") == 0
    lines = [json.loads(text) for text in capfd.readouterr().out.splitlines() if text.startswith("{")]
    assert [line["workload"] for line in lines] == [name for name in WORKLOADS if name != "memory"]
    assert all(set(line) >= KEYS for line in lines)


@pytest.mark.slow
def test_the_basket_in_torch_costs_the_same(basket):
    pytest.importorskip("torch")
    theirs = peers.load("basket8", "torch")(BasketTerms(steps=4, assets=3), 4 * PATHS, 3)
    assert all(apart(basket.cash[call], theirs[call]) < 4.0 for call in ("end", "average"))


@pytest.mark.slow
def test_the_hedged_study_in_torch_is_the_engines():
    pytest.importorskip("torch")
    from peers import torch_hedged

    study = study_book.hedged_study(mc.load_config(["steps=63", "years=0.25"], "benchmark"))
    put = mc.policy.RolledPut(0.97, 1.0, 21, 21)
    study = mc._model.replace(study, policy=mc.policy.chain(*(study.policy[name] for name in ("mix", "vol_target", "cppi")), put))
    terms = study_book.terms(study)
    theirs = torch_hedged.forward(terms, 16 * PATHS, 1)
    assert apart(study.run(16 * PATHS, progress=False).wealth, theirs["wealth"]) < 4.0
    bench = Bench(mc.load_config(["gradient_block=4096"], "benchmark"))
    found = study_book.gradient(study, bench, "hedged_gradient")(8 * PATHS)["gradient"]
    assert study_book._apart(found, torch_hedged.gradient(terms, 4 * PATHS, 1)["gradient"]) < 0.02


@pytest.mark.slow
def test_memory_of_a_fresh_process_is_its_own():
    line = memory.run(Bench(mc.load_config(["memory_paths=[64,128]", "steps=2"], "benchmark")))
    assert all(50 < mb < 5000 for mb in line["peak_megabytes"].values())
    assert line["paths"] == 128


@pytest.mark.slow
def test_memory_does_not_grow_with_paths():
    assert abs(memory.run(Bench(mc.load_config([], "benchmark")))["growth"]) < 0.10
