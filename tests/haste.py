"""Programs compiled in haste for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mcengine.engine import program

HASTE = {"xla_backend_optimization_level": 0}
"""Machine code is hardly optimised; what is computed is the same to rounding."""

_made: dict = {}


@contextmanager
def compiled_in_haste() -> Iterator[None]:
    """For what compiles long, runs little and is held to a tolerance: two thirds of the time. Only those in haste meet these programs."""
    with pytest.MonkeyPatch.context() as patch:
        options = program.compiler_options() | HASTE
        patch.setattr(program, "compiler_options", lambda: options)
        patch.setattr(program, "_cache", _made)
        yield
