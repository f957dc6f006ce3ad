"""The parts of the .npz format that saved placements use, and a writer for it."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .npz_limits import MOST_BYTES, may_unpack

# Signals are handled after each portion.
PORTION = 1 << 20
STORED, DEFLATED = 0, 8

# Application note of PKZIP, 4.3.7, 4.3.12 and 4.3.16.
LOCAL = struct.Struct("<4s5H3L2H")
ENTRY = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
LOCAL_MAGIC, ENTRY_MAGIC, END_MAGIC = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_VERSION = 20
# 1 January 1980: a fixed date, so that the same content makes the same file.
_DATE = 0x21

ARRAY_MAGIC = b"\x93NUMPY\x01\x00"


def pack(out: IO[bytes], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays as an archive.

    numpy.savez() is not used: its zipfile takes an OSError from a signal handler for an error of
    the file.

    Raises
    ------
    ValueError
        The archive would have 4 GiB or more.
    """
    entries, position = [], 0
    for name, array in arrays.items():
        label = f"{name}.npy".encode()
        content = array_header(array.dtype, array.shape) + np.ascontiguousarray(array).tobytes()
        method, (packed, crc) = DEFLATED, _deflate(content)
        if not may_unpack(len(packed), len(content)):
            # Nobody could tell it from an array that was made to fill the memory.
            method, packed = STORED, content
        if max(len(content), len(packed) + position) >= MOST_BYTES:
            raise ValueError(
                f"{name}: expected less than 4 GiB in a file, got {array.nbytes:,} bytes; save the "
                "placements of parts of the memory"
            )
        fields = (_VERSION, 0, method, 0, _DATE, crc, len(packed), len(content), len(label))
        out.write(LOCAL.pack(LOCAL_MAGIC, *fields, 0) + label)
        out.write(packed)
        entries.append(ENTRY.pack(ENTRY_MAGIC, _VERSION, *fields, 0, 0, 0, 0, 0, position) + label)
        position += LOCAL.size + len(label) + len(packed)
    directory, count = b"".join(entries), len(entries)
    out.write(directory)
    out.write(END.pack(END_MAGIC, 0, 0, count, count, len(directory), position, 0))


def _deflate(content: bytes) -> tuple[bytes, int]:
    squeeze, crc, parts = zlib.compressobj(wbits=-15), 0, []
    for start in range(0, len(content), PORTION):
        portion = memoryview(content)[start : start + PORTION]
        crc = zlib.crc32(portion, crc)
        parts.append(squeeze.compress(portion))
    return b"".join([*parts, squeeze.flush()]), crc


def array_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return the header that begins the member of an array; see ``numpy.lib.format``."""
    text = f"{{'descr': {_described(dtype)}, 'fortran_order': False, 'shape': {shape!r}, }}"
    padding = -(len(ARRAY_MAGIC) + 2 + len(text) + 1) % 64
    line = text.encode() + b" " * padding + b"\n"
    return ARRAY_MAGIC + len(line).to_bytes(2, "little") + line


def shape_in_header(text: bytes, dtype: np.dtype[Any]) -> tuple[int, ...] | None:
    """Return the shape in an array's header, or None if the array is not of this type."""
    before = f"{{'descr': {_described(dtype)}, 'fortran_order': False, 'shape': (".encode()
    match = re.fullmatch(rb"([0-9]{1,19}),(?: ([0-9]{1,19}))?\), } *\n", text[len(before) :])
    if not text.startswith(before) or match is None:
        return None
    return tuple(int(each) for each in match.groups() if each is not None)


def _described(dtype: np.dtype[Any]) -> str:
    return repr(np.lib.format.dtype_to_descr(dtype))
