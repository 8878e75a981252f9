"""Correlations under stress: the target, moved part of the way towards a crash.

C' = (1 - w) C + w C*, where C* has one correlation between any two risky assets, and those of its own for named pairs. A blend of correlation
matrices is one; C' is positive definite when C is and w < 1.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from mcengine._model import is_concrete, model, number, replace
from mcengine.market import correlation as corr
from mcengine.market.base import check_models


@model
class Stress:
    """Correlations under stress: (1 - w) C + w C*, C* those of a crash.

    Args:
        weight: w, from 0 (nothing changes) to 1.
        common: Correlation between any two risky assets in the crash.
        pairs: Those that differ from it, ``{"equity-bond": -0.3}``, where the market has them; a pair with the short rate is 0 unless named.

    Example:
        >>> assets = {name: mc.market.GBM(spot=100.0, sigma=0.2) for name in ("equity", "credit")}
        >>> market = mc.market.Market(assets, {"equity-credit": 0.4})
        >>> print(f"{mc.market.Stress(weight=0.5, common=0.8).apply(market).correlation['equity-credit']:.2f}")
        0.60
    """

    weight: float = number(default=0.0, low=0.0, high=1.0, term=True)
    common: float = number(default=0.8, above=-1.0, below=1.0, term=True)
    pairs: Annotated[Any, Mapping[str, float] | None] = number(default=None, above=-1.0, below=1.0, term=True)

    def canonical(self) -> dict[str, Any]:
        return {"pairs": dict(self.pairs or {})}

    def apply(self, market: Any) -> Any:
        """The market with its correlations, those of each regime too, moved towards the crash.

        Args:
            market: A market of models, of plain numbers.

        Raises:
            ValueError: The crash matrix is not positive semi-definite, or the market is history, which nothing changes.
        """
        if float(self.weight) == 0.0:
            return market
        check_models("correlation", market)
        if not is_concrete(market.correlation):
            raise ValueError("Stress.apply: expected a market of plain numbers")
        regimes = market.regimes
        if regimes is not None and regimes.correlation:
            regimes = replace(regimes, correlation={name: self._blend(pairs, market) for name, pairs in regimes.correlation.items()})
        return replace(market, correlation=self._blend(market.correlation, market), regimes=regimes)

    def _blend(self, pairs: Mapping[str, Any], market: Any) -> dict[str, float]:
        weight = float(self.weight)
        crash = {key: self._crash(key) for key in pairs}
        smallest = np.linalg.eigvalsh(corr.to_matrix(crash, market.correlated))[0]
        if smallest < -1e-10:
            raise ValueError(
                f"Stress.pairs: expected a crash whose correlation matrix is positive semi-definite, got smallest eigenvalue {smallest:.3g}"
            )
        return {key: (1.0 - weight) * float(value) + weight * crash[key] for key, value in pairs.items()}

    def _crash(self, key: str) -> float:
        first, _, second = key.partition("-")
        for name in (key, f"{second}-{first}"):
            if name in self.pairs:
                return float(self.pairs[name])
        return 0.0 if "rate" in (first, second) else float(self.common)
