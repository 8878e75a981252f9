"""Where a contract's price formula is exact: what each contract asks of the market, and what a market's laws give.

A test holds every answer given here against Monte Carlo; the table of answers is in the package's README.
"""

from typing import Any, NamedTuple

from mcengine._model import is_concrete
from mcengine.market.correlation import between
from mcengine.market.regime_gbm import RegimeGBM
from mcengine.market.variance_asset import VarianceAsset
from mcengine.pricing import BlackPricer
from mcengine.pricing.quote import SIDES_KEPT

_BY_SIMULATION = "mc.price prices it by Monte Carlo"
_ANYWAY = f"{_BY_SIMULATION}, approximate=True takes the formula as it is"


class Gap(NamedTuple):
    """Why a formula is not exact: what it expects of a market, and what it is given."""

    expected: str
    got: str


def check_formula(contract: Any, market: Any, *, approximate: bool) -> None:
    """Check that a contract has a price formula, exact for the market.

    Args:
        contract: Any contract.
        market: The ``Market`` in which it is to be priced.
        approximate: Whether a formula that is not exact will do.

    Raises:
        ValueError: Where it has none, or, unless ``approximate``, none that is exact.
    """
    if hasattr(contract, "legs"):
        for leg in contract.legs.values():
            check_formula(leg, market, approximate=approximate)
        return
    formula, name = getattr(contract, "formula", "pricer"), type(contract).__name__
    if formula == "none":
        raise ValueError(f"{name}: expected a contract with a price formula, got one without; {_BY_SIMULATION}")
    if not hasattr(market, "correlation") and len(contract.assets) != 1 and getattr(contract, "reads_law", True):
        raise ValueError(f"{name}: expected a model of a market, which knows a rate's law and correlations that its formula reads, got history")
    if approximate:
        return
    if formula == "approximate":
        raise ValueError(f"{name}: expected a contract with an exact price formula, got one whose formula is an approximation; {_ANYWAY}")
    found = _gap(contract, market, formula)
    if found is not None:
        raise ValueError(f"{name}: expected {found.expected}, for which its formula is exact, got {found.got}; {_ANYWAY}")


def _gap(contract: Any, market: Any, formula: str) -> Gap | None:
    if formula == "lognormal":
        found = _not_lognormal(contract, market)
        if found is not None:
            return found
    if not hasattr(market, "scenarios"):  # history has no law: prices are what its pricers say
        return None
    for name in contract.assets:
        found = _gap_of_curve(market, name, contract.expiry)
        if found is None and getattr(contract, "reads_law", True):
            found = _gap_of_law(market, name, contract.expiry)
        if found is not None:
            return found
    own: Gap | None = contract.gap(market) if hasattr(contract, "gap") else None
    return own


def _not_lognormal(contract: Any, market: Any) -> Gap | None:
    pricers = market.pricers()
    odd = [name for name in contract.assets if not isinstance(pricers[name], BlackPricer)]
    eventful = any(_events_before(market, name, contract.expiry) for name in contract.assets)
    if not (odd or _rate_moves(market) or market.regimes is not None or eventful):
        return None
    seen = f"{type(market[odd[0]]).__name__} for {odd[0]}" if odd else "a market with a stochastic rate, regimes or events"
    return Gap("lognormal assets and a known rate", seen)


def _gap_of_curve(market: Any, name: str, expiry: Any) -> Gap | None:
    """Why forwards of an asset are not exact."""
    asset, events = market[name], _events_before(market, name, expiry)
    if not events or asset.forward_curve() is None:
        return None
    return Gap(f"no event that moves {name} before expiry, as its jump would fade", f"{type(asset).__name__} and {', '.join(events)}")


def _gap_of_law(market: Any, name: str, expiry: Any) -> Gap | None:
    """Why options on an asset are not."""
    asset = market[name]
    if isinstance(asset, VarianceAsset):
        return Gap("an asset with options that have a price", f"{type(asset).__name__} for {name}")
    if _rate_moves(market):
        by_regime = (market.regimes.correlation or {}).values() if market.regimes is not None else ()
        with_rate = [between(pairs, name, "rate") for pairs in (market.correlation, *by_regime)]
        if not asset.constant_volatility and not all(_is(c, 0.0) for c in with_rate):
            return Gap(f"no correlation of {name} with the rate, as its variance is random", f"{type(asset).__name__} correlated with it")
        if not isinstance(asset, RegimeGBM) and not all(_is(c, with_rate[0]) for c in with_rate[1:]):
            return Gap(f"one correlation of {name} with the rate", "others by regime")
    two_sided = [event for event in _events_before(market, name, expiry).values() if name in event.up or name in event.down]
    if len(two_sided) > SIDES_KEPT:
        return Gap(f"at most {SIDES_KEPT} events with two sides that move {name} before expiry", f"{len(two_sided)}")
    return None


def check_carried(market: Any, name: str, where: str) -> None:
    """Check that no event moves an asset with a futures curve on which contracts are held: its jump would fade, which no mark knows.

    Args:
        market: The market of a study.
        name: The asset.
        where: What an error message begins with.

    Raises:
        ValueError: One does.
    """
    titles = [title for title, event in getattr(market, "events", {}).items() if name in event.names]
    if titles and market[name].forward_curve() is not None:
        raise ValueError(f"{where}: expected no event that moves {name} ({type(market[name]).__name__}), whose jump would fade, got {titles[0]}")


def check_optioned(market: Any, name: str, where: str) -> None:
    """Check that options on an asset have a price.

    Args:
        market: The market of a study.
        name: The asset.
        where: What an error message begins with.

    Raises:
        ValueError: They have none.
    """
    if isinstance(market.assets[name], VarianceAsset):
        raise ValueError(f"{where}: expected an asset with options that have a price, got {type(market[name]).__name__} for {name}")


def _rate_moves(market: Any) -> bool:
    return bool(market.rate.n_factors) and not _is(market.rate.sigma, 0.0)


def _events_before(market: Any, name: str, expiry: Any) -> dict[str, Any]:
    """Events by name that move an asset by the expiry; a date that is not known yet counts."""
    moving = {title: event for title, event in getattr(market, "events", {}).items() if name in event.names}
    return {title: e for title, e in moving.items() if not is_concrete((e.date, expiry)) or float(e.date) <= float(expiry)}


def _is(x: Any, value: Any) -> bool:
    return is_concrete((x, value)) and float(x) == float(value)
