"""``movepages watch --prometheus``: the file, and what is left of it at the end."""

import ctypes
import os
import re
import shlex
import subprocess

import pytest

from cli_fixtures import json_of, run
from movepages.cli import main
from support import processes

pytestmark = pytest.mark.host

_PR_SET_NAME = 15
LINE = re.compile(r'(\w+)\{pid="(\d+)",comm="((?:[^"\\\n]|\\.)*)"(?:,node="(\d+)")?\} ([0-9.]+)')


@pytest.fixture
def other():
    with processes.child(lambda: None) as child:
        yield child


def parsed(file):
    """Return the values by metric, and the names of the process."""
    lines = [line for line in file.read_text().split("\n") if line and not line.startswith("#")]
    found = [LINE.fullmatch(line).groups() for line in lines]
    values = {}
    for metric, _, _, node, value in found:
        values.setdefault(metric, {})[node] = float(value)
    return values, {comm for _, _, comm, _, _ in found}


def rename(name):
    return ctypes.CDLL(None).prctl(_PR_SET_NAME, name, 0, 0, 0)


def watch(pid, file, *more):
    return main(["watch", str(pid), "--prometheus", str(file), "--interval=0.05", *more])


def test_the_file_has_what_json_tells(other, tmp_path, capsys):
    file = tmp_path / "movepages.prom"
    (told,) = json_of(capsys, "watch", str(other.pid), "--count=1", "--prometheus", str(file))
    values, _ = parsed(file)
    memory = values["movepages_process_memory_bytes"]
    assert {node: n for node, n in memory.items() if n} == told["bytes_per_node"]
    assert values["movepages_process_up"] == {None: 1}
    stamp = values["movepages_process_sample_timestamp_seconds"][None]
    assert stamp == pytest.approx(told["time"], abs=0.001)
    assert os.listdir(tmp_path) == ["movepages.prom"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (b'a"b\\c\nd', r"a\"b\\c\nd"),
        (b"\x1b[31m{}=,#", "\x1b[31m{}=,#"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("größe".encode(), "größe"),
    ],
)
def test_any_name_of_a_process(name, told, other, tmp_path):
    other.call(rename, name)
    file = tmp_path / "movepages.prom"
    assert watch(other.pid, file, "--count=1") == 0
    assert parsed(file)[1] == {told}


def test_the_end_of_the_process_is_told(tmp_path, capsys):
    file = tmp_path / "movepages.prom"
    # It ends once it has been seen.
    wait = f"while [ ! -e {shlex.quote(str(file))} ]; do sleep 0.05; done"
    with subprocess.Popen(["sh", "-c", wait]) as process:
        assert watch(process.pid, file) == 0
    values, names = parsed(file)
    assert values.keys() == {"movepages_process_up", "movepages_process_sample_timestamp_seconds"}
    assert (values["movepages_process_up"], names) == ({None: 0}, {"sh"})
    # Without a terminal, the file is all that is written.
    assert capsys.readouterr().out == ""


def test_a_folder_that_is_missing(other, tmp_path):
    file = tmp_path / "missing" / "movepages.prom"
    done = run("watch", str(other.pid), "--prometheus", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"movepages: --prometheus {file}: No such file or directory\n"


def test_a_file_that_can_be_read_by_its_owner_alone_stays_so(other, tmp_path):
    file = tmp_path / "movepages.prom"
    file.touch(mode=0o600)
    assert watch(other.pid, file, "--count=1") == 0
    assert file.stat().st_mode & 0o777 == 0o600
