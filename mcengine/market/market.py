"""Several assets, correlated, a rate, and what they share: regimes, announced events, shocks."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

from mcengine._model import Scalar, is_concrete, model, number, replace, static
from mcengine._spelling import near
from mcengine.market import correlation as corr
from mcengine.market import events as on_dates
from mcengine.market.base import AbstractAsset
from mcengine.market.discretised import PreparedMarket
from mcengine.market.rate import FlatRate, Rate
from mcengine.market.regimes import Regimes
from mcengine.pricing import Calendar, Pricer
from mcengine.pricing.black import root


@model
class Market:
    """Several assets, correlated, a rate, and what they share: regimes, announced events, scenarios.

    An asset's ``drift`` is its total expected return under P, also where the rate is stochastic.

    Args:
        assets: Asset models by name.
        correlation: Between the Brownian motions of prices, and of the rate where it is stochastic: by pair, ``{"equity-bond": -0.2}`` and
            ``"equity-rate"`` (the rest 0), or a matrix in the order of the assets, the rate last.
        rate: Continuously compounded rate a year, or a model of it.
        regimes: Regimes of all assets, or None.
        events: Announced events by name.
        scenarios: Unannounced shocks by name.
        repair: Whether a correlation matrix that is not positive definite is replaced by the nearest that is (Higham 2002).
        repaired: Frobenius distance by which it was moved; set by the repair.
        measure: P, or Q: drifts follow the path's short rate (see ``risk_neutral``).

    Raises:
        ValueError: A name is taken or unknown, correlations are no positive definite matrix, or the market lacks what an asset reads.

    Example:
        >>> assets = {"equity": mc.market.GBM(spot=100.0, sigma=0.2), "bond": mc.market.GBM(spot=50.0, sigma=0.06)}
        >>> market = mc.market.Market(assets, {"equity-bond": -0.2}, rate=0.03)
        >>> market.n_factors
        2
        >>> market.risk_neutral()["equity"].drift
        array(0.03)
    """

    assets: dict[str, AbstractAsset] = number(flat=True)
    correlation: corr.Target = None
    rate: Annotated[Any, float | Rate] = 0.0
    regimes: Annotated[Any, Regimes | None] = None
    events: Annotated[Any, Mapping[str, on_dates.Event] | None] = None
    scenarios: Annotated[Any, Mapping[str, on_dates.Scenario] | None] = None
    repair: bool = static(default=False)
    repaired: float = static(default=0.0)
    measure: str = static(default="P")

    def canonical(self) -> dict[str, Any]:
        if not self.assets:
            raise ValueError("Market.assets: expected at least one asset, got none")
        reserved = {field.name for field in dataclasses.fields(self)}
        for name, asset in self.assets.items():
            if not isinstance(asset, AbstractAsset):
                raise ValueError(f"Market.assets.{name}: expected an asset model, got {type(asset).__name__}")
            if name in reserved:
                raise ValueError(f"Market.assets: expected names that are no field of Market, got {name!r}")
            if not name.isidentifier():
                raise ValueError(f"Market.assets: expected names made of letters, digits and underscores, got {name!r}")
        if self.measure not in ("P", "Q"):
            raise ValueError(f"Market.measure: expected 'P' or 'Q', got {self.measure!r}")
        rate = self.rate if hasattr(self.rate, "discounts") else FlatRate(self.rate)
        names = _correlated(self.assets, rate)
        pairs, distance = self._sound(corr.to_pairs(self.correlation, names), names)
        regimes = self.regimes
        if regimes is not None and regimes.correlation:
            by_regime = {name: self._sound(corr.to_pairs(given, names), names) for name, given in regimes.correlation.items()}
            regimes = replace(regimes, correlation={name: given for name, (given, _) in by_regime.items()})
            distance = max(distance, *(moved for _, moved in by_regime.values()))
        return {
            "assets": dict(self.assets),
            "correlation": pairs,
            "rate": rate,
            "regimes": regimes,
            "events": dict(self.events or {}),
            "scenarios": dict(self.scenarios or {}),
            "repaired": max(distance, self.repaired),
        }

    def _sound(self, pairs: dict[str, Any], names: list[str]) -> tuple[dict[str, Any], float]:
        """(pairs, how far they were moved): the nearest that are positive definite, where ``repair`` says so."""
        if not (self.repair and names and is_concrete(pairs)):
            return pairs, 0.0
        corr.check_range(pairs, ends=True)
        near_by = corr.nearest(corr.to_matrix(pairs, names))
        return (corr.to_pairs(near_by.matrix, names), near_by.distance) if near_by.distance > 0.0 else (pairs, 0.0)

    def check(self) -> None:
        corr.check(self.correlation, self.correlated)
        if self.regimes is not None:
            for name, pairs in (self.regimes.correlation or {}).items():
                try:
                    corr.check(pairs, self.correlated)
                except ValueError as error:
                    raise ValueError(f"regimes.{name}: {error}") from None
        for name, asset in self.assets.items():
            asset.check_market(self, name)
        on_dates.check(self.events, self.scenarios, self.assets, stochastic_rate=bool(self.rate.n_factors))

    @property
    def correlated(self) -> list[str]:
        """Names in the order of the correlation matrix: assets with a Brownian motion of their own, then the rate."""
        return _correlated(self.assets, self.rate)

    @property
    def remarks(self) -> list[str]:
        """What whoever runs it should know: correlations that were moved, variances that touch zero; a line each."""
        moved = [f"correlation: no positive definite matrix, repaired to the nearest, {self.repaired:.2g} away (Frobenius)"] if self.repaired else []
        feller = {name: float(asset.feller) for name, asset in self.assets.items() if asset.feller is not None}
        low = [f"{n}: 2 kappa theta / xi^2 = {f:.2f}, below 1: the variance touches zero, which QE-M handles" for n, f in feller.items() if f < 1.0]
        return moved + low

    def __getitem__(self, name: str) -> AbstractAsset:
        if name not in self.assets:
            raise ValueError(f"unknown asset {name!r}{near(name, self.assets)}")
        return self.assets[name]

    @property
    def n_factors(self) -> int:
        return self.n_shared + self.rate.n_factors + sum(asset.n_factors for asset in self.assets.values())

    @property
    def n_shared(self) -> int:
        """Normals a step that are correlated with none: one of the regimes, two of the events."""
        return int(self.regimes is not None and len(self.regimes.names) > 1) + 2 * bool(self.events)

    @property
    def n_uniforms(self) -> int:
        return sum(asset.n_uniforms for asset in self.assets.values())

    def check_steps(self, years: Scalar, steps: int) -> None:
        """Check that all assets can take steps of a size, and that no two events fall into one.

        Args:
            years: Horizon in years.
            steps: Steps to it.

        Raises:
            ValueError: They cannot.
        """
        on_dates.check_step(self.events, float(years) / steps)
        for name, asset in self.assets.items():
            try:
                asset.check_step(float(years) / steps)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None

    def pricers(self) -> dict[str, Pricer]:
        """For each asset the pricer with its own parameters under Q."""
        return {name: asset.pricer_in(self) for name, asset in self.assets.items()}

    def rate_exposure(self, name: str) -> Scalar | None:
        """Volatility of an asset x its correlation with a stochastic rate: what the rate's covariance adds to the asset's forward.

        Args:
            name: The asset.

        Returns:
            A volatility a year under Q; none where the asset's own law has the rate in it.
        """
        volatility = self.assets[name].mean_volatility
        return None if volatility is None else volatility * corr.between(self.correlation, name, "rate")

    def observe(self, name: str, states: dict[str, Any]) -> tuple[Scalar, Scalar]:
        """What can be seen of an asset.

        Args:
            name: The asset.
            states: The market's states by name.

        Returns:
            (spot in currency, instantaneous variance a year).
        """
        return self.assets[name].observe_in(states[name], self, states)

    def variance_of(self, shares: Mapping[str, Scalar], variances: Mapping[str, Scalar]) -> Scalar:
        """Variance a year of a mix as the market stands: its Brownian motions, by the correlation of the regime it starts in, and its jumps.

        Args:
            shares: By asset, of the mix.
            variances: By asset, as observed.
        """
        by_regime = (self.regimes.correlation or {}) if self.regimes is not None else {}
        starting = self.regimes.start or self.regimes.names[0] if self.regimes is not None else ""
        pairs: Mapping[str, Any] = by_regime.get(starting, self.correlation) or {}
        driven = {n: self.assets[n].driver(self, n) for n in shares}
        size = {n: shares[n] * root(variances[n]) for n in shares}
        total = sum((shares[n] ** 2 * self.assets[n].jump_variance for n in shares), start=0.0)
        for a in shares:
            for b in shares:
                (first, x), (second, y) = driven[a], driven[b]
                c = 1.0 if first == second else pairs.get(f"{first}-{second}", pairs.get(f"{second}-{first}", 0.0))
                total = total + (1.0 if a == b else x * y * c) * size[a] * size[b]
        return total

    def risk_neutral(self) -> "Market":
        """The market under Q: every discounted total return a martingale, variances and events as options are priced by, no unannounced shock.

        Under a stochastic rate an asset drifts at the path's own; its number is then 0.
        """
        events = {name: event.risk_neutral() for name, event in self.events.items()}
        if not self.rate.n_factors:
            rate = self.rate.rate
            return replace(self, assets={name: asset.risk_neutral(rate) for name, asset in self.assets.items()}, events=events, scenarios=None)
        assets = {name: asset.risk_neutral(0.0) for name, asset in self.assets.items()}
        return replace(self, assets=assets, rate=self.rate.risk_neutral(), events=events, scenarios=None, measure="Q")

    def prepare(self, calendar: Calendar) -> PreparedMarket:
        """All that does not depend on the path, computed once a run inside the program.

        Args:
            calendar: Dates of the run.
        """
        return PreparedMarket(self, calendar)


def _correlated(assets: dict[str, Any], rate: Any) -> list[str]:
    return [name for name, asset in assets.items() if asset.n_factors] + (["rate"] if rate.n_factors else [])
