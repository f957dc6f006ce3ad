"""Objects whose data are in a file, on a device or in another process: where() refuses them."""

from __future__ import annotations

from typing import NoReturn

_READ = "read the part that you need, a = {0}[...], and pass a"
_ON_A_DEVICE = "on a device, which move_pages(2) cannot reach"
# By library and class: where the data are, and what to do.
_ELSEWHERE = {
    "h5py.Dataset": ("in a file", _READ.format("dataset")),
    "netCDF4.Variable": ("in a file", _READ.format("variable")),
    "zarr.Array": ("in the encoded chunks of a store", _READ.format("array")),
    "zarr.Group": (
        "in the encoded chunks of a store",
        "read what you need of its arrays, a = group[name][...], and pass a",
    ),
    "cupy.ndarray": (
        _ON_A_DEVICE,
        "pass arrays in host memory, such as those of cupyx.empty_pinned()",
    ),
    "numba.DeviceNDArray": (
        _ON_A_DEVICE,
        "pass arrays in host memory, such as those of numba.cuda.pinned_array()",
    ),
    "multiprocessing.BaseProxy": (
        "with the process of the manager, which sends copies",
        "keep the array in multiprocessing.shared_memory, and pass that",
    ),
    "distributed.Future": (
        "with a worker of the Dask cluster",
        "use movepages.dask.survey(client) and movepages.dask.place(client, future)",
    ),
}


def not_here(obj: object, place: str, remedy: str) -> TypeError:
    """Return the error for an object whose data this process cannot reach."""
    return TypeError(
        f"the data of this {type(obj).__name__} is not in this process's memory: it is {place}; "
        f"{remedy}"
    )


def refuse(obj: object) -> NoReturn:
    """Raise the error for an object of a class in the table."""
    names = map(_name, type(obj).__mro__)
    raise not_here(obj, *_ELSEWHERE[next(name for name in names if name in _ELSEWHERE)])


def _name(kind: type) -> str:
    return f"{str(kind.__module__).partition('.')[0]}.{kind.__qualname__}"


ADAPTERS = dict.fromkeys(_ELSEWHERE, refuse)
