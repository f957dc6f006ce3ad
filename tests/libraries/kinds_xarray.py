"""Objects of xarray for the tests of moves."""

import numpy as np
import xarray as xr


def _dataset():
    shape = ("t", "x"), np.ones((512, 512))
    return xr.Dataset({"u": shape, "v": shape}, coords={"angle": ("x", np.ones(512))})


KINDS = [
    ("xarray-variable", lambda: xr.Variable(("t", "x"), np.ones((512, 512)))),
    ("xarray-data-array", lambda: xr.DataArray(np.ones((512, 512)), dims=("t", "x"))),
    ("xarray-dataset", _dataset),
]
