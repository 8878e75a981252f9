"""A configuration composed and checked, before anything is built."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mcengine._config_dir import check_folder
from mcengine._targets import check_nodes
from mcengine.config.compose import compose, unreadable
from mcengine.config.messages import explain
from mcengine.config.saved import plain


def load_config(overrides: Sequence[str] | None = None, name: str = "hedge", config_dir: str | Path | None = None) -> Any:
    """Compose ``conf/<name>.yaml`` with overrides.

    Args:
        overrides: As on the command line of an experiment, but no flags.
        name: Of the experiment.
        config_dir: A folder of configurations of one's own by group: its ``policy/mine.yaml`` is ``policy=mine``.

    Raises:
        ValueError: An unknown key or option, with the near names; a setting of another kind than its reader takes; a ``config_dir`` that
            cannot be used.

    Example:
        >>> import mcengine as mc
        >>> config = mc.load_config(["policy=cppi", "policy.multiplier=5"])
        >>> mc.build(config.policy).stages["cppi"]
        Cppi(floor=0.9, multiplier=5, leverage=1, exposure='scale')
    """
    if config_dir is not None:
        check_folder(Path(config_dir))
    try:
        config = compose(list(overrides or []), name, config_dir)
        check(config, name)
    except unreadable() as error:
        raise ValueError(explain(error, list(overrides or []), name, config_dir)) from None
    return config


def check(config: Any, name: str, *, nodes: bool = False) -> None:
    """Check every setting by name and by type, before anything is built.

    Args:
        config: A configuration.
        name: Of the experiment.
        nodes: Whether to check too what has a ``_target_``; ``build`` does.

    Raises:
        ValueError: A key that nothing reads, with the near names, or a value of another kind than its reader takes.
    """
    from omegaconf.errors import OmegaConfBaseException

    from mcengine._settings import check_settings

    try:
        given = plain(config)
    except OmegaConfBaseException as error:
        raise ValueError(explain(error, [], name)) from None
    check_settings(given, _known(name), name)
    if nodes:
        check_nodes(given)


@cache
def _known(name: str) -> tuple[str, ...]:
    """Top-level keys of an experiment's configuration."""
    return tuple(compose([], name, None))
