"""Archives of the format .npz, read without trust in what they say.

zipfile and numpy.load() take much on faith, tell of damage in a dozen ways, and take an OSError
that a signal handler raises for damage. What is read here is checked before it is unpacked.
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

# Deflate makes 1,032 bytes of one at most.
_MOST_RATIO = {STORED: 1, DEFLATED: 1032}
# A descriptor behind the data, and a name in UTF-8.
_FLAGS = 1 << 3 | 1 << 11
_MOST_NAME, _MOST_EXTRA = 64, 256
_MOST_HEADER = 1024


class DamagedError(Exception):
    """The file is no archive, or not one of what it should have; the message says why."""


class _Member(NamedTuple):
    """Where an array is in an archive, and what of it the directory tells."""

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
        The members that it may have.

    Raises
    ------
    DamagedError
    """

    def __init__(self, source: IO[bytes], known: Sequence[str]) -> None:
        self._source = source
        size = source.seek(0, os.SEEK_END)
        magic, disk, first, here, count, length, start, comment = END.unpack(
            self._read(size - END.size, END.size)
        )
        if magic != END_MAGIC or disk or first or comment or here != count:
            raise DamagedError("it does not end as an archive of arrays does")
        if count > len(known) or start + length != size - END.size:
            raise DamagedError("its directory is not where it should be, or has too much in it")
        if length > count * (ENTRY.size + _MOST_NAME + _MOST_EXTRA):
            raise DamagedError("its directory is too long")
        self._end = start
        members = list(self._entries(self._read(start, length), count))
        self._members = {each.name: each for each in members}
        if len(self._members) < count:
            raise DamagedError("it has a member twice")
        if unknown := self._members.keys() - set(known):
            raise DamagedError(f"it has a member {min(unknown)!r}, expected {', '.join(known)}")

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def records(self, name: str, dtype: np.dtype[Any], most: int) -> Iterator[npt.NDArray[Any]]:
        """Unpack an array of one dimension in portions, so that the first wrong one ends it.

        Raises
        ------
        DamagedError
            There is none, or one of another type, or it has more than `most` records.
        """
        content, found, shape = self._open(name, dtype)
        if len(shape) != 1 or shape[0] > most:
            raise DamagedError(f"{name} has the shape {shape}, expected {most:,} records at most")
        rest = b""
        for portion in content:
            rest += portion
            whole = len(rest) // dtype.itemsize
            if whole:
                yield np.frombuffer(rest, found, whole).astype(dtype)
                rest = rest[whole * dtype.itemsize :]

    def array(self, name: str, dtype: np.dtype[Any], most: int) -> npt.NDArray[Any]:
        """Unpack an array of one or two dimensions that has `most` elements or fewer.

        Raises
        ------
        DamagedError
            There is none, or one of another type, or it has more elements.
        """
        content, found, shape = self._open(name, dtype)
        if math.prod(shape) > most:
            raise DamagedError(f"{name} has the shape {shape}, expected {most:,} elements at most")
        data = b"".join(content)
        return np.ndarray(shape, found, data).astype(dtype)

    def _open(
        self, name: str, dtype: np.dtype[Any]
    ) -> tuple[Iterator[bytes], np.dtype[Any], tuple[int, ...]]:
        """Return the data of an array in portions, the type they have and the array's shape."""
        if name not in self._members:
            raise DamagedError(f"it has no member {name!r}")
        member = self._members[name]
        content = self._unpack(member)
        head = next(content, b"")
        start = 10 + int.from_bytes(head[8:10], "little")
        if head[:8] != ARRAY_MAGIC or start > _MOST_HEADER:
            raise DamagedError(f"{name} is no array")
        # On another machine the bytes may have been in the other order.
        for found in (dtype.newbyteorder("<"), dtype.newbyteorder(">")):
            shape = shape_in_header(head[10:start], found)
            if shape is not None:
                break
        else:
            raise DamagedError(f"{name} has the header {head[10:start][:200]!r}, expected {dtype}")
        if start + math.prod(shape) * dtype.itemsize != member.unpacked:
            raise DamagedError(f"{name} has the shape {shape} and {member.unpacked:,} bytes")

        def data() -> Iterator[bytes]:
            yield head[start:]
            yield from content

        return data(), found, shape

    def _unpack(self, member: _Member) -> Iterator[bytes]:
        """Unpack in portions, of which the first has all of a header."""
        crc = total = 0
        for portion in self._portions(member):
            crc, total = zlib.crc32(portion, crc), total + len(portion)
            if total > member.unpacked:
                raise DamagedError(f"{member.name} is longer than it says")
            yield portion
        if total != member.unpacked or crc != member.crc:
            raise DamagedError(f"{member.name} has other content than when it was written")

    def _portions(self, member: _Member) -> Iterator[bytes]:
        unzip = zlib.decompressobj(wbits=-15)
        end = member.start + member.packed
        for start in range(member.start, end, PORTION):
            part = self._read(start, min(end - start, PORTION))
            if member.method == STORED:
                yield part
                continue
            # What does not fit into a portion may be in the decompressor with no input left.
            while part or not unzip.eof:
                if unzip.eof:
                    raise DamagedError(f"{member.name} ends before its data does")
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
                raise DamagedError("its directory is too short")
            fields = ENTRY.unpack_from(directory, position)
            magic, _, _, flags, method, _, _, crc, packed, unpacked = fields[:10]
            length, extra, comment, disk, _, _, start = fields[10:]
            begin = position + ENTRY.size
            position = begin + length + extra
            if magic != ENTRY_MAGIC or flags & ~_FLAGS or disk or comment:
                raise DamagedError("its directory has an entry of another kind")
            if method not in _MOST_RATIO or max(packed, unpacked, start) >= MOST_BYTES:
                raise DamagedError("its directory has an entry that is packed in another way")
            if unpacked > packed * _MOST_RATIO[method]:
                raise DamagedError("its directory promises more than there can be")
            label = directory[begin : begin + length]
            if position > len(directory) or not re.fullmatch(rb"[a-z_]{1,60}\.npy", label):
                raise DamagedError(f"its directory has a member {label[:_MOST_NAME]!r}")
            data = self._data_of(label, method, start)
            if data + packed > self._end:
                raise DamagedError("a member reaches into the directory")
            yield _Member(label[:-4].decode(), method, packed, unpacked, crc, data)
        if position != len(directory):
            raise DamagedError("its directory is too long")

    def _data_of(self, label: bytes, method: int, start: int) -> int:
        fields = LOCAL.unpack(self._read(start, LOCAL.size))
        length, extra = fields[-2:]
        alike = fields[0] == LOCAL_MAGIC and fields[3] == method and length == len(label)
        if not alike or self._read(start + LOCAL.size, length) != label:
            raise DamagedError("a member is not where the directory says")
        return int(start + LOCAL.size + length + extra)

    def _read(self, position: int, count: int) -> bytes:
        if position < 0:
            raise DamagedError("it is too short")
        self._source.seek(position)
        found = self._source.read(count)
        if len(found) != count:
            raise DamagedError("it is too short")
        return found
