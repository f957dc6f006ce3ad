"""where() of xarray's objects."""

import numpy as np
import pytest
from looks import at, by_name

import movepages as mp

xr = pytest.importorskip("xarray")
pd = pytest.importorskip("pandas")


def test_a_variable_is_its_array() -> None:
    array = np.random.default_rng(1).random((30, 40))
    before = array.copy()
    found = mp.where(xr.Variable(("x", "y"), array))
    assert (found.address, found.nbytes, found.shape) == (*at(array), (30, 40))
    assert (array == before).all()


def test_a_view_of_a_variable() -> None:
    array = np.ones((30, 40))
    part = xr.Variable(("x", "y"), array)[3:10, ::2]
    assert mp.where(part) == mp.where(array[3:10, ::2])


def test_a_data_array_is_its_data_and_coordinates() -> None:
    data, coords = np.ones((3, 400)), {"angle": ("y", np.ones(400)), "label": "a"}
    array = xr.DataArray(data, dims=("x", "y"), coords=coords)
    found = by_name(array)
    assert list(found) == ["data", "angle", "label"]
    assert (found["data"], found["angle"]) == (at(data), at(array.angle.values))


def test_a_dataset_is_its_variables() -> None:
    u, v, angle = np.ones((30, 40)), np.zeros((30, 40)), np.ones(40)
    dataset = xr.Dataset(
        {"u": (("t", "x"), u), "wind speed": (("t", "x"), v)}, coords={"angle": ("x", angle)}
    )
    assert by_name(dataset) == {"u": at(u), "['wind speed']": at(v), "angle": at(angle)}
    assert by_name([dataset])["[0].u"] == at(u)


def test_a_tree_is_its_nodes() -> None:
    u, v, angle = np.ones(400), np.zeros(400), np.ones(400)
    tree = xr.DataTree.from_dict(
        {
            "/": xr.Dataset({"u": ("x", u)}, coords={"angle": ("x", angle)}),
            "/below": xr.Dataset({"v": ("x", v)}),
            "/below/last": xr.Dataset({"u": ("x", u)}),
        }
    )
    assert by_name(tree) == {
        "u": at(u),
        "angle": at(angle),
        "below.v": at(v),
        "['below/last'].u": at(u),
    }


def test_an_index_is_a_coordinate() -> None:
    index = pd.Index(np.arange(1000))
    dataset = xr.Dataset({"u": ("x", np.ones(1000))}, coords={"x": index})
    found = by_name(dataset)
    assert found["x"] == by_name(dataset.u)["x"]
    assert sum(each.nbytes for each in mp.where(dataset).below("x").values()) == 8000


def test_chunks_of_dask_in_memory() -> None:
    pytest.importorskip("dask.array")
    lazy = xr.Dataset({"u": ("x", np.ones(1000))}).chunk(x=500) + 1
    with pytest.raises(TypeError, match=r"u: .*not computed yet; pass x\.persist\(\)"):
        mp.where(lazy)
    with pytest.raises(TypeError, match=r"not computed yet; pass x\.persist\(\)"):
        mp.where(lazy.u.variable)
    kept = lazy.persist(scheduler="synchronous")
    for found in (by_name(kept), by_name(kept.u), by_name(kept.u.variable)):
        assert [nbytes for _, nbytes in found.values()] == [4000, 4000]


@pytest.fixture(params=["h5netcdf", "netcdf4", "scipy"])
def file(request, tmp_path):
    pytest.importorskip({"netcdf4": "netCDF4"}.get(request.param, request.param))
    dataset = xr.Dataset({"u": (("t", "x"), np.ones((30, 40)))})
    dataset.to_netcdf(tmp_path / "a.nc", engine=request.param)
    with xr.open_dataset(tmp_path / "a.nc", engine=request.param) as opened:
        yield opened


def test_a_file_is_refused_until_it_is_loaded(file) -> None:
    for unloaded in (file, file.u, file.u.variable, file.u[3:5], file.u.variable[::2, [1, 2]]):
        with pytest.raises(TypeError, match=r"not in this process's memory.*\.load\(\)"):
            mp.where(unloaded)
    assert not file.u.variable._in_memory
    file.load()
    assert by_name(file) == {"u": at(file.u.values)}


def test_values_read_of_a_file_are_in_memory(file) -> None:
    values = file.u.values
    assert by_name(file) == {"u": at(values)}
