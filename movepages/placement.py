"""Placement: where every page of a piece of memory was when it was looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from .absence import (
    ABSENCE_DTYPE,
    Absence,
    Absences,
    count_reasons,
    describe_reasons,
    nothing_absent,
)
from .runs import RUN_DTYPE, Runs, Statuses, per_page_status, totals
from .units import format_bytes

_NUMBERS = ("address", "nbytes", "pages", "page_size", "shared_edges", "pid")


@dataclass(frozen=True, kw_only=True, eq=False)
class Placement:
    """Where every page of an array was, as run-length records.

    Attributes
    ----------
    address : int
        Lowest address of the array.
    nbytes : int
        Bytes the array holds, each counted once.
    pages : int
        Pages that hold at least one of these bytes.
    page_size : int
        Size of a page in bytes, as the system has it.
    shared_edges : int
        Pages of these that the array fills in part only. What else lies in them moves with it.
    pid : int
        Process the memory belongs to; 0 is this one.
    runs : structured ndarray, shape (m,), read-only
        One record for each stretch of neighbouring pages with one status: ``address`` (uintp),
        ``pages`` (int64), ``nbytes`` of the array in them (int64) and ``status`` (int32: the node,
        or a negative `PageStatus`).
    absences : structured ndarray, shape (k,), read-only
        One record for each stretch of absent pages of one kind: ``address``, ``pages`` and
        ``reason``, an `Absence`.

    Notes
    -----
    A page takes its status from move_pages(2). A huge page is one page to the kernel, and is listed
    here under each of the system's pages it covers.
    """

    address: int
    nbytes: int
    pages: int
    page_size: int
    shared_edges: int
    pid: int = 0
    runs: Runs = field(repr=False)
    absences: Absences = field(repr=False, default_factory=nothing_absent)

    @cached_property
    def bytes_per_node(self) -> dict[int, int]:
        """Bytes of the array on each node; nodes without any are left out."""
        return {node: n for node, n in totals(self.runs, "nbytes").items() if node >= 0}

    @cached_property
    def pages_per_node(self) -> dict[int, int]:
        """Pages of the array on each node; nodes without any are left out."""
        return {node: n for node, n in totals(self.runs, "pages").items() if node >= 0}

    @property
    def absent_bytes(self) -> int:
        """Bytes without memory behind them: never touched, swapped out, or the zero page."""
        return self.nbytes - sum(self.bytes_per_node.values())

    @property
    def absent_pages(self) -> int:
        """Pages without memory behind them."""
        return self.pages - sum(self.pages_per_node.values())

    @cached_property
    def absent_reasons(self) -> dict[Absence, int]:
        """Pages without memory behind them by reason, as far as the kernel lets one know."""
        return count_reasons(self.absences)

    @property
    def status(self) -> Statuses:
        """Node of each page or a negative `PageStatus`; int32, shape (pages,), made when asked."""
        return per_page_status(self.runs)

    @property
    def addresses(self) -> npt.NDArray[np.uintp]:
        """Address of each page; uintp, shape (pages,), made when asked for."""
        first = np.repeat(self.runs["address"], self.runs["pages"])
        starts = np.cumsum(self.runs["pages"]) - self.runs["pages"]
        within = np.arange(self.pages) - np.repeat(starts, self.runs["pages"])
        addresses: npt.NDArray[np.uintp] = first + (within * self.page_size).astype(np.uintp)
        return addresses

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write it to a file that `load` reads, of the format .npz.

        Parameters
        ----------
        file : path
            Its name, as it is given: nothing is appended.

        Raises
        ------
        OSError
            It cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> a = np.ones(1000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     where(a).save(folder + "/before.npz")
        ...     Placement.load(folder + "/before.npz") == where(a)
        True
        """
        numbers = np.array([getattr(self, name) for name in _NUMBERS], np.uint64)
        with open(file, "wb") as out:
            np.savez_compressed(
                out, movepages_placement=numbers, runs=self.runs, absences=self.absences
            )

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> Placement:
        """Read what `save` wrote: a target for `move`, which brings every page back.

        Parameters
        ----------
        file : path

        Raises
        ------
        OSError
            It cannot be read.
        ValueError
            It is no placement, or what it says does not add up.
        """
        try:
            # Of a broken archive np.load would leave the file open.
            with open(file, "rb") as source, np.load(source, allow_pickle=False) as found:
                values = dict(zip(_NUMBERS, found["movepages_placement"].tolist(), strict=True))
                runs = found["runs"].astype(RUN_DTYPE, casting="equiv")
                absences = found["absences"].astype(ABSENCE_DTYPE, casting="equiv")
        except OSError:
            raise
        # A damaged archive is told of in many ways.
        except Exception as error:
            raise ValueError(
                f"{os.fspath(file)!r} is no placement that Placement.save() wrote: {error}"
            ) from error
        if runs.ndim != 1 or absences.ndim != 1 or (runs["pages"] < 1).any():
            raise ValueError(f"{os.fspath(file)!r} has runs that are none")
        if runs["pages"].sum() != values["pages"] or runs["nbytes"].sum() != values["nbytes"]:
            raise ValueError(
                f"{os.fspath(file)!r}: its runs have {runs['pages'].sum():,} pages, and it tells "
                f"of {values['pages']:,}"
            )
        for records in (runs, absences):
            records.flags.writeable = False
        return cls(**values, runs=runs, absences=absences)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Placement):
            return NotImplemented
        return self.page_size == other.page_size and np.array_equal(self.runs, other.runs)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        parts = [f"node {node}: {format_bytes(n)}" for node, n in self.bytes_per_node.items()]
        if self.absent_bytes:
            why = describe_reasons(self.absences) or "nobody asked why"
            parts.append(f"absent: {format_bytes(self.absent_bytes)} ({why})")
        where = ", ".join(parts) or "nothing"
        return f"{format_bytes(self.nbytes)} in {self.pages:,} pages: {where}"
