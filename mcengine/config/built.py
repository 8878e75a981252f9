"""What a configuration describes: nodes built, the market and the study made of them."""

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from mcengine._targets import Modules, build, is_own, resolve, targets
from mcengine.config.saved import plain
from mcengine.engine.source import source

_MOST_MARKETS = 16
_markets: dict[str, Any] = {}
"""Built by ``calibrated``, the latest last."""


def load(node: Any, allow: Modules = ()) -> Any:
    """Build what a node's ``_target_`` names, nested nodes and interpolations included.

    Args:
        node: Of a configuration, or plain dicts and lists.
        allow: Modules of one's own, or their names, that a target may name beside mcengine and optax.

    Raises:
        ValueError: A target that names anything else, or what the target itself refused.
    """
    from omegaconf import Container, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        if isinstance(node, dict | list):
            node = OmegaConf.create(node, flags={"allow_objects": True})
        if not isinstance(node, Container):
            return node
        where = str(node._get_full_key("") or "").strip(".")
        return build(OmegaConf.to_container(node, resolve=True, throw_on_missing=True), where, allow)
    except OmegaConfBaseException as error:
        raise ValueError(str(error).splitlines()[0]) from None
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError:
        raise ValueError("expected nodes that end, got one nested too deep or in a circle") from None


def sources(config: Any) -> dict[str, Any]:
    """Source hashes of what a configuration builds that is not mcengine's or optax's.

    Args:
        config: A configuration.

    Returns:
        ``{"source": {target: hash}}``; empty where there is none.
    """
    found = {target: source(resolve(target, at)) for at, target in targets(plain(config)) if is_own(target)}
    return {"source": found} if found else {}


def study(config: Any, policy: Any = None, market: Any = None) -> Any:
    """The ``Study`` of a configuration; prints what its rules want said.

    Args:
        config: A configuration.
        policy: In place of the one it names.
        market: In place of the one it names.
    """
    from mcengine.engine import Study

    made = Study(
        market_of(config, market),
        load(config.policy) if policy is None else policy,
        costs=load(config.ledger),
        years=number(config, "years"),
        steps=integer(config, "steps"),
        delay=integer(config, "delay"),
        noise=load(config.noise),
    )
    for remark in made.remarks:
        print(remark, flush=True)
    return made


def market_of(config: Any, given: Any = None) -> Any:
    """The market of a configuration, its correlations and shock included; prints what should be known of it.

    Args:
        config: A configuration.
        given: A market, or a calibration, in place of the one it names.
    """
    built = calibrated(config.market) if given is None else given
    market = stressed(config, getattr(built, "market", built))  # a calibration carries its market
    of_data = getattr(built, "remarks", ()) if hasattr(built, "market") else ()
    for remark in [*of_data, *getattr(market, "remarks", ())]:
        print(remark, flush=True)
    return market


def calibrated(node: Any) -> Any:
    """What the node of a market builds, once a process for each node and each content of the files that it names.

    Args:
        node: Of a configuration.
    """
    import jax

    given, precision = plain(node), str(jax.numpy.result_type(float))
    files = {text: _content(text) for text in sorted(_texts(given))}
    key = json.dumps([given, files, precision], sort_keys=True, default=str)
    if key not in _markets:
        while len(_markets) >= _MOST_MARKETS:
            _markets.pop(next(iter(_markets)))
        _markets[key] = load(node)
    return _markets[key]


def _texts(tree: Any) -> set[str]:
    """Texts at any depth."""
    if isinstance(tree, str):
        return {tree}
    inner = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list | tuple) else ()
    return {text for item in inner for text in _texts(item)}


def _content(text: str) -> str | None:
    """Hash of the file of that name; None where there is none."""
    try:
        return hashlib.sha256(Path(text).read_bytes()).hexdigest() if Path(text).is_file() else None
    except (OSError, ValueError):
        return None


def stressed(config: Any, market: Any) -> Any:
    """The market with its correlations moved and its shock, as ``correlation=`` and ``scenario=`` say.

    Args:
        config: A configuration.
        market: A ``Market``.
    """
    for group in ("correlation", "scenario"):
        if group in config:
            market = load(config[group]).apply(market)
    return market


def number(config: Any, key: str) -> float:
    """A top-level number.

    Args:
        config: A configuration.
        key: Its name.

    Raises:
        ValueError: For anything else, naming the key.
    """
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key}: expected a number, got {value!r}")
    return float(value)


def integer(config: Any, key: str) -> int:
    """A top-level whole number; 1e6 is one.

    Args:
        config: A configuration.
        key: Its name.

    Raises:
        ValueError: For anything else, naming the key.
    """
    value = number(config, key)
    if not (value.is_integer() and abs(value) < 1e18):
        raise ValueError(f"{key}: expected a whole number, got {config[key]!r}")
    return int(config[key])


def at_floor(config: Any, floor: float) -> Any:
    """The same configuration at another floor: whatever interpolates it follows.

    Args:
        config: A configuration.
        floor: Fraction of the starting wealth.
    """
    other = deepcopy(config)
    other.floor = floor
    return other
