"""Find the function that lists the members of an object, by the object's class."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

Pairs: TypeAlias = Iterable[tuple[str, object]]
# Returns the members of an object, or the one array that holds all of its memory.
Adapter: TypeAlias = Callable[[Any], object]
_F = TypeVar("_F", bound=Adapter)

# By the name of a library: the module of this package with ADAPTERS for its classes. A module is
# imported when an object of its library is met, so no library has to be installed.
_LIBRARIES = {
    "PIL": "pil_images",
    "_cffi_backend": "cffi_data",
    "awkward": "awkward_arrays",
    "cupy": "not_in_memory",
    "dask": "dask_chunks",
    "distributed": "not_in_memory",
    "h5py": "not_in_memory",
    "jax": "jax_arrays",
    "jaxlib": "jax_arrays",
    "multiprocessing": "not_in_memory",
    "narwhals": "narwhals_frames",
    "netCDF4": "not_in_memory",
    "numba": "numba_lists",
    "numpy": "numpy_arrays",
    "pandas": "pandas_frames",
    "polars": "polars_frames",
    "pyarrow": "arrow_arrays",
    "scipy": "sparse_matrices",
    "sklearn": "sklearn_estimators",
    "torch": "torch_modules",
    "xarray": "xarray_variables",
    "zarr": "not_in_memory",
}
# By the name of a method that a class of any other library may have: a module as above.
_PROTOCOLS = {
    "__arrow_c_stream__": "arrow_exports",
    "__arrow_c_array__": "arrow_exports",
}


class NoMemoryError(TypeError):
    """An object holds no memory that could move; a container or table may have it as a member."""

    def __init__(self, obj: object, why: str = "") -> None:
        super().__init__(f"got a {type(obj).__name__} with no array or other memory in it{why}")


_by_class: WeakKeyDictionary[type, Adapter] = WeakKeyDictionary()
_by_name: dict[str, Adapter] = {}
_found: WeakKeyDictionary[type, Adapter | None] = WeakKeyDictionary()


def register(kind: type | str, function: _F) -> _F:
    """Tell movepages how to find the memory of the objects of a class.

    Parameters
    ----------
    kind : type or str
        The class, or its full name, such as ``"mylib.Table"``. With a name, the library need not be
        imported yet. Subclasses are included. If you register a class again, the new function
        replaces the old one. Your function takes precedence over a built-in one.
    function : callable
        Called with the object. It yields a pair (name, object) for each member; the member is
        anything that `where` takes. If all of the object's memory is in one array, buffer or
        `Region`, the function can return that instead. It must not copy: a copy would be reported
        as if it were the object's memory.

    Returns
    -------
    callable
        `function`.

    Raises
    ------
    TypeError
        `kind` is neither a class nor a full name, or `function` is not callable.

    See Also
    --------
    where : A class of your own can have a method ``__movepages_buffers__()`` instead.

    Notes
    -----
    A type checker does not see that a class is registered: cast its objects to `MemoryLike`, or
    give the class the method.

    Examples
    --------
    >>> class Table:
    ...     def __init__(self):
    ...         self.columns = {"x": np.ones(1000), "y": np.zeros(1000)}
    >>> register(Table, lambda table: table.columns.items())  # doctest: +ELLIPSIS
    <function ...>
    >>> sorted(where(Table()))
    ['x', 'y']
    """
    if not callable(function):
        raise TypeError(f"function: expected a callable, got {function!r}")
    if isinstance(kind, type):
        _by_class[kind] = function
    elif isinstance(kind, str) and all(part.isidentifier() for part in kind.split(".")[:2]):
        if "." not in kind:
            raise TypeError(f"kind: expected a full name such as 'mylib.Table', got {kind!r}")
        _by_name[kind] = function
    else:
        raise TypeError(f"kind: expected a class or its full name, got {kind!r}")
    # A search that began before must not put its answer here.
    global _found
    _found = WeakKeyDictionary()
    return function


def adapter_for(kind: type) -> Adapter | None:
    """Return the function for objects of a class, or None."""
    known = _found
    try:
        return known[kind]
    except KeyError:
        found = known[kind] = _search(kind)
        return found


def _search(kind: type) -> Adapter | None:
    for each in kind.__mro__:
        library = str(each.__module__).partition(".")[0]
        for found in (
            _by_class.get(each),
            _by_name.get(f"{each.__module__}.{each.__qualname__}"),
            _by_name.get(f"{library}.{each.__qualname__}"),
            _own_method(each),
            _of_library(library, each.__qualname__),
        ):
            if found is not None:
                return found
    for name, module in _PROTOCOLS.items():
        if hasattr(kind, name):
            return _adapters(module)[name]
    return None


def _own_method(kind: type) -> Adapter | None:
    method: Adapter | None = vars(kind).get("__movepages_buffers__")
    return method


def _of_library(library: str, name: str) -> Adapter | None:
    module = _LIBRARIES.get(library)
    if module is None:
        return None
    adapters = _adapters(module)
    # A module for several libraries has the library in each name.
    return adapters.get(name) or adapters.get(f"{library}.{name}")


def _adapters(module: str) -> dict[str, Adapter]:
    adapters: dict[str, Adapter] = importlib.import_module(f".{module}", __package__).ADAPTERS
    return adapters
