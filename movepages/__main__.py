"""``python -m movepages`` is the command ``movepages``."""

import sys

from .cli import main

sys.exit(main())
