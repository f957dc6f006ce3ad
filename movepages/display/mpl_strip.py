"""Strips of memory in pictures by matplotlib, of which no dot of the picture hides a cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .mpl_axes import Axes, AxesImage
from .sampling import CellMix, Kinds, regroup, stack, visible

# In which the height of a cell is divided.
_STEPS = 64
# What is present in a cell has this part of its height or more, each node of several has this one,
# and both have so many dots.
_LEAST, _EACH = 1 / 4, 1 / 16
_DOTS = 2

Extent = tuple[float, float, float, float]


class StripImage(AxesImage):
    """Cells from left to right, as many of them as there are dots, up to those that are given.

    An image with fewer dots than cells shows some of these and leaves out the others. How many dots
    there are is known when it is drawn: axes are laid out, zoomed and saved at other sizes.
    """

    def __init__(
        self,
        ax: Axes,
        shares: CellMix,
        extent: Extent,
        paint: Callable[[Kinds], npt.NDArray[np.uint8]],
    ) -> None:
        super().__init__(ax, interpolation="none", origin="upper", zorder=1)
        self._shares, self._paint = shares, paint
        self._drawn = 0, 0.0
        self._divide(len(shares.parts), 0.0)
        self.set_clip_path(ax.patch)
        self.set_extent(extent)

    def make_image(self, renderer: Any, magnification: float = 1.0, unsampled: bool = False) -> Any:
        """Return the image for a renderer; matplotlib calls it for each drawing."""
        count, dots = len(self._shares.parts), 0.0
        # Where it is kept as it is, whoever shows the file decides on the dots.
        if not unsampled:
            left, right, bottom, top = self.get_extent()
            corners = self.axes.transData.transform([(left, bottom), (right, top)])
            wide, high = np.abs(corners[1] - corners[0]) * magnification
            count = min(max(int(wide), 1), count)
            dots = min(_DOTS / max(high, 1), 1)
        self._divide(count, dots)
        return super().make_image(renderer, magnification, unsampled)

    def _divide(self, count: int, dots: float) -> None:
        if self._drawn != (count, dots):
            self._drawn = count, dots
            shares = visible(regroup(self._shares, count), max(_LEAST, dots), max(_EACH, dots))
            self.set_data(self._paint(stack(shares, _STEPS)))
