"""Run the Python blocks of one page from the top: python run_page.py PAGE."""

import sys
from pathlib import Path

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser


def main(page: Path) -> int:
    """Return how many blocks ran. The first failure raises, with the page's line numbers."""
    sybil = Sybil([PythonCodeBlockParser()], path=str(page.parent), pattern=page.name)
    blocks = set()
    for example in sybil.parse(page).examples():
        example.evaluate()
        # A block with prompts yields one example per prompt.
        blocks.add(page.read_text()[: example.region.end].count("\n```python\n"))
    return len(blocks)


if __name__ == "__main__":
    ran = main(Path(sys.argv[1]))
    print(f"ran {ran} blocks")
