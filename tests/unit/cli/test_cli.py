"""The command line: sizes, help, and runs that end early."""

import contextlib
import json
import os
import re
import subprocess
import sys

import pytest

import movepages as mp
from cli_fixtures import SMALL, run
from movepages.cli import main
from movepages.cli.schema import COMMANDS, text_of
from support import processes, seccomp, system

# What is printed, and how a run ends, is the same on every kernel.
pytestmark = pytest.mark.host

EPERM = 1


@pytest.mark.parametrize("text", ["", "MiB", "-1", "0", "0.1", "1.2.3", "5 apples", "nan", "1e9"])
def test_invalid_size_is_rejected(text, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["demo", f"--size={text}"])
    assert caught.value.code == 2
    assert re.search(rf"--size: expected .*, got {text!r}", capsys.readouterr().err)


def test_size_above_free_memory_is_rejected(capsys):
    assert main(["demo", "--size", "1000TiB"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "an array of 1000 TiB is more than the" in captured.err


def test_forbidden_call_is_one_line_on_stderr():
    def confined():
        os.environ["MOVEPAGES_ENGINE"] = "move_pages"
        seccomp.forbid(EPERM, system.SYS_MOVE_PAGES)
        done = run(*SMALL)
        return done.returncode, done.stdout, done.stderr

    code, out, err = processes.run_as(None, confined)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("movepages: EPERM: ")


@pytest.mark.parametrize(
    ("name", "arguments"), [("where", SMALL), ("interleave", ["move", "1", "--to=interleave:0"])]
)
def test_ctrl_c(name, arguments, monkeypatch, capsys):
    def interrupt(*_arguments, **_how):
        raise KeyboardInterrupt

    monkeypatch.setattr(mp, name, interrupt)
    assert main(arguments) == 130
    assert capsys.readouterr().err == "movepages: interrupted\n"


@pytest.mark.parametrize("how", [["--json"], []], ids=["json", "text"])
def test_broken_pipe_prints_no_traceback(how):
    reader, writer = os.pipe()
    os.close(reader)
    with contextlib.closing(os.fdopen(writer, "w")) as gone:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "movepages", *SMALL, *how],
            stdout=gone, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("arguments", "closed", "said"),
    [
        (["topology"], [1], "movepages: standard output is closed\n"),
        (["where", "4194305"], [2], ""),
        (["topology"], [1, 2], ""),
    ],
)
def test_closed_outputs(arguments, closed, said):
    def close():
        for descriptor in closed:
            os.close(descriptor)

    done = subprocess.run(
        [sys.executable, "-P", "-m", "movepages", *arguments],
        capture_output=True, text=True, check=False, preexec_fn=close,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_full_disk_is_an_error():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "movepages", "topology"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "movepages: No space left on device\n")


def test_help_and_version(capsys):
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"movepages {mp.__version__}\n"


@pytest.mark.parametrize("command", [[], ["schema"], *([name] for name in COMMANDS)])
def test_help_fits_80_columns(command, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_every_key_of_the_json_means(command, capsys):
    keys = {}

    def collect(schema):
        for key, field in schema.get("properties", {}).items():
            keys[key] = field
            collect(field.get("items", field))

    collect(json.loads(text_of(command)))
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = capsys.readouterr().out
    del keys["command"], keys["schema"]  # Every command has these.
    assert {key for key in keys if not re.search(rf"\b{key}\b", text)} == set()
    assert {key for key, field in keys.items() if not {"description", "enum"} & {*field}} == set()
