"""Figures of the table: against numpy on the outcomes, against closed forms, and by the axioms of a risk measure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from precision import double_precision

import mcengine as mc
from mcengine._model import parameters, with_parameters
from mcengine.objective import NAMES, Setting, Wish, figure, measure
from mcengine.statistics import estimate

PATHS = 20_000


@pytest.fixture(scope="module")
def result():
    market = mc.market.Market(
        {"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.08), "bond": mc.market.GBM(spot=100.0, sigma=0.06, drift=0.04)},
        {"equity-bond": -0.2},
        rate=0.02,
    )
    presets, weights = mc.policy.presets, {"equity": 0.6, "bond": 0.4}
    books = {
        "unhedged": presets.unhedged(weights),
        "half": presets.unhedged({"equity": 0.3, "bond": 0.2}),
        "cppi": presets.cppi(weights, 0.9),
    }
    return mc.Study(market, books, years=2.0, steps=504).run(PATHS, progress=False)


@pytest.fixture(scope="module")
def table(result):
    return mc.objective.table(result, 0.9)


def test_each_figure_is_what_its_name_says(result, table):
    a, c = result["unhedged"], result["cppi"]
    w = np.asarray(c["wealth"], np.float64)
    row = table.loc["cppi"]
    assert row["mean_return"].value == pytest.approx(w.mean() - 1, abs=1e-6)
    assert row["annualised_return"].value == pytest.approx(w.mean() ** 0.5 - 1, abs=1e-6)
    assert row["difference"].value == pytest.approx((w - a["wealth"]).mean(), abs=1e-6)
    assert row["difference"].error == pytest.approx((w - a["wealth"]).std() / PATHS**0.5, rel=1e-3)
    assert row["breach_any_day"].value == np.mean(c["lowest"] < 0.9)
    assert row["mean_shortfall"].value == pytest.approx(np.maximum(0.9 - w, 0).mean(), abs=1e-7)
    assert row["cvar_95"].value == pytest.approx(1 - np.sort(w)[: PATHS // 20].mean(), abs=1e-4)
    assert row["p20_year_1"].value == pytest.approx(np.quantile(c["year_1"], 0.2), abs=1e-4)
    assert row["p20_lowest_year"].value == min(row["p20_year_1"].value, row["p20_year_2"].value)


def test_paired_errors_are_smaller_than_unpaired_ones(table):
    row = table.loc["cppi"]
    unpaired = np.hypot(row["mean_return"].error, table.loc["unhedged"]["mean_return"].error)
    assert row["difference"].error < 0.8 * unpaired


def test_a_half_sized_mix_is_the_benchmark_at_equal_leverage(table):
    # The two differ by dates only: held at half by daily trades against held at half continuously.
    half = table.loc["half"]["difference_at_equal_leverage"]
    assert abs(half.value) < 4 * half.error + 2e-5
    assert table.loc["half"]["difference"].value < -0.02


def test_no_hit_still_has_an_error():
    none = estimate.probability(np.zeros(10_000))
    assert none.value == 0.0
    assert none.error == pytest.approx(1e-4, rel=0.01)
    assert estimate.probability(np.arange(10_000) < 2_500).error == pytest.approx((0.25 * 0.75 / 1e4) ** 0.5, rel=1e-3)


def test_what_binds_is_said(table):
    lines = mc.objective.binding(table, 0.9)
    assert len(lines) == 3
    assert "P(any day below)" in lines[0]
    assert lines[0].endswith("binds")
    high = mc.objective.binding(table, 1.5)
    assert all("the percentile binds" in line for line in high)


def test_streamed_figures_agree_with_exact_ones(result):
    streamed = result.study.run(PATHS, keep=5_000, figures=mc.objective.figures(result.study, 0.9), progress=False)
    exact, loose = mc.objective.table(result, 0.9), mc.objective.table(streamed, 0.9)
    for book in exact.index:
        for name in exact.columns:
            a, b = exact.loc[book, name], loose.loc[book, name]
            if isinstance(a, mc.Estimate):
                assert abs(a.value - b.value) <= 0.35 * a.error + 1e-9, (book, name, str(a), str(b))
                assert b.error == pytest.approx(a.error, rel=0.25, abs=1e-9), (book, name)


def test_unknown_books_are_refused(result):
    with pytest.raises(ValueError, match="unknown book 'cpi'; did you mean cppi"):
        mc.objective.table(result, 0.9, ["cpi"])


LOSSES = arrays(np.float64, 200, elements=st.floats(0.125, 3.0))


def _risk(wealth, level=0.95):
    return -estimate.tail_mean(wealth, 1 - level).value


@settings(max_examples=50, deadline=None)
@given(LOSSES, LOSSES, st.floats(-0.5, 0.5), st.floats(0.0, 1.0))
def test_cvar_is_coherent(x, y, cash, share):
    assert _risk(x + cash) == pytest.approx(_risk(x) - cash, abs=1e-9)
    assert _risk(np.maximum(x, y)) <= _risk(x) + 1e-9
    assert _risk(share * x + (1 - share) * y) <= share * _risk(x) + (1 - share) * _risk(y) + 1e-9
    assert _risk(2.0 * x) == pytest.approx(2.0 * _risk(x), abs=1e-9)


# ---- figures by name: goals and constraints ----


SETTING = Setting(floor=0.9, years=2.0, rate=0.02, steps=504, costs=("underlying", "option"), yearly=2, band=(0.05, 0.1))
CASH = np.exp(0.04)
DIFFERENCE = lambda o, a: o["wealth"] - a["wealth"]  # noqa: E731
BY_HAND = {
    "mean_return": lambda o, a: o["wealth"].mean() - 1,
    "annualised_return": lambda o, a: o["wealth"].mean() ** 0.5 - 1,
    "difference": lambda o, a: DIFFERENCE(o, a).mean(),
    "mean_shortfall": lambda o, a: np.maximum(0.9 - o["wealth"], 0).mean(),
    "squared_shortfall": lambda o, a: (np.maximum(0.9 - o["wealth"], 0) ** 2).mean(),
    "breach_at_end": lambda o, a: np.mean(o["wealth"] < 0.9),
    "breach": lambda o, a: np.mean(o["lowest"] < 0.9),
    "p20": lambda o, a: np.quantile(o["wealth"], 0.2),
    "p7.5_year_2": lambda o, a: np.quantile(o["year_2"], 0.075),
    "lowest_p5": lambda o, a: np.quantile(o["lowest"], 0.05),
    "cvar_95": lambda o, a: 1 - np.sort(o["wealth"])[: PATHS // 20].mean(),
    "cdar_90": lambda o, a: np.sort(o["drawdown"])[-PATHS // 10 :].mean(),
    "entropic_5": lambda o, a: -np.log(np.exp(-5 * o["wealth"]).mean()) / 5 - 1,
    "power_3": lambda o, a: (o["wealth"] ** -2.0).mean() ** -0.5 - 1,
    "power_1": lambda o, a: np.exp(np.log(o["wealth"]).mean()) - 1,
    "mean_variance_2": lambda o, a: o["wealth"].mean() - 1 - o["wealth"].var(),
    "deviation": lambda o, a: o["wealth"].std() / 2**0.5,
    "sharpe": lambda o, a: (o["wealth"].mean() - CASH) / o["wealth"].std() / 2**0.5,
    "sortino": lambda o, a: (o["wealth"].mean() - CASH) / (np.minimum(o["wealth"] - CASH, 0) ** 2).mean() ** 0.5 / 2**0.5,
    "information_ratio": lambda o, a: DIFFERENCE(o, a).mean() / DIFFERENCE(o, a).std() / 2**0.5,
    "tracking_error": lambda o, a: DIFFERENCE(o, a).std() / 2**0.5,
    "omega": lambda o, a: np.maximum(o["wealth"] - CASH, 0).mean() / np.maximum(CASH - o["wealth"], 0).mean(),
    "upside_capture": lambda o, a: (o["wealth"] - 1)[a["wealth"] > 1].mean() / (a["wealth"] - 1)[a["wealth"] > 1].mean(),
    "turnover": lambda o, a: o["turnover"].mean(),
    "cost": lambda o, a: (o["cost_underlying"] + o["cost_option"]).mean(),
    "cost_underlying": lambda o, a: o["cost_underlying"].mean(),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_each_named_figure_is_what_its_name_says(result, name):
    """Against NumPy, and its error against that of the same figure over 40 parts of the paths."""
    one = measure(name, SETTING)
    own, benchmark = ({k: np.asarray(x, np.float64) for k, x in result[book].items()} for book in ("half", "unhedged"))
    found = result.estimate(one.figure("half", "unhedged"))
    assert found.value == pytest.approx(BY_HAND[name](own, benchmark), rel=2e-4, abs=1e-6)
    if name not in ("turnover", "cost", "cost_underlying"):  # nearly the same on every path
        parts = [{k: x.reshape(40, -1)[i] for k, x in columns.items()} for columns in (own, benchmark) for i in range(40)]
        figures = [one.figure("own", "benchmark").exact({"own": parts[i], "benchmark": parts[40 + i]}).value for i in range(40)]
        rare = name in ("breach_at_end", "squared_shortfall")
        assert found.error == pytest.approx(np.std(figures, ddof=1) / 40**0.5, rel=0.6 if rare else 0.45)


def test_every_name_is_listed_and_an_unknown_one_is_not():
    named = {name for name in BY_HAND if not any(c.isdigit() for c in name)}
    others = {
        "breach_any_day",
        "ruined",
        "difference_at_equal_leverage",
        "exposure",
        "drawdown",
        "volatility",
        "volatility_deviation",
        "share_in_band",
    }
    assert {name for name in NAMES if "<" not in name} == (named | others) - {"cost_underlying"}
    with pytest.raises(ValueError, match="unknown figure 'mean_retrun'; did you mean mean_return"):
        measure("mean_retrun", SETTING)
    with pytest.raises(ValueError, match="p20_year_3: expected one of 2 whole years"):
        measure("p20_year_3", SETTING)
    with pytest.raises(ValueError, match="cvar_100: expected a percentage above 0 and below 100, got 100"):
        measure("cvar_100", SETTING)
    with pytest.raises(ValueError, match="share_in_band: expected a band of volatility"):
        measure("share_in_band", Setting(floor=0.9))


MOVED = ("policy.policy.cppi.multiplier", "policy.policy.cppi.floor")
SMALL, LARGE = 0.001, 0.02
"""Of a number: what a mean is bumped by, and a share of paths, which no small bump moves."""


@pytest.fixture(scope="module")
def tangents():
    """(study, outcomes and tangents of a book by two numbers, outcomes at each number moved up and down on the same paths)."""
    market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.08)}, rate=0.02)
    cppi = mc.policy.chain(mc.policy.Mix(equity=1.0), mc.policy.Cppi(0.85, 4.0))
    recorders = (*mc.engine.recorder.DEFAULT, mc.engine.RollingVolatility(13, 0.05, 0.1, width=0.01))
    books = {"policy": cppi, "benchmark": mc.policy.chain(mc.policy.Mix(equity=0.6))}
    study = mc.Study(market, books, mc.ledger.Proportional(1e-3), steps=52, recorders=recorders)
    names = ("wealth", "lowest", "drawdown", "volatility", "exposure", "turnover", "cost_underlying", "cost_option")
    names = {"policy": (*names, "volatility_deviation", "share_in_band"), "benchmark": ("wealth", "volatility")}
    with double_precision():
        out, slopes = mc.engine.Tangents(study, MOVED, names)(study, 32_768)
        moved = []
        for name in MOVED:
            value = float(parameters(study)[name])
            run = lambda x, name=name: with_parameters(study, {name: x}).run(32_768, stream="train", progress=False)  # noqa: E731
            moved.append({step: [run(value * (1 + s * step)) for s in (1, -1)] for step in (SMALL, LARGE)})
    return study, out, slopes, moved


ELSEWHERE = ("difference_at_equal_leverage", "volatility_deviation", "share_in_band", "breach_any_day", "exposure", "drawdown", "volatility")
"""Figures of the list that other tests hold to NumPy."""


@pytest.mark.parametrize("name", [*(n for n in BY_HAND if "year" not in n), *ELSEWHERE])
def test_a_figure_has_the_derivative_of_bumps_on_common_paths(tangents, name):
    """Of both numbers. Quantiles and probabilities of so many paths, and the share in a band, are averaged over neighbours, which costs precision."""
    study, out, slopes, moved = tangents
    one = measure(name, Setting.of(study, 0.87, (0.05, 0.1)))
    with double_precision():
        found = one.slope(out["policy"], out["benchmark"], slopes["policy"])
    figure = one.figure("policy", "benchmark")
    rough = one.how in ("quantile", "probability") or name == "share_in_band"
    for k, by_step in enumerate(moved):
        step = LARGE if rough else SMALL
        up, down = (each.estimate(figure) for each in by_step[step])
        size = 2 * step * float(parameters(study)[MOVED[k]])
        bump = (up.value - down.value) / size
        assert found[k] == pytest.approx(bump, rel=0.15 if rough else 0.02, abs=(0.1 if rough else 1e-3) * up.error / size), (MOVED[k], bump)


def test_ruin_has_the_derivative_of_its_law():
    """P(m + s z <= 0) = N(-m/s) for a lowest wealth of this law: by m it is -n(m/s)/s, by s n(m/s) m/s^2; and that of bumps on the same draws."""
    m, s, n = 0.4, 0.2, 1 << 20
    z = np.random.default_rng(3).standard_normal(n)
    one = measure("ruined", SETTING)
    with double_precision():
        found = one.slope({"lowest": m + s * z}, {}, {"lowest": np.stack([np.ones(n), z], axis=1)})
    figure = one.figure("own")
    density = np.exp(-0.5 * (m / s) ** 2) / np.sqrt(2.0 * np.pi)
    near = 4.0 * np.sqrt(0.0228 * n)  # neighbours that tell of the density at the line: four errors of the rank
    for k, exact in enumerate([-density / s, density * m / s**2]):
        up, down = (figure.exact({"own": {"lowest": m + s * z + step * (z if k else 1.0)}}) for step in (0.01, -0.01))
        error = np.sqrt(0.02 * density / s / n) / 0.02 * (m / s if k else 1.0)  # of the draws that a bump moves over the line
        assert (up.value - down.value) / 0.02 == pytest.approx(exact, rel=0.01, abs=4 * error)
        assert found[k] == pytest.approx(exact, rel=3.0 / np.sqrt(near))


def test_the_share_in_a_band_is_exact_and_its_derivative_smooth(tangents):
    study, _, slopes, _ = tangents
    trace = study.trace([0, 1, 2])
    seen = study.run(64, progress=False)["policy"]
    for path in range(3):
        wealth = trace.loc[path, "policy.wealth"].to_numpy()
        squares = (wealth[1:] / wealth[:-1] - 1) ** 2
        rolled = np.array([np.sqrt(52 * squares[i - 13 : i].mean()) for i in range(13, 53)])
        assert seen["volatility_deviation"][path] == pytest.approx(rolled.std(), rel=1e-3, abs=2e-5)
        assert seen["share_in_band"][path] == pytest.approx(np.mean((rolled >= 0.05) & (rolled <= 0.1)), abs=1e-6)
    assert np.abs(slopes["policy"]["share_in_band"]).mean() > 0.0


def test_a_wish_reads_what_it_is_given():
    wish = Wish("mean_return", {"breach": {"most": 0.005}, "p20": {"least": 0.97, "confidence": 0.95}, "turnover": {"most": 2, "least": 1}})
    assert [(c.name, c.most, c.least, c.confidence) for c in wish.constraints] == [
        ("breach", 0.005, None, 0.99),
        ("p20", None, 0.97, 0.95),
        ("turnover", 2, None, 0.99),
        ("turnover", None, 1, 0.99),
    ]
    signs = {"mean_return": 1, "sharpe": 1, "cvar_95": -1, "tracking_error": -1, "cost_option": -1}
    assert {name: Wish(name).sign for name in signs} == signs
    assert Wish("sharpe", maximise=False).sign == -1
    assert str(wish) == "highest mean_return with breach at most 0.005, p20 at least 0.97, turnover at most 2, turnover at least 1, floor 0.9"
    assert [c.floor for c in Wish("omega", {"breach": {"most": 0.1, "floor": 0.8}}).at_floor(0.95).constraints] == [pytest.approx(0.85)]


def test_percentiles_over_several_years_are_one_of_each(result):
    found = Wish("mean_return", {"p20": {"least": 0.9}}).measures(result.study)
    assert list(found) == ["p20_year_1", "p20_year_2"]


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ({"turnover": {"most": 1, "least": 2}}, "turnover at least 2 and at most 1 contradict each other"),
        ({"p10": {"least": 0.97}, "p20": {"most": 0.95}}, "p10 at least 0.97 and p20 at most 0.95 contradict each other, for p10 is never above p20"),
        ({"breach_at_end": {"least": 0.02}, "breach": {"most": 0.01}}, "contradict each other"),
        ({"breach": {}}, "constraints.breach: expected most or least, one of the two, got neither"),
        ({"breach": {"msot": 0.1}}, "constraints.breach: unknown key 'msot'; did you mean most"),
        ({"breach": 0.1}, "constraints.breach: expected most or least, as {most: 0.01}, got 0.1"),
        ({"breach": {"most": 0.1, "confidence": 1.0}}, "constraints.breach.confidence: expected a number from 0.5 to below 1, got 1.0"),
        ({"breach": {"most": "low"}}, "constraints.breach.most: expected a number, got 'low'"),
        ({"breach": {"most": 0.1, "floor": -1}}, "constraints.breach.floor: expected a number above 0, a fraction of the starting wealth, got -1"),
        (
            [mc.objective.Constraint("breach", most=0.1), mc.objective.Constraint("breach", most=0.2, floor=0.9)],
            "constraints.breach.most: expected one limit, got two, 0.1 and 0.2",
        ),
    ],
)
def test_wishes_that_make_no_sense_are_refused(constraints, message):
    with pytest.raises(ValueError, match=message):
        Wish("mean_return", constraints)


def test_a_goal_is_a_figure():
    with pytest.raises(ValueError, match=r"^goal: expected the name of a figure or a Measure, got 3$"):
        Wish(3)


def test_a_year_is_a_whole_number(result):
    with pytest.raises(ValueError, match=r"^p20_year_1\.5: expected a year that is a whole number, got 1\.5$"):
        Wish("p20_year_1.5").goal_measure(result.study)


def test_the_lowest_wealth_contradicts_the_last_and_not_each_years(result):
    """Over two years p20 is of wealth at a year's end over its start, which may be below the lowest wealth over the first."""
    wish = Wish("mean_return", {"lowest_p20": {"least": 0.95}, "p20": {"most": 0.9}})
    assert list(wish.measures(result.study)) == ["lowest_p20", "p20_year_1", "p20_year_2"]
    one_year = mc.Study(result.study.market, result.study.policy, years=1.0, steps=252)
    with pytest.raises(ValueError, match=r"lowest_p20 at least 0\.95 and p20 at most 0\.9 contradict each other"):
        wish.measures(one_year)


def test_a_percentile_and_that_of_one_year_are_two_limits_of_it(result):
    wish = Wish("mean_return", {"p20": {"least": 0.9}, "p20_year_1": {"least": 0.8}})
    with pytest.raises(ValueError, match=r"^constraints\.p20_year_1: expected one limit of a side, got two, for p<k> is of every year$"):
        wish.measures(result.study)


def test_a_probability_is_limited_between_0_and_1(result):
    with pytest.raises(ValueError, match=r"constraints.breach: expected a limit of a probability, above 0 and below 1, got 1\.5"):
        Wish("mean_return", {"breach": {"most": 1.5}}).measures(result.study)


def test_annualised_error_is_the_delta_method_s():
    value, error = figure.annualised(0.21, 0.01, 2.0)
    assert value == pytest.approx(0.1)
    assert error == pytest.approx((np.sqrt(1.211) - np.sqrt(1.209)) / 2 / 0.001 * 0.01, rel=1e-4)
