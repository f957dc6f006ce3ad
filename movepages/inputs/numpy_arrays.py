"""Members of numpy arrays that are more than one block of elements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .object_arrays import object_members, record_members


def array_members(array: npt.NDArray[Any]) -> object:
    """Return the array if its elements lie in it, or what its elements point to."""
    if array.dtype.kind == "O":
        return object_members(array)
    if array.dtype.kind == "T":
        raise TypeError(
            "got an array of StringDType: numpy does not say where the text of a StringDType "
            "lies; pass Region(array.ctypes.data, array.nbytes) for its elements alone, which hold "
            "strings of up to 15 bytes"
        )
    return record_members(array) if array.dtype.hasobject else array


def _masked(array: np.ma.MaskedArray[Any, Any]) -> Iterator[tuple[str, object]]:
    yield "data", array.data
    if array.mask is not np.ma.nomask:
        yield "mask", np.ma.getmaskarray(array)


def _archive(archive: Any) -> list[tuple[str, object]]:
    # Each look at one of its arrays reads the array from the file.
    for name in archive.files:
        raise TypeError(
            f"{name} of this {type(archive).__name__} is in a file, and what is read from it is a "
            "copy; keep the arrays, as in d = dict(...), and pass d"
        )
    return []


ADAPTERS = {"MaskedArray": _masked, "NpzFile": _archive, "ndarray": array_members}
