"""The folder of a run or a sweep: as Hydra reads its name, made and marked by this process where it is not there (see ``mcengine._made``)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from _command_line import CommandLine, quoted

from mcengine import _files, _made
from mcengine import config as configuration


@dataclass
class Root:
    """The resolved folder; ``key`` is Hydra's name for it, ``before`` what was in it, ``kept`` whether a run left something."""

    path: Path
    key: str
    before: set[tuple[int, int]] = field(default_factory=set)
    kept: bool = False

    @property
    def override(self) -> str:
        """Names the folder to Hydra."""
        return f"{self.key}={quoted(str(self.path))}"


@contextmanager
def opened(name: str, line: CommandLine) -> Iterator[Root]:
    """The folder that was named, or a new one by date and time. One of this process's making in which nothing is kept goes at the end."""
    key = "hydra.sweep.dir" if line.multirun else "hydra.run.dir"
    given = _given(name, line, key)
    try:
        path = _new(Path("multirun" if line.multirun else "outputs") / name) if given is None else _made.make(given)
        root = Root(path, key, set() if _made.is_made(path) else _made.entries(path))
    except OSError as error:
        raise ValueError(f"{key}: expected a folder that is there or can be made, got {given or Path.cwd()}: {error.strerror}") from None
    try:
        if line.multirun:
            _files.inside(path, "multirun.yaml")  # Hydra writes it
        yield root
    finally:
        (_made.keep if root.kept else _made.remove)(path)


def of_task(line: CommandLine) -> list[str]:
    """The overrides that are none of Hydra's own settings."""
    return [override for override in line.overrides if "=" in override and not override.startswith("hydra.")]


def _new(parent: Path) -> Path:
    stamp, copy = f"{datetime.now():%Y-%m-%d_%H-%M-%S}", 1
    path = _made.make(parent / stamp)
    while not _made.is_made(path):  # another run began within the second
        copy += 1
        path = _made.make(parent / f"{stamp}_{copy}")
    return path


def _given(name: str, line: CommandLine, key: str) -> Path | None:
    """The folder an override names, read by Hydra with all it may hold: quotes, interpolations, the environment, the time."""
    named = {key, key.rpartition(".")[0], "hydra"}
    if not any(override.lstrip("+~").partition("=")[0].strip() in named for override in line.overrides):
        return None
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    search = [] if line.config_dir is None else [f"hydra.searchpath=[{quoted(f'file://{Path(line.config_dir).absolute()}')}]"]
    try:
        with initialize_config_dir(str(configuration.CONF), version_base="1.3", job_name=name):
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None
            config = hydra.compose_config(
                name, [*configuration.replacing(line.overrides), *search], RunMode.MULTIRUN if line.multirun else RunMode.RUN
            )
            HydraConfig.instance().set_config(config)
            return Path(str(OmegaConf.select(config, key))).absolute()
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(configuration.explain(error, of_task(line), name, line.config_dir)) from None
