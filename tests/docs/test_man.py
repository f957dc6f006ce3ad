"""The manual pages say what the help of each command says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from movepages.cli import parser_of
from movepages.cli.commands import ABOUT

SCRIPT = Path(__file__).parents[2] / "docs" / "man.py"

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("man")
    done = subprocess.run([sys.executable, "-P", SCRIPT, folder], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return {file.name: file.read_text() for file in folder.iterdir()}


def shown(page):
    """Return the lines of a page as man(1) shows them."""
    lines = [line for line in page.splitlines() if not re.match(r"\.[a-zA-Z]", line)]
    return [line.removeprefix("\\&").replace("\\-", "-").replace("\\e", "\\") for line in lines]


def test_every_command_has_a_page(pages):
    assert set(pages) == {"movepages.1", *(f"movepages-{name}.1" for name in ABOUT)}
    for name, about in ABOUT.items():
        assert f"movepages-{name} - {about}" in shown(pages[f"movepages-{name}.1"])
        assert f"movepages-{name}(1)" in " ".join(shown(pages["movepages.1"]))


@pytest.mark.parametrize("command", [None, *ABOUT])
def test_a_page_has_all_lines_of_the_help(pages, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    page = pages[f"movepages-{command}.1" if command else "movepages.1"]
    _, _, described = parser_of(command).format_help().partition("\n\n")
    assert "\n".join(shown(page)).count(described.rstrip()) == 1
    # man(7) takes a line that begins with one of these for a request.
    requests = re.findall(r"^[.'].*", page, re.MULTILINE)
    assert {line.split()[0] for line in requests} == {".TH", ".SH", ".in", ".nf", ".fi"}
