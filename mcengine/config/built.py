"""What a configuration describes: nodes built, the market and the study made of them."""

import json
from copy import deepcopy
from typing import Any

from mcengine import _targets
from mcengine._noted import note, noting
from mcengine._targets import Modules, is_own, resolve, targets
from mcengine.config.saved import content, plain, texts
from mcengine.config.suited import suit
from mcengine.engine.identity import plain as by_name
from mcengine.engine.source import source
from mcengine.policy.presets import unhedged

BENCHMARK = "unhedged"
"""The book that others are compared with."""

_MOST_MARKETS = 64
_markets: dict[str, Any] = {}
"""Built by ``calibrated``, the latest last."""


def build(node: Any, allow: Modules = ()) -> Any:
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
        return _targets.build(OmegaConf.to_container(node, resolve=True, throw_on_missing=True), where, allow)
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
    found = _sources(plain(config))
    return {"source": found} if found else {}


def _sources(tree: Any) -> dict[str, str]:
    return {target: source(resolve(target, at)) for at, target in targets(tree) if is_own(target)}


def study(config: Any, policy: Any = None, market: Any = None) -> Any:
    """The ``Study`` of a configuration; prints what its rules want said.

    Args:
        config: A configuration. Its weights and hedged assets are set to the market's where they are left at those of others (see ``suit``).
        policy: In place of the one it names: rules, or a function that makes them of ``config`` once its weights are the market's.
        market: In place of the one it names.
    """
    from mcengine.engine import Study

    chosen = market_of(config, market)
    for line in suit(config, chosen):
        print(line, flush=True)
    made = Study(
        chosen,
        build(config.policy) if policy is None else policy(config) if callable(policy) else policy,
        costs=build(config.ledger),
        years=number(config, "years"),
        steps=integer(config, "steps"),
        delay=integer(config, "delay"),
        noise=build(config.noise),
    )
    for remark in made.remarks:
        print(remark, flush=True)
    return made


def books(config: Any) -> Any:
    """The rules that an experiment runs beside each other: of ``policies`` the benchmark and every other one at every floor, as ``"cppi 0.9"``; of a
    ``policy`` the unhedged mix and that one, where the configuration chooses an estimator for it; else the policy alone.

    Args:
        config: A configuration.
    """
    if "policies" in config and "floors" in config:
        out = {BENCHMARK: build(config.policies[BENCHMARK])}
        for floor in config.floors:
            at = at_floor(config, floor)
            out |= {f"{name} {floor:g}": build(node) for name, node in at.policies.items() if name != BENCHMARK}
        return out
    if "variance_reduction" not in config:
        return build(config.policy)
    return {BENCHMARK: unhedged(plain(config.weights)), policy_name(config): build(config.policy)}


def policy_name(config: Any) -> str:
    """What the one policy of a configuration is called.

    Args:
        config: A configuration.
    """
    return str(config.policy._target_).rpartition(".")[2]


def market_of(config: Any, given: Any = None) -> Any:
    """The market of a configuration, its correlations and shock included; prints what should be known of it.

    Args:
        config: A configuration.
        given: A market, or a calibration, in place of the one it names.
    """
    built = calibrated(config.market) if given is None else given
    before = getattr(built, "market", built)  # a calibration carries its market
    market = stressed(config, before)
    of_data = getattr(built, "remarks", ()) if hasattr(built, "market") else ()
    for remark in [*of_data, *getattr(market, "remarks", ())]:
        print(remark, flush=True)
    moved = market is not before and by_name(market, "market") != by_name(before, "market")
    note("market", numbers(market) if moved else getattr(built, "parameters", None) or numbers(built))
    note("calibration", {"notes": list(built.notes)} if hasattr(built, "notes") else {})
    return market


def numbers(market: Any) -> dict[str, Any]:
    """The numbers of a market by dotted name, as provenance.json keeps those that have no error.

    Args:
        market: A ``Market``, or history.
    """
    found = {name.removeprefix("market."): value for name, value in by_name(market, "market").items()}
    return {name: {"value": float(x), "error": None} for name, x in found.items() if isinstance(x, int | float) and not isinstance(x, bool)}


def calibrated(node: Any) -> Any:
    """What the node of a market builds, once a process for each node, each content of the files that it names and each source of code of one's own.

    Args:
        node: Of a configuration.
    """
    import jax

    given, precision = plain(node), str(jax.numpy.result_type(float))
    files = {text: content(text) for _, text in texts(given)}
    key = json.dumps([given, files, _sources(given), precision], sort_keys=True, default=str)
    if key not in _markets:
        while len(_markets) >= _MOST_MARKETS:
            _markets.pop(next(iter(_markets)))
        with noting() as learned:
            _markets[key] = build(node), learned
    built, learned = _markets[key]
    for what, values in learned.items():
        note(what, values)
    return built


def stressed(config: Any, market: Any) -> Any:
    """The market with its correlations moved and its shock, as ``correlation=`` and ``scenario=`` say.

    Args:
        config: A configuration.
        market: A ``Market``.
    """
    for group in ("correlation", "scenario"):
        if group in config:
            market = build(config[group]).apply(market)
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
