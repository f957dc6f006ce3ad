"""Fail if a test was skipped everywhere the suite ran, because then nobody has ever run it.

python tests/vm/skips.py host.xml .lab/*/junit.xml
"""

import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

EMPTY_PARAMETERS = "[NOTSET]"


class JunitError(Exception):
    """A file is no JUnit XML of a run of the suite."""


@dataclass
class Record:
    """The results of one test in all files."""

    ran: bool = False
    reasons: list[str] = field(default_factory=list)


def read_cases(path: Path) -> Iterator[tuple[str, str | None]]:
    """Yield each test's id, with the reason if it was skipped, or None if it ran."""
    try:
        cases = list(ET.parse(path).iter("testcase"))
    except (OSError, ET.ParseError) as error:
        msg = f"{path}: not readable as JUnit XML: {error}"
        raise JunitError(msg) from error
    if not cases:
        msg = f"{path}: no test cases; expected the results of a run of the suite"
        raise JunitError(msg)
    for case in cases:
        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        skipped = case.find("skipped")
        # An expected failure did run, but JUnit XML has no other word for it.
        if skipped is None or skipped.get("type") == "pytest.xfail":
            yield name, None
        else:
            yield name, skipped.get("message") or skipped.text or "no reason given"


def collect(paths: list[Path]) -> dict[str, Record]:
    """Merge the results of all places, by test id."""
    records: dict[str, Record] = {}
    for path in paths:
        for name, reason in read_cases(path):
            record = records.setdefault(name, Record())
            if reason is None:
                record.ran = True
            else:
                record.reasons.append(f"{path}: {reason.strip()}")
    return records


def never_ran(records: dict[str, Record]) -> dict[str, Record]:
    """Return the tests that were skipped wherever they appear.

    A module skipped as a whole appears without test ids, and a test with parameters that depend on
    the machine has other ids elsewhere. Both count as run if a test that they stand for ran.
    """
    ran = [name for name, record in records.items() if record.ran]

    def stands_for_one_that_ran(name: str) -> bool:
        if name.endswith(EMPTY_PARAMETERS):
            return any(each.startswith(name.removesuffix("NOTSET]")) for each in ran)
        if "::" not in name:
            return any(each.startswith((f"{name}::", f"{name}.")) for each in ran)
        return False

    return {
        name: record
        for name, record in records.items()
        if not record.ran and not stands_for_one_that_ran(name)
    }


def main(arguments: list[str]) -> int:
    """Check these files; return 0 if every test ran in at least one of them."""
    if not arguments:
        print("usage: skips.py JUNIT_XML...", file=sys.stderr)
        return 2
    try:
        records = collect([Path(each) for each in arguments])
    except JunitError as error:
        print(f"skips: {error}", file=sys.stderr)
        return 1
    missing = never_ran(records)
    if missing:
        print(f"skips: {len(missing)} of {len(records)} tests ran nowhere:")
        for name, record in sorted(missing.items()):
            print(f"  {name}")
            for reason in record.reasons:
                print(f"    {reason}")
        return 1
    places = f"{len(arguments)} place{'s' if len(arguments) > 1 else ''}"
    print(f"skips: {len(records)} tests in {places}, each ran in at least one")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
