"""Folders of configurations: mcengine's own, and a user's by group (``--config-dir``), whose files are data and leave Hydra's settings alone."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from mcengine import _yaml

_HERE = Path(__file__).resolve().parent
CONF = _HERE / "conf" if (_HERE / "conf").is_dir() else _HERE.parent / "conf"
"""Within the package where it was installed, beside it in a checkout."""


def check_folder(folder: Path) -> None:
    """Check a folder of configurations.

    Args:
        folder: A ``config_dir``.

    Raises:
        ValueError: For no folder, or one with a file that is never read, that nobody could read to its end, or that changes settings of Hydra itself.
    """
    if not folder.is_dir():
        raise ValueError(f"--config-dir: expected a folder of configurations, got {folder} which is none")
    for file in sorted(folder.rglob("*.yaml")):
        if (CONF / file.relative_to(folder)).is_file():
            raise ValueError(f"--config-dir: {file} is hidden by mcengine's own of that name; give it another")
        try:
            text = _yaml.text_of(file)
            hidden = "hydra" in file.relative_to(folder).parts[:-1] or _sets_hydra(text)
        except (ValueError, OSError) as error:
            raise ValueError(f"--config-dir: {file}: {error}") from None
        if hidden:
            raise ValueError(f"--config-dir: {file} has settings of Hydra itself, which only the command line may give, as hydra.<key>=<value>")


def _without_params(tree: Any) -> Any:
    """The tree of a file without what a study sweeps over, which it may say as Hydra has it: ``hydra: {sweeper: {params: {floor: 0.8,0.9}}}``."""
    try:
        ((only, params),) = tree["hydra"]["sweeper"].items()
        plain = only == "params" and len(tree["hydra"]) == 1 and all(re.fullmatch(r"\+?(?!hydra\b)[\w./-]+", key) for key in params)
    except (KeyError, TypeError, ValueError, AttributeError):
        return tree
    return {key: value for key, value in tree.items() if key != "hydra"} if plain else tree


def _sets_hydra(text: str) -> bool:
    """Whether a yaml file has the key ``hydra``, is packaged there, or has it among its defaults."""

    def keys(tree: Any) -> Iterator[str]:
        for key, value in tree.items() if isinstance(tree, dict) else ():
            yield from (re.split(r"\W", str(value)) if key == "defaults" else ())
            yield str(key).partition(".")[0]
            yield from keys(value)

    try:
        tree = _yaml.parse(text)
    except yaml.constructor.ConstructorError as error:
        raise ValueError(_yaml.problem(error)) from None
    except yaml.YAMLError:
        return False  # Hydra says what is wrong with it, where it is asked for
    return "hydra" in keys(_without_params(tree)) or bool(re.search(r"^\s*#\s*@package\s.*\bhydra\b", text, re.MULTILINE))
