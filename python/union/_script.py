"""Loads a user's script, finds its tasks and workflows and chooses which one runs."""

from __future__ import annotations

import os
import sys

from . import _state
from ._errors import UnionError, WorkflowError
from ._tasks import Task
from ._tracebacks import user_traceback
from ._workflows import Workflow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Dict, List, Optional, Tuple, Union

    Entity = Union[Task, Workflow]

DEFAULT_ENTITY = "main"


class ScriptError(UnionError):
    """The script cannot be used. `traceback` is what Python shows, or ""."""

    slug = "script-error"

    def __init__(self, message: str, hint: str = "", slug: str = "", traceback: str = "") -> None:
        super().__init__(message, hint, slug or None)
        self.traceback = traceback


class Script:
    """A loaded script: its module, the folder that imports start from, and its entities."""

    def __init__(self, path: str, root: str, module: ModuleType) -> None:
        self.path = path
        self.root = root
        self.module = module
        self.entities: Dict[str, Entity] = {
            name: value
            for name, value in vars(module).items()
            if isinstance(value, (Task, Workflow))
        }

    def choose(self, wanted: Optional[str]) -> Tuple[str, Entity, List[str]]:
        """Returns the name, the entity to run, and notes for the person.

        `wanted` is a name, or a name with its module, or None for "main". Without a `main` the
        only workflow runs, or the only task of a script without workflows.
        """
        name = wanted or DEFAULT_ENTITY
        prefix = f"{self.module.__name__}."
        if name not in self.entities and name.startswith(prefix):
            name = name[len(prefix) :]
        if name in self.entities:
            return name, self.entities[name], []
        if name == DEFAULT_ENTITY:
            only = self._only()
            if only is not None:
                chosen = self.entities[only]
                note = f"{self._shown()} has no '{name}'; running its only {_kind(chosen)} '{only}'"
                return only, chosen, [note]
        raise self._not_found(name)

    def locate(self, entity: Entity) -> Tuple[str, str]:
        """Returns the module and the variable where the task process finds an entity."""
        for module_name in (entity.__module__, self.module.__name__):
            module = sys.modules.get(module_name)
            if module is None:
                continue
            if vars(module).get(entity.__name__) is entity:
                return module_name, entity.__name__
            for variable, value in vars(module).items():
                if value is entity:
                    return module_name, variable
        raise WorkflowError(
            f"{entity.label} is in no variable of {entity.__module__}",
            "a task or workflow must be defined at the top level of a module",
        )

    def _only(self) -> Optional[str]:
        own = {n: e for n, e in self.entities.items() if e.__module__ == self.module.__name__}
        for kind in (Workflow, Task):
            names = list(dict((id(e), n) for n, e in own.items() if isinstance(e, kind)).values())
            if names:
                return names[0] if len(names) == 1 else None
        return None

    def _not_found(self, name: str) -> ScriptError:
        message = f"{self._shown()} has no task or workflow '{name}'"
        if not self.entities:
            hint = "it has none: mark a function with @union.task or @union.workflow"
            return ScriptError(message, hint, "entity-not-found")
        listed = ", ".join(f"{n} ({_kind(e)})" for n, e in self.entities.items())
        near = _nearest(name, list(self.entities))
        hint = f"there are: {listed}"
        return ScriptError(
            message, f"did you mean '{near}'? {hint}" if near else hint, "entity-not-found"
        )

    def _shown(self) -> str:
        return os.path.basename(self.path)


def _kind(entity: Entity) -> str:
    return "workflow" if isinstance(entity, Workflow) else "task"


def _nearest(name: str, names: List[str]) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, names, 1, 0.7)), "")


def load(path: str) -> Script:
    """Imports the script at `path`. Raises ScriptError."""
    real = _check_path(path)
    root, module_name = _source_root(real)
    if module_name.partition(".")[0] == "union":
        raise ScriptError(
            f"'{path}' hides the package union from its own import", "rename the file or folder"
        )
    if not os.access(root, os.R_OK):
        raise ScriptError(
            f"cannot list the folder '{root}', which Python imports from",
            "make it readable, or copy the script to a folder that is",
            "file-unreadable",
        )
    sys.path.insert(0, root)
    sys.argv = [path]
    _state.is_loading = True
    try:
        __import__(module_name)
    except UnionError as err:
        if isinstance(err, ScriptError):
            raise
        text = user_traceback(err)
        raise ScriptError(err.message, err.hint, err.slug, text) from None
    except SystemExit:
        hint = "put what is to run only as a script below: if __name__ == '__main__':"
        raise ScriptError(f"'{path}' called sys.exit() while it was loaded", hint) from None
    except KeyboardInterrupt:
        raise
    except BaseException as err:
        text = user_traceback(err)
        raise ScriptError(f"'{path}' does not load", "", "", text) from None
    finally:
        _state.is_loading = False
    module = sys.modules[module_name]
    if os.path.realpath(getattr(module, "__file__", None) or "") != os.path.realpath(real):
        raise ScriptError(
            f"'{path}' has the name of a module that is loaded already: {module_name}",
            "rename the file",
        )
    return Script(path, root, module)


def _check_path(path: str) -> str:
    if os.path.isdir(path):
        raise ScriptError(f"'{path}' is a directory", "name the script", "file-is-directory")
    if not os.path.exists(path):
        raise ScriptError(f"there is no script '{path}'", "", "script-missing")
    try:
        with open(path, "rb"):
            pass
    except OSError as err:
        raise ScriptError(f"cannot read '{path}': {err.strerror}", "", "file-unreadable") from None
    stem, extension = os.path.splitext(os.path.basename(path))
    if extension != ".py" or "." in stem or not stem:
        raise ScriptError(
            f"'{path}' cannot be imported by that name",
            "a script is called NAME.py, without other dots",
        )
    return os.path.abspath(path)


def _source_root(path: str) -> Tuple[str, str]:
    """Returns the folder where imports start and the script's module name, packages included."""
    folder, base = os.path.split(path)
    parts = [os.path.splitext(base)[0]]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        parts.insert(0, package)
    if len(parts) > 1 and parts[-1] == "__init__":
        parts.pop()
    return folder, ".".join(parts)
