"""Check the includes between folders of the core: python .ci/includes.py csrc."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

# From the bottom up. A folder may include its own files and those of the folders listed for it.
BELOW = {
    "kernel": (),
    "driver": ("kernel",),
    "survey": ("kernel", "driver"),
    "heap": ("kernel",),
    "populate": ("kernel", "driver"),
    "bandwidth": ("kernel", "driver"),
    "binding": ("kernel", "driver", "survey", "heap", "populate", "bandwidth"),
}
PYTHON = re.compile(r"(pybind11|numpy)/|Python\.h")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)', re.MULTILINE)


def faults(root: Path) -> Iterator[str]:
    """Yield a message for each include that its folder may not have."""
    done: set[str] = set()
    for folder, below in BELOW.items():
        # Without this check, an edit of the table could allow a cycle.
        if not done.issuperset(below):
            yield f"BELOW: {folder} uses a folder that is not below it"
        done.add(folder)
    for file in sorted(path for path in root.rglob("*") if path.suffix in {".cpp", ".hpp"}):
        name = file.relative_to(root)
        folder = name.parts[0]
        if folder not in BELOW or len(name.parts) != 2:
            yield f"{name}: BELOW has no such folder"
            continue
        for mark, target in INCLUDE.findall(file.read_text(encoding="utf-8")):
            if folder != "binding" and PYTHON.match(target):
                yield f"{name} includes {target}: Python belongs in binding/"
            elif mark == '"' and target not in known(root):
                yield f"{name} includes {target}: not a path from {root.name}/"
            elif mark == '"' and target.split("/")[0] not in (folder, *BELOW[folder]):
                allowed = ", ".join(BELOW[folder]) or "nothing"
                yield f"{name} includes {target}: {folder}/ may use {allowed}"


def known(root: Path) -> set[str]:
    """Return the paths of the headers, relative to the root."""
    return {str(path.relative_to(root)) for path in root.glob("*/*.hpp")}


if __name__ == "__main__":
    found = list(faults(Path(sys.argv[1])))
    print("\n".join(found), end="\n" * bool(found), file=sys.stderr)
    sys.exit(bool(found))
