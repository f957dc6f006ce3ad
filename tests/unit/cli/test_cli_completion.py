"""``--print-completion``: shells accept what it prints, and complete with it."""

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


def test_message_without_shtab():
    code = WITHOUT_RICH.replace("'rich'", "'shtab'")
    done = run("--print-completion", "bash", code=code)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith('shtab is missing; to get it: pip install "movepages[cli]"\n')
