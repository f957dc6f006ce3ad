"""Strips of memory for matplotlib that show every cell, however few pixels there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .mpl_axes import Axes, AxesImage
from .sampling import CellMix, Kinds, regroup, stack, visible

# Number of steps that a cell's height is divided into.
_STEPS = 64
# Least fractions of a cell's height: for all present memory, and for each of several nodes. Both
# are also at least this many pixels high.
_LEAST, _EACH = 1 / 4, 1 / 16
_DOTS = 2

Extent = tuple[float, float, float, float]


class StripImage(AxesImage):
    """Cells from left to right, merged where there are fewer pixels than cells.

    A plain image would leave out cells if there are fewer pixels than cells. The number
    of pixels is known only at drawing, because axes are laid out, zoomed and saved at other sizes.
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
        """Return the image for a renderer; matplotlib calls this for each drawing."""
        count, dots = len(self._shares.parts), 0.0
        # An unsampled image is saved as it is; the viewer of the file scales it to pixels.
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
