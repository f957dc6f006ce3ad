"""The sub-command doctor: its output and status, with and without rich, free and confined."""

import errno
import json
import os
import re

import pytest

import movepages as mp
from cli_fixtures import WITHOUT_RICH, one_line, run
from movepages.cli import main
from support import processes, system
from support.seccomp import forbid


def without_figures(text):
    """Return all lines except those of free memory, which changes between two reports."""
    # Four nodes may take two lines.
    rest = re.sub(r"^ *free .*?(?=^ *privileges )", "", text, flags=re.MULTILINE | re.DOTALL)
    assert rest != text
    return [line.rstrip() for line in rest.splitlines()]


@pytest.mark.host
def test_a_table_of_80_columns_with_every_check():
    done = run("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    text = one_line(done.stdout)
    for check in mp.preflight().checks:
        assert f"{check.status} {check.name} {check.detail}" in text
        assert check.remedy in text
    assert f"Linux {os.uname().release}" in text


def test_as_data(capsys):
    assert main(["doctor", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    expected = mp.preflight().as_dict()
    assert (data.pop("command"), data.pop("schema")) == ("doctor", 1)
    assert data.keys() == expected.keys()
    assert data["checks"] == expected["checks"]
    assert data["facts"].keys() == expected["facts"].keys()


@pytest.mark.host
@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_doctor_needs_no_rich(arguments):
    done = run("doctor", *arguments, code=WITHOUT_RICH)
    assert (done.returncode, done.stderr) == (0, "")
    if not arguments:
        assert without_figures(done.stdout) == without_figures(str(mp.preflight()))


def printed(answer, *numbers):
    os.environ["MOVEPAGES_ENGINE"] = "move_pages"
    forbid(answer, *numbers)
    return run("doctor", "--json").returncode, run("doctor")


def test_sandbox_gives_status_1_and_a_remedy():
    status, done = processes.run_as(None, printed, errno.EPERM, system.SYS_MOVE_PAGES)
    assert (status, done.returncode, done.stderr) == (1, 1, "")
    text = one_line(done.stdout)
    assert "no query move_pages(2) answers EPERM: the seccomp filter of this process" in text
    assert text.count("--security-opt seccomp=PROFILE") == 1
    assert text.count("-> as for query") == 2


def test_missing_policy_call_gives_status_0():
    status, done = processes.run_as(None, printed, errno.EPERM, system.SYS_MBIND)
    assert (status, done.returncode) == (0, 0)
    assert "no mbind mbind(2) answers EPERM" in one_line(done.stdout)


def test_help(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["doctor", "--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for name in mp.preflight().as_dict():
        assert name in text
    for check in mp.preflight().checks:
        assert check.name in text
