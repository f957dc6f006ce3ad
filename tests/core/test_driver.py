"""The driver on a model of the kernel, compiled with sanitizers and run as a program."""

import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.compiling import ADDRESS_SANITIZER, ROOT, STRICT, compiler

HERE = Path(__file__).parent
SOURCES = [*sorted(HERE.glob("*.cpp")), *sorted((ROOT / "csrc" / "driver").glob("*.cpp"))]
CALLS = os.environ.get("MOVEPAGES_DRIVER_CALLS", "60000")
SEED = os.environ.get("MOVEPAGES_DRIVER_SEED", "1")

pytestmark = pytest.mark.host


def run(command: list[str | Path]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        line = " ".join(map(str, command))
        pytest.fail(f"{line}\nexit status {done.returncode}\n{done.stdout}", pytrace=False)
    return done.stdout


def run_under_tsan(command: list[str | Path]) -> str:
    # Older runtimes give up if the kernel randomizes addresses by more than 28 bits.
    plain = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if "unexpected memory mapping" in plain.stdout:
        command = ["setarch", platform.machine(), "-R", *command]
    return run(command)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[str]], Path]:
    command = [*compiler(), *STRICT]

    def build_with(options: list[str]) -> Path:
        program = tmp_path_factory.mktemp("core") / "test_driver"
        run([*command, *options, *SOURCES, "-o", program])
        return program

    return build_with


@pytest.fixture(scope="module")
def sanitized(build: Callable[[list[str]], Path]) -> Path:
    return build(ADDRESS_SANITIZER)


def test_each_fact_of_the_kernel(sanitized):
    assert "ok EINTR is retried" in run([sanitized])


def test_random_calls_get_true_statuses(sanitized):
    assert f"{CALLS} calls from seed {SEED}" in run([sanitized, "campaign", CALLS, SEED])


def test_random_calls_by_several_threads_share_no_memory(build):
    calls = str(int(CALLS) // 20)
    program = build(["-O1", "-g", "-fsanitize=thread", "-pthread"])
    assert f"{calls} calls from seed {SEED}" in run_under_tsan([program, "campaign", calls, SEED])


def test_more_pages_than_an_int_can_count(build):
    output = run([build(["-O3"]), "many"])
    assert output.splitlines() == [f"ok {what} 2147680273 pages" for what in ("moved", "asked for")]
