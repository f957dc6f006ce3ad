"""Placement: the node of every page of an array at the time of the query."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..display.brief import brief_placement
from ..pages.runs import Runs, Statuses, per_page_status, restore_read_only, totals
from ..system.intervals import index_within
from ..units import format_bytes, format_pages
from ..whole_numbers import as_whole
from .absence import Absence, Absences, count_reasons, describe_reasons, nothing_absent
from .plain import by_name, by_node, picked, records
from .status import PageStatus

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Placement:
    """The node of every page of an array at the time of the query, as run-length records.

    Attributes
    ----------
    address : int
        Lowest address of the array.
    nbytes : int
        Bytes of the array, each counted once.
    pages : int
        Pages that hold at least one byte of the array.
    page_size : int
        The system's page size in bytes.
    shared_edges : int
        Pages that the array fills only partly. Other data in these pages moves with the array.
    pid : int
        Process that the memory belongs to; 0 is the calling process.
    runs : structured ndarray, shape (m,), read-only
        One record for each stretch of neighbouring pages with one status: ``address`` (uintp),
        ``pages`` (int64), ``nbytes`` (int64, the bytes of the array in these pages) and ``status``
        (int32, the node or a negative `PageStatus`).
    absences : structured ndarray, shape (k,), read-only
        One record for each stretch of absent pages with one reason: ``address``, ``pages`` and
        ``reason``, an `Absence`.
    huge_bytes : int or None
        Bytes of the array in huge pages, both transparent ones and those of hugetlbfs. None if the
        kernel does not report them (before Linux 6.7) or the placement has another source.
    source : {'move_pages', 'policy', 'proc'}
        How the nodes were found. 'move_pages' used move_pages(2). In a sandbox that refuses this
        call, 'policy' used get_mempolicy(2), and 'proc' used /proc, which leaves the nodes of many
        pages unknown.
    shape, strides : tuple of int
        Shape and strides of a numpy array of two or more dimensions, for pictures; otherwise empty.

    Notes
    -----
    The status of a page is that of move_pages(2), whatever the source. A huge page is one page to
    the kernel; here each system page within it is listed.
    """

    address: int
    nbytes: int
    pages: int
    page_size: int
    shared_edges: int
    pid: int = 0
    runs: Runs
    absences: Absences = field(default_factory=nothing_absent)
    huge_bytes: int | None = None
    source: str = "move_pages"
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()

    @cached_property
    def bytes_per_node(self) -> dict[int, int]:
        """Bytes of the array on each node, leaving out nodes that have none."""
        return {node: n for node, n in totals(self.runs, "nbytes").items() if node >= 0}

    @cached_property
    def pages_per_node(self) -> dict[int, int]:
        """Pages of the array on each node, leaving out nodes that have none."""
        return {node: n for node, n in totals(self.runs, "pages").items() if node >= 0}

    @property
    def absent_bytes(self) -> int:
        """Bytes on no node, for example never touched, swapped out or in the zero page."""
        return self.nbytes - sum(self.bytes_per_node.values()) - self.hidden_bytes

    @property
    def absent_pages(self) -> int:
        """Pages on no node."""
        return self.pages - sum(self.pages_per_node.values()) - self.hidden_pages

    @cached_property
    def hidden_bytes(self) -> int:
        """Bytes in memory on an unknown node: a sandbox, or Linux before 6.6, hides it."""
        return totals(self.runs, "nbytes").get(PageStatus.ENODATA.value, 0)

    @cached_property
    def hidden_pages(self) -> int:
        """Pages in memory on an unknown node; their status is ENODATA."""
        return totals(self.runs, "pages").get(PageStatus.ENODATA.value, 0)

    @cached_property
    def absent_reasons(self) -> dict[Absence, int]:
        """Count of the pages on no known node, by reason, as far as the kernel reports it."""
        return count_reasons(self.absences)

    @property
    def status(self) -> Statuses:
        """Node of each page, or a negative `PageStatus`: int32, shape (pages,), not cached."""
        return per_page_status(self.runs)

    @property
    def addresses(self) -> npt.NDArray[np.uintp]:
        """Address of each page: uintp, shape (pages,), not cached."""
        first = np.repeat(self.runs["address"], self.runs["pages"])
        within = index_within(self.runs["pages"])
        addresses: npt.NDArray[np.uintp] = first + (within * self.page_size).astype(np.uintp)
        return addresses

    def as_dict(self, *, runs: bool = False) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`; sizes in bytes.

        Parameters
        ----------
        runs : bool, default False
            Include the records of `runs` and `absences`, of which there may be very many.

        Returns
        -------
        dict
        """
        found = picked(self, "address nbytes pages page_size shared_edges pid source huge_bytes")
        found |= picked(self, "absent_bytes absent_pages hidden_bytes hidden_pages")
        found |= {
            "shape": list(self.shape),
            "bytes_per_node": by_node(self.bytes_per_node),
            "pages_per_node": by_node(self.pages_per_node),
            "absent_reasons": by_name(self.absent_reasons),
        }
        if runs:
            names = {reason.value: reason.name for reason in Absence}
            absences = records(self.absences)
            named = [each | {"reason": names[each["reason"]]} for each in absences]
            found |= {"runs": records(self.runs), "absences": named}
        return found

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the placement to a .npz file that `load` reads.

        Parameters
        ----------
        file : path
            Name of the file; no extension is appended. An existing file is replaced atomically:
            even after an interruption, it has either all of the old content or all of the new.

        Raises
        ------
        OSError
            The file cannot be written, or no new file can be created in its folder.
        ValueError
            The runs take 4 GiB or more.

        Examples
        --------
        >>> import tempfile
        >>> a = np.ones(1000)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     where(a).save(folder + "/before.npz")
        ...     Placement.load(folder + "/before.npz") == where(a)
        True
        """
        from .npz import arrays_of, write

        write(arrays_of(vars(self)), file)

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> Placement:
        """Read a placement that `save` wrote; with it as the target, `move` restores every page.

        Parameters
        ----------
        file : path
            Name of the file.

        Returns
        -------
        Placement
            Equal to the saved placement, in this process and in others.

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            The file is not a saved placement, or its content is inconsistent. Everything is checked
            before it is unpacked or used: an untrusted file can be wrong, but can do no harm.
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
        # array_equal() swallows an exception that a signal handler raises. Comparing whole records
        # swallows it too: numpy then reports that they cannot be compared.
        return all(bool((mine[name] == others[name]).all()) for name in mine.dtype.names or ())

    __hash__ = None  # type: ignore[assignment]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Return `status`, for `numpy.asarray`."""
        if copy is False:
            raise ValueError(
                "copy=False: a placement stores runs of pages, and an array of statuses is a copy"
            )
        return self.status if dtype is None else self.status.astype(dtype)

    def __repr__(self) -> str:
        return f"<Placement {brief_placement(self)}>"

    def __str__(self) -> str:
        parts = [f"node {node}: {format_bytes(n)}" for node, n in self.bytes_per_node.items()]
        if self.absent_bytes:
            why = describe_reasons(self.absences) or "reason not queried"
            parts.append(f"absent: {format_bytes(self.absent_bytes)} ({why})")
        if self.hidden_bytes:
            why = f"{self.hidden_pages:,} {Absence.HIDDEN.meaning}"
            parts.append(f"not known: {format_bytes(self.hidden_bytes)} ({why})")
        where = ", ".join(parts) or "nothing"
        return f"{format_bytes(self.nbytes)} in {format_pages(self.pages)}: {where}"

    def strip(self, width: int = 80) -> str:
        """Return one line of text that shows the nodes along the addresses.

        Parameters
        ----------
        width : int, default 80
            Maximum number of characters; a page gets at most one.

        Returns
        -------
        str
            One character for each stretch of memory: the number of its node, or a dot if it is not
            on a known node. If any number has two digits, letters replace all numbers, in the order
            of the nodes. A stretch on several nodes shows one of these nodes. It is chosen so that
            each node's share of the characters matches its share of the bytes; a node with a small
            share may not appear.

        Raises
        ------
        TypeError, ValueError
            `width` is not a whole number from 1.

        Examples
        --------
        >>> node = topology().allowed_nodes[0]
        >>> set(where(full(1 << 17, 1.0, node=node)).strip(20)) == {str(node)}
        True
        """
        from ..display.sampling import cells, pick, symbols

        width = as_whole("width", width)
        names = {-1: ".", **symbols(list(self.bytes_per_node))}
        return "".join(names[node] for node in pick(cells(self, width)))

    def plot(self, ax: Axes | None = None, *, rows: int | None = None) -> Axes:
        """Draw the nodes of the memory with matplotlib, one colour for each node.

        The number of a node determines its colour; nodes 40 apart have the same colour.

        Memory in one dimension is a strip from the lowest address to the highest. If a part of the
        strip is on several nodes, its height is divided among them in proportion to their bytes.
        Each node gets enough height to be visible, as long as there are no more than twelve. An
        array of two or more dimensions is drawn in its own shape: rows downwards, columns to the
        right. In the picture of a large array, each cell shows only one of its elements, so a small
        part may not be visible. Use ``rows=1`` to show it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw into; by default those of a new figure.
        rows : int, optional
            Draw the addresses, regardless of the array's shape, wrapped into this many rows. More
            rows show more detail of a large range.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            matplotlib is missing: install ``movepages[plot]``.
        TypeError, ValueError
            `rows` is not a whole number from 1.

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
