"""Objects whose data are not in memory, with classes that stand for those of libraries."""

import pytest

import movepages as mp
from library_fixtures import made
from movepages.inputs.not_in_memory import ADAPTERS


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("h5py._hl.dataset", "Dataset"),
        ("netCDF4._netCDF4", "Variable"),
        ("zarr.core.array", "Array"),
        ("zarr.core.group", "Group"),
        ("cupy", "ndarray"),
        ("numba.cuda.cudadrv.devicearray", "DeviceNDArray"),
        ("multiprocessing.managers", "BaseProxy"),
        ("distributed.client", "Future"),
    ],
)
def test_data_elsewhere_is_refused(module, name) -> None:
    theirs = type(made(module, name))
    for obj in (theirs(), made(__name__, "Own", (theirs,))):
        with pytest.raises(TypeError, match=r"is not in this process's memory: it is .*; "):
            mp.where(obj)
    assert f"{module.partition('.')[0]}.{name}" in ADAPTERS


@pytest.mark.parametrize("module", ["h5py", "netCDF4", "distributed", "multiprocessing.pool"])
def test_a_class_of_the_same_name_in_another_library_is_not_taken_for_it(module) -> None:
    with pytest.raises(TypeError, match="got Array; expected an object that exposes its memory"):
        mp.where(made(module, "Array"))
