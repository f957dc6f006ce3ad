"""``progress=True``: a bar on a terminal or in a notebook, and nothing elsewhere."""

import errno
import fcntl
import importlib.util
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import types

import pytest

import movepages as mp
from movepages.display import progress_bar
from support import memory

pytestmark = pytest.mark.host

MIB = 1 << 20
NODE = mp.topology().allowed_nodes[0]
WORK = {
    "move": "mp.move(a, node, progress=True)",
    "several": "mp.move([a, a.copy()], node, progress=True)",
    "plan": "mp.plan(a, node).execute(progress=True)",
    "background": "mp.move(a, node, progress=True, background=True).result()",
    "regions": "p.move(node, p.regions()[:3], progress=True, on_error='warn')",
    "localize": "p.localize(node, progress=True, cpus=False)",
}
# The packages that are missing.
KINDS = {"rich": [], "tqdm": ["rich"], "line": ["rich", "tqdm"]}


def code(work, missing=()):
    hidden = "".join(f"sys.modules[{name!r}] = None\n" for name in missing)
    return (
        f"import sys\n{hidden}"
        "import movepages as mp, numpy as np\n"
        f"node, p = {NODE}, mp.process()\n"
        "a = mp.full(16 << 20, 1, np.uint8, node=node)\n"
        f"print({work} is not None)\n"
    )


def on_a_terminal(script):
    """Run a script with a terminal as standard error; return what both streams got."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    plain = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR", "NO_COLOR")}
    command = [sys.executable, "-P", "-c", script]
    drawn = b""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, env=plain | {"TERM": "xterm"}
    ) as process:
        os.close(theirs)
        try:
            while part := os.read(ours, 1 << 16):
                drawn += part
        except OSError:  # The last to hold the terminal has ended.
            pass
        out = process.stdout.read().decode()
    os.close(ours)
    assert process.returncode == 0, drawn
    return out, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.decode())


@pytest.mark.parametrize("kind", KINDS)
def test_a_bar_on_a_terminal(kind):
    if kind == "tqdm" and importlib.util.find_spec("tqdm") is None:
        pytest.skip("needs tqdm")
    out, drawn = on_a_terminal(code(WORK["move"], KINDS[kind]))
    assert out == "True\n"
    last = re.split("[\r\n]+", drawn.strip())[-1]
    told = {"rich": "16.0/16.0 MiB", "tqdm": "16.0M/16.0M", "line": "16 MiB of 16 MiB (100%)"}
    assert told[kind] in last
    assert max(map(len, re.split("[\r\n]+", drawn))) <= 80


@pytest.mark.parametrize("work", WORK)
def test_a_line_for_each_kind_of_work(work):
    out, drawn = on_a_terminal(code(WORK[work], KINDS["line"]))
    assert out == "True\n"
    assert drawn.count("\n") == 1
    assert "(100%)" in drawn


@pytest.mark.parametrize("work", WORK)
def test_nothing_is_drawn_without_a_terminal(work):
    done = subprocess.run(
        [sys.executable, "-P", "-c", code(WORK[work])], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_without_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert mp.move(memory.anonymous(MIB, NODE), NODE, progress=True).ok


@pytest.fixture
def notebook(monkeypatch):
    """Pretend to be in a notebook; yield the pictures that each display has shown."""
    shown = []

    class Handle:
        def __init__(self, picture):
            self.pictures = [picture]
            shown.append(self.pictures)

        def update(self, picture):
            self.pictures.append(picture)

    module, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    module.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    display.display = lambda picture, **_display_id: Handle(picture)
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_bar_in_a_notebook(notebook):
    a = memory.anonymous(MIB, NODE)
    mp.move(a, NODE, progress=True)
    ((*_, last),) = notebook
    assert repr(last).startswith("1 MiB of 1 MiB (100%)")
    assert f'<progress value="{MIB}" max="{MIB}"' in last._repr_html_()


def test_regions_have_one_bar(notebook):
    p = mp.process()
    regions = p.regions()[:4]
    p.move(NODE, regions, progress=True, on_error="warn")
    (pictures,) = notebook
    done = [picture._done for picture in pictures]
    assert done == sorted(done)
    assert done[-1] == regions["nbytes"].sum() == pictures[-1]._total


def test_ipython_in_a_terminal_is_no_notebook(monkeypatch):
    module = types.ModuleType("IPython")
    module.get_ipython = lambda: object()
    monkeypatch.setitem(sys.modules, "IPython", module)
    assert not progress_bar._in_notebook()


def test_work_goes_on_if_the_terminal_goes_away(monkeypatch):
    class Gone:
        def update(self, *_bytes):
            raise OSError(errno.EIO, "Input/output error")

        close = update

    monkeypatch.setattr(progress_bar, "new_bar", Gone)
    assert mp.move(memory.anonymous(MIB, NODE), NODE, progress=True).ok


def test_a_bar_is_closed_when_the_move_fails(monkeypatch):
    calls = []

    class Bar:
        def update(self, *_bytes):
            calls.append("update")

        def close(self):
            calls.append("close")

    monkeypatch.setattr(progress_bar, "new_bar", Bar)
    with pytest.raises(mp.MovePagesError):
        mp.move(memory.anonymous(MIB, NODE), 1022, progress=True)
    with pytest.raises(TimeoutError):
        mp.move(memory.anonymous(MIB, NODE), NODE, progress=True, deadline=0)
    assert calls.count("close") == 2
    assert calls[-1] == "close"


def test_false_is_none():
    assert mp.move(memory.anonymous(MIB, NODE), NODE, progress=False).ok


@pytest.mark.parametrize("wrong", ["yes", 1, 0, [print]])
def test_other_values_are_refused(wrong):
    a, p = memory.anonymous(MIB, NODE), mp.process()
    for call in (
        lambda: mp.move(a, NODE, progress=wrong),
        lambda: mp.move(a, NODE, progress=wrong, background=True),
        lambda: mp.collapse(a, progress=wrong),
        lambda: p.move(NODE, p.regions()[:1], progress=wrong),
        lambda: p.localize(mp.topology().cpu_nodes[0], progress=wrong),
    ):
        with pytest.raises(TypeError, match="progress: expected True, or a function that takes"):
            call()
