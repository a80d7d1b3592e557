"""Compiles the script of a task or workflow, uploads its code and launches it: what `union run
--remote` does, from Python."""

from __future__ import annotations

import os
import sys
import tempfile

from ._connect import TIMEOUT_SECONDS
from ._errors import UnionError
from ._schema_api import API
from ._script import ScriptError
from ._wire import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Tuple, Union

    from ._connect import Connection
    from ._tasks import Task
    from ._wire import Message
    from ._workflows import Workflow

    Entity = Union[Task, Workflow]

_COMPILE_SECONDS_MAX = 10 * TIMEOUT_SECONDS

BUNDLE_KEY = "bundle"
"""In a task's `config`: the native URL of the code bundle that the launcher unpacks for it."""


def launch(
    connection: Connection, entity: Entity, request: Message, version: Optional[str]
) -> Message:
    """Returns the identifier of the new execution. `request` is an ExecutionCreateRequest without
    what to launch. Raises ScriptError for a script that does not compile, RemoteError."""
    with tempfile.TemporaryDirectory(prefix="union-") as folder:
        bundle = os.path.join(folder, "bundle.tar.gz")
        compiled = _compile(entity, request["project"], request["domain"], bundle)
        with open(bundle, "rb") as file:
            url = _upload(connection, request, file.read(), compiled["bundle_md5"])
    if version:
        _set_version(compiled, version)
    return _register(connection, compiled, request, url)


def _compile(entity: Entity, project: str, domain: str, bundle: str) -> Message:
    """Compiles in a process of its own: the script of this one may be half done."""
    import subprocess

    script, name = _place(entity)
    words = [sys.executable, "-m", "union.compile", "--project", project, "--domain", domain]
    words += ["--bundle-out", bundle, "--", script, name]
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        timeout=_COMPILE_SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        raise UnionError(f"compiling '{script}' ended with exit status {done.returncode}")
    compiled = decode(API, "CompiledScript", done.stdout)
    error = compiled.get("error")
    if error is not None:
        parts = (error.get(field, "") for field in ("message", "hint", "code", "traceback"))
        raise ScriptError(*parts)
    return compiled


def _place(entity: Entity) -> Tuple[str, str]:
    """Returns the script that defines an entity, and the variable that holds it."""
    module = sys.modules.get(entity.__module__)
    path = getattr(module, "__file__", None)
    if path is None:
        text = f"{entity.label} is in no file"
        raise UnionError(text, "define it in a script, at the top level", "invalid")
    for name, value in vars(module).items():
        if value is entity:
            return path, name
    text = f"{entity.label} is in no variable of {entity.__module__}"
    raise UnionError(text, "define it at the top level of the script", "invalid")


def _upload(connection: Connection, request: Message, bundle: bytes, md5: bytes) -> str:
    """Uploads the bundle and returns where the control plane keeps it."""
    from base64 import b64encode

    asked = {
        "project": request["project"],
        "domain": request["domain"],
        "filename": "script_mode.tar.gz",
        "content_md5": md5,
        "content_length": len(bundle),
    }
    place = connection.call(
        "flyteidl.service.DataProxyService/CreateUploadLocation",
        "CreateUploadLocationRequest",
        asked,
        "CreateUploadLocationResponse",
    )
    headers = {"Content-MD5": b64encode(md5).decode(), **place.get("headers", {})}
    connection.put(place.get("signed_url", ""), bundle, headers)
    return str(place.get("native_url", ""))


def _set_version(message: Any, version: str) -> None:
    """Writes `version` into every identifier of the messages."""
    if isinstance(message, list):
        for item in message:
            _set_version(item, version)
    elif isinstance(message, dict):
        if "resource_type" in message:
            message["version"] = version
        for part in message.values():
            _set_version(part, version)


def _register(connection: Connection, compiled: Message, request: Message, url: str) -> Message:
    """Registers and starts in one call, and returns the identifier of the execution."""
    for task in compiled["tasks"]:
        task["spec"]["template"].setdefault("config", {})[BUNDLE_KEY] = url
    request["spec"]["launch_plan"] = compiled["entity"]
    launch_request = {
        "tasks": compiled.get("tasks", []),
        "workflows": compiled.get("workflows", []),
        "launch_plans": compiled.get("launch_plans", []),
        "execution": request,
    }
    reply = connection.call(
        "union.v1.RunService/Launch", "LaunchRequest", launch_request, "LaunchResponse", False
    )
    return dict(reply.get("id", {}))
