"""`union.UnionRemote`: start executions, wait for them, read what they returned.

    remote = union.UnionRemote(default_project="default", default_domain="development")
    execution = remote.execute(my_workflow, inputs={"rows": 10}, wait=True)
    print(execution.outputs)

Nothing is contacted before the first call. The control plane is the one that UNION_ENDPOINT, an API
key in UNION_API_KEY, or the configuration file names, else the embedded one of this user.
"""

from __future__ import annotations

import os
import time

from . import _state
from ._errors import UnionError, UnsupportedError
from ._remote_errors import (
    DeadlineError,
    DeniedError,
    ExistsError,
    InvalidRequestError,
    NotFoundError,
    RemoteError,
    UnauthenticatedError,
    UnreachableError,
)
from ._tasks import Task
from ._workflows import Workflow

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from typing import Any, Callable, Dict, List, Optional, Union

    from ._connect import Connection
    from ._signature import Interface
    from ._wire import Message

    # A decorated function is a Task or Workflow; for type checkers it is still a function.
    Entity = Union[Task, Workflow, "RemoteEntity", Callable[..., Any]]

__all__ = [
    "DeadlineError",
    "DeniedError",
    "Execution",
    "ExecutionError",
    "ExistsError",
    "InvalidRequestError",
    "NotFoundError",
    "RemoteEntity",
    "RemoteError",
    "UnauthenticatedError",
    "UnionRemote",
    "UnreachableError",
]

_TASK, _LAUNCH_PLAN = 1, 3  # ResourceType
_ADMIN = "flyteidl.service.AdminService"
_PHASES = (
    "UNDEFINED",
    "QUEUED",
    "RUNNING",
    "SUCCEEDING",
    "SUCCEEDED",
    "FAILING",
    "FAILED",
    "ABORTED",
    "TIMED_OUT",
    "ABORTING",
)
_FINAL = ("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT")
POLL_SECONDS = 1.0
"""How long `wait` pauses between two looks, at most, unless it is told."""
_PAGE = 100


class ExecutionError:
    """Why an execution failed: `code`, as in "USER:ValueError", and `message`."""

    __slots__ = ("code", "message")

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message

    def __repr__(self) -> str:
        return f"ExecutionError({self.code!r}, {self.message!r})"

    def __str__(self) -> str:
        return self.message


class ExecutionName:
    """Project, domain and name of an execution."""

    __slots__ = ("project", "domain", "name")

    def __init__(self, project: str, domain: str, name: str) -> None:
        self.project = project
        self.domain = domain
        self.name = name

    def __repr__(self) -> str:
        return f"ExecutionName({self.project!r}, {self.domain!r}, {self.name!r})"

    def message(self) -> Message:
        return {"project": self.project, "domain": self.domain, "name": self.name}


class Execution:
    """An execution as it was when last looked at; `UnionRemote.wait` and `sync` look again."""

    def __init__(self, message: Message, interface: Optional[Interface] = None) -> None:
        self._interface = interface
        self._data: Message = {}
        self._update(message)

    def _update(self, message: Message, data: Optional[Message] = None) -> None:
        identifier = message.get("id", {})
        parts = (identifier.get(name, "") for name in ("project", "domain", "name"))
        self.id = ExecutionName(*parts)
        self._entity: Message = message.get("spec", {}).get("launch_plan", {})
        self._closure: Message = message.get("closure", {})
        if data is not None:
            self._data = data

    @property
    def name(self) -> str:
        return self.id.name

    @property
    def entity_name(self) -> str:
        """Name of the task or workflow."""
        return str(self._entity.get("name", ""))

    @property
    def phase(self) -> str:
        """QUEUED, RUNNING, SUCCEEDING, FAILING, ABORTING; and at the end SUCCEEDED, FAILED, ABORTED
        or TIMED_OUT."""
        number = self._closure.get("phase", 0)
        return _PHASES[number] if 0 <= number < len(_PHASES) else "UNDEFINED"

    @property
    def is_done(self) -> bool:
        """Whether it has ended, well or not."""
        return self.phase in _FINAL

    @property
    def is_successful(self) -> bool:
        return self.phase == "SUCCEEDED"

    @property
    def error(self) -> Optional[ExecutionError]:
        """Why it failed or was aborted; None while it runs and after success."""
        error = self._closure.get("error")
        if error is not None:
            return ExecutionError(error.get("code", ""), error.get("message", ""))
        abort = self._closure.get("abort_metadata")
        if abort is not None:
            return ExecutionError("aborted", abort.get("cause", ""))
        return None

    @property
    def inputs(self) -> Dict[str, Any]:
        """Inputs by name, as Python values."""
        return self._values("full_inputs", "inputs")

    @property
    def outputs(self) -> Dict[str, Any]:
        """Outputs by name, as Python values. Raises RemoteError unless it has succeeded."""
        if not self.is_successful:
            text = f"execution {self.name} has no outputs: it is {self.phase}"
            raise RemoteError(text, "wait for it" if not self.is_done else "", "run-failed")
        return self._values("full_outputs", "outputs")

    @property
    def started_at(self) -> Optional[datetime.datetime]:
        """When it started, in UTC; None while it waits."""
        return self._moment("started_at")

    @property
    def created_at(self) -> Optional[datetime.datetime]:
        """When it was accepted, in UTC."""
        return self._moment("created_at")

    @property
    def updated_at(self) -> Optional[datetime.datetime]:
        """When it last changed, in UTC; at the end the time of its end."""
        return self._moment("updated_at")

    def _moment(self, field: str) -> Optional[datetime.datetime]:
        stamp = self._closure.get(field)
        if stamp is None:
            return None
        from ._guess import value_of

        moment: datetime.datetime = value_of({"scalar": {"primitive": {"datetime": stamp}}})
        return moment

    def _values(self, field: str, side: str) -> Dict[str, Any]:
        from ._guess import value_of

        literals = self._data.get(field, {}).get("literals", {})
        types = getattr(self._interface, side) if self._interface is not None else {}
        values = {}
        for name, literal in literals.items():
            if name in types:
                values[name] = types[name].from_literal(literal, f"{side}: {name!r}")
            else:
                values[name] = value_of(literal)
        return values

    def __repr__(self) -> str:
        return f"<execution {self.id.name} of {self.entity_name or '?'}: {self.phase}>"


class RemoteEntity:
    """A registered task or launch plan: what `fetch_task` and `fetch_launch_plan` return."""

    def __init__(self, identifier: Message, inputs: Message, parameters: Message) -> None:
        self._identifier = identifier
        self._types: Dict[str, Message] = {
            name: variable.get("type", {}) for name, variable in inputs.items()
        }
        self._parameters = parameters

    @property
    def name(self) -> str:
        return str(self._identifier.get("name", ""))

    @property
    def version(self) -> str:
        return str(self._identifier.get("version", ""))

    def __repr__(self) -> str:
        return f"<registered {self.name} {self.version}>"

    def literals(self, inputs: Dict[str, Any]) -> Message:
        """Returns inputs as the LiteralMap message, by the registered types, with defaults."""
        from ._remote_types import type_of_literal_type

        unknown = sorted(inputs.keys() - self._types.keys())
        if unknown:
            listed = ", ".join(self._types) or "none"
            text = f"{self.name} has no input {unknown[0]!r}"
            raise UnionError(text, f"inputs: {listed}", "input-unknown")
        literals = {}
        for name, literal_type in self._types.items():
            where = f"{self.name}: input {name!r}"
            if name in inputs:
                declared = type_of_literal_type(literal_type, where)
                literals[name] = declared.to_literal(inputs[name], where)
            elif "default" in self._parameters.get(name, {}):
                literals[name] = self._parameters[name]["default"]
            else:
                raise UnionError(f"{self.name} needs the input {name!r}", "", "input-missing")
        return {"literals": literals}


class UnionRemote:
    """A control plane, seen from Python. Making one contacts nobody.

    default_project, default_domain: used where a call names none. Without them
    FLYTE_DEFAULT_PROJECT and FLYTE_DEFAULT_DOMAIN, else "default" and "development".
    endpoint: unix:///path, https://host:port, or http://127.0.0.1:port; without it UNION_ENDPOINT,
    the host of the API key in UNION_API_KEY, the configuration file that `union create login`
    writes, else the embedded control plane of this user, started when needed.

    It logs in with UNION_API_KEY, or with client id and secret of the configuration, at the host
    that these were made for. The server's certificate is checked against the authorities of the
    configuration (caCertFilePath), else of SSL_CERT_FILE or the system. Proxies are not used.

    Calls raise RemoteError or one of its kinds (`union.remote`): UnreachableError, NotFoundError,
    ExistsError, InvalidRequestError, DeniedError, UnauthenticatedError, DeadlineError. An object
    belongs to one thread.
    """

    def __init__(
        self,
        config: None = None,
        default_project: Optional[str] = None,
        default_domain: Optional[str] = None,
        data_upload_location: Optional[str] = None,
        endpoint: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        refused = {"config": config, "data_upload_location": data_upload_location, **kwargs}
        for name, value in refused.items():
            if value is not None:
                raise UnsupportedError(f"UnionRemote: the argument {name!r} is not supported yet")
        get = os.environ.get
        self.default_project = default_project or get("FLYTE_DEFAULT_PROJECT") or "default"
        self.default_domain = default_domain or get("FLYTE_DEFAULT_DOMAIN") or "development"
        self._endpoint = endpoint
        self._connection: Optional[Connection] = None

    def execute(
        self,
        entity: Entity,
        inputs: Optional[Dict[str, Any]] = None,
        project: Optional[str] = None,
        domain: Optional[str] = None,
        name: Optional[str] = None,
        version: Optional[str] = None,
        wait: bool = False,
        execution_name: Optional[str] = None,
        envs: Optional[Dict[str, str]] = None,
        tags: Optional[List[str]] = None,
        **kwargs: Any,
    ) -> Execution:
        """Starts an execution and returns it, with `wait=True` after its end.

        entity: a task or workflow of a script, which is compiled and registered, or what
        `fetch_task` or `fetch_launch_plan` returned.
        inputs: Python values by name; missing ones get their defaults.
        name: of the execution (a-z, 0-9, "-", at most 63); the control plane makes one up if there
        is none. `execution_name` means the same.
        version: registers under this instead of one made from the content.
        envs: variables for the tasks.

        Raises UnionError for a script that does not compile or inputs that do not fit, RemoteError.
        """
        for argument, value in kwargs.items():
            if value is not None:
                raise UnsupportedError(f"execute: the argument {argument!r} is not supported yet")
        place = (project or self.default_project, domain or self.default_domain)
        request: Message = {
            "project": place[0],
            "domain": place[1],
            "name": name or execution_name or "",
            "spec": {
                "metadata": {"mode": 0, "principal": ""},
                "envs": {"values": [{"key": k, "value": v} for k, v in (envs or {}).items()]},
                "tags": list(tags or ()),
            },
        }
        if isinstance(entity, (Task, Workflow)):
            execution = self._execute_script(entity, inputs or {}, request, version)
        elif isinstance(entity, RemoteEntity):
            request["spec"]["launch_plan"] = entity._identifier
            request["inputs"] = entity.literals(inputs or {})
            kinds = ("ExecutionCreateRequest", "ExecutionCreateResponse")
            created = self._admin("CreateExecution", kinds[0], request, kinds[1], False)
            execution = self._fetch(created.get("id", {}), None)
        else:
            kind = type(entity).__name__
            text = f"execute needs a task, a workflow or a fetched entity, not {kind}"
            raise UnionError(text, slug="invalid")
        return self.wait(execution) if wait else execution

    def wait(
        self,
        execution: Execution,
        timeout: Union[None, float, datetime.timedelta] = None,
        poll_interval: Union[None, float, datetime.timedelta] = None,
    ) -> Execution:
        """Returns the execution when it has ended, well or not.

        timeout, poll_interval: seconds or timedelta; no limit, and at most one second, by default.
        Raises DeadlineError when it has not ended in time.
        """
        limit = _seconds(timeout)
        pause = _seconds(poll_interval)
        step = 0.05 if pause is None else pause
        end = None if limit is None else time.monotonic() + limit
        while not self.sync(execution).is_done:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                text = f"execution {execution.name} is {execution.phase} after {limit:g} seconds"
                raise DeadlineError(text, "wait again, or see: union get execution")
            time.sleep(step if left is None else min(step, left))
            if pause is None:
                step = min(step * 1.5, POLL_SECONDS)
        return execution

    def sync(self, execution: Execution) -> Execution:
        """Looks at an execution again and returns it."""
        request = {"id": execution.id.message()}
        kind = "WorkflowExecutionGetRequest"
        message = self._admin("GetExecution", kind, request, "Execution")
        data = None
        if message.get("closure", {}).get("phase", 0) in map(_PHASES.index, _FINAL):
            kinds = ("WorkflowExecutionGetDataRequest", "WorkflowExecutionGetDataResponse")
            data = self._admin("GetExecutionData", kinds[0], request, kinds[1])
        execution._update(message, data)
        return execution

    def fetch_execution(
        self, project: Optional[str] = None, domain: Optional[str] = None, name: str = ""
    ) -> Execution:
        """Returns an execution by name, with its inputs. Raises NotFoundError."""
        if not name:
            raise UnionError("fetch_execution: the argument 'name' is missing", slug="invalid")
        identifier = {
            "project": project or self.default_project,
            "domain": domain or self.default_domain,
            "name": name,
        }
        return self._fetch(identifier, None)

    def recent_executions(
        self, project: Optional[str] = None, domain: Optional[str] = None, limit: int = 100
    ) -> List[Execution]:
        """Returns executions, the newest first, at most `limit`. Inputs and outputs are fetched by
        `sync`."""
        request: Message = {
            "id": {
                "project": project or self.default_project,
                "domain": domain or self.default_domain,
            },
            "sort_by": {"key": "created_at", "direction": 0},
        }
        found: List[Execution] = []
        while len(found) < limit:
            request["limit"] = min(_PAGE, limit - len(found))
            page = self._admin("ListExecutions", "ResourceListRequest", request, "ExecutionList")
            found += [Execution(message) for message in page.get("executions", ())]
            request["token"] = page.get("token", "")
            if not request["token"]:
                break
        return found[:limit]

    def terminate(self, execution: Execution, cause: str = "") -> None:
        """Aborts an execution; what has ended stays as it is."""
        request = {"id": execution.id.message(), "cause": cause}
        kinds = ("ExecutionTerminateRequest", "ExecutionTerminateResponse")
        self._admin("TerminateExecution", kinds[0], request, kinds[1], False)

    def fetch_task(
        self,
        project: Optional[str] = None,
        domain: Optional[str] = None,
        name: str = "",
        version: str = "",
    ) -> RemoteEntity:
        """Returns a registered task. Raises NotFoundError."""
        identifier = self._identifier(_TASK, project, domain, name, version)
        task = self._admin("GetTask", "ObjectGetRequest", {"id": identifier}, "Task")
        template = task.get("closure", {}).get("compiled_task", {}).get("template", {})
        inputs = template.get("interface", {}).get("inputs", {}).get("variables", {})
        return RemoteEntity(task.get("id", identifier), inputs, {})

    def fetch_launch_plan(
        self,
        project: Optional[str] = None,
        domain: Optional[str] = None,
        name: str = "",
        version: str = "",
    ) -> RemoteEntity:
        """Returns the launch plan of a registered workflow. Raises NotFoundError."""
        identifier = self._identifier(_LAUNCH_PLAN, project, domain, name, version)
        plan = self._admin("GetLaunchPlan", "ObjectGetRequest", {"id": identifier}, "LaunchPlan")
        closure = plan.get("closure", {}).get("expected_inputs") or plan.get("spec", {}).get(
            "default_inputs", {}
        )
        parameters = closure.get("parameters", {})
        inputs = {input_name: p.get("var", {}) for input_name, p in parameters.items()}
        return RemoteEntity(plan.get("id", identifier), inputs, parameters)

    def _identifier(
        self, kind: int, project: Optional[str], domain: Optional[str], name: str, version: str
    ) -> Message:
        if not name or not version:
            missing = "version" if name else "name"
            raise UnionError(f"the argument {missing!r} is missing", slug="invalid")
        return {
            "resource_type": kind,
            "project": project or self.default_project,
            "domain": domain or self.default_domain,
            "name": name,
            "version": version,
        }

    def _fetch(self, identifier: Message, interface: Optional[Interface]) -> Execution:
        execution = self.sync(Execution({"id": identifier}, interface))
        if not execution._data:
            kinds = ("WorkflowExecutionGetDataRequest", "WorkflowExecutionGetDataResponse")
            request = {"id": execution.id.message()}
            execution._data = self._admin("GetExecutionData", kinds[0], request, kinds[1])
        return execution

    def _execute_script(
        self,
        entity: Union[Task, Workflow],
        inputs: Dict[str, Any],
        request: Message,
        version: Optional[str],
    ) -> Execution:
        if _state.is_loading:
            text = "execute was called while the script is loaded, not while it runs"
            raise UnionError(text, "put the call below: if __name__ == '__main__':", "script-error")
        from ._launch import launch

        values = entity.interface.bind((), inputs)
        request["inputs"] = entity.interface.input_literals(values)
        created = launch(self._connected(), entity, request, version)
        return self._fetch(created, entity.interface)

    def _connected(self) -> Connection:
        if self._connection is None:
            from ._connect import connect

            self._connection = connect(self._endpoint)
        return self._connection

    def _admin(
        self, method: str, kind: str, request: Message, reply_kind: str, is_harmless: bool = True
    ) -> Message:
        connection = self._connected()
        return connection.call(f"{_ADMIN}/{method}", kind, request, reply_kind, is_harmless)


def _seconds(length: Any) -> Optional[float]:
    if length is None:
        return None
    return float(length.total_seconds() if hasattr(length, "total_seconds") else length)
