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
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    """Output of git about the checkout mcengine runs from; none where there is no git or no checkout."""
    try:
        done = subprocess.run(["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
