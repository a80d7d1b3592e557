"""`union run` without `--remote`: runs a task or workflow of a script in the current Python.

    python3 -m union.local --inputs-fd N --outputs-fd M SCRIPT ENTITY

Reads a serialized LiteralMap with the inputs from descriptor N up to its end and writes one with
the outputs to descriptor M. What the script prints is left alone. Exit status 0; 1 with the user's
traceback on the standard error when the script fails; 2 for wrong usage; 130 when interrupted.
"""

from __future__ import annotations

import os
import sys

from ._errors import UnionError
from ._schema import CORE
from ._wire import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, List, Optional

    from ._wire import Message

USAGE = "usage: python3 -m union.local --inputs-fd N --outputs-fd M SCRIPT ENTITY"
INPUTS_MAX = 64 << 20
"""Bytes of the serialized inputs."""


def main(argv: Optional[List[str]] = None) -> int:
    """Runs the command line. Returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if len(words) != 6 or words[0] != "--inputs-fd" or words[2] != "--outputs-fd":
        print(f"union.local: error: wrong arguments\n{USAGE}", file=sys.stderr)
        return 2
    if not (words[1].isdecimal() and words[3].isdecimal()):
        print(f"union.local: error: a descriptor is a number\n{USAGE}", file=sys.stderr)
        return 2
    inputs_fd, outputs_fd, script, entity = int(words[1]), int(words[3]), words[4], words[5]
    with open(inputs_fd, "rb") as file:
        inputs = file.read(INPUTS_MAX + 1)
    if len(inputs) > INPUTS_MAX:
        print(f"union: error: the inputs have more than {INPUTS_MAX} bytes", file=sys.stderr)
        return 1
    os.set_inheritable(outputs_fd, False)  # for this process, not for what the script starts
    try:
        outputs = _run(script, entity, inputs)
    except KeyboardInterrupt:
        return 130
    except UnionError as err:
        _show(err)
        return 1
    except Exception as err:
        _show_traceback(err)
        return 1
    sys.stdout.flush()
    with open(outputs_fd, "wb") as file:
        file.write(encode(CORE, "LiteralMap", {"literals": outputs}))
    return 0


def _run(path: str, name: str, inputs: bytes) -> Dict[str, Message]:
    from ._local_run import run
    from ._script import load

    literals = decode(CORE, "LiteralMap", inputs).get("literals", {})
    script = load(path)
    _, entity, notes = script.choose(name)
    for note in notes:
        print(f"union: note: {note}", file=sys.stderr)
    return run(entity, literals)


def _show(error: UnionError) -> None:
    traceback = getattr(error, "traceback", "")
    if traceback:
        print(traceback, end="", file=sys.stderr)
    else:
        _show_traceback(error)
    print(f"union: error: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"union: hint: {error.hint}", file=sys.stderr)


def _show_traceback(error: BaseException) -> None:
    from ._tracebacks import user_traceback

    text = user_traceback(error)
    if "\n  File " in text or not isinstance(error, UnionError):
        print(text, end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
