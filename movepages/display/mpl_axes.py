"""Names imported from matplotlib, an error that tells how to install it, and axes."""

from __future__ import annotations

# Other modules import these names from here, so that one place reports a missing matplotlib.
try:
    from matplotlib import pyplot
    from matplotlib.axes import Axes
    from matplotlib.colors import to_rgba_array
    from matplotlib.image import AxesImage
    from matplotlib.patches import Patch, PathPatch, Rectangle
    from matplotlib.path import Path
    from matplotlib.ticker import FuncFormatter, Locator, MaxNLocator
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] != "matplotlib":
        raise
    raise ImportError(
        "plot() needs the package matplotlib, which is not installed: pip install 'movepages[plot]'"
    ) from missing

__all__ = [
    "Axes",
    "AxesImage",
    "FuncFormatter",
    "Locator",
    "MaxNLocator",
    "Patch",
    "Path",
    "PathPatch",
    "Rectangle",
    "new_axes",
    "say",
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
