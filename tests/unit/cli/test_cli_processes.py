"""where, maps and move of processes that the tests started; JSON follows its schema."""

import json
import re

import jsonschema
import pytest

import movepages as mp
from cli_fixtures import WITHOUT_RICH, is_open, json_of, run
from movepages.cli import main, target
from movepages.cli.schema import COMMANDS
from support import memory, processes, settling

# The same on every kernel, and slow under emulation; see tests/numa/test_cli_moves.py.
pytestmark = pytest.mark.host

NODE = mp.topology().allowed_nodes[0]
NOT_A_NODE = max(mp.topology().nodes) + 1
NO_NODE = str(NOT_A_NODE)
GONE = 4194305
NOBODY = 65534
MIB = 1 << 20


@pytest.fixture(scope="module")
def other():
    """Yield a process with 8 MiB of anonymous memory in a region of its own."""
    held = []

    def hold():
        held.append(memory.anonymous(8 * MIB, NODE))
        return held[0].ctypes.data

    with processes.child(hold) as child:
        settling.until_asleep(child.pid)
        yield child


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_schemas_are_valid_and_printed(command, capsys):
    assert main(["schema", command]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["command"] == {"const": command}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"command": command, "schema": 1}, schema)
    # Versions may gain fields, so the schema must accept unknown ones at any depth.
    assert is_open(schema)


@pytest.mark.parametrize("arguments", [["topology"], ["doctor"], ["demo", "--size=1MiB"]])
def test_json_follows_the_schema(arguments, capsys):
    json_of(capsys, *arguments)


def test_where_agrees_with_numa_maps(other, capsys):
    found = json_of(capsys, "where", str(other.pid))
    regions = mp.process(other.pid).regions()
    total = regions["bytes"].sum(axis=0)
    assert found["bytes_per_node"] == {
        str(n): int(b) for n, b in zip(found["nodes"], total, strict=True) if b
    }
    kinds = [sum(per_node.values()) for per_node in found["kinds"].values()]
    assert sum(kinds) == found["nbytes"] == total.sum()
    assert found["kinds"]["anonymous"][str(NODE)] >= 8 * MIB


def test_where_of_itself(capsys):
    found = json_of(capsys, "where", "--self")
    assert found["nbytes"] > MIB
    assert main(["where", "--self"]) == 0
    out = plain(capsys.readouterr().out)
    assert re.search(r"^stack .*iB", out, re.MULTILINE)
    # A process that has run many tests may have a gibibyte.
    assert re.search(r"^total .*[MG]iB", out, re.MULTILINE)


def test_a_region_is_chosen_by_address_and_by_name(other, capsys):
    found = json_of(capsys, "where", str(other.pid), "--region", hex(other.result + 5))
    assert found["nbytes"] == 8 * MIB
    found = json_of(capsys, "where", str(other.pid), "--region", f"{other.result:x}")
    assert found["nbytes"] == 8 * MIB
    listed = json_of(capsys, "maps", str(other.pid), "--region", "[stack]")["regions"]
    assert {each["name"] for each in listed} == {"[stack]"}
    both = ["--region", "[stack]", "--region", hex(other.result)]
    listed = json_of(capsys, "maps", str(other.pid), *both)["regions"]
    assert {each["kind"] for each in listed} == {"stack", "anonymous"}


def test_maps_lists_regions_with_memory(other, capsys):
    listed = json_of(capsys, "maps", str(other.pid))["regions"]
    sizes = [sum(each["bytes_per_node"].values()) for each in listed]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) > 0
    everything = json_of(capsys, "maps", str(other.pid), "--empty", "--sort=address")["regions"]
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


def test_move_of_pages_already_in_place(other, capsys):
    found = json_of(
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


def test_dry_run_moves_nothing_and_reports_flows(other, capsys):
    found = json_of(capsys, "move", str(other.pid), "--to", f"interleave:{NODE}", "--dry-run")
    assert {flow["to"] for flow in found["flows"]} == {NODE}
    assert found["dry_run"]


def test_impossible_move_exits_with_status_1(other, monkeypatch, capsys):
    # As if the node had gone offline since the arguments were checked.
    monkeypatch.setattr(target, "refuse_unknown_nodes", lambda _: None)
    bad = json_of(capsys, "move", str(other.pid), "--to", str(NOT_A_NODE), "--dry-run", status=1)
    assert any(str(NOT_A_NODE) in problem for problem in bad["problems"])
    found = json_of(capsys, "move", str(other.pid), "--to", str(NOT_A_NODE), status=1)
    assert str(NOT_A_NODE) in found["error"]
    assert found["pages"] == found["not_attempted"] + found["moved"] + found["absent"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["where", str(GONE)], 1, "there is no process 4194305"),
        (["watch", str(GONE)], 1, "there is no process 4194305"),
        (["watch", str(1 << 32)], 1, "there is no process 4294967296"),
        (["maps", "0"], 2, "expected a process ID above 0, got '0'"),
        (["where"], 2, "PID"),
        (["move", "1"], 2, "--to"),
        (
            ["move", "1", "--to", "somewhere"],
            2,
            "blocks:, local: or near:, got 'somewhere'",
        ),
        (["move", "1", "--to", "interleave:"], 2, "numbers after a colon, as in blocks:0,2-3"),
        (["move", "1", "--to", "interleave:0/3"], 2, "interleave:0/3"),
        (["move", "1", "--to", "interleav:0"], 2, "did you mean 'interleave:0'?"),
        (["move", "1", "--to", "0,1"], 2, "write interleave:0,1 or blocks:0,1"),
        (["move", "1", "--to", NO_NODE], 2, f"node {NO_NODE} is not a node of this machine"),
        (["move", "1", "--to", f"blocks:0,{NO_NODE}"], 2, f"node {NO_NODE} is not a node"),
        (["move", "1", "--to", f"weighted:{NO_NODE}=3"], 2, f"node {NO_NODE} is not a node"),
        (["localize", "1", "--node", NO_NODE], 2, f"node {NO_NODE} is not a node"),
        (
            ["localize", "1", "--node", str(NODE), "--cpus-only", "--whole"],
            2,
            "--whole: not allowed",
        ),
        (["localize", "1", "--node", str(NODE), "--cpus-only", "--all"], 2, "--all: not allowed"),
        (["mov", "1"], 2, "there is no command 'mov'; did you mean 'move'?"),
        (["--json"], 2, "there is no option '--json'"),
        (["where", "1", "--jsn"], 2, "movepages where: error: there is no option '--jsn'; did you"),
        (["where", "1", "--quite=3"], 2, "there is no option '--quite'"),
        (["topology", "3"], 2, "there is nothing to do with the argument '3'"),
        (["move", "1", "--to", "weighted:0"], 2, "expected a number, got ''"),
        (["move", "1", "--to", "spread:0"], 2, "expected a node, interleave:"),
        (["move", "1", "--to", "0", "--region", ""], 2, "a part of a name or an address, got ''"),
        (["maps", "1", "--region", "0xno"], 2, "an address such as 0x7f0012340000, got '0xno'"),
        (["watch", "1", "--interval", "0"], 2, "seconds from 0.05 to 1,000,000, got '0'"),
        (["watch", "1", "--interval", "1e300"], 2, "got '1e300'"),
        (["schema", "nothing"], 2, "nothing"),
    ],
)
def test_errors_go_to_stderr(arguments, status, said):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_unknown_region(other, capsys):
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
    # A process that has run many tests may have a gibibyte.
    assert re.search(rf"^total +.*[MG]iB +{NODE % 10}+$", done.stdout, re.MULTILINE)
    assert "\x1b" not in done.stdout
