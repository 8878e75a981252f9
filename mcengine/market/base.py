"""What every asset model is. A new one: one file here, one line in ``__init__``, one yaml, one row in the family's test table."""

from typing import Any, ClassVar, Protocol

from mcengine._model import Scalar
from mcengine.pricing import Pricer


class Asset(Protocol):
    """How one price moves under P, for one path, in scalars.

    ``table`` holds all that depends on time only, arrays over steps; ``step`` reads one row of it. ``loadings`` is the unit vector by
    which the price's Brownian motion loads on the asset's own independent normals, so that asset-level correlations can be asked
    between Brownian motions. ``shock`` is a log-return in the first step, after the first trade: its derivative is a strategy's delta.

    The field ``drift`` of a row (or of its ``diffusion``) is a log-return of the step: the market adds jumps of events to it, scenarios, and
    under Q the path's interest where the rate is stochastic. An asset with a ``forward(spot, years)`` of its own is not grown by interest; one with
    ``needs_regimes`` has its rows and its variance by regime (``RegimeGBM``), one with ``follows_rate`` is driven by the short rate (``BondIndex``).
    """

    n_factors: ClassVar[int]
    n_uniforms: ClassVar[int]

    def loadings(self) -> tuple[Scalar, ...]: ...
    def table(self, times: Scalar, dt: Scalar) -> Any: ...
    def start(self) -> Any: ...
    def step(self, state: Any, row: Any, normals: tuple[Scalar, ...], uniforms: tuple[Scalar, ...]) -> Any:
        """The state a step later. ``normals`` (``n_factors``) are correlated with those of other assets, ``uniforms`` (``n_uniforms``) not."""
        ...

    def observe(self, state: Any) -> tuple[Scalar, Scalar]:
        """(spot, instantaneous variance)."""
        ...

    def pricer(self) -> Pricer: ...
    def risk_neutral(self, rate: Scalar) -> "Asset":
        """The same asset with the drift that makes its discounted total return a martingale, and the variances options are priced by."""
        ...


def check_models(what: str, market: Any) -> None:
    """Raise ``ValueError`` for a market whose moves are history's, which nothing but history changes."""
    if not hasattr(market, "scenarios"):
        raise ValueError(f"{what}: expected a market of models, got history as it was ({type(market).__name__}); leave {what}= out")
