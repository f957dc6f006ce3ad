"""The directive enum-table: the members of an enumeration, with what each has to say."""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

import movepages

# Of a member, after its name and number.
COLUMNS = ("meaning", "remedy")


class EnumTable(Directive):
    """`.. enum-table:: PageStatus` lists all members that have a name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        members = list(getattr(movepages, self.arguments[0]))
        columns = [name for name in COLUMNS if hasattr(members[0], name)]
        lines = [".. list-table::", "   :header-rows: 1", ""]
        for row in [("name", "number", *columns)] + [
            (f"``{each.name}``", each.value, *(getattr(each, name) for name in columns))
            for each in members
        ]:
            lines += [f"   {'*' if i == 0 else ' '} - {cell}" for i, cell in enumerate(row)]
        found = nodes.container()
        self.state.nested_parse(StringList(lines, self.arguments[0]), 0, found)
        return found.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("enum-table", EnumTable)
    return {"parallel_read_safe": True}
