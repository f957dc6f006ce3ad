"""Regions of a process on the command line: which are meant, and what kinds there are."""

from __future__ import annotations

import argparse
import mmap
import re
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

import movepages as mp

from ..system.refusals import read_if_told
from .terminal import printable

Regions: TypeAlias = "npt.NDArray[np.void]"

KINDS = ("heap", "stack", "huge", "anonymous", "shared", "file", "kernel")


class NoRegionError(LookupError):
    """The process has no region that was asked for."""


_ADDRESS = re.compile("0x[0-9a-fA-F]+")
_HELP = "PART of a name, a name such as [heap], or an address as in 0x7f0012340000; repeatable"


def add_process_option(parser: argparse.ArgumentParser) -> None:
    """Let the user name a process."""
    parser.add_argument("pid", type=as_pid, metavar="PID", help="the number of a process")


def add_region_option(parser: argparse.ArgumentParser) -> None:
    """Let the user choose regions."""
    parser.add_argument(
        "--region", action="append", type=_as_region, metavar="PART", default=[], help=_HELP
    )


def regions_of(pid: int, wanted: list[str]) -> Regions:
    """Return the regions of a process that one of `wanted` means, or all.

    Raises
    ------
    NoRegionError
        One of them means none.
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
    """Tell which of the kinds a region is of."""
    name, permissions = str(row["name"]), str(row["permissions"])
    # By its name, hugetlbfs may be a memfd, a segment of System V or a file anywhere.
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
    """Return the name that a process has in lists of processes, '' where it is not told."""
    told = read_if_told(pid, "comm") or b""
    return printable(told.decode("utf-8", "replace").strip())


def region_data(row: Any, nodes: tuple[int, ...]) -> dict[str, Any]:
    """Return a region as JSON has it."""
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
    """Return bytes by the number of the node, which JSON wants as a string."""
    return {str(node): int(n) for node, n in zip(nodes, counts, strict=True) if n}


def _means(wanted: str, found: Regions) -> npt.NDArray[np.bool_]:
    starts = found["address"].astype(object)
    if wanted.startswith("0x"):
        address = int(wanted, 16)
        inside: npt.NDArray[np.bool_] = (starts <= address) & (address < starts + found["nbytes"])
        return inside.astype(bool)
    named = np.array([wanted in str(name) for name in found["name"]], bool)
    # As maps lists it; no other number without 0x is taken for an address, it may be a name.
    listed = np.array([wanted == f"{start:x}" for start in starts], bool)
    return named if named.any() else listed


def _as_region(text: str) -> str:
    # An empty text is a part of every name, and a script may have left one.
    if not text:
        raise argparse.ArgumentTypeError("expected a part of a name or an address, got ''")
    if text.startswith("0x") and not _ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"expected an address such as 0x7f0012340000, got {text!r}"
        )
    return text


def as_pid(text: str) -> int:
    """Read the number of a process, for argparse."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected the number of a process, got {text!r}")
    return int(text)
