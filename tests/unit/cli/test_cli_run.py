"""``movepages run`` on this machine: what a command inherits, how it ends, what is reported."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import jsonschema
import pytest

from cli_fixtures import closed
from movepages.cli.schema import text_of
from support import nodes, seccomp, system

# Needs no second node; tests/numa/test_run_places.py has the rest.
pytestmark = pytest.mark.host

NODE = nodes.allowed()[0]
NOT_A_NODE = max(nodes.listed("possible")) + 1
MIB = 1 << 20
POLICY = "grep -m1 -o '^[0-9a-f]* [^ ]*' /proc/self/numa_maps | cut -d' ' -f2"
SYS_SCHED_SETAFFINITY = {"x86_64": 203, "ppc64le": 222, "s390x": 239}.get(os.uname().machine, 122)


def run(*arguments, **options):
    command = [sys.executable, "-P", "-m", "movepages", "run", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def report_of(*arguments, **options):
    """Return the exit status and the report, after a check against its schema."""
    done = run("--report", "--json", *arguments, **options)
    found = json.loads(done.stderr)
    schema = json.loads(text_of("run"))
    jsonschema.validate(found, schema)
    jsonschema.validate(found, closed(schema))
    assert found["seconds_before_end"] >= 0
    return done.returncode, found


@pytest.fixture(params=[[], ["--report"]], ids=["in place", "as a child"])
def way(request):
    return request.param


def test_output_and_status_are_the_commands(way):
    done = run(*way, "--", "sh", "-c", "cat; echo there >&2; exit 7", input="here\n")
    assert (done.returncode, done.stdout) == (7, "here\n")
    assert done.stderr.startswith("there\n")
    assert ("exit status 7" in done.stderr) == bool(way)


def test_a_command_in_place_is_this_process():
    command = [sys.executable, "-P", "-m", "movepages", "run", "sh", "-c", "echo $$"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert int(started.stdout.read()) == started.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, 40])
def test_a_signal_that_ends_the_command_ends_this(way, number):
    done = run(*way, "--", "sh", "-c", f"kill -{int(number)} $$")
    assert done.returncode == -number
    names = {40: "signal 40"}
    assert not way or f"ended by {names.get(number) or number.name}" in done.stderr


def test_commands_that_cannot_run(way, tmp_path):
    plain, script = tmp_path / "plain", tmp_path / "script"
    plain.write_text("text")
    script.write_text("echo $1; exit 3")
    script.chmod(0o755)
    done = run(*way, tmp_path / "missing")
    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr == f"movepages: {tmp_path}/missing: No such file or directory\n"
    assert run(*way, "no-such-command").returncode == 127
    done = run(*way, "")
    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr == "movepages: '': No such file or directory\n"
    done = run(*way, plain)
    assert done.returncode == 126
    assert done.stderr == f"movepages: {plain}: Permission denied\n"
    # As execvp(3) does.
    done = run(*way, script, "told")
    assert (done.returncode, done.stdout) == (3, "told\n")


def test_a_report_that_could_not_be_written_is_refused_before(tmp_path):
    made = tmp_path / "made"
    for output in (tmp_path, tmp_path / "missing" / "report"):
        done = run("-o", output, "touch", made)
        assert (done.returncode, made.exists()) == (2, False)
        assert f"argument -o/--output: '{output}': " in done.stderr


def dispositions(text):
    # posix_spawn(3) leaves signals that the C library keeps to itself ignored.
    return [int(line.split()[1], 16) & ~(0b11 << 31) for line in text.splitlines()]


def test_signals_are_as_they_were(way):
    shown = ["grep", "^Sig[BIC]", "/proc/self/status"]
    plain = subprocess.run(shown, capture_output=True, text=True).stdout
    assert dispositions(run(*way, *shown).stdout) == dispositions(plain)
    ignoring = {"preexec_fn": lambda: signal.signal(signal.SIGUSR2, signal.SIG_IGN)}
    ignored = subprocess.run(shown, capture_output=True, text=True, **ignoring).stdout
    assert dispositions(run(*way, *shown, **ignoring).stdout) == dispositions(ignored)
    assert ignored != plain


@pytest.mark.parametrize(
    ("options", "policy"),
    [
        (["--node", NODE], f"bind:{NODE}"),
        (["--nodes", "all"], f"bind:{NODE}"),
        (["--preferred", NODE], f"prefer:{NODE}"),
        (["-P", NODE], f"prefer_(many):{NODE}"),
        (["--interleave", "+0"], f"interleave:{NODE}"),
        (["--localalloc"], "local"),
        # As conftest.py sets it.
        ([], "local"),
    ],
)
def test_policies(way, options, policy):
    done = run(*way, *options, "--", "sh", "-c", "head -1 /proc/self/numa_maps")
    assert done.stdout.replace("prefer (", "prefer_(").split()[1] == policy


def test_cpus(way):
    cpus = sorted(os.sched_getaffinity(0))
    shown = ["grep", "-h", "Cpus_allowed_list", "/proc/self/status"]
    for option, expected in {
        f"--cpus={cpus[0]}": {cpus[0]}, "-C+0": {cpus[0]}, "-Call": {*cpus}, "-C!+0": {*cpus[1:]},
        f"--cpunodes={nodes.listed('has_cpu')[0]}": {*cpus},
    }.items():  # fmt: skip
        done = run(*way, option, *shown)
        assert {*nodes.parse_list(done.stdout.split()[1])} & {*cpus} == expected, option


@pytest.mark.skipif(not shutil.which("numactl"), reason="needs numactl")
@pytest.mark.parametrize(
    "options",
    ["--membind=0", "-p 0", "-i all", "--interleave=+0", "--localalloc", "--physcpubind=+0",
     "--cpunodebind=0", "-m all -C !0", "-m 0 -C +1", "-C 0-1 -l"],
)  # fmt: skip
def test_options_of_numactl_mean_the_same(options):
    shown = ["sh", "-c", f"{POLICY}; grep Cpus_allowed_list /proc/self/status"]
    theirs = ["numactl", *options.split(), *shown]
    theirs = subprocess.run(theirs, capture_output=True, text=True)
    ours = run(*options.split(), *shown)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert ours.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--node", NOT_A_NODE], f"node {NOT_A_NODE} is not a node of this machine"),
        (["--interleave", f"{NODE},{NOT_A_NODE}"], f"node {NOT_A_NODE} is not a node"),
        (["--cpunodes", NOT_A_NODE], "is not an online node of this machine; expected one of"),
        (["--preferred", "!all"], "expected at least one node, got '!all'"),
        (["--node", "+900"], "to count"),
        (["--cpus", "0-99999999999"], "'0-99999999999': expected ids up to 65535"),
        (["--cpus", "900"], "none of the CPUs 900 exists"),
        (["--cpus", "0,900"], "CPU 900 does not exist, or the cpuset of this process forbids it"),
        (["--weighted", f"{NODE}:0"], "expected NODE:WEIGHT, 1 to 255"),
        (["--weighted", f"{NODE}:x"], "expected NODE:WEIGHT, 1 to 255"),
        (["--node", NODE, "--interleave", NODE], "not allowed with"),
        (["--json"], "only the report of --report"),
    ],
)
def test_wrong_arguments_run_nothing(arguments, said):
    done = run(*arguments, "echo", "ran")
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_cpus_that_do_not_exist_run_nothing_with_a_report():
    done = run("--report", "--cpus", "0,900", "echo", "ran")
    assert (done.returncode, done.stdout) == (2, "")
    assert "CPU 900 does not exist" in done.stderr


def test_no_command(way):
    for words in ([], ["--"]):
        done = run(*way, *words)
        assert done.returncode == 2
        assert "expected a command" in done.stderr


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS])
def test_a_sandbox_that_forbids(way, number):
    forbidden = (system.SYS_SET_MEMPOLICY, SYS_SCHED_SETAFFINITY)
    sandbox = {"preexec_fn": lambda: seccomp.forbid(number, *forbidden)}
    options = [*way, "--node", NODE, "--cpus", min(os.sched_getaffinity(0))]
    done = run(*options, "echo", "ran", **sandbox)
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "the memory policy is not set: set_mempolicy(2): " in done.stderr
    assert "the CPUs are not set: sched_setaffinity(2): " in done.stderr
    done = run("--strict", *options, "echo", "ran", **sandbox)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("; --strict: the command does not run\n")


WORK = """
import os, subprocess, sys, time
seconds = float(sys.argv[1])
held = bytearray(24 << 20)
child = "import sys; held = bytearray(40 << 20); print(flush=True); sys.stdin.read()"
pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
with subprocess.Popen([sys.executable, "-c", child], **pipes) as other:
    other.stdout.readline()
    time.sleep(seconds)
    other.stdin.close()
time.sleep(seconds)
# Not sys.exit(), which frees the memory before the end.
os._exit(9)
"""


def test_report_of_a_command_and_a_child_that_has_ended():
    # Between its looks the report rests, for longer where a busy machine makes them cost more.
    for seconds in (1, 5, 25):
        status, found = report_of("--node", NODE, sys.executable, "-c", WORK, seconds)
        if (
            len(found["processes"]) == 2
            and found["peak"]["nbytes"] >= 64 * MIB > found["end"]["nbytes"]
        ):
            break
    assert (status, found["exit_status"], found["signal"]) == (9, 9, None)
    ours, child = found["processes"]
    assert (ours["ended"], child["ended"]) == (False, True)
    for process, least in (ours, 24), (child, 40):
        assert least * MIB <= process["peak"]["nbytes"] < (least + 40) * MIB
        assert process["peak"]["bytes_per_node"].keys() == {str(NODE)}
        assert process["name"].startswith("python")
    assert found["peak"]["nbytes"] >= 64 * MIB > found["end"]["nbytes"] >= 24 * MIB
    assert found["most"] == found["peak"]
    assert 40 * MIB <= found["largest_resident"] <= child["peak"]["nbytes"] + 8 * MIB
    assert found["argv"][-2:] == [WORK, str(seconds)]
    assert found["refused"] == []


def test_samples_take_a_small_share():
    """Hundreds of mappings and 64 MiB of small pages, with a size that changes all the time."""
    work = """
import mmap, time
held = [mmap.mmap(-1, 1 << 18, mmap.MAP_PRIVATE) for _ in range(800)]
begin, turn = time.monotonic(), 0
while time.monotonic() - begin < 3:
    held[turn % len(held)][:] = bytes(1 << 18)
    held[(turn + 400) % len(held)].madvise(mmap.MADV_DONTNEED)
    turn += 1
"""
    # What else runs on the machine makes the same work take more CPU time, and never less.
    for _ in range(3):
        _, found = report_of(sys.executable, "-c", work)
        assert found["samples"] >= 2
        # A first allowance, and one sample that took longer than expected.
        most = 0.01 * found["seconds"] + 0.06
        if found["sampling_seconds"] <= most:
            break
    assert found["sampling_seconds"] <= most


def test_report_to_a_file(tmp_path):
    file = tmp_path / "report"
    done = run("--output", file, "sh", "-c", "echo out; echo err >&2; sleep 1")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")
    told = file.read_text()
    after = re.search(r"exit status 0 after (\d+\.\d\d) s, [12] process", told)
    # The sampling thread may not get its turn at once, and a busy machine takes longer for all.
    assert 1 <= float(after[1]) < 300
    assert re.search(r"^at the end +[\d.]+ [KM]iB", told, re.MULTILINE)
    # What nobody can foresee does not change the status.
    late = tmp_path / "late"
    done = run("--output", late, "sh", "-c", f"mkdir {late}; exit 4")
    assert (done.returncode, done.stderr) == (4, f"movepages: --output {late}: Is a directory\n")


def test_names_cannot_confuse_the_terminal():
    done = run("--report", "sh", "-c", ": '\x1b[2J'")
    assert "\x1b" not in done.stderr


def test_a_report_that_nobody_reads_keeps_the_status():
    command = [sys.executable, "-P", "-m", "movepages", "run", "--report", "sh", "-c", "exit 5"]
    reader, writer = os.pipe()
    os.close(reader)
    assert subprocess.run(command, stderr=writer).returncode == 5
    os.close(writer)
