"""Names imported from matplotlib, an error that tells how to install it, and axes."""

from __future__ import annotations

import math

from ..units import byte_marks
from .optional import is_missing

# Other modules import these names from here, so that one place reports a missing matplotlib.
try:
    from matplotlib import pyplot
    from matplotlib.axes import Axes
    from matplotlib.colors import to_hex, to_rgba_array
    from matplotlib.image import AxesImage
    from matplotlib.patches import Patch, PathPatch, Rectangle
    from matplotlib.path import Path
    from matplotlib.ticker import FuncFormatter, Locator, MaxNLocator
except ModuleNotFoundError as missing:
    if not is_missing("matplotlib", missing):
        raise
    raise ImportError(
        "plot() needs the package matplotlib, which is not installed: pip install 'movepages[plot]'"
    ) from missing

__all__ = [
    "Axes",
    "AxesImage",
    "BinaryLocator",
    "FuncFormatter",
    "MaxNLocator",
    "Patch",
    "Path",
    "PathPatch",
    "Rectangle",
    "new_axes",
    "say",
    "to_hex",
    "to_rgba_array",
]


def new_axes(width: float, height: float) -> Axes:
    """Return the axes of a new figure, sized in inches, whose layout makes room for legends."""
    axes: Axes = pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    return axes


def say(ax: Axes, what: str) -> None:
    """Write a text into axes that have nothing to draw."""
    ax.text(0.5, 0.5, what, ha="center", va="center", transform=ax.transAxes)
    ax.set_axis_off()


class BinaryLocator(Locator):
    """Ticks at multiples of a power of two, few enough to read even after a zoom."""

    def __call__(self) -> list[float]:
        """Return the ticks for what is in view."""
        low, high = sorted(self.axis.get_view_interval())  # type: ignore[union-attr]
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        """Return the ticks from `vmin` to `vmax`."""
        step = byte_marks(vmax - vmin)[0]
        first, last = math.ceil(vmin / step), math.floor(vmax / step)
        return [number * step for number in range(first, last + 1)]
