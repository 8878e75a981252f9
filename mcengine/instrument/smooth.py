"""Hard and smooth from one definition."""

import jax.numpy as jnp

from mcengine._model import Scalar


def gate(x: Scalar, width: Scalar) -> Scalar:
    """1 where x >= 0, else 0; with a positive width a smooth step from 0 at -2 width to 1 at 2 width. Both are one program.

        t^2 (3 - 2t),   t = 1/2 + x / (4 width),
    with the slope of the logistic sigmoid of 3/2 x / width at 0: no exponential in the hot loop, and exactly the hard rule two widths away from the
    trigger.

    Args:
        x: Distance beyond the trigger.
        width: In the units of x; 0 for the hard step.

    Example:
        >>> import mcengine as mc
        >>> [float(mc.policy.gate(x, 0.1)) for x in (-0.2, 0.0, 0.2)], float(mc.policy.gate(0.0, 0.0))
        ([0.0, 0.5, 1.0], 1.0)
    """
    soft = width > 0.0
    t = jnp.clip(0.5 + x * (0.25 / jnp.where(soft, width, 1.0)), 0.0, 1.0)
    return jnp.where(soft, t * t * (3.0 - 2.0 * t), jnp.where(x >= 0.0, 1.0, 0.0))
