"""A volatility surface for history, where VIX is known and options are not quoted: level by VIX, maturities by a term rule, strikes by a slope.

Level and term: the variance that VIX squared averages over 30 days reverts to a long-run level L,
    theta(T) = [L T + (VIX^2 - L)/g (1 - e^{-kappa T})/kappa] / c^2,   g = (1 - e^{-kappa tau})/(kappa tau), tau = 30/365,
the total variance at the money, c what VIX is over the volatility at the money (1.10 on the fitted smile: VIX reads the wings too).
Slope (Gatheral & Jacquier, "Arbitrage-free SVI volatility surfaces", Quant. Finance 14, 2014, eq 4.1 with the power law of eq 4.5), k = ln K/F:
    w(k, T) = theta/2 {1 + rho phi k + sqrt[(phi k + rho)^2 + 1 - rho^2]},   phi = eta theta^-gamma (1 + theta)^(gamma - 1),
free of arbitrage in strike and time where eta^2 (1 + |rho|) <= 4 (their theorems 4.1 and 4.2), as theta(T) rises. ``skew`` s takes s eta for eta:
0 is flat.
rho, eta, gamma are fitted to the 104 DAX quotes of 5 July 2002, 13 to 703 days, each maturity's theta free: sum of squared errors 61 (points of
volatility), over half of it at 13 days. kappa is VIX squared's own, from its correlation with itself 21 days on, L its mean, both over 1990-2024.
"""

import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number
from mcengine.pricing.vanilla import AbstractVanillaPricer, Vanilla

_VIX_YEARS = 30.0 / 365.0
_LEAST = 1e-8
SHORTEST, LONGEST = 10.0 / 365.0, 2.0
"""Years to expiry for which the surface is stated."""

WIDEST = 4.5
"""|ln K/F| over the total volatility at the money, up to which it is stated: what the quotes reach at 13 days."""


@model
class SurfacePricer(AbstractVanillaPricer):
    """Black at a volatility surface read off VIX: a term structure that reverts, and a slope (Gatheral & Jacquier 2014).

    The quote's variance is VIX squared (0.04 for a VIX of 20). Outside the stated range ``option`` goes on by the formula, which stays free of
    arbitrage; ``volatility`` refuses.

    Args:
        level: Long-run mean of VIX squared, variance a year.
        kappa: Mean reversion a year of VIX squared.
        rho: Skew parameter of the surface, above -1 and below 1.
        eta: Curvature parameter.
        gamma: Power by which the slope falls as total variance rises.
        vix_over_atm: VIX over the volatility at the money.
        skew: Multiplies eta; 0 is a flat smile.

    Raises:
        ValueError: ``skew`` leaves the surface with arbitrage.

    Example:
        >>> surface = mc.pricing.SurfacePricer()
        >>> print(f"{surface.volatility(strike=90.0, forward=100.0, years=0.25, vix=0.2):.3f}")
        0.228
    """

    level: Scalar = number(default=0.0443, above=0.0)
    kappa: Scalar = number(default=4.6, above=0.0)
    rho: Scalar = number(default=-0.4373, above=-1.0, below=1.0)
    eta: Scalar = number(default=0.9464, low=0.0)
    gamma: Scalar = number(default=0.4720, above=0.0, high=0.5)
    vix_over_atm: Scalar = number(default=1.10, above=0.0)
    skew: Scalar = number(default=1.0, low=0.0)

    def check(self) -> None:
        most = 2.0 / (float(self.eta) * np.sqrt(1.0 + abs(float(self.rho)))) if self.eta > 0.0 else np.inf
        if self.skew > most:
            raise ValueError(f"SurfacePricer.skew: expected at most {most:.3g}, up to which the surface has no arbitrage, got {float(self.skew):g}")

    def at_the_money(self, variance: Scalar, years: Scalar) -> Scalar:
        """Total variance at the money, theta(T).

        Args:
            variance: VIX squared, variance a year.
            years: To expiry.
        """
        share = -jnp.expm1(-self.kappa * _VIX_YEARS) / (self.kappa * _VIX_YEARS)
        now = jnp.maximum(self.level + (variance - self.level) / share, 0.0)
        total = self.level * years - (now - self.level) * jnp.expm1(-self.kappa * years) / self.kappa
        return total / self.vix_over_atm**2

    def implied_variance(self, moneyness: Scalar, years: Scalar, variance: Scalar) -> Scalar:
        """Total variance w(k, T) of a strike.

        Args:
            moneyness: k = ln(strike / forward).
            years: To expiry.
            variance: VIX squared, variance a year.
        """
        theta = jnp.maximum(self.at_the_money(variance, years), _LEAST)
        # theta^-gamma (1 + theta)^(gamma - 1) by logarithms: a power is a call for each path, these are vectors.
        phi = self.eta * jnp.exp((self.gamma - 1.0) * jnp.log(1.0 + theta) - self.gamma * jnp.log(theta))
        place = phi * self.skew * moneyness
        root = jnp.sqrt((place + self.rho) ** 2 + 1.0 - self.rho**2)
        return 0.5 * theta * (1.0 + self.rho * place + root)

    def total_volatility(self, option: Vanilla) -> tuple[Scalar, tuple[Scalar, ...]]:
        alive = option.years > 0.0
        w = self.implied_variance(-jnp.log(option.forward / option.strike), jnp.where(alive, option.years, 1.0), option.variance)
        return jnp.sqrt(w + option.event_variance) * alive, ()

    def volatility(self, strike: float, forward: float, years: float, vix: float) -> float:
        """Implied volatility a year.

        Args:
            strike: Currency.
            forward: Forward price for the expiry, currency.
            years: To expiry.
            vix: VIX as a fraction.

        Raises:
            ValueError: Expiry or strike is outside the stated range, or a number is not positive.
        """
        for name, value in {"strike": strike, "forward": forward, "vix": vix}.items():
            if not value > 0.0:
                raise ValueError(f"{name}: expected a positive number, got {value:g}")
        if not SHORTEST <= years <= LONGEST:
            raise ValueError(f"years: expected {SHORTEST:.3f} to {LONGEST:g}, for which the surface is stated, got {years:g}")
        far = float(np.log(strike / forward) / np.sqrt(float(self.at_the_money(vix**2, years))))
        if abs(far) > WIDEST:
            raise ValueError(f"strike: expected one within {WIDEST:g} standard deviations of the forward {forward:g}, got {strike:g}, {far:.1f} away")
        return float(np.sqrt(float(self.implied_variance(np.log(strike / forward), years, vix**2)) / years))
