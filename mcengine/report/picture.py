"""A matplotlib figure that a notebook shows by itself. Imported with the first picture, for matplotlib takes half a second."""

import io

from matplotlib.figure import Figure
from PIL import Image  # matplotlib's own

SCREEN = 80
"""Dots an inch in a notebook: what is kept in its file stays small."""


class Picture(Figure):
    """A ``Figure`` that needs no pyplot to be seen: the last value of a cell, or ``IPython.display.display`` of it."""

    def _repr_png_(self) -> bytes:
        drawn, kept = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png", dpi=SCREEN)
        # 256 colours show no difference, and take a third of the bytes.
        Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(kept, format="png", optimize=True)
        return kept.getvalue()
