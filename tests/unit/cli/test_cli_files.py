"""``movepages where`` and ``move`` of files in the page cache, on this machine."""

import os
from dataclasses import replace

import numpy as np
import pytest

import movepages as mp
from cli_fixtures import json_of, run
from movepages.cli import main, move_files, target
from movepages.cli.subjects import Files
from support import memory, processes, safetensors_files

pytestmark = pytest.mark.host

NODE = mp.topology().allowed_nodes[0]
PAGE = memory.PAGE


@pytest.fixture
def folder(tmp_path):
    for name, pages in {"a": 4, "b": 2, "deep/c": 1, "123": 3, "empty": 0}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(pages * PAGE))
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "round").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def names(*paths):
    files = Files([str(path) for path in paths])
    return [os.path.basename(path) for path in files], files.problems


def test_files_of_paths_directories_and_patterns(folder):
    assert names(folder) == (["123", "a", "b", "c", "empty"], [])
    assert names(folder / "link", folder / "a") == (["link"], [])
    assert names(folder / "[ab]") == (["a", "b"], [])
    assert names(folder / "**" / "c") == (["c"], [])
    assert names(folder / "round" / "deep") == (["c"], [])
    found, problems = names(folder / "x*", folder / "pipe", folder / "none", folder / "b")
    assert found == ["b"]
    assert [each.rpartition(": ")[2] for each in problems] == [
        "no file matches", "expected a file or a directory", "No such file or directory",
    ]  # fmt: skip
    (folder / "a*").write_bytes(b"1")
    assert names(folder / "a*")[0] == ["a*"]


def test_where(folder, capsys):
    found = json_of(capsys, "where", str(folder))
    assert {os.path.basename(each["file"]): each["nbytes"] for each in found["files"]} == {
        "123": 3 * PAGE, "a": 4 * PAGE, "b": 2 * PAGE, "c": PAGE, "empty": 0,
    }  # fmt: skip
    assert found["nbytes"] == 10 * PAGE == found["absent"] + sum(found["bytes_per_node"].values())
    assert found["bytes_per_node"] == {str(NODE): 10 * PAGE}
    assert main(["where", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1].split()[:3] == ["total", str(10 * PAGE // 1024), "KiB"]


def test_a_number_is_a_process_and_a_path_is_a_file(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    with processes.child() as child:
        assert json_of(capsys, "where", str(child.pid))["pid"] == child.pid
    assert json_of(capsys, "where", "./123")["files"][0]["file"] == "./123"


def test_move(folder, capsys):
    found = json_of(capsys, "move", str(folder), "--to", str(NODE))
    assert (found["pages"], found["already_there"], found["moved"], found["ok"]) == (
        10,
        10,
        0,
        True,
    )
    assert [each["absent"] for each in found["files"]] == [0] * 4
    plan = json_of(capsys, "move", str(folder), f"--to=interleave:{NODE}", "--dry-run")
    assert plan["flows"] == [{"from": NODE, "to": NODE, "nbytes": 10 * PAGE}]
    assert main(["move", str(folder / "a"), "--to", str(NODE)]) == 0
    assert "already there      4" in capsys.readouterr().out


def test_turns_go_on_from_file_to_file(folder, monkeypatch):
    """Files of one page each would all go to the first node otherwise."""
    for number in range(4):
        (folder / f"one{number}").write_bytes(b"1")
    targets = []

    def move(_memory, wanted, **_how):
        targets.append(wanted.nodes)
        return mp.MoveResult(pages=1, moved=1)

    monkeypatch.setattr(mp, "move", move)
    monkeypatch.setattr(move_files, "show_outcome", lambda *_: None)
    # This machine may have one node.
    monkeypatch.setattr(target, "refuse_unknown_nodes", lambda _: None)
    assert main(["move", str(folder / "one*"), "--to", "interleave:0,1"]) == 0
    assert targets == [(0, 1), (1, 0)] * 2


def test_torn_pages_are_told_and_not_ok(folder, monkeypatch, capsys):
    """Tensors that want different nodes share the pages at their borders."""
    file = str(folder / "a")
    moved = mp.MoveResult(pages=4, already_there=4, torn=2)
    planned = replace(mp.plan(mp.page_cache(file), NODE), torn=2)
    monkeypatch.setattr(mp, "move", lambda *_, **__: moved)
    monkeypatch.setattr(mp, "plan", lambda *_, **__: planned)
    for how in [], ["--dry-run"]:
        found = json_of(capsys, "move", file, "--to", str(NODE), *how, status=1)
        assert (found["torn"], found.get("ok", False)) == (2, False)
        assert main(["move", file, "--to", str(NODE), *how]) == 1
        assert "torn: 2 pages with parts of several tensors" in capsys.readouterr().err


def test_memory_on_unknown_nodes_is_told(folder, monkeypatch, capsys):
    found = mp.where(np.ones(3 * PAGE, np.uint8))
    runs = found.runs.copy()
    runs["status"] = mp.PageStatus.ENODATA
    monkeypatch.setattr(mp, "where", lambda _: replace(found, runs=runs))
    told = json_of(capsys, "where", str(folder / "a"), str(folder / "b"))
    assert (told["unknown"], told["absent"], told["bytes_per_node"]) == (6 * PAGE, 0, {})
    assert [each["unknown"] for each in told["files"]] == [3 * PAGE] * 2
    assert main(["where", str(folder / "a")]) == 0
    assert "not known" in capsys.readouterr().out
    monkeypatch.undo()
    assert main(["where", str(folder / "a")]) == 0
    assert "not known" not in capsys.readouterr().out


def test_what_cannot_be_done_is_told_and_the_rest_is_done(folder, capsys):
    found = json_of(capsys, "where", str(folder / "none"), str(folder / "b"), status=1)
    assert len(found["files"]) == 1
    assert found["problems"] == [f"{folder}/none: No such file or directory"]
    found = json_of(capsys, "move", str(folder / "none"), "--to", "0", status=1)
    assert (found["ok"], found["problems"]) == (
        False,
        [f"{folder}/none: No such file or directory"],
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["where"], "expected a PID, files, or --self"),
        (["where", "--self", "x"], "expected a PID, files, or --self"),
        (["where", "1", "x"], "./123 is a file named 123"),
        (["where", "1", "2"], "expected one process ID, or files"),
        (["where", "1", "--tensors"], "--tensor: expected files"),
        (["move", "1", "--to=0", "--tensor=x"], "--tensor: expected files"),
        (["where", "x", "--region", "heap"], "--region: expected a process ID"),
        (["where", ""], "expected a process ID or a path, got ''"),
        (["move", "x", "--to=0", "--whole"], "--whole: expected a process ID"),
        (["move", "1", "--to=0", "--read"], "--read: expected files"),
        (["move", "--to=0"], "PID|FILE"),
    ],
)
def test_wrong_arguments(arguments, said, capsys):
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    assert said in capsys.readouterr().err


def test_tensors(folder, capsys):
    arrays = {"wide": np.ones((2, PAGE), np.float32), "a\x1b[2J": np.ones(PAGE, np.float32)}
    file = str(safetensors_files.write(folder / "m.safetensors", arrays))
    found = json_of(capsys, "where", file, "--tensors")
    (one,) = found["files"]
    assert {each["name"]: each["nbytes"] for each in one["tensors"]} == {
        "wide": 8 * PAGE, "['a\\x1b[2J']": 4 * PAGE,
    }  # fmt: skip
    assert one["nbytes"] == found["nbytes"] == 12 * PAGE
    assert main(["where", file, "--tensors"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "  wide" in out
    found = json_of(capsys, "move", file, "--tensors", "--to", str(NODE))
    assert found["ok"]
    found = json_of(capsys, "where", file, "--tensor=wi", "--tensor=none")
    assert [each["name"] for each in found["files"][0]["tensors"]] == ["wide"]
    found = json_of(capsys, "move", file, "--tensor=none", "--to", str(NODE), status=1)
    assert found["problems"] == [f"{file}: no tensor has 'none' in its name"]
    found = json_of(capsys, "where", str(folder / "a"), file, "--tensors", status=1)
    assert "not a safetensors file" in found["problems"][0]
    assert len(found["files"]) == 1


def test_names_cannot_confuse_the_terminal(folder):
    (folder / "x\x1b[2J").write_bytes(b"1")
    for path in (folder, folder / "y\x1b"):
        done = run("where", str(path))
        assert "\x1b" not in done.stdout + done.stderr


def test_a_file_that_is_not_in_memory_is_read_first(folder, capsys):
    path = folder / "cold"
    path.write_bytes(bytes(64 * PAGE))
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if json_of(capsys, "where", str(path))["absent"] == 0:
        pytest.skip("this file system keeps its files in memory")
    assert json_of(capsys, "move", str(path), "--to", str(NODE))["absent"] > 0
    found = json_of(capsys, "move", str(path), "--to", str(NODE), "--read")
    assert (found["absent"], found["files"][0]["absent"]) == (0, 0)
