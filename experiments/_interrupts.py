"""SIGTERM is as Ctrl-C: from the first import of a script, and while it runs, when what is finished is kept."""

import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

INTERRUPTED = 130
_ANSWERED = 10.0
"""Seconds that answering a SIGTERM may take."""


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM is as Ctrl-C: while that is answered another is not. What is raised where Python ignores it is raised again after the block."""
    from mcengine import _runtime  # imported by now: at the top it would take the second

    since = -math.inf

    def interrupt(*_: Any) -> None:
        nonlocal since
        _runtime.terminated.set()
        if time.monotonic() - since > _ANSWERED:
            since = time.monotonic()
            raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread, which alone may say so
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
        _runtime.terminated.clear()


def _leave(*_: Any) -> None:
    os.write(2, b"error: interrupted\n")
    os._exit(INTERRUPTED)


if Path(sys.argv[0]).resolve().parent == Path(__file__).resolve().parent:  # a script is starting: to import what it needs takes a second
    signal.signal(signal.SIGTERM, _leave)
