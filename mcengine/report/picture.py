"""A matplotlib figure that a notebook shows by itself. Imported with the first picture, for matplotlib takes half a second."""

import io

from matplotlib.figure import Figure

SCREEN = 80
"""Dots an inch in a notebook: what is kept in its file stays small."""


class Picture(Figure):
    """A ``Figure`` that needs no pyplot to be seen: the last value of a cell, or ``IPython.display.display`` of it."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png", dpi=SCREEN)
        return out.getvalue()
