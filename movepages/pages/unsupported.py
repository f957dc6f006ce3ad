"""The error for objects that do not say where their memory is: what to pass instead."""

from __future__ import annotations

import io
import os
from collections.abc import ItemsView, Iterator, Set

_EXPECTED = (
    "expected an object that exposes its memory: a numpy array, memoryview, bytearray, mmap, "
    "SharedMemory, array.array, any other object with the buffer protocol, "
    "__array_interface__ or DLPack, or Region(address, nbytes)"
)


def unsupported(obj: object) -> TypeError:
    """Return the error for an object of a class that is not known."""
    return TypeError(f"got {type(obj).__name__}; {_EXPECTED}; {_hint(obj)}")


def _hint(obj: object) -> str:
    if hasattr(obj, "__cuda_array_interface__"):
        return "its memory belongs to a device, which move_pages(2) cannot reach"
    if hasattr(obj, "__array__"):
        return (
            "it offers __array__ only, which may copy: pass the arrays or buffers that it consists "
            "of, or name them once for all objects of its class with movepages.register()"
        )
    if isinstance(obj, (list, tuple)):
        return "its elements are scattered over the heap: pass each array, or make one array of it"
    if isinstance(obj, int) and not isinstance(obj, bool):
        return (
            "an address needs a length: pass Region(address, nbytes); a node comes after the "
            f"memory: move(a, {obj}); for a process, use process({obj})"
        )
    if isinstance(obj, (str, os.PathLike)):
        return f"for a file in the page cache, pass page_cache({os.fspath(obj)!r})"
    if isinstance(obj, io.BytesIO):
        return "pass its getbuffer(), which shares its memory"
    if isinstance(obj, io.IOBase) and not isinstance(obj, io.StringIO):
        return "it is a file: map it, as with np.memmap, or pass its name to movepages.page_cache()"
    if isinstance(obj, ItemsView):
        return "pass the mapping, whose keys are the names of its values"
    if isinstance(obj, Set):
        return "a set has neither names nor an order for its members: pass list(...) of it"
    if isinstance(obj, Iterator):
        return f"what it yields can be read only once: {_remedy(obj)}"
    return (
        "pass the object that holds the memory; or give its class a method "
        "__movepages_buffers__(), or name its arrays with movepages.register()"
    )


def _remedy(iterator: Iterator[object]) -> str:
    function = getattr(iterator, "__qualname__", "")
    of_model = function.startswith("Module.") and "(" not in function
    return f"pass list(...) of it{', or the model itself' if of_model else ''}"
