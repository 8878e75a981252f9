"""``load``: a run from its folder, its study built anew from the configuration that the folder holds."""

from functools import partial
from pathlib import Path
from typing import Any

from mcengine import _runtime, _yaml
from mcengine._files import inside, read, read_json
from mcengine._targets import Modules, allowing
from mcengine.config.built import books, study
from mcengine.config.checked import check
from mcengine.report import Run
from mcengine.report.run import as_run, run_at


def load(folder: str | Path, allow: Modules = ()) -> Run:
    """A finished run: figures, tables, outcomes, traces, pictures, provenance, and the study itself, ready to run again.

    Of a fit (``optimise.py``) ``study`` has the numbers that it found, and ``before`` those that it started from.

    Args:
        folder: Of the run, as printed at its end, or that of a sweep and the name of a row of ``mc.collect``.
        allow: Modules of one's own that its rules are in, by name (what was ``--code``).

    Returns:
        The run; each part is read, and the study built, when it is asked for.

    Raises:
        ValueError: For no folder of a finished run.

    Example:
        >>> run = mc.load("outputs/hedge/2026-11-22_18-16-22")  # doctest: +SKIP
        >>> run.study.run(paths=1_000_000, seed=1)  # doctest: +SKIP
    """
    return Run(run_at(folder), partial(_study, tuple(allow)))


def _study(allow: Modules, run: Run) -> Any:
    """The study of a run: sets the precision that it had."""
    from omegaconf import OmegaConf

    file = inside(run.path, "config.yaml")
    config = OmegaConf.create(
        as_run(_yaml.parse(read(file, _yaml.LARGEST).decode("utf-8", "replace")), read_json(inside(run.path, "provenance.json")))
    )
    if "market" not in config or not ("policy" in config or "policies" in config):
        raise ValueError(f"Run.study: expected a run of rules on a market, got one of {run.experiment or run.path.name}, which has no study")
    check(config, run.experiment)
    _runtime.set_precision(config.get("precision", "float32"))
    with allowing([name if isinstance(name, str) else name.__name__ for name in allow]):
        return study(config, books)
