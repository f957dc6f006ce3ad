"""What a command is about: a process, or files in the page cache."""

from __future__ import annotations

import argparse
import errno
import glob
import os
import stat
from collections.abc import Iterator

from ..system.refusals import Refusal, is_there
from .regions import as_pid

HELP = "process ID; or files, whose memory is the page cache: a path, a directory, or a pattern \
(./123 is a file named 123)"


def as_subject(text: str) -> int | str:
    """Convert a process ID or a path, as an argparse type.

    Examples
    --------
    >>> as_subject("123"), as_subject("./123")
    (123, './123')
    """
    if not text:
        raise argparse.ArgumentTypeError("expected a process ID or a path, got ''")
    return as_pid(text) if text.isdecimal() else text


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that apply to files alone."""
    parser.add_argument(
        "--tensors", action="store_true", help="for safetensors files: each tensor by itself"
    )
    parser.add_argument(
        "--tensor", action="append", metavar="PART", default=[],
        help="for safetensors files: only tensors with PART in their names; repeatable",
    )  # fmt: skip


def refuse_unless_alone(options: argparse.Namespace, *, for_processes: list[str]) -> None:
    """End the command if a process is named beside others, or options do not fit the subject."""
    subjects, error = options.subjects, options.parser.error
    processes = [each for each in subjects if isinstance(each, int)]
    if processes and len(subjects) > 1:
        error("expected one process ID, or files; ./123 is a file named 123")
    if processes and (options.tensors or options.tensor):
        error("arguments --tensors and --tensor: expected files, got a process ID")
    for name in for_processes if not processes else ():
        if getattr(options, name):
            error(f"argument --{name}: expected a process ID, got files")


class Files:
    """The regular files that paths, directories and patterns stand for, each once.

    Attributes
    ----------
    problems : list of str
        Why paths were left out.
    """

    def __init__(self, paths: list[str]) -> None:
        self._paths = paths
        self._seen: set[tuple[int, int]] = set()
        self.problems: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for path in self._paths:
            matches = [path]
            if glob.has_magic(path) and not is_there(path):
                matches = sorted(glob.glob(path, recursive=True))
                if not matches:
                    self.problems.append(f"{path}: no file matches")
            for match in matches:
                yield from self._below(match, named=True)

    def _below(self, path: str, *, named: bool) -> Iterator[str]:
        with Refusal() as refusal:
            found, link = os.stat(path), stat.S_ISLNK(os.lstat(path).st_mode)
        if refusal.error:
            word = named and refusal.code == errno.ENOENT and "/" not in path
            meant = f"; for a process, give its number, as by pidof {path}" if word else ""
            self.problems.append(f"{path}: {refusal.why}{meant}")
        elif stat.S_ISDIR(found.st_mode):
            # Directories behind links may lead in a circle; files behind links are files.
            if named or not link:
                with Refusal() as refusal:
                    names = sorted(os.listdir(path))
                if refusal.error:
                    self.problems.append(f"{path}: {refusal.why}")
                    return
                for name in names:
                    yield from self._below(os.path.join(path, name), named=False)
        elif not stat.S_ISREG(found.st_mode):
            if named:
                self.problems.append(f"{path}: expected a file or a directory")
        elif (found.st_dev, found.st_ino) not in self._seen:
            self._seen.add((found.st_dev, found.st_ino))
            yield path
