"""The one place that knows Hydra: conf/ mirrors the rooms, a yaml per concrete thing, keys are argument names.

``load_config`` composes a configuration as the experiments do, ``load`` builds what a node names, ``study`` builds the whole. Hydra is
imported on first use, and what it raises leaves here as a ``ValueError`` with the one line a user can act on.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mcengine._spelling import near
from mcengine._targets import Modules, build, is_own, resolve, targets
from mcengine.engine.source import source

CONF = Path(__file__).resolve().parent.parent / "conf"
"""Beside the package in a checkout, which is how mcengine is installed."""


def load_config(overrides: Sequence[str] | None = None, name: str = "study", config_dir: str | Path | None = None) -> Any:
    """Compose ``conf/<name>.yaml`` with overrides.

    Args:
        overrides: As on the command line of an experiment, but no flags.
        name: Of the experiment.
        config_dir: A folder of configurations of one's own by group: its ``policy/mine.yaml`` is ``policy=mine``.

    Raises:
        ValueError: An unknown key or option, with the near names; a ``config_dir`` that ``check_folder`` refuses.

    Example:
        >>> import mcengine as mc
        >>> config = mc.load_config(["policy=cppi", "policy.multiplier=5"], name="hedge")
        >>> mc.load(config.policy).stages["cppi"]
        Cppi(floor=0.9, multiplier=5, leverage=1, exposure='scale')
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if config_dir is not None:
        check_folder(Path(config_dir))
    try:
        return _compose(list(overrides or []), name, config_dir)
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(explain(error, list(overrides or []), name, config_dir)) from None


def check_folder(folder: Path) -> None:
    """Check a folder of configurations.

    Args:
        folder: A ``config_dir``.

    Raises:
        ValueError: For no folder, or one with a file that is never read or that changes settings of Hydra itself.
    """
    if not folder.is_dir():
        raise ValueError(f"--config-dir: expected a folder of configurations, got {folder} which is none")
    for file in sorted(folder.rglob("*.yaml")):
        if (CONF / file.relative_to(folder)).is_file():
            raise ValueError(f"--config-dir: {file} is hidden by mcengine's own of that name; give it another")
        if "hydra" in file.relative_to(folder).parts[:-1] or _sets_hydra(file.read_text(encoding="utf-8")):
            raise ValueError(f"--config-dir: {file} has settings of Hydra itself, which only the command line may give, as hydra.<key>=<value>")


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
        raise ValueError(" ".join(str(error).splitlines())) from error


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
    """The ``Study`` of a configuration.

    Args:
        config: A configuration.
        policy: In place of the one it names.
        market: In place of the one it names.
    """
    from mcengine.engine import Study

    return Study(
        market_of(config, market),
        load(config.policy) if policy is None else policy,
        costs=load(config.ledger),
        years=number(config, "years"),
        steps=integer(config, "steps"),
        delay=integer(config, "delay"),
        noise=load(config.noise),
    )


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
    if not value.is_integer():
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


def as_yaml(config: Any) -> str:
    """A configuration as yaml text, every interpolation resolved.

    Args:
        config: A configuration.
    """
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(config, resolve=True)


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

    text = str(error)
    if text.startswith("Ambiguous value"):
        override = text.splitlines()[0].rpartition("argument ")[2]
        return f"{override}: several values need -m, which makes one run of each; a list is written key=[a,b]"
    if isinstance(error, OverrideParseException):
        return f"cannot read the override {error.override!r}: {text.splitlines()[0]}"
    if isinstance(error, MissingConfigException) and error.options:
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        return f"unknown {group} {option!r}{near(option, error.options)}"
    unknown = re.search(r"Could not (?:override|delete from config|append to config)[^']*'([^']+)'", text)
    if unknown is None:
        return ": ".join(part.splitlines()[0] for part in (text, str(error.__cause__ or "")) if part)
    key = unknown.group(1)
    inner = re.search(r"full_key: (\S+)", str(error.__cause__ or ""))
    key = inner.group(1) if inner else key
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
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    for attempt in (list(overrides), []):
        try:
            container = OmegaConf.to_container(_compose(attempt, name, config_dir), resolve=False)
        except (HydraException, OmegaConfBaseException):
            continue
        assert isinstance(container, dict)
        known = list(flat({str(k): v for k, v in container.items()}))
        nodes = {".".join(k.split(".")[:i]) for k in known for i in range(1, k.count(".") + 1)}
        return sorted(nodes) + known
    return []


def spelled_out(overrides: Sequence[str]) -> list[str]:
    """Overrides with ``data=my.csv`` as ``data.file=my.csv``, which it is short for.

    Args:
        overrides: As on the command line.
    """
    short = [o.startswith("data=") and not o.startswith("data={") for o in overrides]
    return [f"data.file={o.removeprefix('data=')}" if is_short else o for o, is_short in zip(overrides, short, strict=True)]


def _compose(overrides: list[str], name: str, config_dir: str | Path | None) -> Any:
    from hydra import compose, initialize_config_dir

    overrides = spelled_out(overrides)
    if not CONF.is_dir():
        raise ValueError(f"load_config: expected the configurations at {CONF}; install mcengine from a checkout (pip install -e .)")
    if not (CONF / f"{name}.yaml").is_file():
        raise ValueError(f"unknown configuration {name!r}{near(name, [f.stem for f in CONF.glob('*.yaml')])}")
    if config_dir is not None:
        folder = str(Path(config_dir).absolute()).replace("'", "\\'")
        overrides = [*overrides, f"hydra.searchpath=['file://{folder}']"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(config_name=name, overrides=overrides)


def _sets_hydra(text: str) -> bool:
    """Whether a yaml file has the key ``hydra``, is packaged there, or has it among its defaults."""
    import re

    import yaml  # type: ignore[import-untyped]

    def keys(tree: Any) -> Iterator[str]:
        for key, value in tree.items() if isinstance(tree, dict) else ():
            yield from (re.split(r"\W", str(value)) if key == "defaults" else ())
            yield str(key).partition(".")[0]
            yield from keys(value)

    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError:
        return False  # Hydra says what is wrong with it, where it is asked for
    return "hydra" in keys(tree) or bool(re.search(r"^\s*#\s*@package\s.*\bhydra\b", text, re.MULTILINE))
