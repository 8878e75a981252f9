"""Options on a price with GJR-GARCH variance (``market.GJRGARCH``): a smile tabulated from the law of its return, found day by day.

With h the variance of the coming day, e the normal innovation, h' = omega + h m(e) the variance after, X_n the log of the price over its forward,
    phi_n(u; h) = E[e^{iu X_n}] = E[e^{iu (-h/2 + sqrt(h) e)} phi_{n-1}(u; h')],   phi_0 = 1:
for each u a matrix, the same every day, takes phi on Chebyshev nodes of Y = v / (v + 4 theta) (v a year's variance, up to 1 or 9 theta; held there
beyond) from one day to the next. The mean over e is a trapezoid sum with a node on the kink in e, where its error is of the fourth order.
Prices follow by Lewis' integral as in ``smile``, by a trapezoid sum in ln u. (No closed form is known; Duan, Gauthier, Sasseville & Simonato's
"Approximating the GJR-GARCH and EGARCH option pricing models analytically", J. Comp. Finance 9, 2006, expands to four moments.)
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from mcengine._model import Scalar, model, number
from mcengine.pricing import smile
from mcengine.pricing.black import KINDS, black, normal_cdf, root
from mcengine.pricing.calendar import Calendar
from mcengine.pricing.fourier import Tabulated
from mcengine.pricing.precise import precise
from mcengine.pricing.quote import Quote
from mcengine.pricing.vanilla import Vanilla

_NODES, _SIZE = 32, (16, 10)
"""Of the variance, day by day; of the table, moneyness and variance."""

_STEP, _REACH = 0.15, 56
"""Between nodes of the innovation, and how many lie on either side of the kink: +-8.4."""

_GONE = 12.0
"""Where u sqrt(h) is more, a day's phi is below 1e-31; the sum over innovations would alias."""

_BETWEEN = 1e-3
"""Days: by so much a time to expiry may miss a whole number of them by rounding."""

_WAVES = np.exp(np.arange(np.log(2e-3), np.log(2500.0), 0.05))
"""u: from a total volatility of 5 to one of 3e-3."""


@model
class GJRPricer:
    """``omega`` (a variance a year), ``alpha``, ``gamma`` and ``beta`` of P; under Q innovations are less by ``shift``, variances times ``premium``.

    By Lewis' integral on calendars whose steps are days; once prepared for the days of a run by a table, to 1e-4 of spot up to a year (8e-5 measured,
    1.4e-4 at three).
    """

    omega: Scalar = number(low=0.0)
    alpha: Scalar = number(low=0.0)
    gamma: Scalar = number(low=0.0)
    beta: Scalar = number(low=0.0)
    shift: Scalar = number(default=0.0)
    premium: Scalar = number(default=1.0, above=0.0)
    days: Scalar = number(default=252.0, above=0.0)

    @property
    def persistence(self) -> Scalar:
        """Under Q: alpha E[(e - c)^2] + gamma E[(e - c)^2 1{e < c}] + beta."""
        c = self.shift
        below = (1.0 + c * c) * normal_cdf(c) + c * 0.3989422804014327 * jnp.exp(-0.5 * c * c)
        return jnp.clip(self.alpha * (1.0 + c * c) + self.gamma * below + self.beta, 1e-12, 1.0 - 1e-6)

    @property
    def level(self) -> Scalar:
        """Long-run variance a year under Q."""
        return jnp.maximum(self.premium * self.omega / (1.0 - self.persistence), 1e-4)

    def state(self, quote: Quote | Vanilla) -> Scalar:
        """Variance of the coming day under Q, a year."""
        return self.premium * quote.variance

    def expected(self, variance: Scalar, years: Scalar) -> Scalar:
        """Variance to expiry, all of it: the sum of that of each day."""
        fade, theta = self.persistence, self.premium * self.omega / (1.0 - self.persistence)
        return theta * years - (variance - theta) * jnp.expm1(years * self.days * jnp.log(fade)) / (1.0 - fade) / self.days

    def variation(self, quote: Quote, to: Scalar) -> Scalar:
        """Expected sum of squared log-returns from now to a date, without announced events."""
        return self.expected(self.state(quote), quote.years(to))

    def total_variance(self, quote: Quote, expiry: Scalar) -> Scalar:
        """Variance of the log of the forward from now to the date ``expiry``, that of announced events and of a stochastic rate included."""
        return self.variation(quote, expiry) + quote.variance_beside(expiry)

    def option(self, kind: str, strike: Scalar, expiry: Scalar, quote: Quote) -> Scalar:
        """Price now of a European option, currency; ``expiry`` is a date of a calendar of days."""
        if kind not in KINDS:
            raise ValueError(f"kind: expected 'call' or 'put', got {kind!r}")
        forward = quote.forward(expiry)
        put = forward * quote.over_events(expiry, lambda growth, more: growth * self._put(strike / (forward * growth), expiry, quote, more))
        return quote.discount(expiry) * (put if kind == "put" else put + forward - strike)

    def _put(self, strike: Scalar, expiry: Scalar, quote: Quote, more: Scalar) -> Scalar:
        """E[max(K/F - e^X, 0)], ``more`` variance beside that of the days; between two whole numbers of days what lies between their laws."""
        leaves, tree = jax.tree.flatten(self)
        longest = quote.times.shape[0] - 1

        def lewis(strike: Scalar, days: Scalar, variance: Scalar, more: Scalar, *numbers: Scalar) -> Scalar:
            law, u = jax.tree.unflatten(tree, numbers), _WAVES
            every = _transforms(law, u - 0.5j, variance[None], np.arange(1, longest + 1))[:, 0]
            every = jnp.concatenate([jnp.ones_like(every[:1]), every])
            whole = jnp.clip(jnp.floor(days + 0.5 * _BETWEEN), 0, longest - 1).astype(int)
            part = days - whole
            phi = ((1.0 - part) * every[whole] + part * every[whole + 1]) * jnp.exp(-0.5 * more * (u * u + 0.25))
            total = law.expected(variance, days / law.days) + more
            k = jnp.log(strike)
            gap = (jnp.exp(-0.5 * total * (u * u + 0.25)) - phi) * (0.05 * u / (u * u + 0.25))
            excess = jnp.exp(0.5 * k) / jnp.pi * jnp.sum(jnp.real(gap) * jnp.cos(k * u) + jnp.imag(gap) * jnp.sin(k * u))
            return black("put", 1.0, strike, root(total), 1.0) + excess

        return precise(lewis)(strike, quote.years(expiry) * self.days, self.state(quote), more, *leaves)

    def prepare(self, calendar: Calendar) -> Tabulated:
        """The pricer of a run on these dates, which are days."""
        leaves, tree = jax.tree.flatten(self)

        def table(dt: Scalar, *numbers: Scalar) -> smile.Smile:
            law = jax.tree.unflatten(tree, numbers)
            return smile.tabulate(partial(_ratios, law), law.level, -0.5, dt, calendar.dates - 1, _SIZE, integer=True)

        return Tabulated(self, precise(table)(calendar.years / calendar.steps, *leaves))


def _ratios(law: GJRPricer, x: Scalar, variance: Scalar, counts: np.ndarray, dt: Scalar) -> Scalar:
    """Implied over expected total volatility [T, Y, X] so many days before expiry."""
    u = _WAVES
    phi = _transforms(law, u - 0.5j, variance, counts)
    w = law.expected(variance, counts[:, None] / law.days)
    total_volatility = jnp.sqrt(w)[..., None]
    gap = jnp.exp(-0.5 * w[..., None] * (u * u + 0.25)) - phi
    gap = gap * (0.05 * u / (u * u + 0.25))
    k = x * total_volatility
    phase = k[..., None] * u
    total = jnp.sum(jnp.real(gap)[:, :, None] * jnp.cos(phase) + jnp.imag(gap)[:, :, None] * jnp.sin(phase), axis=-1)
    return smile.implied(k, total_volatility, jnp.exp(0.5 * k) / jnp.pi * total)


def _transforms(law: GJRPricer, u: Scalar, variance: Scalar, counts: np.ndarray) -> Scalar:
    """phi [T, Y, U] over so many days from variances a year."""
    level = jax.lax.stop_gradient(law.level)  # nodes stand still, as in ``smile``
    scale, top = 4.0 * level, smile.top(level)
    y = 0.5 * top * (smile.nodes(_NODES) + 1.0)
    v = scale * y / (1.0 - y)
    offset = _STEP * np.arange(-_REACH, _REACH + 1)
    innovation = law.shift + offset
    weight = _STEP * jnp.exp(-0.5 * innovation * innovation) * 0.3989422804014327

    def on_nodes(v: Scalar) -> Scalar:
        """What a function of v is, in terms of its values on the nodes."""
        place = jnp.clip(2.0 / top * v / (v + scale) - 1.0, -1.0, 1.0)
        return jnp.stack(smile.chebyshev(place, _NODES), axis=-1) @ smile.fit(_NODES)

    answer = law.alpha + law.gamma * (offset < 0.0)
    following = on_nodes(law.premium * law.omega + v[:, None] * (answer * offset * offset + law.beta))
    spread = jnp.sqrt(v / law.days)
    wave = 1j * u[:, None, None] * (spread[:, None] * innovation - 0.5 * (spread * spread)[:, None])
    kernel = jnp.where((jnp.real(u)[:, None] * spread)[..., None] < _GONE, weight * jnp.exp(wave), 0.0)
    day = jnp.einsum("umq,mqp->ump", kernel, following + 0j)

    asked = on_nodes(variance) + 0j

    def one_more(phi: Scalar, _: None) -> tuple[Scalar, Scalar]:
        phi = jnp.einsum("ump,up->um", day, phi)
        return phi, asked @ phi.T

    _, phi = jax.lax.scan(one_more, jnp.ones(day.shape[:2], day.dtype), length=int(counts[-1]))
    return phi[counts.astype(int) - 1]
