"""What a guest left behind: exit status, output, console, or why some of these are missing."""

from dataclasses import dataclass
from pathlib import Path

CONSOLE = "console.log"
OUTPUT = "output.log"
JUNIT = "junit.xml"
STATUS = "exit-status"
SCRIPT = "run.sh"


@dataclass(frozen=True)
class Outcome:
    """How one guest ended; ``status`` is None when its command never reported one."""

    version: str
    status: int | None
    seconds: float
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether the command ran to its end and reported 0."""
        return self.status == 0


def clear(folder: Path) -> None:
    """Make the folder and remove files of an earlier run: a stale status would be trusted."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (CONSOLE, OUTPUT, JUNIT, STATUS, SCRIPT):
        (folder / name).unlink(missing_ok=True)


def read(folder: Path, version: str, seconds: float, killed: str = "") -> Outcome:
    """Judge a finished guest by the files in its result folder.

    Parameters
    ----------
    folder : Path
        The guest's result folder.
    version : str
        Kernel that it booted.
    seconds : float
        Seconds from the start of the guest to its end.
    killed : str, optional
        Why the lab ended the guest, if it did.
    """
    if killed:
        return Outcome(version, None, seconds, killed)
    path = folder / STATUS
    text = path.read_text().strip() if path.exists() else ""
    if text.isdecimal():
        return Outcome(version, int(text), seconds)
    if "Kernel panic" in read_text(folder / CONSOLE):
        return Outcome(version, None, seconds, "kernel panic")
    return Outcome(version, None, seconds, "ended without an exit status")


def died_in_boot(result: Outcome, folder: Path) -> bool:
    """Return whether a guest panicked before its command began."""
    return result.reason == "kernel panic" and not (folder / OUTPUT).exists()


def read_text(path: Path) -> str:
    """Return the text of a log, '' if there is none. A console may hold any byte."""
    return path.read_text(errors="replace") if path.exists() else ""


def tail(path: Path, lines: int) -> str:
    """Return the last lines of a log."""
    return "\n".join(read_text(path).splitlines()[-lines:])


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as aligned plain text, one kernel per line."""
    rows = [("kernel", "exit", "seconds", "")]
    for each in outcomes:
        status = "-" if each.status is None else str(each.status)
        verdict = each.reason or ("ok" if each.ok else "failed")
        rows.append((each.version, status, f"{each.seconds:.1f}", verdict))
    first, second, third = (max(len(row[i]) for row in rows) for i in range(3))
    return "\n".join(
        f"{version:<{first}}  {status:>{second}}  {seconds:>{third}}  {verdict}".rstrip()
        for version, status, seconds, verdict in rows
    )
