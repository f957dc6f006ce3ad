"""The pictures of layouts in docs/ are those that the layouts produce today."""

import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

import movepages as mp
from movepages.display.palette import colour

NAMES = {
    "after", "before", "blocks", "by-axis-0", "by-axis-1", "interleave", "interleave-block", "like",
    "like-other", "local", "weighted",
}  # fmt: skip
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    script = request.config.rootpath / "docs" / "pictures.py"
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return {path.stem: path.read_text() for path in folder.iterdir()}


def test_pictures_are_drawn(drawn):
    assert set(drawn) == NAMES
    for picture in drawn.values():
        assert len(picture) < 20_000
        assert ElementTree.fromstring(picture).tag == f"{SVG}svg"


@pytest.mark.host
def test_pictures_in_the_documentation_are_up_to_date(request, drawn, page_size):
    folder = request.config.rootpath / "docs" / "pictures"
    kept = {path.stem: path.read_text() for path in folder.glob("*.svg")}
    if page_size != 4096:
        pytest.skip("needs pages of 4 KiB, as the pictures have")
    assert kept == drawn, "run: python docs/pictures.py"


def shares(picture):
    """Return each node's fraction of the picture."""
    found = {}
    for path in ElementTree.fromstring(picture).iter(f"{SVG}path"):
        if path.get("fill"):
            boxes = re.findall(r"h(\d+)v(\d+)h", path.get("d"))
            found[path.get("fill")] = sum(int(w) * int(h) for w, h in boxes)
    total = sum(found.values())
    return {fill: count / total for fill, count in found.items()}


def test_shares_of_nodes_in_the_pictures(drawn):
    for name in ("interleave", "interleave-block", "blocks", "by-axis-0", "by-axis-1"):
        assert shares(drawn[name]) == {colour(node): 0.25 for node in range(4)}, name
    assert shares(drawn["weighted"]) == {colour(0): 0.75, colour(1): 0.25}
    assert shares(drawn["local"]) == {colour(0): 0.5, colour(1): 0.5}
    assert shares(drawn["like"]) == pytest.approx(shares(drawn["like-other"]), abs=0.02)


def test_every_layout_has_a_picture(drawn):
    names = " ".join(drawn).replace("-", "_")
    for name in ("blocks", "by_axis", "interleave", "like", "local", "weighted"):
        assert name in names
        assert hasattr(mp, name)
