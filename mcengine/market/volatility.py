"""Forecasts of a volatility from returns, or from what the market says itself: written for one asset, or for a mix held as one.

With r the log-return of a step of dt years and variances v a year:
    Rolling      v = mean of r^2 / dt over the last n steps
    Garch        v' = (1 - p) theta + (alpha + gamma 1{r < 0}) r^2 / dt + beta v,   p = alpha + gamma / 2 + beta;
                 mean of the next n steps: theta + (v - theta) (1 - p^n) / (n (1 - p))
    Har          v = (1 - d - w - m) theta + d RV_1 + w RV_5 + m RV_22,   RV_n the rolling mean above (Corsi, J. Financial Econometrics 7(2), 2009)
    Own          what the market has: the variance that moves the model, the volatility index quoted on a day of history
    Implied      of a call at the money forward, from the market's own pricer
"""

import abc
from typing import Any, ClassVar

import jax.numpy as jnp

from mcengine._model import Scalar, model, number, static
from mcengine.market.signal import AbstractSignal, Quotes


class AbstractVolatility(abc.ABC):
    """A variance a year, known at each date from the returns up to it. Before the first return it is the market's own.

    Attributes:
        reads_own: Whether it reads the market's own variance on later dates too; where it does not, none is computed there.
    """

    reads_own: ClassVar[bool] = True

    @abc.abstractmethod
    def start(self, own: Scalar) -> Any:
        """Memory on the first date.

        Args:
            own: The market's own variance a year.
        """

    @abc.abstractmethod
    def step(self, memory: Any, square: Scalar, fell: Scalar) -> Any:
        """Memory a step later.

        Args:
            memory: Before it.
            square: r^2 / dt of the step.
            fell: Whether r < 0.
        """

    @abc.abstractmethod
    def variance(self, memory: Any, own: Scalar) -> Scalar:
        """Variance a year that is forecast.

        Args:
            memory: Of the date.
            own: The market's own today.
        """


@model
class Own(AbstractVolatility):
    """The market's own variance of the date."""

    def start(self, own: Scalar) -> Any:
        return ()

    def step(self, memory: Any, square: Scalar, fell: Scalar) -> Any:
        return ()

    def variance(self, memory: Any, own: Scalar) -> Scalar:
        return own


@model
class Implied(AbstractVolatility):
    """Implied by a call at the money forward that has ``steps`` to live, as the market prices it; for a rule on one asset, which reads it there.

    Args:
        steps: To the call's expiry.

    Raises:
        ValueError: For what is no count of steps.
    """

    steps: int = static(default=21)

    def canonical(self) -> dict[str, Any]:
        _check_steps("Implied.steps", self.steps)
        return {}

    def start(self, own: Scalar) -> Any:
        return ()

    def step(self, memory: Any, square: Scalar, fell: Scalar) -> Any:
        return ()

    def variance(self, memory: Any, own: Scalar) -> Scalar:
        return own


def _check_steps(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}: expected a whole number of steps from 1, got {value!r}")


def _mean(squares: tuple[Scalar, ...]) -> Scalar:
    """Number by number: the sum of an array may be taken in another order in blocks of another size."""
    return sum(squares[1:], start=squares[0]) / len(squares)


@model
class Rolling(AbstractVolatility):
    """Realised over the last steps, equally weighted. A target divided by it is missed upwards: E[1 / v] = n / (n - 2) / E[v] for normal returns.

    Args:
        window: Steps.

    Raises:
        ValueError: For what is no count of steps.
    """

    window: int = static(default=21)

    reads_own: ClassVar[bool] = False

    def canonical(self) -> dict[str, Any]:
        _check_steps("Rolling.window", self.window)
        return {}

    def start(self, own: Scalar) -> tuple[Scalar, ...]:
        return (own,) * self.window

    def step(self, memory: tuple[Scalar, ...], square: Scalar, fell: Scalar) -> tuple[Scalar, ...]:
        return (*memory[1:], square)

    def variance(self, memory: tuple[Scalar, ...], own: Scalar) -> Scalar:
        return _mean(memory)


@model
class Garch(AbstractVolatility):
    """GJR-GARCH(1,1) as a filter (Glosten, Jagannathan & Runkle 1993); ``gamma`` 0 is GARCH(1,1) (Bollerslev 1986).

    Args:
        theta: Long-run variance a year.
        alpha: Weight of the squared return.
        beta: Weight of the variance before.
        gamma: Weight added to alpha where the return is negative.
        ahead: Steps over whose mean it forecasts.

    Raises:
        ValueError: For a variance that is not stationary, or what is no count of steps.
    """

    theta: Scalar = number(above=0.0)
    alpha: Scalar = number(default=0.05, low=0.0)
    beta: Scalar = number(default=0.9, low=0.0)
    gamma: Scalar = number(default=0.0, low=0.0)
    ahead: int = static(default=1)

    reads_own: ClassVar[bool] = False

    def canonical(self) -> dict[str, Any]:
        _check_steps("Garch.ahead", self.ahead)
        return {}

    @property
    def persistence(self) -> Scalar:
        """By which a variance's distance from its long run shrinks a step."""
        return self.alpha + 0.5 * self.gamma + self.beta

    def check(self) -> None:
        if not self.persistence < 1.0:
            raise ValueError(f"Garch: expected a stationary variance, alpha + gamma/2 + beta below 1, got {float(self.persistence):.6g}")

    def start(self, own: Scalar) -> Scalar:
        return own

    def step(self, memory: Scalar, square: Scalar, fell: Scalar) -> Scalar:
        return (1.0 - self.persistence) * self.theta + (self.alpha + jnp.where(fell, self.gamma, 0.0)) * square + self.beta * memory

    def variance(self, memory: Scalar, own: Scalar) -> Scalar:
        p, n = self.persistence, self.ahead
        return self.theta + (memory - self.theta) * ((1.0 - p**n) / (n * (1.0 - p)) if n > 1 else 1.0)


_DAYS = {"day": 1, "week": 5, "month": 22}


@model
class Har(AbstractVolatility):
    """Heterogeneous autoregression of realised variance over a day, a week and a month of steps (Corsi 2009), of daily returns.

    Args:
        theta: Long-run variance a year.
        day: Weight of the last step.
        week: Weight of the last 5.
        month: Weight of the last 22.

    Raises:
        ValueError: For weights whose sum is not below 1.
    """

    theta: Scalar = number(above=0.0)
    day: Scalar = number(low=0.0)
    week: Scalar = number(low=0.0)
    month: Scalar = number(low=0.0)

    reads_own: ClassVar[bool] = False

    def check(self) -> None:
        if not self.day + self.week + self.month < 1.0:
            raise ValueError(f"Har: expected a stationary variance, day + week + month below 1, got {float(self.day + self.week + self.month):.6g}")

    def start(self, own: Scalar) -> tuple[Scalar, ...]:
        return (own,) * _DAYS["month"]

    def step(self, memory: tuple[Scalar, ...], square: Scalar, fell: Scalar) -> tuple[Scalar, ...]:
        return (*memory[1:], square)

    def variance(self, memory: tuple[Scalar, ...], own: Scalar) -> Scalar:
        weights = {name: getattr(self, name) for name in _DAYS}
        return (1.0 - sum(weights.values())) * self.theta + sum(weights[name] * _mean(memory[-n:]) for name, n in _DAYS.items())


def check_volatility(where: str, volatility: Any) -> None:
    """Raise ``ValueError`` for what is no forecast of a volatility.

    Args:
        where: What the message begins with.
        volatility: What was given.
    """
    if not isinstance(volatility, AbstractVolatility):
        raise ValueError(f"{where}: expected a forecast such as Rolling, Garch, Har or Own, got {type(volatility).__name__}")


@model
class Forecast(AbstractSignal):
    """A forecast of one asset's volatility a year, as a signal.

    Args:
        asset: The asset watched.
        volatility: ``Rolling``, ``Garch``, ``Har`` or ``Own``.

    Raises:
        ValueError: For what is no forecast.
    """

    asset: str = static()
    volatility: Any

    def canonical(self) -> dict[str, Any]:
        check_volatility("Forecast.volatility", self.volatility)
        if isinstance(self.volatility, Implied):
            raise ValueError("Forecast.volatility: expected one that needs no option prices, which signals do not see, got Implied")
        return {}

    @property
    def assets(self) -> tuple[str, ...]:
        return (self.asset,)

    def start(self, quotes: Quotes) -> tuple[Scalar, Any]:
        own = jnp.asarray(quotes[self.asset].variance, jnp.result_type(float))
        return own, self.volatility.start(own)

    def step(self, memory: tuple[Scalar, Any], before: Quotes, after: Quotes, dt: Scalar) -> tuple[Scalar, Any]:
        move = jnp.log(after[self.asset].spot / before[self.asset].spot)
        return jnp.asarray(after[self.asset].variance, jnp.result_type(float)), self.volatility.step(memory[1], move**2 / dt, move < 0.0)

    def value(self, memory: tuple[Scalar, Any]) -> Scalar:
        return jnp.sqrt(jnp.maximum(self.volatility.variance(memory[1], memory[0]), 1e-12))
