"""The one place that knows Hydra: conf/ mirrors the rooms, a yaml per concrete thing, keys are argument names.

``load_config`` composes a configuration as the experiments do, ``load`` builds what a node names, ``study`` builds the whole. Hydra is
imported on first use, and what it raises leaves here as a ``ValueError`` with the one line a user can act on.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from mcengine._config_dir import CONF, check_folder
from mcengine._kinds import shown
from mcengine._spelling import near
from mcengine._targets import Modules, build, check_nodes, is_own, resolve, targets
from mcengine._yaml import problem
from mcengine.engine.source import source


def load_config(overrides: Sequence[str] | None = None, name: str = "study", config_dir: str | Path | None = None) -> Any:
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
        >>> config = mc.load_config(["policy=cppi", "policy.multiplier=5"], name="hedge")
        >>> mc.load(config.policy).stages["cppi"]
        Cppi(floor=0.9, multiplier=5, leverage=1, exposure='scale')
    """
    if config_dir is not None:
        check_folder(Path(config_dir))
    try:
        config = _compose(list(overrides or []), name, config_dir)
        check(config, name)
    except unreadable() as error:
        raise ValueError(explain(error, list(overrides or []), name, config_dir)) from None
    return config


def check(config: Any, name: str, *, nodes: bool = False) -> None:
    """Check every setting by name and by type, before anything is built.

    Args:
        config: A configuration.
        name: Of the experiment.
        nodes: Whether to check too what has a ``_target_``; ``load`` does.

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


def unreadable() -> tuple[type[Exception], ...]:
    """What Hydra, OmegaConf and their yaml raise for what they cannot read."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError  # type: ignore[import-untyped]

    return HydraException, OmegaConfBaseException, YAMLError, ValueError, RecursionError


def replacing(overrides: Sequence[str]) -> list[str]:
    """The overrides, with ``weights={...}`` or ``objective.constraints={...}`` written so that they replace what there is: Hydra would add to it.

    Args:
        overrides: As on the command line of an experiment.
    """
    out: list[str] = []
    for override in overrides:
        key, _, given = override.partition("=")
        out += [f"~{key}", f"+{override}"] if key in ("weights", "objective.constraints") and given.lstrip().startswith("{") else [override]
    return out


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
    built = load(config.market) if given is None else given
    market = stressed(config, getattr(built, "market", built))  # a calibration carries its market
    of_data = getattr(built, "remarks", ()) if hasattr(built, "market") else ()
    for remark in [*of_data, *getattr(market, "remarks", ())]:
        print(remark, flush=True)
    return market


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


def plain(config: Any) -> dict[str, Any]:
    """A configuration as plain dicts, every interpolation resolved.

    Args:
        config: A configuration.
    """
    from omegaconf import OmegaConf

    container = OmegaConf.to_container(config, resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


class Saved(NamedTuple):
    """A configuration as it may be kept in a file.

    Args:
        tree: Plain dicts, every interpolation resolved but those that read the environment, which stay as they are written.
        environment: What those stand for now, by dotted key.
        hidden: Texts that were read from the environment, each with the interpolation it came from.
    """

    tree: dict[str, Any]
    environment: dict[str, Any]
    hidden: dict[str, str]


def saved(config: Any) -> Saved:
    """A configuration as it may be kept in a file: what was read from the environment stays an interpolation.

    Args:
        config: A configuration.
    """
    from omegaconf import Container, ListConfig, OmegaConf
    from omegaconf.resolvers import oc

    out, heard = Saved({}, {}, {}), {}

    def listening(key: str, *default: Any) -> Any:
        heard[key] = oc.env(key, *default)
        return heard[key]

    def kept(node: Any, key: Any, name: str) -> Any:
        heard.clear()
        value, raw = node[key], node._get_node(key)
        if heard:
            out.environment[name] = OmegaConf.to_container(value, resolve=True) if isinstance(value, Container) else value
            out.hidden.update({str(text): f"${{oc.env:{variable}}}" for variable, text in heard.items()})
            out.hidden.update({str(value): raw._value()} if "oc.env" in raw._value() else {})
            return raw._value()
        if not isinstance(value, Container):
            return value
        inner = list(range(len(value))) if isinstance(value, ListConfig) else list(value)
        found = {k: kept(value, k, f"{name}.{k}") for k in inner}
        return list(found.values()) if isinstance(value, ListConfig) else found

    OmegaConf.register_new_resolver("oc.env", listening, replace=True)
    try:
        out.tree.update({str(key): kept(config, key, str(key)) for key in config})
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
    return out


def as_yaml(config: Any) -> str:
    """A configuration as yaml text, interpolations as they are.

    Args:
        config: A configuration, or plain dicts.
    """
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(config)


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts by dotted key.

    Args:
        tree: Nested dicts.
        prefix: Of every key.
    """
    out: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def explain(error: BaseException, overrides: Sequence[str], name: str, config_dir: str | Path | None = None) -> str:
    """One line for an error of Hydra or OmegaConf: what was not understood, and the names nearest to it.

    Args:
        error: That was raised.
        overrides: As on the command line.
        name: Of the experiment.
        config_dir: A folder of configurations of one's own.
    """
    import re

    from hydra.errors import MissingConfigException, OverrideParseException
    from yaml import YAMLError

    text = str(error)
    if isinstance(error, RecursionError):
        return "an override or a configuration is nested too deep, or in a circle"
    if type(error) is ValueError and not text.startswith("Config group override"):
        return text
    if isinstance(error, YAMLError):
        return f"a configuration is not yaml: {problem(error)}"
    if text.startswith("Config group override") or isinstance(error, TypeError):
        given = [o.partition("=") for o in overrides]
        group = next((g for g, _, value in given if g and (CONF / g).is_dir() and (value == "null" or not value.isidentifier())), None)
        if group is not None:
            return f"{group}: expected the name of a configuration in conf/{group}, got no text; an option of it is {group}.<key>=<value>"
    if (there := re.search(r"already at '([^']+)'", text)) is not None:
        return f"{there.group(1)}: expected without +, for it is there already"
    if text.startswith("Ambiguous value"):
        override = text.splitlines()[0].rpartition("argument ")[2]
        return f"{override}: several values need -m, which makes one run of each; a list is written key=[a,b]"
    if isinstance(error, OverrideParseException):
        return f"cannot read the override {shown(error.override)}: {text.splitlines()[0][:200]}"
    if isinstance(error, MissingConfigException) and error.options:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"unknown {group} {option!r}{near(option, error.options)}"
    if (kept := re.search(r"delete from config. The value of '([^']+)' is (.*) and not", text)) is not None:
        return f"~{kept.group(1)}: expected its value, {kept.group(2)}, or none"
    unknown = re.search(r"Could not (?:override|delete from config|append to config)[^']*'([^']+)'", text)
    if unknown is None:
        where = str(getattr(error, "full_key", None) or "")
        return ": ".join(part.splitlines()[0] for part in (where, text, str(error.__cause__ or "")) if part)
    key = unknown.group(1)
    inner = re.search(r"full_key: (\S+)", str(error.__cause__ or ""))
    key = inner.group(1) if inner else key
    if "delete from config" in text and key in _keys([], name, config_dir):
        return f"~{key}: expected a key that has a value, got one that is null"
    others = [o for o in overrides if o.lstrip("+~").split("=")[0].split("@")[0] != key]
    return f"unknown key {key!r}{_near_keys(key, _keys(others, name, config_dir))}"


def _near_keys(key: str, known: Sequence[str]) -> str:
    """What its node has, where there is such a node; else keys spelled like it."""
    parent, _, last = key.rpartition(".")
    siblings = [k.rpartition(".")[2] for k in known if k.rpartition(".")[0] == parent and not k.endswith("_")]
    close = get_close_matches(last, siblings, n=2, cutoff=0.6)
    if not close and parent not in known:
        close = get_close_matches(key, known, n=2, cutoff=0.6)
        parent = ""
    if close:
        return f"; did you mean {' or '.join(f'{parent}.{c}' if parent else c for c in close)}?"
    return f"; known: {', '.join(siblings or known)}"


def _keys(overrides: Sequence[str], name: str, config_dir: str | Path | None) -> list[str]:
    """Every key of the configuration, groups included; without the overrides where they do not compose."""
    from omegaconf import OmegaConf

    for attempt in (list(overrides), []):
        try:
            container = OmegaConf.to_container(_compose(attempt, name, config_dir), resolve=False)
        except unreadable():
            continue
        assert isinstance(container, dict)
        known = list(flat({str(k): v for k, v in container.items()}))
        nodes = {".".join(k.split(".")[:i]) for k in known for i in range(1, k.count(".") + 1)}
        return sorted(nodes) + known
    return []


@cache
def _known(name: str) -> tuple[str, ...]:
    """Top-level keys of an experiment's configuration."""
    return tuple(_compose([], name, None))


_SHORT = {"data": "file", "quotes": "model"}


def spelled_out(overrides: Sequence[str]) -> list[str]:
    """Overrides with ``data=my.csv`` as ``data.file=my.csv``, which it is short for, and ``quotes=bates`` as ``quotes.model=bates``.

    Args:
        overrides: As on the command line.
    """
    out = []
    for override in overrides:
        key, _, given = override.partition("=")
        out.append(f"{key}.{_SHORT[key]}={given}" if key in _SHORT and given and not given.startswith("{") else override)
    return out


def _compose(overrides: list[str], name: str, config_dir: str | Path | None) -> Any:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    overrides = spelled_out(overrides)
    if not CONF.is_dir():
        raise ValueError(f"load_config: expected the configurations at {CONF}; install mcengine from a checkout (pip install -e .)")
    if not (CONF / f"{name}.yaml").is_file():
        raise ValueError(f"unknown configuration {name!r}{near(name, [f.stem for f in CONF.glob('*.yaml')])}")
    if config_dir is not None:
        folder = str(Path(config_dir).absolute()).replace("'", "\\'")
        overrides = [*overrides, f"hydra.searchpath=['file://{folder}']"]
    opened, GlobalHydra.instance().hydra = GlobalHydra.instance().hydra, None  # a notebook's or the experiment's own
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose(config_name=name, overrides=replacing(overrides))
    finally:
        GlobalHydra.instance().hydra = opened
