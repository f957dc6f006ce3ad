"""Select regions of a process on the command line, and sort them into kinds."""

from __future__ import annotations

import argparse
import mmap
import re
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

import movepages as mp

from ..system.refusals import read_if_told
from .failures import NoRegionError
from .terminal import printable

Regions: TypeAlias = "npt.NDArray[np.void]"

KINDS = ("heap", "stack", "huge", "anonymous", "shared", "file", "kernel")


_ADDRESS = re.compile("0x[0-9a-fA-F]+")
_HELP = (
    "select regions by PART of a name, a name such as [heap], or an address such as "
    "0x7f0012340000; repeatable"
)


def add_process_option(parser: argparse.ArgumentParser) -> None:
    """Add the argument PID."""
    parser.add_argument("pid", type=as_pid, metavar="PID", help="process ID")


def add_region_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--region``."""
    parser.add_argument(
        "--region", action="append", type=_as_region, metavar="PART", default=[], help=_HELP
    )


def regions_of(pid: int, wanted: list[str]) -> Regions:
    """Return the regions of a process that match any of `wanted`, or all if it is empty.

    Raises
    ------
    NoRegionError
        An item of `wanted` matches no region.
    """
    found = mp.process(pid).regions()
    if not wanted:
        return found
    masks = [_means(each, found) for each in wanted]
    for each, mask in zip(wanted, masks, strict=True):
        if not mask.any():
            raise NoRegionError(
                f"--region {each}: process {pid} has no such region; see movepages maps {pid}"
            )
    chosen: Regions = found[np.logical_or.reduce(masks)]
    return chosen


def kind_of(row: Any) -> str:
    """Return which of `KINDS` a region is."""
    name, permissions = str(row["name"]), str(row["permissions"])
    # The name does not show it: hugetlbfs memory may be a memfd, a System V segment or any file.
    if row["page_size"] > mmap.PAGESIZE:
        return "huge"
    if name.startswith(("[heap", "[stack")):
        return "heap" if name.startswith("[heap") else "stack"
    if name.startswith(("/anon_hugepage", "/dev/hugepages")):
        return "huge"
    if name.startswith("[v"):
        return "kernel"
    if not name or name.startswith("[anon:"):
        return "anonymous"
    memory = name.startswith(("/memfd:", "/dev/shm/", "/dev/zero", "/SYSV", "[anon_shmem"))
    return "shared" if memory and permissions.endswith("s") else "file"


def name_of(pid: int) -> str:
    """Return the name of a process from /proc/PID/comm, or '' if it cannot be read."""
    told = read_if_told(pid, "comm") or b""
    return printable(told.decode("utf-8", "replace").strip())


def region_data(row: Any, nodes: tuple[int, ...]) -> dict[str, Any]:
    """Return a region as a JSON object."""
    return {
        "address": int(row["address"]),
        "nbytes": int(row["nbytes"]),
        "permissions": str(row["permissions"]),
        "name": str(row["name"]),
        "policy": str(row["policy"]),
        "page_size": int(row["page_size"]),
        "kind": kind_of(row),
        "bytes_per_node": per_node(row["bytes"], nodes),
    }


def per_node(counts: npt.NDArray[np.int64], nodes: tuple[int, ...]) -> dict[str, int]:
    """Return nonzero byte counts by node; JSON requires strings as keys."""
    return {str(node): int(n) for node, n in zip(nodes, counts, strict=True) if n}


def _means(wanted: str, found: Regions) -> npt.NDArray[np.bool_]:
    starts = found["address"].astype(object)
    if wanted.startswith("0x"):
        address = int(wanted, 16)
        inside: npt.NDArray[np.bool_] = (starts <= address) & (address < starts + found["nbytes"])
        return inside.astype(bool)
    named = np.array([wanted in str(name) for name in found["name"]], bool)
    # An address without 0x must be exactly as maps lists it: other numbers may be names.
    listed = np.array([wanted == f"{start:x}" for start in starts], bool)
    return named if named.any() else listed


def _as_region(text: str) -> str:
    # An empty string would match every name, and a script may pass one by mistake.
    if not text:
        raise argparse.ArgumentTypeError("expected a part of a name or an address, got ''")
    if text.startswith("0x") and not _ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"expected an address such as 0x7f0012340000, got {text!r}"
        )
    return text


def as_pid(text: str) -> int:
    """Convert a process ID, as an argparse type."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a process ID above 0, got {text!r}")
    return int(text)
