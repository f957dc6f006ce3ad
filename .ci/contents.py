"""Check the contents of an sdist and a wheel: python .ci/contents.py SDIST WHEEL."""

import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

# Files that setuptools makes.
MADE = ("PKG-INFO", "setup.cfg", "movepages.egg-info/")
# Files that are useless outside a clone.
LEFT_OUT = (".ci/", ".github/", ".gitignore")
METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE"}


def of_the_project() -> set[str]:
    """Return the files that git does not ignore, without those in LEFT_OUT."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True)
    return {name for name in listed.stdout.split("\0") if name and not name.startswith(LEFT_OUT)}


def in_sdist(path: str) -> set[str]:
    """Return the files of the sdist, without those that setuptools makes."""
    with tarfile.open(path) as archive:
        names = (member.name.partition("/")[2] for member in archive if member.isfile())
        return {name for name in names if not name.startswith(MADE)}


def expected_in_wheel(path: str) -> set[str]:
    """Return the package's files, the metadata and the compiled core."""
    version, _, tags = Path(path).stem.removeprefix("movepages-").partition("-")
    assert tags.startswith(f"cp{sys.version_info[0]}{sys.version_info[1]}-"), path
    package = {name for name in of_the_project() if name.startswith("movepages/")}
    core = "movepages/_core" + sysconfig.get_config_var("EXT_SUFFIX")
    return {core} | package | {f"movepages-{version}.dist-info/{name}" for name in METADATA}


def compare(what: str, found: set[str], expected: set[str]) -> bool:
    """Print the missing and the superfluous files; return True if there are none."""
    for name in sorted(expected - found):
        print(f"{what}: {name} is missing", file=sys.stderr)
    for name in sorted(found - expected):
        print(f"{what}: {name} is superfluous", file=sys.stderr)
    return found == expected


def main(sdist: str, wheel: str) -> int:
    """Compare both with the files of the project; return 0 if they agree."""
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    same = compare("sdist", in_sdist(sdist), of_the_project())
    same &= compare("wheel", inside, expected_in_wheel(wheel))
    print(f"{len(inside)} files in the wheel" if same else "contents: see above")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
