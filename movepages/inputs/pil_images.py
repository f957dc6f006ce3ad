"""The pixels of Pillow's images: rows behind the pointers of a C structure."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..pages.memory import Memory
from .not_in_memory import not_here

# Names of the capsule around the structure, in newer and in older versions.
_CAPSULES = (b"Pillow Imaging", b"PIL Imaging")
# ImagingMemoryInstance of Imaging.h, from behind the field `mode` to the last that is needed here.
_NUMBERS = ("type", "depth", "bands", "width", "height")
_POINTERS = ("palette", "image8", "image32", "image", "block", "blocks")
_FIELDS: list[tuple[str, Any]] = [
    *((name, ctypes.c_int) for name in _NUMBERS),
    *((name, ctypes.c_void_p) for name in _POINTERS),
    ("pixelsize", ctypes.c_int),
    ("linesize", ctypes.c_int),
]


class _NumberedMode(ctypes.Structure):
    _fields_ = [("mode", ctypes.c_int), *_FIELDS]


class _NamedMode(ctypes.Structure):
    """The structure before Pillow 12."""

    _fields_ = [("mode", ctypes.c_char * 7), *_FIELDS]


def _image(image: Any) -> Memory | Iterator[tuple[str, object]]:
    core = _core_of(image)
    fields = _fields_of(core)
    starts = np.array((ctypes.c_size_t * fields.height).from_address(fields.image), np.intp)
    # Large images have several blocks, each with rows at the same distance.
    steps = np.diff(starts)
    step = int(steps[0]) if len(steps) else fields.linesize
    cuts = (np.flatnonzero(steps != step) + 1).tolist()

    def rows(first: int, end: int) -> Memory:
        address = int(starts[first]) if end > first else 0
        shape, strides = (end - first, fields.width), (step, fields.pixelsize)
        return Memory(address, shape, strides, fields.pixelsize, core)

    if not cuts:
        return rows(0, fields.height)
    spans = itertools.pairwise([0, *cuts, fields.height])
    return ((f"rows[{first}:{end}]", rows(first, end)) for first, end in spans)


def _core_of(image: Any) -> Any:
    # Image.getim() would load a file.
    try:
        core = image.im
    except AssertionError:
        core = None
    # A file has tiles until it is loaded.
    if core is None or getattr(image, "tile", None):
        raise not_here(image, "not loaded", "call .load() and pass it again")
    return core


def _fields_of(core: Any) -> Any:
    name = _capsule_name(core.ptr)
    address = _capsule_pointer(core.ptr, name)
    for layout in (_NumberedMode, _NamedMode) if name in _CAPSULES else ():
        fields: Any = layout.from_address(address)
        if (
            (fields.bands, fields.width, fields.height) == (core.bands, *core.size)
            and fields.image
            and {fields.image8, fields.image32} == {fields.image, None}
            and fields.pixelsize in (1, 2, 4)
            and fields.linesize >= fields.width * fields.pixelsize
        ):
            return fields
    raise TypeError(
        "this version of Pillow keeps the pixels of an image in a way that movepages does not "
        "know; pass an array that holds the pixels"
    )


# Prototypes of our own, because the functions of ctypes.pythonapi are shared with other packages.
_capsule_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
    ("PyCapsule_GetName", ctypes.pythonapi)
)
_capsule_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)

ADAPTERS = {"Image": _image}
