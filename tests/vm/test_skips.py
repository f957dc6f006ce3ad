"""The check for tests that ran nowhere."""

import subprocess
import sys

import pytest
import skips

RAN = ""
XFAIL = '<skipped type="pytest.xfail" message="known"/>'
FAILED = '<failure message="assert 0"/>'


def skipped(reason):
    return f'<skipped type="pytest.skip" message="{reason}">where</skipped>'


@pytest.fixture
def junit(tmp_path):
    """Return a function that writes one place's file from {(classname, name): inner XML}."""

    def write(place, cases):
        body = "".join(
            f'<testcase classname="{classname}" name="{name}">{inner}</testcase>'
            for (classname, name), inner in cases.items()
        )
        path = tmp_path / f"{place}.xml"
        path.write_text(f"<testsuites><testsuite>{body}</testsuite></testsuites>")
        return str(path)

    return write


def test_each_ran_somewhere(junit, capsys):
    host = junit("host", {("t.a", "one"): RAN, ("t.a", "two"): skipped("needs two nodes")})
    guest = junit("guest", {("t.a", "one"): skipped("needs a compiler"), ("t.a", "two"): RAN})
    assert skips.main([host, guest]) == 0
    assert capsys.readouterr().out == "skips: 2 tests in 2 places, each ran in at least one\n"


def test_skipped_everywhere_is_named_with_every_reason(junit, capsys):
    host = junit("host", {("t.a", "one"): RAN, ("t.a", "two"): skipped("needs two nodes")})
    guest = junit("guest", {("t.a", "one"): RAN, ("t.a", "two"): skipped("needs huge pages")})
    assert skips.main([host, guest]) == 1
    out = capsys.readouterr().out
    assert "1 of 2 tests ran nowhere" in out
    assert "t.a::two" in out
    assert "t.a::one" not in out
    assert "needs two nodes" in out
    assert "needs huge pages" in out


def test_skipped_in_the_only_place_it_appears(junit):
    host = junit("host", {("t.a", "one"): RAN, ("t.a", "tool"): skipped("no tool")})
    guest = junit("guest", {("t.a", "one"): RAN})
    assert skips.main([host, guest]) == 1


@pytest.mark.parametrize("inner", [XFAIL, FAILED])
def test_expected_and_plain_failures_did_run(junit, inner):
    assert skips.main([junit("host", {("t.a", "one"): inner})]) == 0


def test_module_skipped_as_a_whole(junit):
    host = junit("host", {("", "t.numa.test_move"): skipped("one node"), ("t.a", "one"): RAN})
    guest = junit("guest", {("t.numa.test_move", "one"): RAN})
    assert skips.main([host, guest]) == 0
    assert skips.main([host]) == 1


def test_parameters_of_the_machine(junit):
    host = junit("host", {("t.a", "pair[NOTSET]"): skipped("empty"), ("t.a", "one"): RAN})
    guest = junit("guest", {("t.a", "pair[0-1]"): RAN})
    assert skips.main([host, guest]) == 0
    assert skips.main([host]) == 1


def test_no_test_cases(junit, capsys):
    host = junit("host", {("t.a", "one"): RAN})
    assert skips.main([host, junit("guest", {})]) == 1
    assert "guest.xml: no test cases" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "", "<testsuites><testsuite>"])
def test_unreadable_file(tmp_path, capsys, content):
    path = tmp_path / "guest.xml"
    if content is not None:
        path.write_text(content)
    assert skips.main([str(path)]) == 1
    assert "guest.xml: not readable" in capsys.readouterr().err


def test_no_files(capsys):
    assert skips.main([]) == 2
    assert "usage" in capsys.readouterr().err


@pytest.fixture
def run_suite(tmp_path):
    """Return a function that runs a one-file suite, and returns the file that pytest wrote."""

    def run(place, text):
        (tmp_path / "test_it.py").write_text(text)
        junit = tmp_path / f"{place}.xml"
        options = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(tmp_path)]
        command = [sys.executable, "-m", "pytest", *options, f"--junit-xml={junit}", "test_it.py"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        return str(junit)

    return run


@pytest.mark.host
def test_files_that_pytest_itself_writes(run_suite, capsys):
    host = run_suite("host", "import pytest\ndef test_a(): pytest.skip('one node')\n")
    assert skips.main([host]) == 1
    assert "one node" in capsys.readouterr().out
    guest = run_suite("guest", "def test_a(): pass\n")
    assert skips.main([host, guest]) == 0
