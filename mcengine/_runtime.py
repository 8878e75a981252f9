"""What must be set before XLA starts: two compiler options and one CPU device per core.

XLA:CPU makes a kernel for each leaf of a scan's carry and repeats inside every one of them what several need. Multi-output
fusion makes one kernel of those that read the same, and nothing is computed twice. Kernels of a few operations would go through an emitter by
tiles, which computes a reciprocal root number by number, six times as long: they go through that of all others. Both can only be asked for
through ``XLA_FLAGS``, before the first computation. A kernel runs on one thread, so each core gets a device of its own and blocks of paths are
dealt to the devices.
"""

import hashlib
import os
import platform
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

terminated = threading.Event()
"""Set when this process was asked to end; long runs look at it between blocks."""

FUSION_OPTION = "xla_cpu_use_multi_output_fusion"
OPTIONS = (FUSION_OPTION, "xla_cpu_disable_tiled_emitter")
_BACKEND_OPTIONS = "--xla_backend_extra_options="


def merge_flags(flags: str) -> str:
    """``XLA_FLAGS`` with our options added; a user's own choice about one is kept.

    Args:
        flags: As they are.
    """
    added = ",".join(option for option in OPTIONS if option not in flags)
    if not added:
        return flags
    words = flags.split()
    for i, word in enumerate(words):
        if word.startswith(_BACKEND_OPTIONS):
            words[i] = f"{word},{added}"
            return " ".join(words)
    return " ".join([*words, _BACKEND_OPTIONS + added])


def cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The CPU's name: results agree bit for bit on one type of it only."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def cache(folder: str | Path | None = None) -> Path | None:
    """Keep compiled programs on disk for the next process.

    Programs are found again by all that went into them; those of another type of processor lie apart, for they would not run here. A
    ``jax_compilation_cache_dir`` already set stays.

    Args:
        folder: Where; None for ``$MC_CACHE`` (``off`` for nowhere), else ``mcengine`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.

    Returns:
        The folder in which they are kept, or None.
    """
    if jax.config.jax_compilation_cache_dir is not None:  # type: ignore[attr-defined]
        return Path(jax.config.jax_compilation_cache_dir)  # type: ignore[attr-defined]
    chosen = os.environ.get("MC_CACHE") if folder is None else str(folder)
    if chosen == "off":
        return None
    home = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mcengine"
    place = home / hashlib.sha256(f"{platform.platform()} {processor()} {_features()}".encode()).hexdigest()[:16]
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:  # a home that cannot be written to: compile as ever
        return None
    # An entry that cannot be read or written is compiled again: nothing a user should act on.
    warnings.filterwarnings("ignore", message=".*persistent compilation cache", category=UserWarning)
    jax.config.update("jax_compilation_cache_dir", str(place))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    return place


def _features() -> str:
    """Instruction sets of the CPU, where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(("flags", "Features"))), "")


def configure() -> None:
    """Set flag and device count; warn once when JAX has already started and they can no longer take effect."""
    os.environ["XLA_FLAGS"] = merge_flags(os.environ.get("XLA_FLAGS", ""))
    try:
        untouched = jax.config.jax_num_cpu_devices < 0  # type: ignore[attr-defined]
        if untouched and "xla_force_host_platform_device_count" not in os.environ["XLA_FLAGS"]:
            jax.config.update("jax_num_cpu_devices", cores())
    except RuntimeError:
        warnings.warn(
            "JAX was already running when mcengine was imported: CPU runs will be about three times slower. "
            "Import mcengine before the first JAX computation.",
            RuntimeWarning,
            stacklevel=3,
        )


def capped(count: int, most: int) -> int:
    """A count, or a small one where the environment has MC_SMALL=1: tests of notebooks and of the README run everything small.

    Args:
        count: As asked.
        most: In a small run.
    """
    return min(count, most) if os.environ.get("MC_SMALL") == "1" else count


def set_precision(precision: str) -> None:
    """Floating-point precision of this whole process (JAX holds one setting).

    Args:
        precision: float32 or float64.

    Raises:
        ValueError: It is neither.
    """
    if precision not in ("float32", "float64"):
        raise ValueError(f"precision: expected 'float32' or 'float64', got {precision!r}")
    jax.config.update("jax_enable_x64", precision == "float64")


@contextmanager
def environment(name: str, value: str | None) -> Iterator[None]:
    """While it lasts, this process and those it starts have the variable so; afterwards it is what it was.

    Args:
        name: Of the variable.
        value: Of the variable; None leaves it as it is.
    """
    before = os.environ.get(name)
    if value is not None:
        os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
