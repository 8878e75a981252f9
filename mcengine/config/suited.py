"""A configuration at a market whose assets have names of their own: weights and hedged asset that are still the shipped ones become the market's."""

import math
from collections.abc import Iterator
from typing import Any

from mcengine import _yaml
from mcengine._config_dir import CONF
from mcengine._noted import note

_RULES = ("policy", "policies", "benchmark")
_ASSETS = ("asset", "other")


def suit(config: Any, market: Any) -> list[str]:
    """Set weights and hedged assets that ``config`` leaves at those of conf/base.yaml to the market's, where it has no such assets.

    Weights become equal, rounded down to four digits; a rule's ``asset`` becomes the one of the largest weight (of equal ones the first), its
    ``other`` the next.

    Args:
        config: A configuration, which is changed.
        market: A ``Market``, or history.

    Returns:
        What was set, a line each; empty where nothing was.
    """
    from omegaconf import OmegaConf

    names, default = list(market.assets), _yaml.read_yaml(CONF / "base.yaml")["weights"]
    said, set_to = [], {}
    if "weights" in config and OmegaConf.to_container(config.weights) == default and set(default) - set(names):
        each = math.floor(1e4 / len(names)) / 1e4
        OmegaConf.update(config, "weights", dict.fromkeys(names, each), merge=False, force_add=True)
        said.append(f"weights: {each:g} each of {', '.join(names)}; choose with weights={{{names[0]}:...}}")
    weights = dict(config.get("weights") or {})
    ordered = sorted(names, key=lambda name: -float(weights.get(name, 0.0)))
    places = dict(zip(_ASSETS, (ordered * 2)[:2], strict=True))
    for group in _RULES:
        for node, key in _assets(config.get(group)):
            if node[key] in default and node[key] not in names:
                node[key] = places[key]
                set_to[str(node._get_full_key(key))] = places[key]
                said.append(f"{node._get_full_key(key)}: {node[key]}, for the market has no {'equity' if key == 'asset' else 'bond'}")
    if said:
        note("weights", {name: float(weight) for name, weight in weights.items()})
    if set_to:
        note("hedged", set_to)
    return said


def _assets(node: Any) -> Iterator[tuple[Any, str]]:
    """(node, key) of every asset that a rule names."""
    from omegaconf import DictConfig, ListConfig

    if isinstance(node, ListConfig):
        for item in node:
            yield from _assets(item)
    if isinstance(node, DictConfig):
        for key in list(node):
            inner = node._get_node(key)
            if isinstance(inner, DictConfig | ListConfig) and not inner._is_interpolation():
                yield from _assets(inner)
            elif key in _ASSETS and isinstance(node[key], str):
                yield node, str(key)
