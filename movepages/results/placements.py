"""Placements: where the members of a container, table or model are, by name."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..display.brief import brief_placement
from ..display.frames import node_columns, pandas
from ..display.member_table import members_html, members_text
from ..pages.named import NamedFootprints
from ..pages.runs import Runs
from ..whole_numbers import as_whole
from .by_name import ByName
from .parts import Parts
from .placement import Placement
from .totals import Totals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Rows of a table or picture, unless the caller wants more.
_ROWS = 20
# Columns of a table of members, before those of the nodes.
_COLUMNS = ("nbytes", "pages", "absent_bytes", "hidden_bytes", "huge_bytes")


class Placements(Totals, ByName[Placement]):
    """The placement of each member of an object, as a mapping from names to `Placement`.

    Names are paths, such as ``layers.0.weight``, ``tables['price']`` or ``arrays[2]``. A key of the
    object itself also finds its member, unless the key is the name of another member:
    ``where(df)["price"]``, ``where([a, b])[1]``. The method `below` selects all members whose paths
    begin alike: ``where(model).below("layers.0")``. If several members have the same name, a number
    is appended to the later ones: ``x#2``.

    Attributes
    ----------
    total : Placement
        All members together. Bytes and pages that members share count once, so they may be fewer
        than the sum over the members.

    Examples
    --------
    >>> p = where({"weights": np.ones(1 << 16), "bias": np.ones(1 << 10)})
    >>> list(p)
    ['weights', 'bias']
    >>> p["bias"].nbytes, p.total.nbytes
    (8192, 532480)
    """

    def __init__(
        self, total: Placement, footprints: NamedFootprints, huge: Runs | None = None
    ) -> None:
        self.total, self._footprints, self._huge = total, footprints, huge

    @cached_property
    def _parts(self) -> Parts:
        return Parts(self.total, self._huge, self._footprints)

    def _make(self, members: range) -> list[Placement]:
        return [placement for placement, _ in self._parts.at(members)]

    def below(self, name: str) -> Placements:
        """Return the members whose paths begin with a name, such as the layers of a model.

        Parameters
        ----------
        name : str
            The beginning of a path, up to a dot or bracket.

        Returns
        -------
        Placements
            The members, under their whole names. As the target of `move`, they restore that part
            alone: ``move(model.encoder, p.below("encoder"))``.

        Raises
        ------
        KeyError
            No member's path begins with `name`.

        Examples
        --------
        >>> p = where({"encoder": {"w": np.ones(9), "b": np.ones(3)}, "decoder": np.ones(9)})
        >>> list(p.below("encoder"))
        ['encoder.w', 'encoder.b']
        """
        starts = (f"{name}.", f"{name}[")
        some = [
            index
            for index, each in enumerate(self._footprints.names)
            if each == name or each.startswith(starts)
        ]
        if not some:
            raise KeyError(name)
        footprints = self._footprints.only(some)
        ((total, huge),) = Parts(self.total, self._huge, footprints.joined()).at(range(1))
        return Placements(total, footprints, huge)

    def largest(self, count: int = _ROWS) -> dict[str, Placement]:
        """Return the members with the most bytes, largest first.

        Parameters
        ----------
        count : int, default 20
            Maximum number of members to return.

        Returns
        -------
        dict of str to Placement

        Raises
        ------
        TypeError, ValueError
            `count` is not a whole number from 0.
        """
        sizes = self._footprints.sizes
        order = sorted(range(len(sizes)), key=lambda index: -sizes[index])
        names = self._footprints.names
        return {names[index]: self._member(index) for index in order[: as_whole("count", count, 0)]}

    def as_dict(self, *, runs: bool = False) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`: ``total``, and ``members`` by name.

        Parameters
        ----------
        runs : bool, default False
            As for `Placement.as_dict`.

        Returns
        -------
        dict
        """
        members = {name: each.as_dict(runs=runs) for name, each in self.items()}
        return {"total": self.total.as_dict(runs=runs), "members": members}

    def to_pandas(self) -> Any:
        """Return a table with a row for each member.

        Returns
        -------
        pandas.DataFrame
            The index holds the names. Column ``node0`` holds the bytes on node 0, and so on.

        Raises
        ------
        ImportError
            pandas is missing.
        """
        pd, members = pandas(), list(self.values())
        columns = {name: [getattr(each, name) for each in members] for name in _COLUMNS}
        columns |= node_columns([each.bytes_per_node for each in members], self.bytes_per_node)
        return pd.DataFrame(columns, index=pd.Index(self, name="member", dtype=object))

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the placements of all members to a .npz file that `load` reads.

        Parameters
        ----------
        file : path
            As for `Placement.save`.

        Raises
        ------
        OSError
            The file cannot be written, or no new file can be created in its folder.
        ValueError
            There are more members, or more overlapping blocks of strided members, than `load`
            accepts. Save parts of the object one by one instead, such as ``below(name)``.

        Examples
        --------
        >>> import tempfile
        >>> arrays = {"a": np.ones(1000), "b": np.ones(10)}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     where(arrays).save(folder + "/before.npz")
        ...     list(Placements.load(folder + "/before.npz"))
        ['a', 'b']
        """
        from .npz_members import write

        write(vars(self.total), self._footprints, self._huge, file)

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> Placements:
        """Read what `save` wrote; as the target of `move`, it restores every page of each member.

        Parameters
        ----------
        file : path
            Name of the file.

        Returns
        -------
        Placements
            Equal to the saved ones, in this process and in others.

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            The file is not a saved `Placements`, or its content is inconsistent. Everything is
            checked before it is used.
        """
        from .npz_members import read

        total, footprints, huge = read(file)
        return cls(Placement(**total), footprints, huge)

    def table(self, rows: int = _ROWS) -> str:
        """Return a table of the largest members and the bytes that each has on each node.

        Parameters
        ----------
        rows : int, default 20
            Maximum number of members in the table. A last line counts the others.

        Returns
        -------
        str

        Raises
        ------
        TypeError, ValueError
            `rows` is not a whole number from 0.
        """
        return members_text(self.total, self.largest(as_whole("rows", rows, 0)), len(self))

    def __str__(self) -> str:
        return f"{len(self):,} members, {self.total}\n{self.table()}"

    def __repr__(self) -> str:
        return f"<Placements of {len(self):,} members, {brief_placement(self.total)}>"

    def _repr_html_(self) -> str:
        return members_html(self.total, self.largest(), len(self))

    def plot(self, ax: Axes | None = None, *, rows: int = _ROWS) -> Axes:
        """Draw the largest members with matplotlib: a bar for each, divided among the nodes.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw into; by default those of a new figure.
        rows : int, default 20
            Maximum number of members to draw; the largest come first.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            matplotlib is missing: install ``movepages[plot]``.
        TypeError, ValueError
            `rows` is not a whole number from 0.

        Examples
        --------
        >>> where({"w": np.ones(1000), "b": np.ones(10)}).plot().get_yticklabels()[0].get_text()
        'w'
        """
        from ..display.mpl_members import plot_members

        return plot_members(self.largest(as_whole("rows", rows, 0)), ax)
