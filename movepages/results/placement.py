"""Placement: where every page of a piece of memory was when it was looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..pages.runs import Runs, Statuses, per_page_status, restore_read_only, totals
from ..units import format_bytes, format_pages
from .absence import Absence, Absences, count_reasons, describe_reasons, nothing_absent
from .status import PageStatus

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    huge_bytes : int or None
        Bytes of the array in huge pages, transparent ones and those of hugetlbfs. None where the
        kernel does not tell, before Linux 6.7, and of placements that other sources made.
    shape, strides : tuple of int
        Those of a numpy array of two dimensions or more, for pictures of it; otherwise empty.

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
    huge_bytes: int | None = None
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = field(repr=False, default=())

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
        """Bytes without memory behind them (never touched, swapped out, or the zero page)."""
        return self.nbytes - sum(self.bytes_per_node.values()) - self.hidden_bytes

    @property
    def absent_pages(self) -> int:
        """Pages without memory behind them."""
        return self.pages - sum(self.pages_per_node.values()) - self.hidden_pages

    @cached_property
    def hidden_bytes(self) -> int:
        """Bytes in memory on a node that is not known: Linux before 6.6 does not tell it of all."""
        return totals(self.runs, "nbytes").get(PageStatus.ENODATA.value, 0)

    @cached_property
    def hidden_pages(self) -> int:
        """Pages in memory on a node that is not known; their status is ENODATA."""
        return totals(self.runs, "pages").get(PageStatus.ENODATA.value, 0)

    @cached_property
    def absent_reasons(self) -> dict[Absence, int]:
        """Pages on no known node by reason, as far as the kernel lets one know."""
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
            Its name, as it is given: nothing is appended. A file of this name is replaced at once:
            whatever happens meanwhile, the name has all of the new content or all of the old.

        Raises
        ------
        OSError
            It cannot be written, or its folder takes no new file.
        ValueError
            It has 4 GiB or more of runs.

        Examples
        --------
        >>> import tempfile
        >>> a = np.ones(1000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     where(a).save(folder + "/before.npz")
        ...     Placement.load(folder + "/before.npz") == where(a)
        True
        """
        from .npz import write

        write(vars(self), file)

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> Placement:
        """Read what `save` wrote: a target for `move`, which brings every page back.

        Parameters
        ----------
        file : path

        Returns
        -------
        Placement
            Equal to what was saved, in this process and others.

        Raises
        ------
        OSError
            It cannot be read.
        ValueError
            It is no placement, or what it says does not add up. Everything is checked before it is
            unpacked or used: a file from elsewhere can say something wrong, and do no harm.
        """
        from .npz import read

        return cls(**read(file))

    def __setstate__(self, state: dict[str, object]) -> None:
        restore_read_only(state)
        self.__dict__.update(state)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Placement):
            return NotImplemented
        mine, others = self.runs, other.runs
        if self.page_size != other.page_size or len(mine) != len(others):
            return False
        # Not array_equal(), which takes what a signal handler raises for an answer; nor records as
        # a whole, of which numpy then says that they cannot be compared.
        return all(bool((mine[name] == others[name]).all()) for name in mine.dtype.names or ())

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        parts = [f"node {node}: {format_bytes(n)}" for node, n in self.bytes_per_node.items()]
        if self.absent_bytes:
            why = describe_reasons(self.absences) or "nobody asked why"
            parts.append(f"absent: {format_bytes(self.absent_bytes)} ({why})")
        if self.hidden_bytes:
            why = f"{self.hidden_pages:,} {Absence.HIDDEN.meaning}"
            parts.append(f"not known: {format_bytes(self.hidden_bytes)} ({why})")
        where = ", ".join(parts) or "nothing"
        return f"{format_bytes(self.nbytes)} in {format_pages(self.pages)}: {where}"

    def strip(self, width: int = 80) -> str:
        """Return one line of text along the addresses, a character for each stretch of memory.

        Parameters
        ----------
        width : int, default 80
            The most characters; there is at most one for each page.

        Returns
        -------
        str
            The node's number, or letters in the order of the nodes if there are numbers of two
            digits, and a dot where there is no memory. Of a stretch that has several of these one
            is shown, so that all characters together have the shares of the bytes; what is little
            may not be seen at all.

        Raises
        ------
        ValueError
            Less than one character.

        Examples
        --------
        >>> node = topology().allowed_nodes[0]
        >>> set(where(full(1 << 17, 1.0, node=node)).strip(20)) == {str(node)}
        True
        """
        from ..display.sampling import cells, pick, symbols

        if width < 1:
            raise ValueError(f"width: expected 1 or more characters, got {width}")
        names = {-1: ".", **symbols(list(self.bytes_per_node))}
        return "".join(names[node] for node in pick(cells(self, width)))

    def plot(self, ax: Axes | None = None, *, rows: int | None = None) -> Axes:
        """Draw where the memory is, with matplotlib: a colour for each node.

        The colour is a matter of the node's number: those of 40 and more have again that of the
        number less 40.

        Memory in one dimension is a strip from the lowest address to the highest. Where a part of
        it is on several nodes, its height is divided as its bytes are, with enough for each of up
        to twelve to be seen. An array of two dimensions or more is drawn in its own shape: rows
        downwards, columns to the right. Of a large one each cell shows one element, so what is
        little may not be seen: ``rows=1`` shows it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        rows : int, optional
            Draw the addresses, whatever the array's shape, and wrap them into so many rows, to see
            more of a large range.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            There is no matplotlib: install ``movepages[plot]``.
        ValueError
            Less than one row.

        Examples
        --------
        >>> where(np.ones((1000, 1000))).plot().get_ylabel()
        'row'
        """
        from ..display.mpl_placement import plot_placement

        return plot_placement(self, ax, rows)

    def _repr_html_(self) -> str:
        from ..display.svg import placement_svg

        return placement_svg(self)
