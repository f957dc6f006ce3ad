"""where() refuses objects whose data are in files or other processes, and says what to pass."""

import multiprocessing

import numpy as np
import pytest

import movepages as mp

HERE = "is not in this process's memory"


def refused(obj, remedy: str) -> None:
    with pytest.raises(TypeError, match=f"^the data of this .*{HERE}.*{remedy}"):
        mp.where(obj)
    with pytest.raises(TypeError, match=rf"^model\.x: the data of this .*{HERE}.*{remedy}"):
        mp.where({"model": {"x": obj}})


def test_h5py(tmp_path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("x", data=np.ones(1000))
        refused(dataset, r"read the part that you need, a = dataset\[\.\.\.\], and pass a")
        with pytest.raises(TypeError, match=f"^x: .*{HERE}"):
            mp.where(file)
        part = dataset[10:20]
        assert mp.where(part).address == part.ctypes.data


def test_zarr() -> None:
    zarr = pytest.importorskip("zarr")
    refused(zarr.ones(1000), r"a = array\[\.\.\.\]")
    refused(zarr.group(), r"a = group\[name\]\[\.\.\.\]")


def test_netcdf4(tmp_path) -> None:
    netcdf4 = pytest.importorskip("netCDF4")
    with netcdf4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("x", 10)
        refused(file.createVariable("x", "f8", ("x",)), r"a = variable\[\.\.\.\]")


def test_proxies_of_a_manager() -> None:
    with multiprocessing.Manager() as manager:
        for proxy in (manager.list([1]), manager.dict(), manager.Array("d", [1.0])):
            refused(proxy, "shared_memory")
