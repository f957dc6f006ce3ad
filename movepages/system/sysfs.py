"""Read the text formats in which /sys and /proc describe nodes; each error names the file."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from ..units import format_ids, parse_ids
from .refusals import Refusal

KIB = 1024
_POOL = re.compile(r"hugepages-([0-9]+)kB")


class TopologyError(OSError):
    """A file that describes the nodes is missing, unreadable or malformed; the message names it."""


class MissingFileError(TopologyError):
    """The file is missing or has disappeared: its device may have been unplugged."""


def read(path: Path) -> str:
    """Return the text of a file, or raise a `TopologyError` that names the file."""
    with Refusal() as refusal:
        return path.read_text(encoding="utf-8", errors="backslashreplace")
    # kernfs answers ENODEV, not ENOENT, for a file opened before its device went away.
    gone = refusal.code in (errno.ENOENT, errno.ENODEV)
    kind = MissingFileError if gone else TopologyError
    raise kind(f"cannot read {path}: {refusal.why}") from refusal.error


def is_directory(path: Path) -> bool:
    """Tell whether a directory exists; unlike pathlib, raise if it cannot be accessed."""
    with Refusal() as refusal:
        return stat.S_ISDIR(os.stat(path).st_mode)
    if refusal.code in (errno.ENOENT, errno.ENOTDIR):
        return False
    raise TopologyError(f"cannot access {path}: {refusal.why}") from refusal.error


def names_in(directory: Path) -> list[str]:
    """Return the names in a directory in order; none if this kernel does not have it."""
    with Refusal() as refusal:
        return sorted(os.listdir(directory))
    if refusal.code == errno.ENOENT:
        return []
    raise TopologyError(f"cannot list {directory}: {refusal.why}") from refusal.error


def malformed(path: Path, text: str, expected: str) -> TopologyError:
    """Return the error for a file with content that differs from what the kernel writes."""
    shown = text if len(text) <= 200 else text[:200] + "..."
    return TopologyError(f"{path}: expected {expected}, found {shown!r}")


def read_ids(path: Path) -> tuple[int, ...]:
    """Read the ids from a file in the kernel's list format."""
    text = read(path)
    try:
        return parse_ids(text)
    except ValueError as err:
        raise malformed(path, text, "a list of ids like '0-1,16-17'") from err


def read_count(path: Path) -> int:
    """Read a file that contains one number."""
    text = read(path)
    if not re.fullmatch(r"[0-9]+\s*", text):
        raise malformed(path, text, "one number")
    return int(text)


def read_meminfo(path: Path) -> tuple[int, int]:
    """Return MemTotal and MemFree in bytes from a node's meminfo or from /proc/meminfo."""
    text = read(path)

    def value(name: str) -> int:
        match = re.search(rf"^(?:Node [0-9]+ )?{name}:\s+([0-9]+) kB$", text, re.MULTILINE)
        if match is None:
            raise malformed(path, text, f"a line with '{name}:', a number and 'kB'")
        return int(match[1]) * KIB

    return value("MemTotal"), value("MemFree")


def read_distances(path: Path, online: tuple[int, ...]) -> dict[int, int]:
    """Return the distance to each online node.

    The file holds one number for each *online* node, in id order (node_read_distance:
    for_each_online_node). Where ids are sparse, a number's position is not its node's id.
    """
    text = read(path)
    fields = text.split()
    if len(fields) != len(online) or not all(re.fullmatch("[0-9]+", f) for f in fields):
        expected = f"{len(online)} number(s), one for each online node ({format_ids(online)})"
        raise malformed(path, text, expected)
    return dict(zip(online, map(int, fields), strict=True))


def pool_directories(directory: Path) -> Iterator[tuple[int, Path]]:
    """Yield (page size in bytes, path) of each huge page pool, if the kernel has any."""
    found = filter(None, map(_POOL.fullmatch, names_in(directory)))
    yield from sorted((int(match[1]) * KIB, directory / match[0]) for match in found)


def mems_allowed(proc: Path) -> frozenset[int] | None:
    """Return the nodes that the calling thread's cpuset allows; None if procfs does not say."""
    # Cpusets are per thread, so try thread-self first. Linux has it since 3.17.
    for path in (proc / "thread-self" / "status", proc / "self" / "status"):
        try:
            text = read(path)
        except MissingFileError:
            continue
        match = re.search(r"^Mems_allowed_list:(.*)$", text, re.MULTILINE)
        if match is None:  # without CONFIG_CPUSETS, every node is allowed
            return None
        try:
            return frozenset(parse_ids(match[1]))
        except ValueError as err:
            raise malformed(path, match[0], "a list of ids like '0-1,16-17'") from err
    return None
