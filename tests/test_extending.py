"""The four HOW-TOs of .github/CONTRIBUTING.md, followed to the letter: its modules, yamls and rows, as printed, found beside the working directory.

Each does what its docstring says: strikes, units, costs, payoffs and dates are found again in NumPy, from traced spots and wealth, to 1e-12.
"""

import importlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from precision import double_precision
from reference import black

import mcengine as mc
from mcengine import _targets, config

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = re.findall(r"```(?:python|yaml)\n# (.*?)\n(.*?)```", (ROOT / ".github" / "CONTRIBUTING.md").read_text(), re.DOTALL)
FILES = {name: body for name, body in BLOCKS if re.fullmatch(r"[\w/]+\.(py|yaml)", name)}
ROWS = dict(re.findall(r'^"(\w+)": (.*),$', "\n".join(body for name, body in BLOCKS if name.startswith("a row")), re.MULTILINE))
MODULES = [name.removesuffix(".py") for name in FILES if name.endswith(".py")]
PATHS, STEPS = 64, 12
DT = 1.0 / STEPS
SMALL = ["market=lognormal", "ledger=broker", f"steps={STEPS}", "ledger.least=1e-4"]
EXACT = {"rtol": 1e-12, "atol": 1e-13}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A working directory with the four modules and the folder ``mine``; what is imported from it is forgotten afterwards."""
    folder, before, known = tmp_path_factory.mktemp("extending"), [*sys.path], set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "dont_write_bytecode", True)
        for name, body in FILES.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(body)
        with _targets.allowing(MODULES):
            yield folder
    sys.path[:] = before
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture(scope="module")
def traced(here):
    """``column(name)``, [path, date], of one study with a book for each policy and the broker's costs, in float64."""

    def policy(name, *more):
        return mc.build(mc.load_config([f"policy={name}", *SMALL, *more], "hedge", "mine").policy)

    books = {
        "plain": policy("unhedged"),
        "covered_call": policy("covered_call", "policy.tenor=4", "policy.moneyness=1.02"),
        "swapped": policy("swapped"),
        "fallen": policy("fallen"),
    }
    study = config.study(mc.load_config(SMALL, "hedge", "mine"), books)
    with double_precision():
        table = study.trace(range(PATHS), seed=5)
    equity, rate = study.market["equity"], float(study.market.rate.rate)
    facts = SimpleNamespace(
        sigma=float(equity.sigma), dividend=float(equity.dividend), rate=rate, weights={"equity": 0.6, "bond": 0.3, "commodity": 0.1}
    )
    return lambda name: table[name].to_numpy().reshape(PATHS, STEPS + 1), facts


def test_each_is_one_module_one_yaml_and_one_row():
    assert MODULES == ["covered_call", "swap", "broker", "fallen"]
    assert [name for name in FILES if name.endswith(".yaml")] == [
        f"mine/{name}.yaml" for name in ("policy/covered_call", "policy/swapped", "ledger/broker", "policy/fallen")
    ]
    assert all(len(FILES[f"{name}.py"].splitlines()) + 1 <= 70 for name in MODULES)
    assert list(ROWS) == ["covered_call", "swap", "broker", "fallen"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("covered_call", mc.policy.AbstractStage),
        ("swap", mc.instrument.AbstractSlot),
        ("broker", mc.ledger.AbstractCost),
        ("fallen", mc.policy.AbstractTrigger),
    ],
)
def test_a_row_is_made_of_its_module(here, weights, name, kind):
    made = eval(ROWS[name], {**vars(importlib.import_module(name)), "weights": weights})
    assert isinstance(made[0] if name == "swap" else made, kind)


class TestStage:
    """Calls are sold on roll dates, struck at 1.02 of the spot, one for each unit held; mix and premium together are the wealth there is."""

    def test_terms_and_units(self, traced):
        column, _ = traced
        spot, calls, equity = column("equity.spot"), column("covered_call.covered_call.units"), column("covered_call.equity.units")
        for date in range(STEPS):
            sold = date - date % 4
            np.testing.assert_allclose(column("covered_call.covered_call.strike")[:, date + 1], 1.02 * spot[:, sold], **EXACT)
            if (date + 1) % 4:  # on the date of expiry they are settled
                np.testing.assert_allclose(calls[:, date + 1], -equity[:, sold + 1], **EXACT)
        np.testing.assert_array_equal(calls[:, 4::4], 0.0)
        np.testing.assert_array_equal(column("covered_call.covered_call.expiry")[0, 1:], 4 * (np.arange(STEPS) // 4) + 4)

    def test_the_premium_is_invested(self, traced):
        column, facts = traced
        for sold in (0, 4, 8):
            spot, years = column("equity.spot")[:, sold], 4 * DT
            forward = spot * np.exp((facts.rate - facts.dividend) * years)
            premium = black("call", forward, 1.02 * spot, facts.sigma * np.sqrt(years), np.exp(-facts.rate * years))
            held = {name: column(f"covered_call.{name}.units")[:, sold + 1] * column(f"{name}.spot")[:, sold] for name in facts.weights}
            brought_in = -column("covered_call.covered_call.units")[:, sold + 1] * premium
            ticket = np.maximum(5e-4 * brought_in, 1e-4)
            wealth = column("covered_call.wealth")[:, sold]
            np.testing.assert_allclose(sum(held.values()), wealth + brought_in - ticket, rtol=1e-11)
            np.testing.assert_allclose(held["equity"], 0.6 * sum(held.values()), **EXACT)

    def test_it_refuses(self, here):
        stage = importlib.import_module("covered_call")
        rule = mc.policy.chain(mc.policy.Mix(bond=1.0), stage.CoveredCall(asset="gold"))
        with pytest.raises(ValueError, match=r"CoveredCall.asset: expected one of bond, got 'gold'"):
            mc.Study(mc.market.Market({"bond": mc.market.GBM(spot=1.0, sigma=0.1)}), rule, steps=4)


class TestSlot:
    """Half of the equity through swaps: the same exposure for the swaps' spread; worth nothing once settled."""

    def test_units(self, traced):
        column, _ = traced
        swaps, equity, spot = column("swapped.swap.units"), column("swapped.equity.units"), column("equity.spot")
        np.testing.assert_allclose(swaps[:, 1:], equity[:, 1:], **EXACT)
        np.testing.assert_allclose(swaps[:, 1:] * spot[:, :-1], 0.3 * column("swapped.wealth")[:, :-1], **EXACT)
        np.testing.assert_array_equal(column("swapped.swap.price"), 0.0)

    def test_what_it_pays(self, traced):
        """Wealth from spots and units alone: cash earns interest, assets their income, a swap S' e^{q dt} - S (e^{r dt} + spread dt)."""
        column, facts = traced
        wealth, interest = column("swapped.wealth"), np.expm1(facts.rate * DT)
        commission, custody = (np.diff(column(f"swapped.cost_{name}")) for name in ("commission", "custody"))
        spots = {name: column(f"{name}.spot") for name in facts.weights}
        units = {name: column(f"swapped.{name}.units")[:, 1:] for name in facts.weights}
        cash = wealth[:, :-1] - commission - sum(units[name] * spots[name][:, :-1] for name in units)
        assets = sum(units[name] * spots[name][:, 1:] * (np.exp(facts.dividend * DT) if name == "equity" else 1.0) for name in units)
        received = spots["equity"][:, 1:] * np.exp(facts.dividend * DT)
        paid = spots["equity"][:, :-1] * (1.0 + interest + 0.004 * DT)
        after = cash * (1.0 + interest) + assets + column("swapped.swap.units")[:, 1:] * (received - paid) - custody
        np.testing.assert_allclose(after, wealth[:, 1:], **EXACT)


class TestCost:
    def test_tickets_of_the_first_date(self, traced):
        """5 bp of .6 and .3; of .1, and of a swap that is worth nothing, the least of a ticket."""
        column, _ = traced
        np.testing.assert_allclose(column("plain.cost_commission")[:, 1], 3e-4 + 1.5e-4 + 1e-4, **EXACT)
        np.testing.assert_allclose(column("swapped.cost_commission")[:, 1], 1.5e-4 + 1.5e-4 + 1e-4 + 1e-4, **EXACT)

    def test_custody(self, traced):
        column, facts = traced
        for book in ("plain", "swapped", "covered_call"):
            value = sum(column(f"{book}.{name}.units")[:, 1:] * column(f"{name}.spot")[:, 1:] for name in facts.weights)
            np.testing.assert_allclose(np.diff(column(f"{book}.cost_custody")), 1e-3 * DT * value, **EXACT)


class TestTrigger:
    def test_dates(self, traced):
        """Half the weights from a drawdown of 5 % on, until less than 2 % of it is left."""
        column, _ = traced
        wealth = column("fallen.wealth")
        drawdown = 1.0 - wealth / np.maximum.accumulate(wealth, axis=1)
        fired, weight, remembered = np.zeros(PATHS, bool), column("fallen.equity.units")[:, 1:] * column("equity.spot")[:, :-1] / wealth[:, :-1], 0
        for date in range(STEPS):
            fired = np.where(fired, drawdown[:, date] >= 0.02, drawdown[:, date] >= 0.05)
            remembered += int((fired & (drawdown[:, date] < 0.05)).sum())
            np.testing.assert_allclose(weight[:, date], np.where(fired, 0.3, 0.6), **EXACT)
        assert 0 < fired.sum() < PATHS
        assert remembered > 0

    def test_it_refuses(self, here):
        with pytest.raises(ValueError, match=r"Fallen.recovered: expected a number below depth = 0.05, got 0.06"):
            importlib.import_module("fallen").Fallen(depth=0.05, recovered=0.06)


def test_as_a_user_runs_it(here, monkeypatch, capsys):
    """The command of the page, with the broker's costs, made small."""
    command = re.search(
        r"^    python experiments/hedge\.py (--code covered_call\.py .*)$", (ROOT / ".github" / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
    monkeypatch.syspath_prepend(str(ROOT / "experiments"))
    monkeypatch.setenv("MC_SMALL", "1")
    before = jax.config.jax_enable_x64
    try:
        code = importlib.import_module("hedge").main(
            [*command.group(1).split(), "--code", "broker", *SMALL, "policy.tenor=4", "paths=64", "plots=false"]
        )
    finally:
        jax.config.update("jax_enable_x64", before)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert "covered_call, floor 0.9: 64 paths" in out
