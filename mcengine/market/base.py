"""What every asset model is. A new one: one file here, one line in ``__init__``, one yaml, one row in the family's test table."""

import abc
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar
from mcengine.market.variance_law import VarianceLaw
from mcengine.pricing import Pricer


class AbstractAsset(abc.ABC):
    """How one price moves under P, for one path, in scalars: what a market asks of it. Most models are an ``AbstractStandaloneAsset``.

    Attributes:
        drift: Expected total return a year under P, where it is a number of the model.
        dividend: Yield a year in it.
        shock: Log-return added in the first step, after the first trade; the derivative by it is a strategy's delta.
        takes_interest: Whether, under Q and a stochastic rate, the path's interest is added to a step's log-return.
        constant_volatility: Whether its Brownian motion moves the price by a volatility that nothing but the regime changes: options then have an
            exact price also where it is correlated with a stochastic rate.
        steps_matter: Whether its options depend on the steps of the calendar, and not only on their dates.
    """

    drift: Any = None
    dividend: Scalar = 0.0
    shock: Scalar = 0.0
    takes_interest: ClassVar[bool] = True
    constant_volatility: ClassVar[bool] = False
    steps_matter: ClassVar[bool] = False

    @property
    def jump_variance(self) -> Scalar:
        """Variance a year that jumps add to the one observed, under P."""
        return 0.0

    @property
    @abc.abstractmethod
    def n_factors(self) -> int:
        """Normals a step, correlated with those of other assets."""

    @property
    @abc.abstractmethod
    def n_uniforms(self) -> int:
        """Uniforms a step, correlated with none."""

    @abc.abstractmethod
    def loadings(self) -> tuple[Scalar, ...]:
        """Unit vector by which the price's Brownian motion loads on the asset's own independent normals [n_factors].

        Correlations between assets are asked between these Brownian motions.
        """

    @abc.abstractmethod
    def start(self) -> Any:
        """State today, a pytree of scalars."""

    @abc.abstractmethod
    def risk_neutral(self, rate: Scalar) -> "AbstractAsset":
        """The same asset under Q: the drift that makes its discounted total return a martingale, and the variances options are priced by.

        Args:
            rate: Continuously compounded rate a year; 0 where the rate is stochastic.
        """

    @abc.abstractmethod
    def table_in(self, market: Any, times: Scalar, dt: Scalar, discounts: tuple[Scalar, Scalar]) -> Any:
        """All that depends on time only, arrays over steps, by regime where it differs.

        Args:
            market: The market it belongs to.
            times: Years from today to the start of each step [steps].
            dt: Length of each step in years [steps].
            discounts: Today's discount factors to the start and to the end of each step, two arrays [steps].
        """

    @abc.abstractmethod
    def step_in(
        self, state: Any, row: Any, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...], before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> Any:
        """The state a step later.

        Args:
            state: The asset's state.
            row: This step's row of the table.
            normals: Standard normals correlated with those of other assets [n_factors].
            uniforms: Independent uniforms on (0, 1) [n_uniforms].
            before: The market's states by name at the start of the step.
            after: Those at its end that are known already, the rate among them.
        """

    @abc.abstractmethod
    def observe_in(self, state: Any, market: Any, states: Mapping[str, Any]) -> tuple[Scalar, Scalar]:
        """What can be seen of a state.

        Args:
            state: The asset's state.
            market: The market it belongs to.
            states: The market's states by name.

        Returns:
            (spot in currency, instantaneous variance a year).
        """

    @abc.abstractmethod
    def pricer_in(self, market: Any) -> Pricer:
        """The pricer with the asset's own parameters under Q.

        Args:
            market: The market it belongs to.
        """

    @property
    def variance_law(self) -> VarianceLaw | None:
        """Of the variance that it shows, which a ``VarianceAsset`` pays; None where the asset does not say."""
        return None

    def driver(self, market: Any, name: str) -> tuple[str, Scalar]:
        """(whose Brownian motion moves it, correlation with that): without one of its own it falls as the rate rises.

        Args:
            market: The market it belongs to.
            name: The asset's name in it.
        """
        return (name, 1.0) if self.n_factors else ("rate", -1.0)

    @property
    def feller(self) -> Scalar | None:
        """2 kappa theta / xi^2 of a square-root variance: below 1 it touches zero."""
        return None

    def check_market(self, market: Any, name: str) -> None:  # noqa: B027 (most assets take any)
        """Check that a market has what this asset reads.

        Args:
            market: The market it belongs to.
            name: The asset's name in it.

        Raises:
            ValueError: The market lacks it.
        """

    def check_step(self, dt: float) -> None:  # noqa: B027 (most assets take any)
        """Check that the asset can take steps of a length.

        Args:
            dt: Years.

        Raises:
            ValueError: It cannot.
        """

    def with_return(self, row: Any, move: Scalar) -> Any:
        """A row of the table whose log-return is larger.

        Args:
            row: One row of the table.
            move: Log-return added.

        Raises:
            ValueError: A row of this asset has no drift; override it then.
        """
        if not hasattr(row, "drift"):
            raise ValueError("expected an asset whose steps take a log-return more (a row with a drift), got one without")
        return row._replace(drift=row.drift + move)

    def own_scale(self, row: Any, before: Any, after: Any) -> Scalar | None:
        """Standard deviation of a step's log-return given all it draws but the last of its normals, in which it is linear.

        Where it is known the price has a density, and a score by every number that moves it (``market.scored``).

        Args:
            row: This step's row of the table, the regime's.
            before: The asset's state at the start of the step.
            after: That at its end.

        Returns:
            A number above 0; None where the asset does not say.
        """
        return None

    def log_probability(self, row: Any, uniforms: tuple[Scalar, ...], dt: Scalar) -> Scalar:
        """ln of the probability of what a step draws by whole numbers, as how many jumps come; its derivative is their score.

        Args:
            row: This step's row of the table.
            uniforms: Those of the step [n_uniforms].
            dt: Years of the step.

        Returns:
            Up to a constant; 0 where nothing is drawn so.
        """
        return 0.0

    def income(self, state: Any, row: Any, interest: Scalar) -> Scalar | None:
        """What a unit pays at the end of a step, over its price then; None where it is the dividend's.

        Args:
            state: The asset's state at the start of the step.
            row: This step's row of the table.
            interest: What cash earns over the step, a fraction.
        """
        return None

    def forward_curve(self) -> Callable[[Scalar, Scalar], Scalar] | None:
        """Futures price by (spot, years), of an asset that is not grown by interest; else None."""
        return None

    def forward_curve_in(self, market: Any, name: str) -> Callable[[Scalar, Scalar], Scalar] | None:
        """Forward price by (spot, years) in its market: the futures price, but under a stochastic rate correlated with the asset.

        Args:
            market: The market it belongs to.
            name: The asset's name in it.
        """
        return self.forward_curve()

    @property
    def mean_volatility(self) -> Scalar | None:
        """Volatility a year under Q by which its Brownian motion moves the price, the mean of a random one: its covariance with a stochastic rate is
        in forwards and options. None where the asset's own law has the rate in it. It is asked for under a stochastic rate only.

        Raises:
            ValueError: The asset does not say.
        """
        raise ValueError(
            f"{type(self).__name__}.mean_volatility: expected a volatility a year, or None where its own law has the rate in it, got nothing"
        )

    def law_ahead(self, market: Any, name: str, transition: Scalar, dt: Scalar, dates: int) -> Any:
        """What the pricer must know of times to come, computed once a run.

        Args:
            market: The market it belongs to.
            name: The asset's name in it.
            transition: Probabilities [from, to] that the regime changes over a step, or None.
            dt: Length of a step in years.
            dates: Dates of the calendar.
        """
        return None

    def quote_extra(self, ahead: Any, states: Mapping[str, Any]) -> Any:
        """What a quote carries for the pricer.

        Args:
            ahead: What ``law_ahead`` returned.
            states: The market's states by name.
        """
        return None


class AbstractStandaloneAsset(AbstractAsset):
    """An asset that reads nothing of its market.

    The field ``drift`` of a row is a log-return of the step: the market adds jumps of events to it, scenarios, and interest (see ``with_return``).
    """

    @abc.abstractmethod
    def table(self, times: Scalar, dt: Scalar) -> Any:
        """All that depends on time only, arrays over steps.

        Args:
            times: Years from today to the start of each step [steps].
            dt: Length of each step in years [steps].
        """

    @abc.abstractmethod
    def step(self, state: Any, row: Any, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...]) -> Any:
        """The state a step later.

        Args:
            state: The asset's state.
            row: This step's row of the table.
            normals: Standard normals correlated with those of other assets [n_factors].
            uniforms: Independent uniforms on (0, 1) [n_uniforms].
        """

    @abc.abstractmethod
    def observe(self, state: Any) -> tuple[Scalar, Scalar]:
        """What can be seen of a state.

        Args:
            state: The asset's state.

        Returns:
            (spot in currency, instantaneous variance a year).
        """

    @abc.abstractmethod
    def pricer(self) -> Pricer:
        """The pricer with the asset's own parameters under Q."""

    @property
    def mean_volatility(self) -> Scalar | None:
        """That quoted today; a model whose variance moves, or differs under Q, says better."""
        return jnp.sqrt(self.observe(self.start())[1])

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
