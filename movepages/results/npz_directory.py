"""The directory of an .npz archive: where each array is, checked before anything is unpacked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

from .npz_format import (
    DEFLATED,
    END,
    END_MAGIC,
    ENTRY,
    ENTRY_MAGIC,
    LOCAL,
    LOCAL_MAGIC,
    STORED,
)
from .npz_limits import MOST_BYTES, may_unpack

# Deflate expands one byte to at most 1,032 bytes.
_MOST_RATIO = {STORED: 1, DEFLATED: 1032}
# Accepted flags: a descriptor after the data, and a name in UTF-8.
_FLAGS = 1 << 3 | 1 << 11
_MOST_NAME, _MOST_EXTRA = 64, 256


class DamagedError(Exception):
    """The file is not an archive, or lacks the expected content; the message says why."""


class Member(NamedTuple):
    """Position of an array in an archive, and its other properties from the directory."""

    name: str
    method: int
    packed: int
    unpacked: int
    crc: int
    start: int


def read_directory(source: IO[bytes], known: Sequence[str]) -> dict[str, Member]:
    """Return the members of an archive by name.

    Raises
    ------
    DamagedError
        The file is not an archive, its directory is damaged, or a member is not in `known`.
    """
    size = source.seek(0, os.SEEK_END)
    magic, disk, first, here, count, length, start, comment = END.unpack(
        read_at(source, size - END.size, END.size)
    )
    if magic != END_MAGIC or disk or first or comment or here != count:
        raise DamagedError("the file does not end like an archive of arrays")
    if count > len(known) or start + length != size - END.size:
        raise DamagedError("the directory is not where it should be, or has too many members")
    if length > count * (ENTRY.size + _MOST_NAME + _MOST_EXTRA):
        raise DamagedError("the directory is too long")
    directory = read_at(source, start, length)
    members = {each.name: each for each in _entries(source, directory, count, start)}
    if len(members) < count:
        raise DamagedError("the directory has a member twice")
    if unknown := members.keys() - set(known):
        raise DamagedError(f"the file has a member {min(unknown)!r}, expected {', '.join(known)}")
    return members


def _entries(source: IO[bytes], directory: bytes, count: int, end: int) -> Iterator[Member]:
    """Yield the members that a directory lists; their data must not reach beyond `end`."""
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
        if unpacked > packed * _MOST_RATIO[method] or not may_unpack(packed, unpacked):
            raise DamagedError("the directory claims more data than a member can hold")
        label = directory[begin : begin + length]
        if position > len(directory) or not re.fullmatch(rb"[a-z_]{1,60}\.npy", label):
            raise DamagedError(f"the directory has a member named {label[:_MOST_NAME]!r}")
        data = _data_of(source, label, method, start)
        if data + packed > end:
            raise DamagedError("a member extends into the directory")
        yield Member(label[:-4].decode(), method, packed, unpacked, crc, data)
    if position != len(directory):
        raise DamagedError("the directory is too long")


def _data_of(source: IO[bytes], label: bytes, method: int, start: int) -> int:
    fields = LOCAL.unpack(read_at(source, start, LOCAL.size))
    length, extra = fields[-2:]
    alike = fields[0] == LOCAL_MAGIC and fields[3] == method and length == len(label)
    if not alike or read_at(source, start + LOCAL.size, length) != label:
        raise DamagedError("a member is not where the directory says")
    return int(start + LOCAL.size + length + extra)


def read_at(source: IO[bytes], position: int, count: int) -> bytes:
    """Return so many bytes of a file; raise `DamagedError` if it is shorter."""
    if position < 0:
        raise DamagedError("the file is too short")
    source.seek(position)
    found = source.read(count)
    if len(found) != count:
        raise DamagedError("the file is too short")
    return found
