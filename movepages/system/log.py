"""Lines for the logger "movepages", where somebody has loaded the module logging to see them."""

from __future__ import annotations

import sys

# As in logging, which takes longer to import than the rest of a small query.
_DEBUG, _INFO = 10, 20


def debug(text: str, *arguments: object) -> None:
    """Log a detail; the text is formatted only if it is wanted."""
    _log(_DEBUG, text, arguments)


def info(text: str, *arguments: object) -> None:
    """Log what a call has changed; the text is formatted only if it is wanted."""
    _log(_INFO, text, arguments)


def _log(level: int, text: str, arguments: tuple[object, ...]) -> None:
    logging = sys.modules.get("logging")
    # Another thread may be in the middle of importing it.
    if logging is None or not hasattr(logging, "getLogger"):
        return
    # Without the lock of logging: the exception of a signal handler could leave it locked for good.
    manager = logging.root.manager
    known = manager.loggerDict.get("movepages")
    logger = known if isinstance(known, logging.Logger) else logging.root
    if manager.disable >= level or logger.disabled or logger.getEffectiveLevel() > level:
        return
    logger = logging.getLogger("movepages")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    # The line is of the caller of `debug` or `info`.
    logger.log(level, text, *arguments, stacklevel=3)
