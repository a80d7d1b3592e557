"""The task process: reads the inputs, calls the function, writes the outputs or the error.

    python3 -m union.execute --inputs FILE --output-prefix DIR --task-module M --task-name T

The current folder is the unpacked code bundle. Writes DIR/outputs.pb (a LiteralMap), or
DIR/error.pb (an ErrorDocument) when the task fails; either appears whole or not at all. Exit status
0 in both cases, 1 when neither could be written, 2 for wrong usage; ended by SIGTERM the process
dies of SIGTERM and leaves neither.

Every import here is paid at the start of every task: keep them few.
"""

from __future__ import annotations

import gc
import os
import sys

from . import _schema as s
from ._wire import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from ._tasks import Task
    from ._wire import Message

USAGE = (
    "usage: python3 -m union.execute --inputs FILE --output-prefix DIR "
    "--task-module M --task-name T"
)
_OPTIONS = ("--inputs", "--output-prefix", "--task-module", "--task-name")


class _Terminated(BaseException):
    """SIGTERM came. Not an Exception, so that a task's `except Exception` lets it pass."""


def main(argv: Optional[List[str]] = None) -> None:
    """Runs the command line and ends the process."""
    words = sys.argv[1:] if argv is None else argv
    given = dict(zip(words[::2], words[1::2]))
    if len(words) != 2 * len(_OPTIONS) or sorted(given) != sorted(_OPTIONS):
        print(f"union.execute: error: wrong arguments\n{USAGE}", file=sys.stderr)
        sys.exit(2)
    if "UNION_SECRET_VARIABLES" in os.environ:
        from ._protect import protect

        protect()
    try:
        _catch_sigterm()
        status = execute(
            given["--inputs"],
            given["--output-prefix"],
            given["--task-module"],
            given["--task-name"],
        )
    except _Terminated:
        _die_of_sigterm()
    sys.exit(status)


def execute(inputs: str, output_prefix: str, module: str, name: str) -> int:
    """Runs one task. Returns the exit status: 0 when outputs.pb or error.pb is written."""
    root = os.getcwd()
    if root not in sys.path:
        sys.path.insert(0, root)
    try:
        try:
            result: Message = {"outputs": _run(inputs, module, name)}
        except _Terminated:
            raise
        except BaseException as err:
            result = {"error": _error(err, root)}
        _flush()
        _store(output_prefix, result)
    except OSError as err:
        place = err.filename or output_prefix
        print(f"union.execute: error: cannot write '{place}': {err.strerror}", file=sys.stderr)
        return 1
    return 0


def _run(inputs: str, module: str, name: str) -> Message:
    """Returns the outputs of the task as a LiteralMap. Raises whatever the user's code raises."""
    gc.disable()  # long lists as messages are many small dicts, and none of them is garbage
    with open(inputs, "rb") as file:
        literals = decode(s.CORE, "LiteralMap", file.read()).get("literals", {})
    task = _load(module, name)
    interface = task.interface
    types = interface.inputs
    where = f"{task.label}: input "
    given = {
        n: types[n].from_literal(v, f"{where}{n!r}") for n, v in literals.items() if n in types
    }
    values = interface.bind((), given)
    del literals, given
    gc.enable()
    try:
        result = task.__wrapped__(**values)
    except SystemExit as err:
        if err.code not in (None, 0) or interface.outputs:
            raise
        return {}
    gc.disable()
    if result is not None and not interface.outputs:
        from ._local_run import note_dropped

        note_dropped(task, result)
    return interface.output_literals(interface.split(result))


def _load(module: str, name: str) -> Task:
    from . import _state

    _state.is_loading = True
    __import__(module)
    _state.is_loading = False
    task = getattr(sys.modules[module], name, None)
    from ._tasks import Task

    if not isinstance(task, Task):
        from ._errors import UnionError

        raise UnionError(f"module '{module}' has no task '{name}'", "", "entity-not-found")
    return task


def _error(error: BaseException, root: str) -> Message:
    """Returns the ContainerError of what the user's code raised."""
    from time import time_ns

    from ._errors import RecoverableError
    from ._tracebacks import user_traceback

    kind = type(error).__name__
    if isinstance(error, SystemExit):
        message = "the task called sys.exit()"
        if isinstance(error.code, int):
            message = f"the task called sys.exit({error.code})"
        message += "\n" + user_traceback(error, root)
    else:
        message = user_traceback(error, root)
    shown = message.rstrip("\n").replace("\0", "\\0")  # the messages cannot carry a NUL
    seconds, nanos = divmod(time_ns(), 1_000_000_000)
    is_recoverable = isinstance(error, RecoverableError)
    return {
        "code": f"USER:{kind}",
        "message": shown.encode("utf-8", "backslashreplace").decode(),
        "kind": s.RECOVERABLE if is_recoverable else s.NON_RECOVERABLE,
        "origin": s.ORIGIN_USER,
        "timestamp": {"seconds": seconds, "nanos": nanos},
    }


def _store(folder: str, result: Dict[str, Any]) -> None:
    os.makedirs(folder, exist_ok=True)
    if "error" in result:
        name, data = "error.pb", encode(s.CORE, "ErrorDocument", result)
    else:
        name, data = "outputs.pb", encode(s.CORE, "LiteralMap", result["outputs"])
    path = f"{folder}/{name}"
    temporary = f"{path}.{os.getpid()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise


def _flush() -> None:
    """What the task printed goes out before its result counts."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed by the task, or gone
            pass


def _catch_sigterm() -> None:
    """SIGTERM unwinds the task, so that its `finally:` blocks run. `signal` would load `enum`."""
    import _signal  # type: ignore[import-not-found]

    def terminate(*_: Any) -> None:
        raise _Terminated

    _signal.signal(_signal.SIGTERM, terminate)


def _die_of_sigterm() -> None:
    import _signal

    _flush()
    _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)
    os.kill(os.getpid(), _signal.SIGTERM)


if __name__ == "__main__":
    main()
