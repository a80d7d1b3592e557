"""Hides the values of a task from other processes of its user, as far as a process can.

The launcher names the variables that hold values. They are taken out of the memory that
/proc/PID/environ shows, and the process is marked not dumpable: no core, no debugger, no reader of
its memory but root. `os.environ` and the children that the task starts have the values as before.
"""

from __future__ import annotations

import os

NAMES_VARIABLE = "UNION_SECRET_VARIABLES"
"""Set by the launcher when the task has secrets: names of variables, commas between them."""

_PR_SET_DUMPABLE = 4


def protect() -> None:
    """Does what the kernel of this machine lets it do; a task runs without it, too."""
    names = os.environ.pop(NAMES_VARIABLE, None)
    if names is None:
        return
    wanted = {name.encode() for name in names.split(",") if name}
    values = {name: os.environb[name] for name in wanted if name in os.environb}
    try:
        if values:
            _wipe(values)
        _set_undumpable()
    except (OSError, ImportError, AttributeError, ValueError, IndexError):
        pass  # another kernel, another Python
    for name, value in values.items():
        os.environb[name] = value  # for children: a copy that /proc does not show


def _wipe(values: dict[bytes, bytes]) -> None:
    """Overwrites the values in the block of strings that the kernel made for this process."""
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[47]), int(fields[48])
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(start)
        at = start
        for entry in memory.read(end - start).split(b"\0"):
            name, equals, value = entry.partition(b"=")
            if equals and value and name in values:
                memory.seek(at + len(name) + 1)
                memory.write(bytes(len(value)))
            at += len(entry) + 1


def _set_undumpable() -> None:
    """Calls prctl. `ctypes` would take four times as long to load as what it is made of."""
    import _ctypes

    function = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[attr-defined]
    _ctypes.call_function(function, (_PR_SET_DUMPABLE, 0, 0, 0, 0))  # type: ignore[attr-defined]
