"""`python3 -m union.compile`: a script becomes messages and a code bundle; nothing else happens.

    python3 -m union.compile [--project P] [--domain D] [--copy auto|all] --bundle-out FILE
                             SCRIPT [ENTITY]

Writes one `union.v1.CompiledScript` to the standard output, also when the script is wrong: `error`
is set then. What the script itself prints goes to the standard error. Exit status 0, or 2 for wrong
usage.
"""

from __future__ import annotations

import os
import sys

from . import __version__
from ._errors import UnionError
from ._wire import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from ._script import Entity, Script
    from ._wire import Message

USAGE = (
    "usage: python3 -m union.compile [--project P] [--domain D] [--copy auto|all] "
    "--bundle-out FILE SCRIPT [ENTITY]"
)


def compile_script(
    path: str,
    entity: Optional[str] = None,
    project: str = "default",
    domain: str = "development",
    copy: str = "auto",
    bundle_out: str = "bundle.tar.gz",
) -> Message:
    """Returns a CompiledScript message; its bundle is written to `bundle_out` (mode 0600).

    copy: "auto" takes the modules that the script imports, "all" every file below its folder.
    Never raises for what is wrong with the script: the message's `error` says it.
    """
    try:
        return _compile(path, entity, project, domain, copy, bundle_out)
    except RecursionError as err:
        return {"error": _error(err, "script-error", "nested too deep", "")}
    except UnionError as err:
        return {"error": _error(err, err.slug, err.message, err.hint)}
    except SystemExit as err:
        text = "a workflow function called sys.exit()"
        return {"error": _error(err, "script-error", text, "")}
    except Exception as err:
        text = f"'{path}' cannot be compiled: {type(err).__name__}"
        return {"error": _error(err, "script-error", text, "")}


def _error(error: BaseException, code: str, message: str, hint: str) -> Message:
    from ._script import ScriptError
    from ._tracebacks import user_traceback

    if isinstance(error, ScriptError):
        traceback = error.traceback
    else:
        traceback = user_traceback(error)
        if "\n  File " not in traceback:  # no line of the user's: the message says it all
            traceback = ""
    return {"code": code, "message": message, "hint": hint, "traceback": traceback}


def _compile(
    path: str, wanted: Optional[str], project: str, domain: str, copy: str, bundle_out: str
) -> Message:
    from ._bundle import all_files, imported_files, pack, write
    from ._script import load
    from ._templates import Compiler

    script = load(path)
    _, entity, notes = script.choose(wanted)
    compiler = Compiler(project, domain, script.locate)
    identifier = compiler.add(entity)
    is_all = copy == "all"
    files = all_files(script.root) if is_all else imported_files(script.root, script.module)
    _check_bundled(compiler, script, files)
    bundle = pack(script.root, files)
    compiler.set_version(_version(compiler, bundle))
    write(bundle_out, bundle)
    return {
        "tasks": list(compiler.tasks.values()),
        "workflows": list(compiler.workflows.values()),
        "launch_plans": list(compiler.launch_plans.values()),
        "entity": identifier,
        "interface": entity.interface.message(),
        "parameters": entity.interface.parameters(),
        "notes": notes + _notes(compiler),
        "bundle_path": os.path.abspath(bundle_out),
        "bundle_md5": _md5(bundle),
        "bundle_size": len(bundle),
        "input_order": list(entity.interface.inputs),
        "entity_names": list(script.entities),
        "docstring": _first_paragraph(entity),
    }


def _check_bundled(compiler: Any, script: Script, files: List[str]) -> None:
    """A task that lives outside the bundle would not be found when it runs."""
    # Tasks of installed packages are fine: the task's Python is the one that runs here.
    for name in compiler.tasks:
        module = sys.modules[name.rpartition(".")[0]]
        path = getattr(module, "__file__", None) or ""
        below = path.startswith(script.root.rstrip(os.sep) + os.sep)
        if below and os.path.relpath(path, script.root) not in files:
            compiler.notes.append(f"'{name}' is in {path}, which is not part of the bundle")


def _notes(compiler: Any) -> List[str]:
    images = [
        name
        for name, request in compiler.tasks.items()
        if request["spec"]["template"]["container"]["image"]
    ]
    notes = list(compiler.notes)
    if images:
        listed = ", ".join(images)
        notes.append(f"container_image is recorded; tasks run with this Python: {listed}")
    return notes


def _version(compiler: Any, bundle: bytes) -> str:
    """Returns the version that the content has: code, settings, the Python that runs it."""
    from binascii import b2a_base64

    from ._schema_api import API

    digest = _new_md5()
    digest.update(bundle)
    digest.update(f"\0{__version__}\0{sys.executable}\0".encode("utf-8", "surrogateescape"))
    for kind, requests in (
        ("TaskCreateRequest", compiler.tasks),
        ("WorkflowCreateRequest", compiler.workflows),
        ("LaunchPlanCreateRequest", compiler.launch_plans),
    ):
        for request in requests.values():
            digest.update(encode(API, kind, request))
    text = b2a_base64(digest.digest(), newline=False).decode()
    return text.rstrip("=").replace("+", "-").replace("/", "_")


def _md5(data: bytes) -> bytes:
    digest = _new_md5()
    digest.update(data)
    return bytes(digest.digest())


def _new_md5() -> Any:
    """md5 names content here, as the upload protocol has it; it protects nothing. The module
    `hashlib` would load OpenSSL for it."""
    try:
        from _md5 import md5  # type: ignore[import-not-found]
    except ImportError:
        from hashlib import md5
    return md5(usedforsecurity=False)


def _first_paragraph(entity: Entity) -> str:
    text = (entity.__doc__ or "").strip()
    return " ".join(line.strip() for line in text.split("\n\n")[0].splitlines())


def _arguments(argv: List[str]) -> Dict[str, str]:
    options = {"project": "default", "domain": "development", "copy": "auto", "bundle-out": ""}
    names: List[str] = []
    waiting = list(argv)
    while waiting:
        word = waiting.pop(0)
        name, has_value, value = word[2:].partition("=")
        if word == "--":
            names += waiting
            break
        if not word.startswith("--"):
            names.append(word)
        elif name not in options or not (has_value or waiting):
            raise ValueError(f"unknown or unfinished option '{word}'")
        else:
            options[name] = value if has_value else waiting.pop(0)
    if not options["bundle-out"] or not 1 <= len(names) <= 2:
        raise ValueError("--bundle-out and one script are needed")
    if options["copy"] not in ("auto", "all"):
        raise ValueError("--copy must be auto or all")
    options["script"] = names[0]
    options["entity"] = names[1] if len(names) == 2 else ""
    return options


def main(argv: Optional[List[str]] = None) -> int:
    """Runs the command line. Returns the exit status."""
    try:
        given = _arguments(sys.argv[1:] if argv is None else argv)
    except ValueError as err:
        print(f"union.compile: error: {err}\n{USAGE}", file=sys.stderr)
        return 2
    # From here on whatever anybody prints, also from C or a child, is no part of the message.
    sys.stdout.flush()
    message_fd = os.dup(1)
    os.dup2(2, 1)
    compiled = compile_script(
        given["script"],
        given["entity"] or None,
        given["project"],
        given["domain"],
        given["copy"],
        given["bundle-out"],
    )
    sys.stdout.flush()
    from ._schema_api import API

    with open(message_fd, "wb") as out:
        out.write(encode(API, "CompiledScript", compiled))
    return 0


if __name__ == "__main__":
    sys.exit(main())
