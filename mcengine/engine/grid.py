"""``grid``: one study at many parameter values, on the same paths."""

from collections.abc import Mapping, Sequence

from mcengine._model import with_parameters
from mcengine.engine.base import AbstractStudy
from mcengine.engine.result import Result
from mcengine.engine.together import together


def grid(
    study: AbstractStudy, values: Mapping[str, Sequence[float]], paths: int, *, seed: int = 0, stream: str = "test", first: int = 0
) -> list[Result]:
    """One study at many parameter values, on the same paths, several in one program: point k takes the k-th of every named number.

    Args:
        study: What is simulated.
        values: Numbers by dotted name, all of one length.
        paths: Number of paths at each point.
        seed: Of the random numbers.
        stream: Of the random numbers (``noise.STREAMS``).
        first: Id of the first path.

    Returns:
        A Result for each point.

    Raises:
        ValueError: For an unknown name, a value out of its range, or lengths that differ.
        NotFiniteError: For a path that breaks.
    """
    lengths = {name: len(v) for name, v in values.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ValueError(f"grid: expected as many values of each parameter, got {lengths}")
    points = [with_parameters(study, {name: v[k] for name, v in values.items()}) for k in range(next(iter(lengths.values())))]
    found = dict(together(points, paths, seed=seed, stream=stream, first=first))
    for result in found.values():
        if isinstance(result, Exception):
            raise result
    return [result for _, result in sorted(found.items()) if not isinstance(result, Exception)]
