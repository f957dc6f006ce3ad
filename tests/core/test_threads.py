"""The driver in several threads at once, under ThreadSanitizer and on the real kernel."""

import os
import platform
import subprocess
from pathlib import Path

import pytest

from support.compiling import CORE, ROOT, STRICT, compiler

SOURCES = [ROOT / "tests" / "sanitize" / "threads_driver.cpp", *CORE]
SANITIZED = ["-O1", "-g", "-fsanitize=thread", "-pthread"]
RACE_EXIT = 66

pytestmark = pytest.mark.host


def run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TSAN_OPTIONS": f"halt_on_error=1 exitcode={RACE_EXIT}"}
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


def run_sanitized(*command: str | Path) -> subprocess.CompletedProcess[str]:
    done = run([*command])
    # Older runtimes give up if the kernel randomizes addresses by more than 28 bits. setarch is
    # only the second try, because a container may forbid it.
    if "unexpected memory mapping" in done.stdout:
        done = run(["setarch", platform.machine(), "-R", *command])
    return done


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("threads") / "threads_driver"
    done = run([*compiler(), *STRICT, *SANITIZED, *SOURCES, "-o", path])
    assert done.returncode == 0, done.stdout
    return path


def test_concurrent_calls_share_no_memory(program):
    done = run_sanitized(program)
    assert done.returncode == 0, done.stdout
    assert "ok 8 threads" in done.stdout


def test_the_sanitizer_reports_a_shared_status_buffer(program):
    done = run_sanitized(program, "shared")
    assert done.returncode == RACE_EXIT, done.stdout
    assert "data race" in done.stdout
    assert "move_pages" in done.stdout
