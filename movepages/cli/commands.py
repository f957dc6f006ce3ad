"""The commands grouped by purpose, and the overview that ``movepages`` prints."""

from __future__ import annotations

GROUPS = {
    "look at memory": {
        "topology": "show the NUMA nodes of this machine",
        "where": "show which nodes hold the memory of a process, or of files",
        "maps": "list the regions of a process",
        "watch": "show how the memory of a process on each node changes",
    },
    "put it where the work is": {
        "advise": "find memory that is far from the threads of a process, and a remedy",
        "move": "move the memory of a process, or files, to a node or into a layout",
        "localize": "bring the threads and the memory of a process together on a node",
        "run": "run a command on chosen CPUs and nodes; report where its memory was",
    },
    "try and measure": {
        "doctor": "report which operations work for this process, and why others fail",
        "demo": "move an array to every node and back, with independent checks",
        "bench": "measure how long queries and moves take here",
    },
    "for programs": {
        "schema": "print the JSON Schema of a command's --json",
    },
}
ABOUT = {name: about for group in GROUPS.values() for name, about in group.items()}


def overview() -> str:
    """Return a list of the commands by group, one line of at most 80 columns each."""
    lines = ["See which NUMA nodes hold the memory of a process, and move it between nodes."]
    for title, commands in GROUPS.items():
        lines += ["", title]
        for name, about in commands.items():
            lines.append(f"  {name:8}  {about}")
    return "\n".join([*lines, "", '"movepages COMMAND --help" describes a command.'])
