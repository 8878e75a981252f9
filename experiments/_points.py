"""The points of a sweep: overrides read by Hydra's own parser, composed once for each choice of groups, numbers set in copies."""

import itertools
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _command_line import CommandLine, folder_name

from mcengine import config as configuration

STUDY = "experiment"
OFF = ("plots=false", "outcomes=false")
"""Of a sweep's runs, unless the command line has them: a sweep is studied by its table."""


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Args:
        overrides: Of the run alone, as on a command line.
        swept: Its values of the keys that are swept.
        choices: Option chosen of each group.
        base: The configuration of its choices of groups, pickled.
        values: Overrides that set values in it, as Hydra's parser has them.
    """

    overrides: list[str]
    swept: Mapping[str, str]
    choices: Mapping[str, Any]
    base: bytes
    values: Sequence[Any]

    @property
    def words(self) -> str:
        """What tells it from the others; nothing where it is the only one."""
        return " ".join(f"{key}={value}" for key, value in self.swept.items())

    def config(self) -> Any:
        """Its configuration, a new one at each call."""
        from hydra._internal.config_loader_impl import ConfigLoaderImpl

        config = pickle.loads(self.base)
        ConfigLoaderImpl._apply_overrides_to_config(self.values, config)  # what Hydra does to what it has composed
        return config

    def folder(self, config: Any) -> str:
        """Name of its folder."""
        return folder_name(self.swept, config)


def points(name: str, line: CommandLine, chosen: Sequence[Mapping[str, str]] | None = None) -> list[Point]:
    """Every point of a sweep, all of them composed.

    Args:
        name: Of the experiment.
        line: Its command line.
        chosen: Values of what is swept at each point; None for all combinations.

    Raises:
        ValueError: Naming the point that cannot be composed.
    """
    out: list[Point] = []
    bases: dict[tuple[str, ...], tuple[bytes, dict[str, Any]]] = {}
    with _loader(name, line) as loader:
        try:
            combined = list(_combined(name, line, loader) if chosen is None else _given(line, chosen))
        except (*configuration.unreadable(), TypeError) as error:
            raise ValueError(configuration.explain(error, line.overrides, name, line.config_dir)) from None
        for overrides, swept in combined:
            try:
                parsed = _parsed(loader, configuration.replacing(overrides))
                groups = [one for one in parsed if _chooses(loader, one)]
                options = tuple(str(one.input_line) for one in groups)
                if options not in bases:
                    bases[options] = _composed(name, loader, options)
                base, choices = bases[options]
                out.append(Point(overrides, swept, choices, base, [one for one in parsed if one not in groups]))
                out[-1].config()
            except (*configuration.unreadable(), TypeError) as error:
                where = " ".join(f"{key}={value}" for key, value in swept.items())
                message = configuration.explain(error, overrides, name, line.config_dir)
                raise ValueError(f"{where}: {message}" if where else message) from None
    return out


def _given(line: CommandLine, chosen: Sequence[Mapping[str, str]]) -> Iterator[tuple[list[str], dict[str, str]]]:
    """(overrides, those of them that are swept) of points whose swept values are given."""
    for values in chosen:
        words = [word for word in line.overrides if not word.startswith("hydra.") and word.partition("=")[0] not in values]
        off = [word for word in OFF if word.partition("=")[0] not in {one.partition("=")[0] for one in words}]
        yield [*off, *words, *(f"{key}={value}" for key, value in values.items())], {key.lstrip("+"): value for key, value in values.items()}


def space(name: str, line: CommandLine) -> dict[str, Any]:
    """What of a sweep is searched, by key: (low, high, whether it is logarithmic) of an interval, a list of texts of anything else that is swept.

    Empty where there is no interval.

    Raises:
        ValueError: For what cannot be read, and beside an interval for a study by name that sweeps over what the command line leaves out.
    """
    out: dict[str, Any] = {}
    given = [word for word in line.overrides if not word.startswith("hydra.")]
    with _loader(name, line) as loader:
        try:
            for one in _parsed(loader, given):
                if one.is_interval_sweep():
                    found = one.value()
                    out[one.get_key_element()] = (found.start, found.end, "log" in found.tags)
                elif one.is_sweep_override():
                    out[one.get_key_element()] = list(one.sweep_string_iterator())
            if not any(isinstance(value, tuple) for value in out.values()):
                return {}
            named = _lists(loader, [word for word in given if word.partition("=")[0] == STUDY][-1:])
            for chosen in itertools.product(*named.values()):
                params = [word.partition("=")[0] for word in _params(name, loader, chosen)]
                if left := [key for key in params if key not in {word.partition("=")[0] for word in given}]:
                    raise ValueError(f"{chosen[0]} sweeps over {', '.join(left)}, which a search does not: give a value or an interval of each")
        except (*configuration.unreadable(), TypeError) as error:
            raise ValueError(configuration.explain(error, line.overrides, name, line.config_dir)) from None
    return out


def for_hydra(name: str, line: CommandLine) -> list[str]:
    """Overrides that one of Hydra's launchers needs beside the command line's: what runs of a sweep leave out, and what their folders are named by.

    Args:
        name: Of the experiment.
        line: Its command line.
    """
    given = [word.lstrip("+~").partition("=")[0] for word in line.overrides]
    out = [word for word in OFF if word.partition("=")[0] not in given]
    if "hydra.sweep.subdir" in given or "hydra.sweep" in given:
        return out
    with _loader(name, line) as loader:
        words = [word for word in line.overrides if not word.startswith("hydra")]
        params = _params(name, loader, [word for word in words if word.partition("=")[0] == STUDY][-1:])
        keys = [key.lstrip("+") for key, values in _lists(loader, [*params, *words]).items() if len(values) > 1]
    return [*out, f"hydra.sweep.subdir=${{folder_name:[{','.join(keys)}]}}"]


def folders(name: str, line: CommandLine) -> list[str]:
    """Names of the folders of a sweep's runs under Hydra's launchers; none where the command line names them otherwise, or Hydra alone knows them."""
    given = [word.lstrip("+~").partition("=")[0] for word in line.overrides]
    if any(key in ("hydra/sweeper", "hydra.sweep", "hydra.sweep.subdir") for key in given):
        return []
    with suppress(ValueError):
        return [point.folder(point.config()) for point in points(name, line)]
    return []


def described(name: str, line: CommandLine) -> tuple[dict[str, Any], list[str]]:
    """(option chosen of each group, keys that are no group's) of a command line without a sweep."""
    from hydra.types import RunMode

    with _loader(name, line) as loader:
        try:
            words = [str(one.input_line) for one in _parsed(loader, line.overrides) if not one.is_sweep_override()]
            config = loader.load_configuration(name, configuration.replacing(words), RunMode.RUN)
        except (*configuration.unreadable(), TypeError) as error:
            raise ValueError(configuration.explain(error, line.overrides, name, line.config_dir)) from None
        known = config.hydra.runtime.choices
        choices = chosen_groups(config.hydra) | ({STUDY: known[STUDY]} if STUDY in known else {})
        return choices, [str(key) for key in config if key not in choices and key != "hydra"]


@contextmanager
def _loader(name: str, line: CommandLine) -> Iterator[Any]:
    """Hydra's loader of ``conf/``, and of the folder that the command line names."""
    from hydra._internal.hydra import Hydra
    from hydra._internal.utils import create_config_search_path
    from hydra.core.global_hydra import GlobalHydra

    opened, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None
    search = create_config_search_path(str(configuration.CONF))
    if line.config_dir is not None:
        search.prepend("command-line", f"file://{Path(line.config_dir).absolute()}", anchor="schema")
    try:
        yield Hydra.create_main_hydra2(name, search).config_loader
    finally:
        GlobalHydra.instance().hydra = opened


def _combined(name: str, line: CommandLine, loader: Any) -> Iterator[tuple[list[str], dict[str, str]]]:
    """(overrides, those of them that are swept) of every point: first the studies by name, then what each of them sweeps and the command line."""
    given = [word for word in line.overrides if not word.startswith("hydra.")]
    studies = [word for word in given if word.partition("=")[0] == STUDY][-1:]
    rest = [word for word in given if word.partition("=")[0] != STUDY]
    several = _lists(loader, studies)
    for chosen in itertools.product(*several.values()):
        params = _params(name, loader, chosen)
        lists = _lists(loader, [*OFF, *chosen, *params, *rest])
        swept = [key for key, values in lists.items() if len(values) > 1]
        swept += [STUDY] if len(several.get(STUDY, ())) > 1 else []
        for words in itertools.product(*lists.values()):
            values = dict(zip(lists, (word.partition("=")[2] for word in words), strict=True))
            yield list(words), {key.lstrip("+~"): values[key] for key in lists if key in swept}


def _lists(loader: Any, words: Sequence[str]) -> dict[str, list[str]]:
    """``key=value`` for each value of each key, as Hydra's own sweeper takes overrides apart: of a key given twice the last counts."""
    out: dict[str, list[str]] = {}
    for one in _parsed(loader, words):
        key = one.get_key_element()
        if one.is_sweep_override() and not one.is_discrete_sweep():
            raise ValueError(f"{key}: an interval is searched, and not beside a study by name that is swept")
        values = list(one.sweep_string_iterator()) if one.is_sweep_override() else [one.get_value_element_as_str()]
        out[key] = [f"{key}={value}" for value in values]
    return out


def _parsed(loader: Any, words: Sequence[str]) -> list[Any]:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return list(OverridesParser.create(config_loader=loader).parse_overrides(list(words)))


def _chooses(loader: Any, override: Any) -> bool:
    """Whether it chooses an option of a group; else it sets a value."""
    return bool(loader.repository.group_exists(override.key_or_group)) and not isinstance(override.value(), dict)


def _params(name: str, loader: Any, chosen: Sequence[str]) -> list[str]:
    """What a study by name sweeps over."""
    from hydra.types import RunMode

    if not chosen:
        return []
    config = loader.load_configuration(name, list(chosen), RunMode.MULTIRUN)
    return [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]


def _composed(name: str, loader: Any, chosen: Sequence[str]) -> tuple[bytes, dict[str, Any]]:
    """(the configuration of a choice of groups, pickled; the choices)."""
    from hydra.types import RunMode
    from omegaconf import open_dict

    config = loader.load_configuration(name, list(chosen), RunMode.RUN)
    choices = chosen_groups(config.hydra)
    with open_dict(config):
        del config["hydra"]
    return pickle.dumps(config), choices


def chosen_groups(hydra: Any) -> dict[str, Any]:
    """Option chosen of each group, those of Hydra and of nodes within others left out, by Hydra's account of the composition."""
    found = {k: v for k, v in hydra.runtime.choices.items() if not k.startswith("hydra") and "@" not in k}
    return {k: v for k, v in found.items() if (k, v) != (STUDY, None)}
