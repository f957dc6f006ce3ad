"""A reader for .npz archives that does not trust their content.

zipfile and numpy.load() trust much of what a file claims, report damage in a dozen ways, and
mistake an OSError that a signal handler raises for damage. This module checks everything before it
unpacks it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .npz_directory import DamagedError, Member, read_at, read_directory
from .npz_format import ARRAY_MAGIC, DEFLATED, PORTION, STORED, shape_in_header

_MOST_HEADER = 1024


class Archive:
    """An archive that is open for reading.

    Parameters
    ----------
    source : binary file
    known : sequence of str
        Names of the members that the archive may have.

    Raises
    ------
    DamagedError
        The file is not an archive, or its central directory is damaged.
    """

    def __init__(self, source: IO[bytes], known: Sequence[str]) -> None:
        self._source = source
        self._members = read_directory(source, known)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def records(self, name: str, dtype: np.dtype[Any], most: int) -> Iterator[npt.NDArray[Any]]:
        """Unpack a one-dimensional array in portions, so that the caller can stop early.

        Raises
        ------
        DamagedError
            The array is missing, has another type, or has more than `most` records.
        """
        content, found, shape = self._open(name, dtype)
        if len(shape) != 1 or shape[0] > most:
            raise DamagedError(f"{name} has the shape {shape}, expected at most {most:,} records")
        rest = b""
        for portion in content:
            rest += portion
            whole = len(rest) // dtype.itemsize
            if whole:
                yield np.frombuffer(rest, found, whole).astype(dtype)
                rest = rest[whole * dtype.itemsize :]

    def array(self, name: str, dtype: np.dtype[Any], most: int) -> npt.NDArray[Any]:
        """Unpack an array of one or two dimensions with at most `most` elements.

        Raises
        ------
        DamagedError
            The array is missing, has another type, or has more elements.
        """
        content, found, shape = self._open(name, dtype)
        if math.prod(shape) > most:
            raise DamagedError(f"{name} has the shape {shape}, expected at most {most:,} elements")
        data = bytearray()
        for portion in content:
            data += portion
        return np.ndarray(shape, found, data).astype(dtype, copy=False)

    def _open(
        self, name: str, dtype: np.dtype[Any]
    ) -> tuple[Iterator[bytes], np.dtype[Any], tuple[int, ...]]:
        """Return the data of an array in portions, the type of its elements and its shape."""
        if name not in self._members:
            raise DamagedError(f"the file has no member {name!r}")
        member = self._members[name]
        content = self._unpack(member)
        head = next(content, b"")
        start = 10 + int.from_bytes(head[8:10], "little")
        if head[:8] != ARRAY_MAGIC or start > _MOST_HEADER:
            raise DamagedError(f"{name} is not an array")
        # The machine that wrote the file may have the other byte order.
        for found in (dtype.newbyteorder("<"), dtype.newbyteorder(">")):
            shape = shape_in_header(head[10:start], found)
            if shape is not None:
                break
        else:
            raise DamagedError(f"{name} has the header {head[10:start][:200]!r}, expected {dtype}")
        if start + math.prod(shape) * dtype.itemsize != member.unpacked:
            raise DamagedError(
                f"{name} has the shape {shape}, which does not fit its {member.unpacked:,} bytes"
            )

        def data() -> Iterator[bytes]:
            yield head[start:]
            yield from content

        return data(), found, shape

    def _unpack(self, member: Member) -> Iterator[bytes]:
        """Unpack in portions; the first one contains the whole header of the array."""
        crc = total = 0
        for portion in self._portions(member):
            crc, total = zlib.crc32(portion, crc), total + len(portion)
            if total > member.unpacked:
                raise DamagedError(f"{member.name} is longer than the directory says")
            yield portion
        if total != member.unpacked or crc != member.crc:
            raise DamagedError(f"{member.name} does not match its size or CRC in the directory")

    def _portions(self, member: Member) -> Iterator[bytes]:
        unzip = zlib.decompressobj(wbits=-15)
        end = member.start + member.packed
        for start in range(member.start, end, PORTION):
            part = read_at(self._source, start, min(end - start, PORTION))
            if member.method == STORED:
                yield part
                continue
            # The decompressor may still hold data for further portions when no input is left.
            while part or not unzip.eof:
                if unzip.eof:
                    raise DamagedError(f"{member.name} has data behind its compressed stream")
                try:
                    portion = unzip.decompress(part, PORTION)
                except zlib.error as error:
                    raise DamagedError(f"{member.name} cannot be unpacked: {error}") from None
                part = unzip.unconsumed_tail or unzip.unused_data
                if not portion and not part:
                    break
                if portion:
                    yield portion
        if member.method == DEFLATED and not unzip.eof:
            raise DamagedError(f"{member.name} ends too early")
