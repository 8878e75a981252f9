"""Control variates from hedge gains: a figure less what gains of zero mean explain of it.

Held over a step, units known at its start gain units x (S' - E[S']) beyond expectation: summed along the path (``recorder.Gains``), and
for holding each asset from start to end, these are martingales with mean 0 exactly. With y a figure's influence (``statistics.estimate``)
and C the gains, c = argmin Var(y - c.C) is fitted on the pilot stream, so that on other paths, for a fixed c,
    mean, probability, tail mean   mean of y - c.C
    quantile                       the sample's quantile at the level q + mean of c.C, where y = 1{x <= Q}
have no bias from it (Glasserman 2004, sections 4.1.1 and 4.1.3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcengine._model import replace
from mcengine.engine.recorder import Gains
from mcengine.engine.run import run
from mcengine.engine.study import Study
from mcengine.statistics import estimate
from mcengine.statistics.estimate import Estimate
from mcengine.statistics.figure import Figure, Outcomes

LEAST = 1.05
"""Ratio of variances from which a control is used; of 32,768 pilot paths it is known to about 0.02."""


def recording(study: Study) -> Study:
    """The study with the gains of every book recorded."""
    return study if any(isinstance(r, Gains) for r in study.recorders) else replace(study, recorders=(*study.recorders, Gains()))


def gains(study: Study, outcomes: Outcomes) -> np.ndarray:
    """Columns of mean 0, [paths, gains]: each book's gain on each asset, and each asset's final price over its expectation, less 1."""
    columns = []
    for name, asset in study.market.assets.items():
        for book in study.books:
            columns.append(np.asarray(outcomes[book][f"gain_{name}"], np.float64))
        expected = float(asset.spot) * np.exp((float(asset.drift) - float(asset.dividend)) * float(study.years) + float(asset.shock))
        columns.append(np.asarray(outcomes["market"][f"price_{name}"], np.float64) / expected - 1.0)
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class Control:
    """A control variate for one figure: its hedge gains and their coefficients.

    Args:
        figure: What is estimated.
        coefficients: Of the gains, [gains].
        ratio: The figure's variance without the gains over that with them, on pilot paths; below ``LEAST`` they are left out.
    """

    figure: Figure
    coefficients: np.ndarray
    ratio: float

    def estimate(self, result: Any) -> Estimate:
        """The figure with the gains taken out.

        Args:
            result: Of the study that records gains.

        Raises:
            ValueError: Unless every path was kept.
        """
        if result.kept < result.paths:
            raise ValueError(f"control: expected a run of which every path is kept, got {result.kept:,} of {result.paths:,}; raise keep")
        if self.ratio < LEAST:
            return self.figure.exact(result.outcomes, result.study.sampling)
        return self.of(result.outcomes, gains(result.study, result.outcomes), result.study.sampling)

    def of(self, outcomes: Outcomes, columns: np.ndarray, sampling: Any) -> Estimate:
        """The figure of given outcomes with given gains taken out.

        Args:
            outcomes: ``{book: {outcome: array [paths]}}``.
            columns: Gains, [paths, gains].
            sampling: How the paths depend on each other.
        """
        x, figure = self.figure.fixed(outcomes)(outcomes), self.figure
        explained = (columns * self.coefficients).sum(axis=1)
        inside = estimate.mean(_influence(figure, x) - explained, sampling)
        if figure.how != "quantile":
            return inside.scaled(figure.factor)
        level = figure.level + float(np.mean(explained))
        low, value, high = np.quantile(x, np.clip([level - inside.error, level, level + inside.error], 0.0, 1.0))
        return Estimate(float(value), 0.5 * float(high - low), inside.count, inside.sampling).scaled(figure.factor)


def fit(study: Study, figures: Mapping[str, Figure], *, paths: int = 32_768, seed: int = 0) -> dict[str, Control]:
    """Coefficients for every figure, from one run on the pilot stream.

    Raises ``ValueError`` for an asset whose expected growth is not known, and for weighted noise.
    """
    for name, asset in study.market.assets.items():
        if getattr(asset, "drift", None) is None:
            raise ValueError(f"controls: expected assets with a drift, under which their expected gains are known, got {name!r} without")
    pilot = run(recording(study), paths, seed=seed, stream="pilot", keep=1e18, progress=False)
    if "log_weight" in pilot.outcomes["market"]:
        raise ValueError("controls: expected plain noise, got one with weights")
    columns = gains(study, pilot.outcomes)
    return {name: _fit(figure, pilot.outcomes, columns) for name, figure in figures.items()}


def _fit(figure: Figure, outcomes: Outcomes, columns: np.ndarray) -> Control:
    y = _influence(figure, figure.fixed(outcomes)(outcomes))
    spread = np.maximum(columns.std(axis=0), 1e-30)
    scaled = (columns - columns.mean(axis=0)) / spread

    def best(part: slice) -> np.ndarray:
        # Books may hold the same: the smallest of equally good coefficients.
        return np.linalg.lstsq(scaled[part] - scaled[part].mean(axis=0), y[part] - y[part].mean(), rcond=1e-6)[0]

    half = len(y) // 2
    # Judged on the half that did not fit it: of few hits, coefficients explain nothing but those hits.
    left = float(np.var(y[half:] - scaled[half:] @ best(slice(0, half))))
    ratio = float(np.var(y[half:])) / left if left > 0.0 else 1.0
    return Control(figure, best(slice(None)) / spread, ratio)


def _influence(figure: Figure, x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, np.float64)
    if figure.how in ("mean", "probability"):
        return x
    q = float(np.quantile(x, figure.level))
    return (x <= q).astype(np.float64) if figure.how == "quantile" else q + np.minimum(x - q, 0.0) / figure.level
