"""Float64 inside a program of whatever precision: for sums of waves, whose small differences float32 loses.

``precise(f)`` computes ``f`` in float64 and rounds the result to the process's precision. Derivatives of any order are computed in float64 as well: a
tangent is the Jacobian times the tangents of the numbers that move, so that nothing in float64 is left for the program to transpose.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from mcengine._model import Scalar


def precise(fn: Callable[..., Any]) -> Callable[..., Any]:
    """``fn`` of scalars, giving arrays, in float64. A process in float64 runs it as it is."""
    if jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        return fn

    @jax.custom_jvp
    def rounded(*numbers: Scalar) -> Any:
        single = jnp.result_type(float)
        with jax.enable_x64(True):
            out = fn(*(jax.lax.convert_element_type(x, jnp.float64) for x in numbers))
            return jax.tree.map(lambda x: jax.lax.convert_element_type(x, single), out)

    def rule(numbers: tuple[Scalar, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        out = rounded(*numbers)
        moving = tuple(i for i, t in enumerate(tangents) if not isinstance(t, SymbolicZero))
        if not moving:
            return out, jax.tree.map(jnp.zeros_like, out)
        slopes = precise(lambda *x: _columns(fn, moving, x))(*numbers)
        parts = [jax.tree.map(lambda s, t=tangents[i]: s * t, slope) for i, slope in zip(moving, slopes, strict=True)]
        return out, jax.tree.map(lambda *terms: sum(terms[1:], start=terms[0]), *parts)

    rounded.defjvp(rule, symbolic_zeros=True)
    return lambda *numbers: rounded(*(jnp.asarray(x, jnp.result_type(float)) for x in numbers))


def _columns(fn: Callable[..., Any], moving: tuple[int, ...], numbers: tuple[Scalar, ...]) -> list[Any]:
    """Derivative of ``fn`` by each moving number: one program, its tangents side by side."""

    def at(*chosen: Scalar) -> Any:
        full = list(numbers)
        for i, x in zip(moving, chosen, strict=True):
            full[i] = x
        return fn(*full)

    here = tuple(numbers[i] for i in moving)
    slopes = jax.vmap(lambda *tangents: jax.jvp(at, here, tangents)[1])(*jnp.eye(len(moving), dtype=here[0].dtype))
    return [jax.tree.map(lambda x, i=i: x[i], slopes) for i in range(len(moving))]
