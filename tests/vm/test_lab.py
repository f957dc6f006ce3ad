"""The parts of the lab that need no guest."""

import importlib.util
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import bytecode
import guest
import kernels
import lab
import numpy as np
import outcome
import pytest
import sorts

# These tests are about the machine that starts guests.
pytestmark = pytest.mark.host

KERNEL = kernels.Kernel("6.1.0-1-amd64", Path("/cache/boot/vmlinuz-6.1.0-1-amd64"))


def values(arguments, option):
    """Return every value given to an option."""
    return [arguments[i + 1] for i, each in enumerate(arguments) if each == option]


def qemu_options(arguments):
    return next(each for each in arguments if each.startswith("--qemu-opts="))


def test_machine_has_four_nodes_and_two_have_a_cpu():
    arguments = guest.vng_arguments(KERNEL, Path("/r"), guest.Machine())
    assert values(arguments, "--numa") == ["1536M,cpus=0", "1024M,cpus=1", "1024M", "256M"]
    assert values(arguments, "-m") == ["3840M"]
    assert values(arguments, "--cpus") == ["2"]
    assert "panic=-1" in values(arguments, "--append")
    assert "icount" not in qemu_options(arguments)
    assert "noxsave" in values(arguments, "--append")


def test_counting_machine_keeps_its_nodes_and_one_cpu():
    machine = guest.Machine(append=("hugepages=8",), icount=True)
    arguments = guest.vng_arguments(KERNEL, Path("/r"), machine)
    assert values(arguments, "--numa") == ["1536M,cpus=0", "1024M", "1024M", "256M"]
    assert values(arguments, "--cpus") == ["1"]
    assert {"hugepages=8", "nokaslr", "numa_balancing=disable"} <= set(
        values(arguments, "--append")
    )
    assert "-icount shift=0" in qemu_options(arguments)


def test_parallel_machine_has_a_thread_for_each_cpu():
    machine = guest.Machine(parallel=True)
    assert "thread=multi" in qemu_options(guest.vng_arguments(KERNEL, Path("/r"), machine))
    assert "thread=single" in qemu_options(guest.vng_arguments(KERNEL, Path("/r"), guest.Machine()))


@pytest.fixture
def _own_signals():
    """Undo what the lab does with signals, such as Ctrl-C, which this process goes on to need."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class PanickingGuest:
    """A guest that panics in its first boots."""

    panics = 2
    boots = 0

    def __init__(self, kernel, folder, _command, _machine):
        self.kernel, self.folder, self.seconds = kernel, folder, 1.0
        outcome.clear(folder)
        type(self).boots += 1

    def pump(self):
        pass

    def running(self):
        return False

    def close(self, killed=""):
        panicked = type(self).boots <= self.panics
        text = "Kernel panic - not syncing: x" if panicked else ""
        (self.folder / outcome.CONSOLE).write_text(text)
        if not panicked:
            (self.folder / outcome.STATUS).write_text("0")
        return outcome.read(self.folder, self.kernel.version, self.seconds, killed)


@pytest.mark.usefixtures("_own_signals")
@pytest.mark.parametrize(
    ("argv", "panics", "boots", "reasons"),
    [
        (["--parallel"], 2, 3, [""]),
        (["--parallel"], 9, lab.BOOTS, ["kernel panic"]),
        ([], 2, 1, ["kernel panic"]),
    ],
)
def test_a_parallel_guest_may_panic_in_its_boot(
    argv, panics, boots, reasons, monkeypatch, tmp_path
):
    kind = type("Kind", (PanickingGuest,), {"panics": panics, "boots": 0})
    monkeypatch.setattr(guest, "Guest", kind)
    monkeypatch.setattr(lab, "TICK_S", 0)
    options = lab.parse_arguments([*argv, "--results", str(tmp_path)])
    ended = list(lab.run_guests([KERNEL], options, lab.Stop()))
    assert [result.reason for result, _ in ended] == reasons
    assert kind.boots == boots


def test_a_panic_after_the_boot_is_no_panic_in_the_boot(tmp_path):
    (tmp_path / outcome.CONSOLE).write_text("Kernel panic")
    result = outcome.read(tmp_path, "6.1", 1.0)
    assert outcome.died_in_boot(result, tmp_path)
    (tmp_path / outcome.OUTPUT).write_text("begun")
    assert not outcome.died_in_boot(result, tmp_path)


def test_machine_with_devices_names_the_node_nearest_to_memory():
    arguments = guest.vng_arguments(KERNEL, Path("/r"), guest.Machine(devices=True))
    assert values(arguments, "--numa")[1:] == [
        "1024M,cpus=1",
        "1024M,initiator=0",
        "256M,initiator=1",
    ]
    options = qemu_options(arguments)
    assert "-machine hmat=on" in options
    assert [f"numa_node={node}" in options for node in range(4)] == [True, True, False, True]
    assert "hmat" not in qemu_options(guest.vng_arguments(KERNEL, Path("/r"), guest.Machine()))


def test_a_guest_finds_the_bytecode_of_the_package_and_of_selected_tests(monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    test = guest.ROOT / "tests/unit/test_id_lists.py"
    module = Path(importlib.util.cache_from_source(guest.ROOT / "movepages/units.py"))
    rewritten = f"{test.stem}.{sys.implementation.cache_tag}-pytest-{pytest.__version__}.pyc"
    written = [module, test.parent / "__pycache__" / rewritten]
    for each in written:
        each.unlink(missing_ok=True)
    bytecode.write(None)
    assert [each.exists() for each in written] == [True, False]
    bytecode.write([str(test)])
    assert [each.exists() for each in written] == [True, True]


def test_pytest_command_keeps_arguments_apart():
    _, command = guest.pytest_command(Path("/r"), ["tests/numa", "-k", "fork or thp"]).splitlines()
    words = shlex.split(command)
    assert words[0] == sys.executable
    assert words[-3:] == ["tests/numa", "-k", "fork or thp"]
    assert "--junit-xml=/r/junit.xml" in words
    assert words[words.index("no:cacheprovider") - 3 :][:2] == ["-m", "not host"]


@pytest.mark.parametrize(
    ("command", "status", "output"),
    [
        ("echo out; echo err >&2", 0, "out\nerr\n"),
        ("exit 3", 3, ""),
        ("""echo "it's" 'two  words'; false""", 1, "it's two  words\n"),
        ("kill -KILL $$", 137, None),
    ],
)
def test_script_carries_status_and_output(tmp_path, command, status, output):
    folder = tmp_path / "with space"
    outcome.clear(folder)
    script = guest.script_text(command, folder)
    subprocess.run(["sh", "-c", script], check=True, capture_output=True)
    result = outcome.read(folder, "6.1", 1.0)
    assert result.status == status
    assert result.ok == (status == 0)
    if output is not None:
        assert (folder / outcome.OUTPUT).read_text() == output


def test_guest_that_sorts_wrongly_runs_nothing(tmp_path, monkeypatch):
    wrong = tmp_path / "sorts.py"
    wrong.write_text("import sys; sys.exit('sorts: wrong')")
    monkeypatch.setattr(guest, "SORTS", wrong)
    script = guest.script_text("echo ran", tmp_path)
    subprocess.run(["sh", "-c", script], check=True, capture_output=True)
    result = outcome.read(tmp_path, "6.1", 1.0)
    assert result.status == 1
    assert (tmp_path / outcome.OUTPUT).read_text() == "sorts: wrong\n"


def test_numpy_sorts_as_python_does(capsys):
    assert sorts.main() == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("function", ["argsort", "sort", "unique"])
def test_a_wrong_sort_is_seen(function, monkeypatch, capsys):
    right = getattr(np, function)

    def wrong(array):
        done = right(array)
        done[[0, -1]] = done[[-1, 0]]
        return done

    monkeypatch.setattr(np, function, wrong)
    assert sorts.main() == 1
    said = capsys.readouterr().err
    assert f"sorted {sorts.CASES} of {sorts.CASES} arrays of int64 wrongly; boot with" in said


@pytest.mark.parametrize("status", [None, "", "x", "-1"])
def test_guest_without_exit_status_failed(tmp_path, status):
    if status is not None:
        (tmp_path / outcome.STATUS).write_text(status)
    result = outcome.read(tmp_path, "6.1", 1.0)
    assert result.status is None
    assert not result.ok
    assert result.reason == "ended without an exit status"


def test_panic_is_named(tmp_path):
    (tmp_path / outcome.CONSOLE).write_bytes(b"\xff\n[ 1.0] Kernel panic - not syncing: x\n")
    assert outcome.read(tmp_path, "6.1", 1.0).reason == "kernel panic"


def test_killed_guest_failed_whatever_it_wrote(tmp_path):
    (tmp_path / outcome.STATUS).write_text("0\n")
    result = outcome.read(tmp_path, "6.1", 5.0, killed="timed out after 5 s")
    assert not result.ok
    assert result.reason == "timed out after 5 s"


def test_clear_removes_an_earlier_verdict_and_nothing_else(tmp_path):
    (tmp_path / outcome.STATUS).write_text("0\n")
    (tmp_path / "notes").write_text("mine")
    outcome.clear(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["notes"]


def test_table_is_aligned():
    outcomes = [
        outcome.Outcome("6.1.0-1-amd64", 0, 61.25),
        outcome.Outcome("6.12.1", None, 5.0, "kernel panic"),
    ]
    assert outcome.table(outcomes).splitlines() == [
        "kernel         exit  seconds",
        "6.1.0-1-amd64     0     61.2  ok",
        "6.12.1            -      5.0  kernel panic",
    ]


def test_tail_of_a_log(tmp_path):
    log = tmp_path / "log"
    assert outcome.tail(log, 2) == ""
    log.write_text("a\nb\nc\n")
    assert outcome.tail(log, 2) == "b\nc"


def test_arguments_after_the_dashes_are_for_pytest():
    options = lab.parse_arguments(["--append", "hugepages=8", "--", "tests/numa", "-k", "fork"])
    assert options.pytest == ["tests/numa", "-k", "fork"]
    assert options.append == ["hugepages=8"]
    assert options.kernel == list(kernels.DEFAULT_METAS)
    assert options.results == guest.ROOT / ".lab"
    assert 1 <= options.jobs <= 2


@pytest.mark.parametrize(
    "argv",
    [
        ["--jobs", "0"],
        ["--devices", "--icount"],
        ["--parallel", "--icount"],
        ["--command", "true", "--", "tests/numa"],
        ["--results", "/tmp/two words"],
    ],
)
def test_refused_arguments(argv, capsys):
    with pytest.raises(SystemExit, match="2"):
        lab.parse_arguments(argv)
    assert "lab.py: error:" in capsys.readouterr().err


def test_a_result_folder_has_one_user(tmp_path):
    refused = pytest.raises(SystemExit, match="in use by another lab")
    with lab.sole_user(tmp_path), refused, lab.sole_user(tmp_path):
        pass
    with lab.sole_user(tmp_path):
        pass


def test_kernels_of_the_installer_are_kept_once():
    output = "linux-image-amd64 6.1 /c/a b\nlinux-image-6.1-amd64 6.1 /c/a b\nmeta 6.12 /c/d\n"
    assert kernels.parse_installed(output) == [
        kernels.Kernel("6.1", Path("/c/a b")),
        kernels.Kernel("6.12", Path("/c/d")),
    ]


def test_unexpected_words_of_the_installer():
    with pytest.raises(kernels.KernelError, match="expected META VERSION VMLINUZ"):
        kernels.parse_installed("Reading package lists...\nDone\n")


def test_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kernels.cache_folder() == tmp_path / "movepages-lab"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert kernels.cache_folder() == Path.home() / ".cache/movepages-lab"


def test_installer_is_sound_shell():
    assert os.access(kernels.INSTALLER, os.X_OK)
    subprocess.run(["bash", "-n", str(kernels.INSTALLER)], check=True)


def test_failed_installer_is_an_error(monkeypatch, tmp_path):
    installer = tmp_path / "install"
    installer.write_text("#!/bin/sh\necho no such package >&2\nexit 4\n")
    installer.chmod(0o755)
    monkeypatch.setattr(kernels, "INSTALLER", installer)
    with pytest.raises(kernels.KernelError, match="status 4 for linux-image-x"):
        kernels.install(["linux-image-x"], tmp_path)
