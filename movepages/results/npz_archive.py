"""A reader for .npz archives that does not trust their content.

zipfile and numpy.load() trust much of what a file claims, report damage in a dozen ways, and
mistake an OSError that a signal handler raises for damage. This module checks everything before it
unpacks it.
"""

from __future__ import annotations

import math
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .npz_format import (
    ARRAY_MAGIC,
    DEFLATED,
    END,
    END_MAGIC,
    ENTRY,
    ENTRY_MAGIC,
    LOCAL,
    LOCAL_MAGIC,
    MOST_BYTES,
    PORTION,
    STORED,
    shape_in_header,
)

# Deflate expands one byte to at most 1,032 bytes.
_MOST_RATIO = {STORED: 1, DEFLATED: 1032}
# Accepted flags: a descriptor after the data, and a name in UTF-8.
_FLAGS = 1 << 3 | 1 << 11
_MOST_NAME, _MOST_EXTRA = 64, 256
_MOST_HEADER = 1024


class DamagedError(Exception):
    """The file is not an archive, or lacks the expected content; the message says why."""


class _Member(NamedTuple):
    """Position of an array in an archive, and its other properties from the directory."""

    name: str
    method: int
    packed: int
    unpacked: int
    crc: int
    start: int


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
        size = source.seek(0, os.SEEK_END)
        magic, disk, first, here, count, length, start, comment = END.unpack(
            self._read(size - END.size, END.size)
        )
        if magic != END_MAGIC or disk or first or comment or here != count:
            raise DamagedError("the file does not end like an archive of arrays")
        if count > len(known) or start + length != size - END.size:
            raise DamagedError("the directory is not where it should be, or has too many members")
        if length > count * (ENTRY.size + _MOST_NAME + _MOST_EXTRA):
            raise DamagedError("the directory is too long")
        self._end = start
        members = list(self._entries(self._read(start, length), count))
        self._members = {each.name: each for each in members}
        if len(self._members) < count:
            raise DamagedError("the directory has a member twice")
        if unknown := self._members.keys() - set(known):
            raise DamagedError(
                f"the file has a member {min(unknown)!r}, expected {', '.join(known)}"
            )

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
        data = b"".join(content)
        return np.ndarray(shape, found, data).astype(dtype)

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

    def _unpack(self, member: _Member) -> Iterator[bytes]:
        """Unpack in portions; the first one contains the whole header of the array."""
        crc = total = 0
        for portion in self._portions(member):
            crc, total = zlib.crc32(portion, crc), total + len(portion)
            if total > member.unpacked:
                raise DamagedError(f"{member.name} is longer than the directory says")
            yield portion
        if total != member.unpacked or crc != member.crc:
            raise DamagedError(f"{member.name} does not match its size or CRC in the directory")

    def _portions(self, member: _Member) -> Iterator[bytes]:
        unzip = zlib.decompressobj(wbits=-15)
        end = member.start + member.packed
        for start in range(member.start, end, PORTION):
            part = self._read(start, min(end - start, PORTION))
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

    def _entries(self, directory: bytes, count: int) -> Iterator[_Member]:
        position = 0
        for _ in range(count):
            if position + ENTRY.size > len(directory):
                raise DamagedError("the directory is too short")
            fields = ENTRY.unpack_from(directory, position)
            magic, _, _, flags, method, _, _, crc, packed, unpacked = fields[:10]
            length, extra, comment, disk, _, _, start = fields[10:]
            begin = position + ENTRY.size
            position = begin + length + extra
            if magic != ENTRY_MAGIC or flags & ~_FLAGS or disk or comment:
                raise DamagedError("the directory has an entry of another kind")
            if method not in _MOST_RATIO or max(packed, unpacked, start) >= MOST_BYTES:
                raise DamagedError("the directory has an entry packed in an unsupported way")
            if unpacked > packed * _MOST_RATIO[method]:
                raise DamagedError("the directory claims more data than a member can hold")
            label = directory[begin : begin + length]
            if position > len(directory) or not re.fullmatch(rb"[a-z_]{1,60}\.npy", label):
                raise DamagedError(f"the directory has a member named {label[:_MOST_NAME]!r}")
            data = self._data_of(label, method, start)
            if data + packed > self._end:
                raise DamagedError("a member extends into the directory")
            yield _Member(label[:-4].decode(), method, packed, unpacked, crc, data)
        if position != len(directory):
            raise DamagedError("the directory is too long")

    def _data_of(self, label: bytes, method: int, start: int) -> int:
        fields = LOCAL.unpack(self._read(start, LOCAL.size))
        length, extra = fields[-2:]
        alike = fields[0] == LOCAL_MAGIC and fields[3] == method and length == len(label)
        if not alike or self._read(start + LOCAL.size, length) != label:
            raise DamagedError("a member is not where the directory says")
        return int(start + LOCAL.size + length + extra)

    def _read(self, position: int, count: int) -> bytes:
        if position < 0:
            raise DamagedError("the file is too short")
        self._source.seek(position)
        found = self._source.read(count)
        if len(found) != count:
            raise DamagedError("the file is too short")
        return found
