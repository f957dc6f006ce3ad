"""Completion: shells accept the script, find it where it is installed, and complete with it."""

import shutil
import subprocess

import pytest

from cli_fixtures import WITHOUT_RICH, run

pytestmark = pytest.mark.host


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


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", "data/bash-completion/completions/movepages"),
        ("zsh", "data/zsh/site-functions/_movepages"),
        ("fish", "config/fish/completions/movepages.fish"),
    ],
)
def test_installed_where_the_shell_looks(shell, file, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SHELL", f"/usr/bin/{shell}")
    for arguments in (["--install-completion"], ["--install-completion", shell]):
        done = run(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"installed {tmp_path / file}; ")
        assert (tmp_path / file).read_text() == run("--print-completion", shell).stdout


def test_unknown_shells_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/dash")
    done = run("--install-completion")
    assert done.returncode == 2
    assert "expected bash, zsh, fish, got 'dash'" in done.stderr
    assert not list(tmp_path.iterdir())


def test_message_without_shtab():
    code = WITHOUT_RICH.replace("'rich'", "'shtab'")
    done = run("--print-completion", "bash", code=code)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith('shtab is missing; to get it: pip install "movepages[cli]"\n')
