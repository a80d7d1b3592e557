"""Errors of the user's code as Python shows them, with the user's frames only."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import traceback
    from typing import List

_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep

TEXT_MAX = 64 * 1024
"""Characters of a traceback; of a longer one the middle is left out."""


def user_traceback(error: BaseException, root: str = "") -> str:
    """Returns the traceback of `error` without the frames of this package and of the importer.

    File names below the folder `root` are shown relative to it. Causes and contexts are shown as
    Python does.
    """
    from traceback import TracebackException

    shown = TracebackException.from_exception(error)
    _clean(shown, root.rstrip(os.sep) + os.sep if root else "", [])
    text = "".join(shown.format())
    if len(text) > TEXT_MAX:
        half = TEXT_MAX // 2
        text = f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"
    return text


def _clean(shown: traceback.TracebackException, root: str, seen: List[int]) -> None:
    if id(shown) in seen:
        return
    seen.append(id(shown))
    kept = [frame for frame in shown.stack if not _is_ours(frame.filename)]
    for frame in kept:
        frame.line  # noqa: B018 - read now, by the real name of the file
        frame.filename = _relative(frame.filename, root)
    del shown.stack[:]
    shown.stack.extend(kept)
    filename = getattr(shown, "filename", None)
    if filename:  # of a SyntaxError
        shown.filename = _relative(filename, root)
    parts = [shown.__cause__, shown.__context__, *(getattr(shown, "exceptions", None) or ())]
    for part in parts:
        if part is not None:
            _clean(part, root, seen)


def _is_ours(filename: str) -> bool:
    return filename.startswith(("<frozen importlib", "<frozen runpy")) or filename.startswith(_OWN)


def _relative(filename: str, root: str) -> str:
    return filename[len(root) :] if root and filename.startswith(root) else filename
