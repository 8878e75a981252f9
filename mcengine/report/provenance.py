"""Where a result comes from: enough to make it again, or to know why it cannot be."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mcengine import _runtime

PACKAGES = ("mcengine", "jax", "jaxlib", "numpy", "optax", "pandas", "hydra-core", "scipy", "matplotlib")


def provenance() -> dict[str, Any]:
    """Code, versions, machine and compiler flags of this process.

    Returns:
        JSON values by name.
    """
    import jax

    return {
        "git_commit": _git("rev-parse", "HEAD"),
        "git_dirty": None if (changes := _git("status", "--porcelain")) is None else bool(changes),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "machine": {"platform": platform.platform(), "processor": _runtime.processor(), "cores": os.cpu_count()},
        "devices": [f"{d.platform}:{d.id} {d.device_kind}" for d in jax.devices()],
        "precision": str(jax.numpy.result_type(float)),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "mc_small": os.environ.get("MC_SMALL") == "1",
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """Output of git about the checkout that mcengine's own files are tracked in; none where there is no git or they are not.

    An installed package may lie in somebody else's checkout, whose commit says nothing of it.
    """
    here = Path(__file__).resolve()
    try:
        _of_git(here, "ls-files", "--error-unmatch", here.name)
        return _of_git(here, *arguments)
    except (OSError, subprocess.SubprocessError):
        return None


def _of_git(file: Path, *arguments: str) -> str:
    where = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # a hook's GIT_DIR is another's
    done = subprocess.run(["git", *arguments], cwd=file.parent, capture_output=True, text=True, timeout=10, check=True, env=where)
    return done.stdout.strip()
