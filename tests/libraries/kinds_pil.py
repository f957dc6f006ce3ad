"""Images of Pillow for the tests of moves."""

from PIL import Image

KINDS = [
    ("pil-rgb", lambda: Image.new("RGB", (1024, 1024), (1, 2, 3))),
    ("pil-grey", lambda: Image.new("L", (2048, 1024), 7)),
    # More than one block of 16 MiB.
    ("pil-blocks", lambda: Image.new("F", (4096, 2000), 0.5)),
]
