"""where, maps, move and watch of processes that the tests started; JSON as its schema has it."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import jsonschema
import numpy as np
import pytest
from cli_fixtures import WITHOUT_RICH, run

import movepages as mp
from movepages.cli import main
from movepages.cli.schema import COMMANDS, text_of
from support import memory, processes

# The same on every kernel, and slow under emulation; see tests/numa/test_cli_moves.py.
pytestmark = pytest.mark.host

NODE = mp.topology().allowed_nodes[0]
NOT_A_NODE = max(mp.topology().nodes) + 1
GONE = 4194305
NOBODY = 65534
MIB = 1 << 20


@pytest.fixture(scope="module")
def other():
    """A process with 8 MiB of anonymous memory, in a region of its own."""
    held = []

    def hold():
        held.append(memory.anonymous(8 * MIB, NODE))
        return held[0].ctypes.data

    with processes.child(hold) as child:
        yield child


def closed(schema):
    """Return a schema that allows nothing it does not name: what is printed is documented."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {key: closed(value) for key, value in schema.items()}
    named = schema.get("type") == "object" and "properties" in schema
    return inside | {"additionalProperties": False} if named else inside


def is_open(schema):
    """Tell whether a schema allows further fields everywhere beside those it names."""
    if isinstance(schema, list):
        return all(is_open(each) for each in schema)
    if not isinstance(schema, dict):
        return True
    shut = "properties" in schema and schema.get("additionalProperties") is False
    return not shut and all(is_open(each) for each in schema.values())


def as_data(capsys, *arguments, status=0):
    assert main([*arguments, "--json"]) == status
    out = capsys.readouterr().out
    lines = out.splitlines() if arguments[0] == "watch" else [out]
    found = [json.loads(line) for line in lines]
    schema = json.loads(text_of(arguments[0]))
    for each in found:
        jsonschema.validate(each, schema)
        jsonschema.validate(each, closed(schema))
        assert each["command"] == arguments[0]
    return found if arguments[0] == "watch" else found[0]


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_schema_is_one_and_is_printed(command, capsys):
    assert main(["schema", command]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["command"] == {"const": command}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"command": command, "schema": 1}, schema)
    # Fields may be added to a version, so a reader must not refuse them at any depth.
    assert is_open(schema)


@pytest.mark.parametrize("arguments", [["topology"], ["doctor"], ["demo", "--size=1MiB"]])
def test_json_is_as_the_schema_has_it(arguments, capsys):
    as_data(capsys, *arguments)


def test_where_tells_what_numa_maps_does(other, capsys):
    found = as_data(capsys, "where", str(other.pid))
    regions = mp.process(other.pid).regions()
    total = regions["bytes"].sum(axis=0)
    assert found["bytes_per_node"] == {
        str(n): int(b) for n, b in zip(found["nodes"], total, strict=True) if b
    }
    kinds = [sum(per_node.values()) for per_node in found["kinds"].values()]
    assert sum(kinds) == found["nbytes"] == total.sum()
    assert found["kinds"]["anonymous"][str(NODE)] >= 8 * MIB


def test_where_of_itself(capsys):
    found = as_data(capsys, "where", "--self")
    assert found["nbytes"] > MIB
    assert main(["where", "--self"]) == 0
    out = plain(capsys.readouterr().out)
    assert re.search(r"^stack .*iB", out, re.MULTILINE)
    assert re.search(r"^total .*MiB", out, re.MULTILINE)


def test_a_region_is_chosen_by_address_and_by_name(other, capsys):
    found = as_data(capsys, "where", str(other.pid), "--region", hex(other.result + 5))
    assert found["nbytes"] == 8 * MIB
    found = as_data(capsys, "where", str(other.pid), "--region", f"{other.result:x}")
    assert found["nbytes"] == 8 * MIB
    listed = as_data(capsys, "maps", str(other.pid), "--region", "[stack]")["regions"]
    assert {each["name"] for each in listed} == {"[stack]"}
    both = ["--region", "[stack]", "--region", hex(other.result)]
    listed = as_data(capsys, "maps", str(other.pid), *both)["regions"]
    assert {each["kind"] for each in listed} == {"stack", "anonymous"}


def test_maps_lists_what_has_memory(other, capsys):
    listed = as_data(capsys, "maps", str(other.pid))["regions"]
    sizes = [sum(each["bytes_per_node"].values()) for each in listed]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) > 0
    everything = as_data(capsys, "maps", str(other.pid), "--empty", "--sort=address")["regions"]
    assert len(everything) > len(listed)
    addresses = [each["address"] for each in everything]
    assert addresses == sorted(addresses)


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_screens_keep_to_the_width(other, monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    for command in (["where"], ["maps", "--limit=5"], ["move", f"--to={NODE}", "--dry-run"]):
        assert main([*command, str(other.pid)]) == 0
        out = capsys.readouterr().out
        assert max(map(len, plain(out).splitlines())) <= max(int(columns), 76)
    assert main(["maps", str(other.pid), "--limit=2"]) == 0
    assert "more with" in capsys.readouterr().out


def test_move_of_what_is_in_place(other, capsys):
    found = as_data(
        capsys, "move", str(other.pid), "--to", str(NODE), "--region", hex(other.result)
    )
    assert (found["already_there"], found["moved"], found["ok"]) == (
        8 * MIB // memory.PAGE,
        0,
        True,
    )
    assert main(["move", str(other.pid), "--to", f"blocks:{NODE}"]) == 0
    captured = capsys.readouterr()
    assert re.search(r"^already there +[\d,]{4,}", plain(captured.out), re.MULTILINE)
    assert captured.err == ""


def test_a_plan_moves_nothing_and_tells_what_would(other, capsys):
    found = as_data(capsys, "move", str(other.pid), "--to", f"interleave:{NODE}", "--dry-run")
    assert {flow["to"] for flow in found["flows"]} == {NODE}
    assert found["dry_run"]
    bad = as_data(capsys, "move", str(other.pid), "--to", str(NOT_A_NODE), "--dry-run", status=1)
    assert any(str(NOT_A_NODE) in problem for problem in bad["problems"])


def test_a_move_that_cannot_be_is_status_1(other, capsys):
    found = as_data(capsys, "move", str(other.pid), "--to", str(NOT_A_NODE), status=1)
    assert str(NOT_A_NODE) in found["error"]
    assert found["pages"] == found["not_attempted"] + found["moved"] + found["absent"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["where", str(GONE)], 1, "is process 4194305 there"),
        (["watch", str(GONE)], 1, "is process 4194305 there"),
        (["maps", "0"], 2, "expected the number of a process, got '0'"),
        (["where"], 2, "PID"),
        (["move", "1"], 2, "--to"),
        (["move", "1", "--to", "0", "--region", ""], 2, "expected a part of a name"),
        (["move", "1", "--to", "somewhere"], 2, "expected a number, got 'somewhere'"),
        (["move", "1", "--to", "interleave:"], 2, "numbers such as 0,2-3"),
        (["move", "1", "--to", "interleave:0/3"], 2, "interleave:0/3"),
        (["move", "1", "--to", "weighted:0"], 2, "expected a number, got ''"),
        (["move", "1", "--to", "spread:0"], 2, "expected a node, interleave:"),
        (["move", "1", "--to", "0", "--region", ""], 2, "a part of a name or an address, got ''"),
        (["maps", "1", "--region", "0xno"], 2, "an address such as 0x7f0012340000, got '0xno'"),
        (["watch", "1", "--interval", "0"], 2, "seconds from 0.05 to 1,000,000, got '0'"),
        (["watch", "1", "--interval", "1e300"], 2, "got '1e300'"),
        (["schema", "nothing"], 2, "nothing"),
    ],
)
def test_what_is_wrong_is_told_on_stderr(arguments, status, said):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_region_that_is_not_there(other, capsys):
    assert main(["maps", str(other.pid), "--region", "nowhere"]) == 2
    assert "--region nowhere: process" in capsys.readouterr().err


def test_without_permission(need_root):
    with processes.child(lambda: None) as mine:
        pid = mine.pid
        done = processes.run_as(NOBODY, lambda: main(["where", str(pid)]))
    assert done == 1


def test_without_rich_there_are_plain_columns(other):
    done = run("where", str(other.pid), code=WITHOUT_RICH)
    assert done.returncode == 0
    assert re.search(rf"^total +.*MiB +{NODE % 10}+$", done.stdout, re.MULTILINE)
    assert "\x1b" not in done.stdout


def test_watch_tells_what_changes_and_ends_with_the_process(capsys):
    code = (
        "import time, numpy\n"
        "kept = []\n"
        "for _ in range(40):\n"
        "    kept.append(numpy.ones(1 << 17)); time.sleep(0.03)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        found = as_data(capsys, "watch", str(process.pid), "--interval=0.1")
    assert process.returncode == 0
    rates = [sum(each["bytes_per_second"].values()) for each in found]
    assert rates[0] == 0
    assert max(rates) > MIB


@pytest.mark.parametrize("known", [True, False], ids=["pidfd", "no pidfd"])
def test_watch_ends_with_the_process_within_a_long_interval(known, monkeypatch, capsys):
    def unknown(_pid):
        raise OSError(errno.ENOSYS, "as on Linux 5.2")

    if not known:
        monkeypatch.setattr(os, "pidfd_open", unknown)
    with subprocess.Popen(["sleep", "1"]) as process:
        start = time.monotonic()
        found = as_data(capsys, "watch", str(process.pid), f"--interval={30 if known else 1.5}")
        assert time.monotonic() - start < 15
    assert len(found) == 1


def heed_sigint():
    """Undo what a shell in the background does: its children would never hear of Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def watching(other):
    """Return a process that watches the other, and has said something."""
    start = [sys.executable, "-P", "-m", "movepages", "watch", str(other.pid), "--interval=0.05"]
    pipe = subprocess.PIPE
    with subprocess.Popen(start, stdout=pipe, stderr=pipe, preexec_fn=heed_sigint) as process:
        try:
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()


def test_watch_ends_after_its_count(other, capsys):
    assert len(as_data(capsys, "watch", str(other.pid), "--count=2", "--interval=0.05")) == 2


def test_watch_ends_on_ctrl_c(watching):
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=60)
    assert (watching.returncode, err) == (130, b"movepages: interrupted\n")


def test_a_reader_that_goes_away(watching):
    watching.stdout.close()
    assert watching.wait(timeout=60) == 141
    assert watching.stderr.read() == b""


def test_bench_compares_answers(capsys):
    found = as_data(capsys, "bench", "--size=2MiB")
    assert [case["pages"] for case in found["cases"]] == ["small", "huge"]
    assert all(case["where_seconds"] > 0 and case["asked_seconds"] > 0 for case in found["cases"])
    assert (found["cases"][0]["move_seconds"] is None) == (len(mp.topology().allowed_nodes) < 2)
    assert main(["bench", "--size=2MiB"]) == 0
    assert "both tell the same of every page" in capsys.readouterr().out


def test_bench_ends_when_answers_differ(monkeypatch, capsys):
    monkeypatch.setattr(mp, "mempolicy_nodes", lambda pages: np.full(len(pages), 99, np.int32))
    assert main(["bench", "--size=1MiB"]) == 1
    assert "get_mempolicy(2) differ" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_completion_is_printed(shell):
    done = run("--print-completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "topology" in done.stdout


def test_bash_completes_commands_and_options(tmp_path):
    bash = shutil.which("bash")
    if not bash:
        pytest.skip("needs bash")
    script = tmp_path / "completion"
    script.write_text(run("--print-completion", "bash").stdout)
    code = f"""
source {script}
COMP_WORDS=(movepages wa); COMP_CWORD=1; COMP_LINE='movepages wa'
_shtab_movepages; echo "${{COMPREPLY[@]}}"
COMP_WORDS=(movepages move --dry); COMP_CWORD=2
_shtab_movepages; echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run([bash, "-c", code], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.split() == ["watch", "--dry-run"]
