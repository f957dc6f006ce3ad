"""Make a shell complete commands and options: print the script for it, or install it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .failures import complain

_MISSING = 'the package shtab is missing; to get it: pip install "movepages[cli]"'
_SHELLS = ("bash", "zsh", "fish", "tcsh")


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
        self.use(parser, str(values))
        parser.exit(0)

    def use(self, parser: argparse.ArgumentParser, shell: str) -> None:
        print(self.script(parser, shell))

    def script(self, parser: argparse.ArgumentParser, shell: str) -> str:
        try:
            import shtab
        except ModuleNotFoundError as missing:
            if missing.name != "shtab":
                raise
            complain(_MISSING)
            parser.exit(2)
        text: str = shtab.complete(self._whole(), shell)
        return text


class _Install(_Print):
    def use(self, parser: argparse.ArgumentParser, shell: str) -> None:
        shell = shell or os.path.basename(os.environ.get("SHELL", ""))
        if shell not in _PLACES:
            got = f"got {shell!r}" if shell else "and SHELL is not set"
            parser.error(
                f"--install-completion: expected {', '.join(_PLACES)}, {got}; for another "
                "shell, put what --print-completion prints where it looks"
            )
        place, then = _PLACES[shell]
        file = place()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.script(parser, shell) + "\n")
        print(f"installed {file}; {then.format(folder=file.parent)}")


def _data(*parts: str) -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share", *parts)


def _config(*parts: str) -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config", *parts)


# Where each shell looks by itself, and what makes it look.
_PLACES: dict[str, tuple[Callable[[], Path], str]] = {
    "bash": (
        lambda: _data("bash-completion/completions/movepages"),
        "new shells use it, if they have the package bash-completion",
    ),
    "zsh": (
        lambda: _data("zsh/site-functions/_movepages"),
        "to have zsh look there, put this before compinit in ~/.zshrc: fpath=({folder} $fpath)",
    ),
    "fish": (lambda: _config("fish/completions/movepages.fish"), "new shells use it"),
}


def add_to(parser: argparse.ArgumentParser, whole: Callable[[], argparse.ArgumentParser]) -> None:
    """Add the options to the top-level parser; `whole` returns it with all arguments."""
    parser.add_argument(
        "--install-completion",
        action=_Install,
        whole=whole,
        nargs="?",
        const="",
        metavar="SHELL",
        help="make a shell complete commands and options: bash, zsh or fish; by default the one "
        "in use",
    )
    parser.add_argument(
        "--print-completion",
        action=_Print,
        whole=whole,
        choices=_SHELLS,
        metavar="SHELL",
        help="print the script that completes them; also for tcsh",
    )
