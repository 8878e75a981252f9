"""The stream against exact figures of the same values, errors against the spread of many samples, and a state against the run it came from."""

import math

import numpy as np
import pytest
from scipy.stats import beta, norm
from scipy.stats import t as student

import mcengine as mc
from mcengine import report
from mcengine._model import replace
from mcengine.engine.metrics import default_figures
from mcengine.statistics import Figure, Sampling, Statistics, clopper_pearson, estimate
from mcengine.statistics.accumulators import BINS, CHUNK, Histogram
from mcengine.statistics.figure import Column

IID, PAIRS, RANDOMISED = Sampling(), Sampling("pairs", 2), Sampling("randomisations", 32)
SAMPLINGS = {"iid": IID, "pairs": PAIRS, "randomisations": RANDOMISED}
PATHS, KEPT = 1 << 16, 1 << 12


def draw(sampling: Sampling, n: int, seed: int) -> np.ndarray:
    """Normals of ``sampling``: z and -z in a pair; a randomisation is a grid of equal probabilities, shuffled and shifted as a whole."""
    rng = np.random.default_rng(seed)
    if sampling.kind == "iid":
        return rng.standard_normal(n)
    if sampling.kind == "pairs":
        half = rng.standard_normal(n // 2)
        return np.stack([half, -half], axis=1).ravel()
    points = n // sampling.size
    grid = np.stack([rng.permutation(points) for _ in range(sampling.size)], axis=1) / points
    return norm.ppf((grid + rng.random(sampling.size)) % 1.0).ravel()


def outcomes(z: np.ndarray, other: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Two books: one smooth, one with an atom at a floor that three paths in ten end on."""
    wealth = np.exp(0.1 * z).astype(np.float32)
    floored = np.where(z < norm.ppf(0.3), 0.9, 0.9 + 0.2 * np.abs(z - norm.ppf(0.3)) + 0.02 * np.abs(other)).astype(np.float32)
    return {"a": {"wealth": wealth, "cost": np.square(other).astype(np.float32)}, "b": {"wealth": floored, "cost": np.abs(z).astype(np.float32)}}


def part(o, start, stop):
    return {book: {name: x[start:stop] for name, x in columns.items()} for book, columns in o.items()}


def figures(o) -> dict[str, Figure]:
    books = ("a", "b")
    return default_figures(books, {book: o[book] for book in books}) | {
        "gap": Figure(lambda o: o["b"]["wealth"] - o["a"]["wealth"]),
        "low": Figure(lambda o: o["a"]["wealth"] < 0.85, "probability"),
        "never": Figure(lambda o: o["a"]["wealth"] < 0.0, "probability"),
        "loss": Figure(lambda o: o["a"]["wealth"] - 1.0, "tail_mean", 0.10, factor=-1.0),
        "p35": Figure(Column("b", "wealth"), "quantile", 0.35),
        "p99": Figure(Column("a", "cost"), "quantile", 0.99),
    }


def weighted(o, z, shift=-0.5):
    """``z`` was drawn about ``shift`` and counts for a standard normal."""
    return o | {"market": {"log_weight": -shift * z + 0.5 * shift * shift}}


@pytest.mark.parametrize("with_weights", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("kind", SAMPLINGS)
def test_the_stream_is_the_exact_figure(kind, with_weights):
    sampling = SAMPLINGS[kind]
    z, other = draw(sampling, PATHS, 1), draw(IID, PATHS, 2)
    o = outcomes(z - 0.5, other) if with_weights else outcomes(z, other)
    if with_weights:
        o = weighted(o, z - 0.5)
    stream = Statistics(figures(o), sampling, part(o, 0, KEPT))
    for start in range(KEPT, PATHS, KEPT):
        stream.add(part(o, start, start + KEPT))
    for name, figure in figures(o).items():
        exact, streamed = figure.exact(o, sampling), stream.estimate(name)
        assert streamed.sampling == exact.sampling == kind
        assert streamed.count == exact.count == {"iid": PATHS, "pairs": PATHS // 2, "randomisations": 32}[kind]
        if math.isnan(exact.error):
            assert math.isnan(streamed.error), name
            continue
        # With weights the coefficient of their mean is that of the kept paths: another unbiased estimator. A level's error is that at the kept
        # quantile; made of 32 draws it is itself known to 1/sqrt(62).
        exactly = figure.how in ("mean", "probability") and not with_weights
        close, alike = (1e-6, 1e-6) if exactly else (0.5 if with_weights else 0.1, 0.4 if kind == "randomisations" else 0.15)
        assert abs(streamed.value - exact.value) <= close * exact.error + 2e-7, (name, str(streamed), str(exact))
        assert streamed.error == pytest.approx(exact.error, rel=alike, abs=2e-7), name


STATISTICS = {
    "mean": (Figure(lambda o: o["a"]["x"]), 0.0),
    "P(x < -1)": (Figure(lambda o: o["a"]["x"] < -1.0, "probability"), norm.cdf(-1.0)),
    "p20": (Figure(lambda o: o["a"]["x"], "quantile", 0.2), norm.ppf(0.2)),
    "worst 5 %": (Figure(lambda o: o["a"]["x"], "tail_mean", 0.05), -norm.pdf(norm.ppf(0.05)) / 0.05),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["kept", "streamed"])
@pytest.mark.parametrize("kind", ["pairs", "randomisations"])
def test_errors_follow_the_sampling(kind, streamed):
    """Over 200 samples the z-scores have sd 1 (or Student's with 31 degrees), within 4 of its errors; the i.i.d. formula is far off."""
    sampling, samples, n = SAMPLINGS[kind], 200, 2048
    z: dict[str, list[float]] = {name: [] for name in STATISTICS}
    plain = []
    for seed in range(samples):
        noisy = 0.3 * draw(IID, n, 10_000 + seed)
        o = {"a": {"x": (draw(sampling, n, seed) + noisy) / math.sqrt(1.09)}}
        stream = Statistics({name: f for name, (f, _) in STATISTICS.items()}, sampling, part(o, 0, 512)) if streamed else None
        if stream is not None:
            stream.add(part(o, 512, n))
        for name, (figure, truth) in STATISTICS.items():
            one = figure.exact(o, sampling) if stream is None else stream.estimate(name)
            z[name].append(one.z(truth))
        plain.append(STATISTICS["mean"][0].exact(o, IID).z(0.0))
    wider = math.sqrt(31.0 / 29.0) if kind == "randomisations" else 1.0
    for name, scores in z.items():
        spread = float(np.sqrt(np.mean(np.square(scores)))) / wider
        assert abs(spread - 1.0) < 4.0 * 1.1 / math.sqrt(2.0 * samples), (name, spread)
    assert np.std(plain) < 0.5


def nets(first: int, points: int, seed: int) -> np.ndarray:
    """Normals of randomisations whose first ``first`` and whose ``points`` points each are a net in one dimension: one in every equal interval."""
    rng = np.random.default_rng(seed)
    cells = np.arange(points).reshape(first, points // first)
    columns = []
    for _ in range(RANDOMISED.size):
        mixed = rng.permuted(cells, axis=1)
        columns.append(np.concatenate([rng.permutation(mixed[:, 0]), rng.permutation(mixed[:, 1:].ravel())]))
    return norm.ppf((np.stack(columns, axis=1) + rng.random((points, RANDOMISED.size))) / points).ravel()


def test_an_interval_is_students():
    """Half widths by scipy.stats; of 2,000 intervals from four randomisations 95 % hold the truth, within 3 errors; by 1.96 errors 86 % would."""
    one = mc.Estimate(1.0, 0.5, 32, "randomisations")
    assert one.half_width() == pytest.approx(0.5 * student.ppf(0.975, 31))
    for degrees in (1, 2, 3, 4, 7, 31, 99, 100, 101, 127, 1000, 10**6):
        widths = [mc.Estimate(0.0, 1.0, degrees + 1).half_width(coverage) for coverage in (0.5, 0.95, 0.997)]
        assert widths == pytest.approx(list(student.ppf([0.75, 0.975, 0.9985], degrees)), rel=1e-6), degrees
    assert one.half_width(0.5) == pytest.approx(0.5 * student.ppf(0.75, 31))
    assert mc.Estimate(1.0, 0.5).half_width() == pytest.approx(0.5 * norm.ppf(0.975))
    assert math.isnan(mc.Estimate(1.0, math.nan, 1).half_width())
    few = Sampling("randomisations", 4)  # so few that nobody can miss the difference
    found = [estimate.mean(x, few) for x in np.random.default_rng(1).standard_normal((2000, 4))]
    held = [np.mean([abs(e.value) <= width(e) for e in found]) for width in (mc.Estimate.half_width, lambda e: 1.96 * e.error)]
    assert abs(held[0] - 0.95) < 3.0 * math.sqrt(0.95 * 0.05 / 2000)
    assert held[1] < 0.90


@pytest.mark.parametrize("level", [0.05, 0.20])
def test_a_quantile_of_nets_is_missed_no_more_often_than_students(level):
    """One dimension decides, so that a quantile's error is of two ranks or three and not the same between one point and the next. Over 120 samples
    the z-scores' variance is at most Student's, 31/29, by 3 of its errors, and no error is more than twice too large. (Errors at the kept quantile,
    from the ranks next to it, give variances of 1.7 to 3.3.)
    """
    figure, truth, n, samples = Figure(Column("a", "x"), "quantile", level), norm.ppf(level), 32_768, 120
    z = []
    for seed in range(samples):
        o = {"a": {"x": nets(128, n // 32, seed).astype(np.float32)}}
        stream = Statistics({"q": figure}, RANDOMISED, part(o, 0, 4096))
        stream.add(part(o, 4096, n))
        z.append([figure.exact(o, RANDOMISED).z(truth), stream.estimate("q").z(truth)])
    variance = np.mean(np.square(z), axis=0)
    assert (variance < 31.0 / 29.0 * (1.0 + 3.0 * math.sqrt(2.0 / samples))).all(), variance
    assert (variance > 0.25).all(), variance


def test_weighted_figures_meet_the_unweighted_truth():
    """Normals drawn about -2 count for standard ones: P(x < -3), its tail and quantile, each within 4 errors and far smaller ones than plain."""
    n, shift = 1 << 15, -2.0
    z = draw(IID, n, 5) + shift
    o = weighted({"a": {"x": z}}, z, shift)
    p = norm.cdf(-3.0)
    wanted = {
        "rare": (Figure(lambda o: o["a"]["x"] < -3.0, "probability"), p),
        "shortfall": (Figure(lambda o: np.maximum(-3.0 - o["a"]["x"], 0.0)), norm.pdf(3.0) - 3.0 * p),
        "quantile": (Figure(Column("a", "x"), "quantile", p), -3.0),
        "tail": (Figure(Column("a", "x"), "tail_mean", p), -norm.pdf(3.0) / p),
        "mean": (Figure(Column("a", "x")), 0.0),
    }
    stream = Statistics({name: f for name, (f, _) in wanted.items()}, IID, part(o, 0, n // 4))
    stream.add(part(o, n // 4, n))
    for name, (figure, truth) in wanted.items():
        for one in (figure.exact(o), stream.estimate(name)):
            assert abs(one.z(truth)) < 4.0, (name, str(one))
    assert stream.estimate("rare").error < 0.2 * math.sqrt(p * (1.0 - p) / n)
    # Kish's size is n exp(-shift^2) in the limit; within the event the weights are nearly equal.
    assert stream.effective_size() == pytest.approx(estimate.effective_size(np.exp(o["market"]["log_weight"])), rel=1e-9)
    assert stream.effective_size("rare") > 5.0 * stream.effective_size()
    with pytest.raises(ValueError, match="expected weighted paths"):
        Statistics({"mean": Figure(Column("a", "x"))}, IID, {"a": {"x": z}}).effective_size()


class TestAtoms:
    """A fifth of the paths on one value, the rest above a gap."""

    @pytest.mark.parametrize(("level", "low", "high"), [(0.1, 0.9, 0.9), (0.2, 0.9, 0.951), (0.21, 0.959, 0.961)])
    def test_quantiles_in_an_atom_at_its_edge_and_beyond(self, level, low, high):
        u = np.random.default_rng(4).random(1 << 17)
        x = np.where(u < 0.2, 0.9, 0.95 + (u - 0.2)).astype(np.float32)
        stream = Statistics({"q": Figure(Column("a", "x"), "quantile", level)}, IID, {"a": {"x": x[: 1 << 14]}})
        stream.add({"a": {"x": x[1 << 14 :]}})
        for one in (stream.estimate("q"), estimate.quantile(x, level)):
            assert low - 1e-6 <= one.value <= high + 1e-6
            assert one.error <= 0.03  # half the gap at the edge, nothing in the atom
            assert level == 0.2 or one.error < 2e-3

    def test_a_constant(self):
        x = np.full(4096, 1.25, np.float32)
        every = {how: Figure(Column("a", "x"), how, 0.2) for how in ("mean", "quantile", "tail_mean")}
        stream = Statistics(every, RANDOMISED, {"a": {"x": x}})
        for name in every:
            assert stream.estimate(name).value == pytest.approx(1.25, abs=1e-8)
            assert stream.estimate(name).error < 1e-8


class TestState:
    @pytest.mark.parametrize("kind", SAMPLINGS)
    def test_a_state_resumes_bit_for_bit_and_cuts_do_not_matter(self, kind):
        sampling, n = SAMPLINGS[kind], 5 * CHUNK + 96
        z = draw(sampling, n, 1)
        o = weighted(outcomes(z, draw(IID, n, 2)), z, 0.0)
        f, first = figures(o), 64
        once = Statistics(f, sampling, part(o, 0, CHUNK), first)
        once.add(part(o, CHUNK, n))
        cut = Statistics(f, sampling, part(o, 0, CHUNK), first)
        for start in range(CHUNK, n, 2 * CHUNK):
            again = Statistics(f, sampling, part(o, 0, CHUNK), first, state=cut.state())
            again.add(part(o, start, min(n, start + 2 * CHUNK)))
            cut = again
        assert once.state()["count"] == cut.state()["count"] == n
        assert once.state()["sums"].tobytes() == cut.state()["sums"].tobytes()
        odd = Statistics(f, sampling, part(o, 0, CHUNK), first)
        for start in range(CHUNK, n, 1000 * 32):
            odd.add(part(o, start, min(n, start + 1000 * 32)))
        np.testing.assert_allclose(odd.state()["sums"], once.state()["sums"], rtol=1e-9, atol=1e-6)

    def test_a_state_of_other_figures_is_refused(self):
        o = outcomes(draw(IID, 256, 1), draw(IID, 256, 2))
        one, other = (Statistics({"m": Figure(Column("a", n))} if n == "wealth" else figures(o), IID, o) for n in ("wealth", "cost"))
        with pytest.raises(ValueError, match=r"state: expected .* sums for these figures"):
            one.load(other.state())


class TestMoments:
    def test_of_an_exponential(self):
        """Mean 1, variance 1, skewness 2, kurtosis above 3: 6."""
        x = np.random.default_rng(8).exponential(size=1 << 19)
        stream = Statistics({"a/x": Figure(Column("a", "x"))}, IID, {"a": {"x": x[:1024]}})
        stream.add({"a": {"x": x[1024:]}})
        moments = stream.moments("a", "x")
        for one, truth in zip(moments, (1.0, 1.0, 2.0, 6.0), strict=True):
            assert abs(one.z(truth)) < 4.0
        # Var of s^2 is (m4 - 1)/n with m4 = 9.
        assert moments.variance.error == pytest.approx(math.sqrt(8.0 / x.size), rel=0.25)

    @pytest.mark.parametrize("kind", SAMPLINGS)
    def test_covariance_of_books(self, kind):
        n, sampling = 1 << 15, SAMPLINGS[kind]
        x, y = draw(sampling, n, 3), draw(sampling, n, 4)
        o = {"a": {"w": x}, "b": {"w": 0.6 * x + 0.8 * y}, "c": {"w": y}}
        stream = Statistics({f"{b}/w": Figure(Column(b, "w")) for b in o}, sampling, part(o, 0, 256))
        stream.add(part(o, 256, n))
        covariance = stream.covariance("w")
        for pair, truth in ((("a", "b"), 0.6), (("a", "c"), 0.0), (("c", "b"), 0.8), (("b", "b"), 1.0)):
            assert covariance[pair].value == pytest.approx(float(np.cov(o[pair[0]]["w"], o[pair[1]]["w"], bias=True)[0, 1]), abs=1e-9)
            assert abs(covariance[pair].z(truth)) < 4.5
        with pytest.raises(ValueError, match="expected an outcome whose mean is a figure of two books, got 'v'"):
            stream.covariance("v")


def test_histogram_reads_every_level():
    """Unregistered levels from the wide histogram: within its bins of the exact quantile."""
    x = draw(IID, PATHS, 6)
    stream = Statistics({"m": Figure(Column("a", "x"), "quantile", 0.5)}, IID, {"a": {"x": x[:KEPT]}})
    stream.add({"a": {"x": x[KEPT:]}})
    edges, shares = stream.histogram("a", "x")
    assert len(edges) == BINS + 1
    assert shares.sum() == pytest.approx(1.0)
    for level in (0.01, 0.3, 0.9):
        assert abs(stream.quantile("a", "x", level).value - np.quantile(x, level)) < 2.0 * (edges[1] - edges[0])
        assert abs(stream.quantile("a", "x", level).z(norm.ppf(level))) < 4.0
    with pytest.raises(ValueError, match="no figure of 'a/y'"):
        stream.quantile("a", "y", 0.5)


def test_integral_of_counts():
    """Of a uniform sample's counts from a to b: n (b^2 - a^2)/2, either way round."""
    h = Histogram(0.0, 1.0, False)
    h.add((np.arange(1 << 16) + 0.5) / (1 << 16), None)
    assert h.integral(0.25, 0.75) == pytest.approx(0.25 * (1 << 16), rel=1e-6)
    assert h.integral(0.75, 0.25) == pytest.approx(-0.25 * (1 << 16), rel=1e-6)
    assert math.isnan(Histogram(2.0, 3.0, False).quantile(1.0))


class TestDifferences:
    def test_books_and_runs_are_paired(self):
        o = outcomes(draw(IID, PATHS, 1), draw(IID, PATHS, 2))
        f = figures(o)
        stream = Statistics(f, IID, o)
        paired, exact = stream.difference("a/wealth", other_name="b/wealth"), f["gap"].exact(o)
        assert paired.value == pytest.approx(exact.value, abs=1e-8)
        assert paired.error == pytest.approx(exact.error, rel=4.0 / math.sqrt(2.0 * 127.0))
        assert str(stream.difference("low", Statistics(f, IID, o))) == "0 ± 0"
        with pytest.raises(ValueError, match="expected a mean or a probability, got the quantile 'p35'"):
            stream.difference("p35")
        with pytest.raises(ValueError, match="statistics of the same paths"):
            stream.difference("low", Statistics(f, IID, part(o, 0, KEPT)))


@pytest.fixture(scope="module")
def study():
    market = mc.market.Market({"equity": mc.market.GBM(spot=100.0, sigma=0.2, drift=0.07)}, rate=0.03)
    books = {"mix": mc.policy.presets.unhedged({"equity": 0.9}), "half": mc.policy.presets.unhedged({"equity": 0.5})}
    return mc.Study(market, books, steps=8)


@pytest.fixture(scope="module")
def kept(study):
    return study.run(8192, block=1024, devices=1, progress=False)


@pytest.fixture(scope="module")
def streamed(study):
    return study.run(8192, keep=1024, block=1024, devices=1, progress=False)


class TestResults:
    """A real run, streamed and kept."""

    def test_kept_and_streamed_agree(self, kept, streamed):
        for a, b in zip(kept.moments("half", "wealth"), streamed.moments("half", "wealth"), strict=True):
            assert b.value == pytest.approx(a.value, rel=1e-6)
            assert b.error == pytest.approx(a.error, rel=1e-6)
        a, b = kept.covariance("wealth"), streamed.covariance("wealth")
        assert b.loc["mix", "half"].value == pytest.approx(a.loc["mix", "half"].value, rel=1e-6)
        assert a.loc["mix", "mix"].value == pytest.approx(float(np.var(kept["mix"]["wealth"].astype(float))), rel=1e-6)
        for level in (0.2, 0.6):
            a, b = kept.quantile("mix", "wealth", level), streamed.quantile("mix", "wealth", level)
            assert abs(a.value - b.value) < 0.2 * a.error
        edges, shares = streamed.histogram("mix", "wealth", 64)
        assert len(edges) == 65
        assert shares.sum() == pytest.approx(1.0, abs=0.01)

    def test_streamed_runs_compare(self, kept, streamed):
        for name in ("wealth", "turnover"):
            figures = Figure(Column("mix", name)), Figure(Column("half", name))
            exact, loose = (r.difference(r, figures[0], f"mix/{name}", figure_there=figures[1], name_there=f"half/{name}") for r in (kept, streamed))
            assert loose.value == pytest.approx(exact.value, abs=1e-7)
            assert loose.error == pytest.approx(exact.error, rel=4.0 / math.sqrt(2.0 * 127.0))
        assert set(streamed.compare(streamed)["difference"]) == {"0 ± 0"}

    def test_what_was_not_streamed_is_said(self, streamed):
        with pytest.raises(ValueError, match="unknown outcome 'welth' of mix; did you mean wealth"):
            streamed.moments("mix", "welth")
        with pytest.raises(ValueError, match="name figure 'x' in run"):
            streamed.estimate(Figure(Column("mix", "wealth")), "x")
        with pytest.raises(ValueError, match="bins: expected a power of two"):
            streamed.histogram("mix", "wealth", 100)


class TestDependentPaths:
    """Runs of pairs and of randomisations: no figure, table or picture has the i.i.d. error."""

    @pytest.fixture(params=["pairs", "randomisations"])
    def run(self, study, request):
        noise = {"pairs": mc.noise.Antithetic(), "randomisations": mc.noise.Sobol(randomisations=32)}[request.param]
        return replace(study, noise=noise).run, noise.sampling

    @pytest.mark.parametrize("keep", [4096, 1024])
    def test_every_figure_says_so(self, run, keep):
        run, sampling = run
        result = run(4096, keep=keep, block=1024, devices=1, progress=False)
        draws = {"pairs": 2048, "randomisations": 32}[sampling.kind]
        for name, one in result.estimates().items():
            assert (one.sampling, one.count) == (sampling.kind, draws), name
        mean = result.estimates()["mix/wealth"]
        assert str(mean) in result.table().loc["wealth", "mix"]
        if keep == 4096:
            wealth = np.asarray(result["mix"]["wealth"], np.float64)
            by_draws = sampling.draws(wealth)
            assert mean.error == pytest.approx(by_draws.std(ddof=1) / math.sqrt(draws), rel=1e-6)
            assert mean.error < 0.5 * estimate.mean(wealth).error
            note = report.plot_wealth(result, 0.9).axes[0].texts[1].get_text()
            assert f"mean {mean}" in note
        compared = result.compare(result)
        assert set(compared["difference"]) == {"0 ± 0"}
        assert str(mean) in list(compared["before"])

    def test_paths_that_do_not_fit_are_refused(self, run):
        run, sampling = run
        before = mc.engine.traces()
        with pytest.raises(ValueError, match=f"paths: expected a multiple of {sampling.size}"):
            run(4095)
        assert mc.engine.traces() == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["normal", "stop_loss", "student"])
def test_accuracy_at_ten_million_draws(name):
    rng, n, first = np.random.default_rng(3), 10_000_000, 10_000
    z = rng.standard_normal(n)
    samples = {
        "normal": lambda: z,
        "stop_loss": lambda: np.where(z < -0.5, 0.9, 0.9 + 0.1 * np.abs(z + 0.5)),  # three in ten on the floor
        "student": lambda: rng.standard_t(1.5, n),
    }
    x = samples[name]().astype(np.float32)
    asked = {"p1": ("quantile", 0.01), "p35": ("quantile", 0.35), "p99.9": ("quantile", 0.999), "worst 5": ("tail_mean", 0.05)}
    every = {key: Figure(Column("a", "x"), how, level) for key, (how, level) in asked.items()}
    stream = Statistics(every, IID, {"a": {"x": x[:first]}})
    for start in range(first, n, 1 << 17):
        stream.add({"a": {"x": x[start : start + (1 << 17)]}})
    for key, figure in every.items():
        exact, streamed = figure.exact({"a": {"x": x}}), stream.estimate(key)
        close = 0.1 if figure.how == "quantile" else 0.02
        assert abs(streamed.value - exact.value) <= close * exact.error + 1e-8, (key, str(streamed), str(exact))
        assert streamed.error == pytest.approx(exact.error, rel=0.05, abs=1e-8), key


@pytest.mark.parametrize(
    ("hits", "count", "confidence"), [(0, 100, 0.95), (3, 1000, 0.99), (40, 8192, 0.9), (1227, 262_144, 0.9967), (990, 1000, 0.9)]
)
def test_clopper_and_pearson(hits, count, confidence):
    """The bound is the quantile of a beta distribution; the most hits under a limit are the last whose bound is below it."""
    exact = beta.ppf(confidence, hits + 1, count - hits)
    assert clopper_pearson.upper_bound(hits, count, confidence) == pytest.approx(exact, rel=1e-9)
    assert clopper_pearson.at_most(hits, count, exact) == pytest.approx(1.0 - confidence, rel=1e-6)
    assert clopper_pearson.most_hits(count, exact * (1 + 1e-9), confidence) == hits
    assert clopper_pearson.most_hits(count, exact * (1 - 1e-9), confidence) == hits - 1
