"""Hydra at work: ``conf/<name>.yaml`` composed with overrides, as an experiment does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcengine._config_dir import CONF
from mcengine._spelling import near

_WHOLE = ("weights", "objective.constraints", "search.most")
_SHORT = {"data": "file", "quotes": "model"}


def compose(overrides: list[str], name: str, config_dir: str | Path | None) -> Any:
    """The configuration, not checked.

    Args:
        overrides: As on the command line of an experiment.
        name: Of the experiment.
        config_dir: A folder of configurations of one's own.

    Raises:
        ValueError: There are no configurations, or none of this name; what Hydra raises is among ``unreadable``.
    """
    from hydra import compose as composed
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    overrides = spelled_out(overrides)
    if not CONF.is_dir():
        raise ValueError(f"load_config: expected the configurations at {CONF}, where there are none; install mcengine again")
    if not (CONF / f"{name}.yaml").is_file():
        raise ValueError(f"unknown configuration {name!r}{near(name, [f.stem for f in CONF.glob('*.yaml')])}")
    if config_dir is not None:
        folder = str(Path(config_dir).absolute()).replace("'", "\\'")
        overrides = [*overrides, f"hydra.searchpath=['file://{folder}']"]
    opened, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None  # a notebook's or the experiment's own
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return composed(config_name=name, overrides=replacing(overrides))
    finally:
        GlobalHydra.instance().hydra = opened


def unreadable() -> tuple[type[Exception], ...]:
    """What Hydra, OmegaConf and their yaml raise for what they cannot read."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError  # type: ignore[import-untyped]

    return HydraException, OmegaConfBaseException, YAMLError, ValueError, RecursionError


def replacing(overrides: Sequence[str]) -> list[str]:
    """The overrides, with ``weights={...}`` and the like (``_WHOLE``) written so that they replace what there is: Hydra would add to it.

    Args:
        overrides: As on the command line of an experiment.
    """
    out: list[str] = []
    for override in overrides:
        key, _, given = override.partition("=")
        out += [f"~{key}", f"+{override}"] if key in _WHOLE and given.lstrip().startswith("{") else [override]
    return out


def spelled_out(overrides: Sequence[str]) -> list[str]:
    """Overrides with ``data=my.csv`` as ``data.file=my.csv``, which it is short for, and ``quotes=bates`` as ``quotes.model=bates``.

    ``experiment=null`` is left out: it asks for what there is without it.

    Args:
        overrides: As on the command line.
    """
    out = []
    for override in overrides:
        key, _, given = override.partition("=")
        if override == "experiment=null":
            continue
        out.append(f"{key}.{_SHORT[key]}={given}" if key in _SHORT and given and not given.startswith("{") else override)
    return out
