"""Shell commands that carry out advice about another process."""

from __future__ import annotations

from collections.abc import Sequence

from .finding import Finding


def commands_for(pid: int, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Return the commands, or nothing where there is nothing to do from a shell."""
    wanted = [each for each in findings if each.verdict != "leave"]
    if not pid or not wanted:
        return ()
    binds = sorted({each.target for each in wanted if each.verdict == "bind"})
    found = [f"movepages localize {pid} --node {node} --cpus-only" for node in binds[:1]]
    moves = [each for each in wanted if each.verdict == "move"]
    layouts = dict.fromkeys(each.layout for each in moves)
    for layout in layouts:
        regions = [each for each in moves if each.layout == layout]
        if layout.isdecimal() and len(layouts) == 1 and not any(map(_is_kept_out, regions)):
            found.append(f"movepages localize {pid} --node {layout} --memory-only")
            continue
        options = "".join(f" --region {where}" for each in regions if (where := _address(each)))
        if options:
            found.append(f"movepages move {pid} --to {layout}{options}")
    return tuple(found)


def _is_kept_out(finding: Finding) -> bool:
    """Tell whether `movepages localize` leaves a region alone, because it is read-only."""
    return finding._subject is not None and finding._subject.read_only


def _address(finding: Finding) -> str:
    address = finding.name.rpartition(" ")[2]
    return address if address.startswith("0x") else ""
