"""promtool accepts what ``movepages watch --prometheus`` writes."""

import ctypes
import shlex
import shutil
import subprocess

import pytest

from movepages.cli import main
from support import processes

_PR_SET_NAME = 15


def rename(name):
    return ctypes.CDLL(None).prctl(_PR_SET_NAME, name, 0, 0, 0)


def check(file):
    with file.open() as text:
        done = subprocess.run(
            ["promtool", "check", "metrics"], stdin=text, capture_output=True, text=True
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(autouse=True)
def _promtool():
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool, which Debian's package prometheus has")


@pytest.mark.parametrize("name", [b"plain", b'a"b\\c\nd', b"\x1b[31m{}=,#", b"\xff\xfe", b""])
def test_metrics_of_a_process_with_any_name(name, tmp_path):
    file = tmp_path / "movepages.prom"
    with processes.child(rename, name) as child:
        words = ["watch", str(child.pid), "--prometheus", str(file), "--count=2"]
        assert main([*words, "--interval=0.05"]) == 0
    check(file)


def test_metrics_of_a_process_that_has_ended(tmp_path):
    file = tmp_path / "movepages.prom"
    # It ends once it has been seen.
    wait = f"while [ ! -e {shlex.quote(str(file))} ]; do sleep 0.05; done"
    with subprocess.Popen(["sh", "-c", wait]) as process:
        assert main(["watch", str(process.pid), "--prometheus", str(file)]) == 0
    assert "movepages_process_up{" in file.read_text()
    check(file)


def test_promtool_says_what_is_wrong(tmp_path):
    file = tmp_path / "wrong.prom"
    file.write_text('up{comm="a"b"} 1\n')
    with pytest.raises(AssertionError):
        check(file)
