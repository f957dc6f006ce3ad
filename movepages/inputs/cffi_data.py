"""The memory of C data that cffi allocated or points to."""

from __future__ import annotations

import sys
from typing import Any


def _cdata(cdata: Any) -> memoryview:
    # The module of the class, which the package cffi need not have imported by that name.
    backend = sys.modules["_cffi_backend"]
    kind = backend.typeof(cdata)
    sized = kind.kind == "array" or (
        kind.kind == "pointer" and bool(cdata) and _is_sized_pointer(cdata, kind)
    )
    if not sized:
        raise TypeError(
            f"got C data of the type {kind.cname!r}, which does not say how many bytes there are; "
            "pass ffi.buffer(cdata, nbytes) or Region(address, nbytes)"
        )
    return memoryview(backend.buffer(cdata))


def _is_sized_pointer(cdata: Any, kind: Any) -> bool:
    # ffi.new("struct s *") owns one struct. Other pointers may point to the first of many.
    owner = type(cdata).__name__ == "__CDataOwn"
    return owner or (kind.item.kind == "array" and kind.item.length is not None)


ADAPTERS = {"_CDataBase": _cdata}
