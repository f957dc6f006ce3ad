"""``--print-completion``: print the script that makes a shell complete commands and options."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from .failures import complain

_MISSING = 'the package shtab is missing; to get it: pip install "movepages[cli]"'


class _Print(argparse.Action):
    def __init__(self, *, whole: Callable[[], argparse.ArgumentParser], **rest: Any) -> None:
        super().__init__(**rest)
        self._whole = whole

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        try:
            import shtab
        except ModuleNotFoundError as missing:
            if missing.name != "shtab":
                raise
            complain(_MISSING)
            parser.exit(2)
        print(shtab.complete(self._whole(), str(values)))
        parser.exit(0)


def add_to(parser: argparse.ArgumentParser, whole: Callable[[], argparse.ArgumentParser]) -> None:
    """Add the option to the top-level parser; `whole` returns it with all arguments."""
    parser.add_argument(
        "--print-completion",
        action=_Print,
        whole=whole,
        choices=("bash", "zsh", "fish", "tcsh"),
        metavar="SHELL",
        help="print a script for bash, zsh, fish or tcsh that completes commands and options",
    )
