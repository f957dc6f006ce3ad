"""Files that are written in full or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from typing import IO

from ..system.refusals import Refusal


@contextlib.contextmanager
def replacing(file: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a new file that replaces `file` when the block ends without an exception."""
    path, mode = os.fsdecode(file), None
    with Refusal() as refusal:
        # Write through a link instead of replacing it. Without strict=True, realpath() takes an
        # OSError from a signal handler as the end of the links.
        path = os.path.realpath(path, strict=True)
        mode = os.stat(path).st_mode
    if refusal.error:
        with Refusal() as refusal:
            mode = os.lstat(path).st_mode
    # Something like /dev/stdout or a dangling link cannot be replaced.
    if mode is not None and not stat.S_ISREG(mode):
        with open(path, "wb") as out:
            yield out
        return
    # The name is chosen before the file exists, so that any exception leads to its removal.
    draft = os.path.join(os.path.dirname(path), f".movepages-{secrets.token_hex(8)}")
    try:
        with Refusal() as refusal:
            made = open(draft, "xb")  # noqa: SIM115
        if refusal.error:
            raise OSError(refusal.code, refusal.why, path)
        with made as out:
            yield out
        if mode is not None:
            os.chmod(draft, stat.S_IMODE(mode))
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        raise
