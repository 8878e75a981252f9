"""What every asset model is. A new one: one file here, one line in ``__init__``, one yaml, one row in the family's test table."""

import abc
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from mcengine._model import Scalar
from mcengine.pricing import Pricer


class AbstractAsset(abc.ABC):
    """How one price moves under P, for one path, in scalars: what a market asks of it. Most models are an ``AbstractStandaloneAsset``.

    ``loadings`` is the unit vector by which the price's Brownian motion loads on the asset's own independent normals, so that asset-level
    correlations can be asked between Brownian motions. ``shock`` is a log-return in the first step, after the first trade: its derivative is a
    strategy's delta. ``drift`` is the expected total return a year under P, ``dividend`` the yield in it, where they are numbers of the model.
    Under Q the path's interest is added to a step's log-return where the rate is stochastic, unless ``takes_interest`` is False.
    """

    drift: Any = None
    dividend: Scalar = 0.0
    shock: Scalar = 0.0
    takes_interest: ClassVar[bool] = True

    @property
    @abc.abstractmethod
    def n_factors(self) -> int:
        """Normals a step, correlated with those of other assets."""

    @property
    @abc.abstractmethod
    def n_uniforms(self) -> int:
        """Uniforms a step, correlated with none."""

    @abc.abstractmethod
    def loadings(self) -> tuple[Scalar, ...]: ...

    @abc.abstractmethod
    def start(self) -> Any: ...

    @abc.abstractmethod
    def risk_neutral(self, rate: Scalar) -> "AbstractAsset":
        """The same asset with the drift that makes its discounted total return a martingale, and the variances options are priced by."""

    @abc.abstractmethod
    def table_in(self, market: Any, times: Scalar, dt: Scalar, discounts: tuple[Scalar, Scalar]) -> Any:
        """All that depends on time only, arrays over steps, by regime where it differs. ``times`` and ``dt`` are those of the steps' starts;
        ``discounts`` today's at the start and the end of each.
        """

    @abc.abstractmethod
    def step_in(
        self, state: Any, row: Any, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...], before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> Any:
        """The state a step later. ``before`` are the market's states at its start, ``after`` those at its end, the rate among them."""

    @abc.abstractmethod
    def observe_in(self, state: Any, market: Any, states: Mapping[str, Any]) -> tuple[Scalar, Scalar]:
        """(spot, instantaneous variance)."""

    @abc.abstractmethod
    def pricer_in(self, market: Any) -> Pricer: ...

    @property
    def feller(self) -> Scalar | None:
        """2 kappa theta / xi^2 of a square-root variance: below 1 it touches zero."""
        return None

    def check_market(self, market: Any, name: str) -> None:  # noqa: B027 (most assets take any)
        """Raise ``ValueError`` for a market that lacks what this asset reads."""

    def check_step(self, dt: float) -> None:  # noqa: B027 (most assets take any)
        """Raise ``ValueError`` where the asset cannot take steps of ``dt`` years."""

    def with_return(self, row: Any, move: Scalar) -> Any:
        """A row of the table whose log-return is ``move`` larger."""
        if not hasattr(row, "drift"):
            raise ValueError("expected an asset whose steps take a log-return more (a row with a drift), got one without")
        return row._replace(drift=row.drift + move)

    def income(self, state: Any, row: Any, interest: Scalar) -> Scalar | None:
        """What a unit pays at the end of a step begun in ``state``, over its price then; None where it is the dividend's."""
        return None

    def forward_curve(self) -> Callable[[Scalar, Scalar], Scalar] | None:
        """Futures price by (spot, years), of an asset that is not grown by interest."""
        return None

    def law_ahead(self, market: Any, transition: Scalar, dt: Scalar, dates: int) -> Any:
        """Computed once a run for the quotes: what a pricer must know of times to come."""
        return None

    def quote_extra(self, ahead: Any, states: Mapping[str, Any]) -> Any:
        """What a quote carries for the pricer, from ``law_ahead`` and the market's states."""
        return None


class AbstractStandaloneAsset(AbstractAsset):
    """An asset that reads nothing of its market: ``table`` holds all that depends on time only, arrays over steps; ``step`` reads one row of it.

    The field ``drift`` of a row is a log-return of the step: the market adds jumps of events to it, scenarios, and interest (see ``with_return``).
    """

    @abc.abstractmethod
    def table(self, times: Scalar, dt: Scalar) -> Any: ...

    @abc.abstractmethod
    def step(self, state: Any, row: Any, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...]) -> Any:
        """The state a step later. ``normals`` (``n_factors``) are correlated with those of other assets, ``uniforms`` (``n_uniforms``) not."""

    @abc.abstractmethod
    def observe(self, state: Any) -> tuple[Scalar, Scalar]:
        """(spot, instantaneous variance)."""

    @abc.abstractmethod
    def pricer(self) -> Pricer: ...

    def table_in(self, market: Any, times: Scalar, dt: Scalar, discounts: tuple[Scalar, Scalar]) -> Any:
        return self.table(times, dt)

    def step_in(
        self, state: Any, row: Any, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...], before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> Any:
        return self.step(state, row, normals, uniforms)

    def observe_in(self, state: Any, market: Any, states: Mapping[str, Any]) -> tuple[Scalar, Scalar]:
        return self.observe(state)

    def pricer_in(self, market: Any) -> Pricer:
        return self.pricer()


def check_models(what: str, market: Any) -> None:
    """Raise ``ValueError`` for a market whose moves are history's, which nothing but history changes."""
    if not hasattr(market, "scenarios"):
        raise ValueError(f"{what}: expected a market of models, got history as it was ({type(market).__name__}); leave {what}= out")
