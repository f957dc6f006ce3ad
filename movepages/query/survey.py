"""survey_rows(): query rows of neighbouring pages, by several threads if that pays."""

from __future__ import annotations

import operator
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .. import _core
from ..pages.arguments import Addresses
from ..results.failure import Failure
from ..results.outcome import make_error
from .explain import Call, explain
from .survey_runs import SurveyRuns


def survey_rows(
    addresses: Addresses,
    pages: npt.NDArray[np.int64],
    *,
    pid: int,
    flags: int,
    threads: int,
    fewest: int | None,
    pause: Callable[[], object] | None,
    by_number: int = 0,
    ask_small: bool = True,
    in_huge_pages: bool = False,
) -> tuple[Failure | None, SurveyRuns]:
    """Query the nodes of rows of neighbouring pages, with several threads if that pays off.

    In rows of `fewest` pages or more, the page tables are read first if the kernel permits it;
    pages without an entry are then not queried. For `by_number` or more small pages in a row, a
    process with CAP_SYS_ADMIN takes the nodes from the page frame numbers; 0 means never. Without
    `ask_small`, small pages that the page tables show are not queried: they get status
    NOT_ATTEMPTED and kind "page". With `in_huge_pages`, the rows consist of huge pages, and one
    page of each is queried. `pause`, called after every 25 ms of work, may raise to end the survey.

    Returns
    -------
    failure : Failure or None
        The exception that ended the survey early, not raised.
    found : SurveyRuns
        Runs found before and after the failure.
    """
    told, start, count, status, kind = _core.survey(
        addresses, pages, pid, flags, threads, fewest, by_number, ask_small, in_huge_pages, pause
    )
    found = SurveyRuns(start, count, status, kind)
    if told is None:
        return None, found
    if isinstance(told, BaseException):
        return Failure(told), found
    code, sentence = explain(told[0], Call(operator.index(pid), operator.index(flags)))
    return Failure(make_error(code, sentence)), found
