"""Turns tasks and workflows into the messages that a control plane registers."""

from __future__ import annotations

import sys

from ._schema_api import LAUNCH_PLAN, TASK, WORKFLOW
from ._tasks import Task
from ._workflows import Workflow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Union

    from ._tracing import Binding, Graph, Node
    from ._wire import Message

    Entity = Union[Task, Workflow]

# -m would cost five milliseconds at every start (runpy imports half the library). The current
# folder leaves the path first: a script of the bundle must not stand in for a module of Python.
_START = "import sys; sys.path[:] = filter(None, sys.path); from union.execute import main; main()"


class Compiler:
    """Collects the messages of every task and workflow that an entity reaches, each once.

    `names` says under which module and variable each entity is found (`_script.locate`).
    """

    def __init__(self, project: str, domain: str, names: Any) -> None:
        self.project = project
        self.domain = domain
        self.names = names
        self.tasks: Dict[str, Message] = {}
        self.workflows: Dict[str, Message] = {}
        self.launch_plans: Dict[str, Message] = {}
        self.notes: List[str] = []
        self._references: List[Message] = []

    def add(self, entity: Entity) -> Message:
        """Adds an entity and all it calls. Returns the Identifier of what to execute."""
        if isinstance(entity, Task):
            return self._add_task(entity)
        self._add_workflow(entity)
        name = self._name(entity)
        if name not in self.launch_plans:
            spec = {
                "workflow_id": self._id(WORKFLOW, name),
                "entity_metadata": {},
                "default_inputs": entity.interface.parameters(),
                "fixed_inputs": {},
            }
            self.launch_plans[name] = {"id": self._id(LAUNCH_PLAN, name), "spec": spec}
        return self._id(LAUNCH_PLAN, name)

    def set_version(self, version: str) -> None:
        """Writes the version, which is made from all that is here, into every identifier."""
        for reference in self._references:
            reference["version"] = version

    def _name(self, entity: Entity) -> str:
        module, variable = self.names(entity)
        return f"{module}.{variable}"

    def _id(self, kind: int, name: str) -> Message:
        identifier: Message = {
            "resource_type": kind,
            "project": self.project,
            "domain": self.domain,
            "name": name,
        }
        self._references.append(identifier)
        return identifier

    def _add_task(self, task: Task) -> Message:
        name = self._name(task)
        if name not in self.tasks:
            self._check_defaults(task)
            template = self._task_template(task, name)
            self.tasks[name] = {"id": self._id(TASK, name), "spec": {"template": template}}
        return self._id(TASK, name)

    def _check_defaults(self, entity: Entity) -> None:
        entity.interface.parameters()  # converts every default, and so checks its type

    def _task_template(self, task: Task, name: str) -> Message:
        from . import __version__

        settings = task.settings
        metadata: Message = {
            "runtime": {"type": 1, "version": __version__, "flavor": "python"},
            "retries": {"retries": settings["retries"]},
            "deprecated_error_message": settings["deprecated"],
        }
        timeout = _timeout(settings["timeout"])
        if timeout:
            metadata["timeout"] = timeout
        if settings["interruptible"] is not None:
            metadata["interruptible"] = settings["interruptible"]
        template: Message = {
            "id": self._id(TASK, name),
            "type": "python-task",
            "metadata": metadata,
            "interface": task.interface.message(),
            "container": self._container(task),
        }
        if settings["network"] is not None:
            template["config"] = {"network": settings["network"]}
        if task.secret_requests:
            secrets = [request.message() for request in task.secret_requests]
            template["security_context"] = {"secrets": secrets}
        return template

    def _container(self, task: Task) -> Message:
        module, variable = self.names(task)
        settings = task.settings
        args = [sys.executable or "python3", "-c", _START]
        args += ["--inputs", "{{.input}}", "--output-prefix", "{{.outputPrefix}}"]
        args += ["--task-module", module, "--task-name", variable]
        container: Message = {
            "image": settings["container_image"] or "",
            "args": args,
            "env": [{"key": k, "value": v} for k, v in settings["environment"].items()],
        }
        if any(settings[name] is not None for name in ("requests", "limits", "resources")):
            from ._resources import container_resources

            parts = (settings["requests"], settings["limits"], settings["resources"])
            container["resources"] = container_resources(*parts)
        return container

    def _add_workflow(self, workflow: Workflow) -> None:
        name = self._name(workflow)
        if name in self.workflows:
            return
        graph = workflow.graph
        self._check_defaults(workflow)
        template = self._workflow_template(workflow, name, graph)
        reached: Dict[str, Message] = {}
        self._collect(graph, reached)
        spec = {"template": template, "sub_workflows": list(reached.values())}
        self.workflows[name] = {"id": self._id(WORKFLOW, name), "spec": spec}

    def _collect(self, graph: Graph, reached: Dict[str, Message]) -> None:
        """Adds the templates of all workflows called below a graph, however deep, each once."""
        for node in graph.nodes:
            if isinstance(node.entity, Task):
                self._add_task(node.entity)
                continue
            name = self._name(node.entity)
            if name not in reached:
                reached[name] = self._workflow_template(node.entity, name, node.entity.graph)
                self._collect(node.entity.graph, reached)

    def _workflow_template(self, workflow: Workflow, name: str, graph: Graph) -> Message:
        return {
            "id": self._id(WORKFLOW, name),
            "metadata": {"on_failure": workflow.failure_policy.value},
            "interface": workflow.interface.message(),
            "nodes": [self._node(node) for node in graph.nodes],
            "outputs": _bindings(graph.outputs),
            "metadata_defaults": {},
        }

    def _node(self, node: Node) -> Message:
        name = self._name(node.entity)
        before = sorted(node.after, key=lambda other: int(other.id[1:]))
        message: Message = {
            "id": node.id,
            "metadata": {"name": node.entity.__name__, **_node_metadata(node.overrides)},
            "inputs": _bindings(node.inputs),
            "upstream_node_ids": [other.id for other in before],
        }
        if isinstance(node.entity, Task):
            message["task_node"] = {"reference_id": self._id(TASK, name)}
        else:
            message["workflow_node"] = {"sub_workflow_ref": self._id(WORKFLOW, name)}
        return message


def _node_metadata(overrides: Dict[str, Any]) -> Message:
    """Returns what `with_overrides` set, as fields of NodeMetadata."""
    metadata: Message = {}
    if "name" in overrides:
        metadata["name"] = overrides["name"]
    if "retries" in overrides:
        metadata["retries"] = {"retries": overrides["retries"]}
    if "timeout" in overrides:
        metadata["timeout"] = _timeout(overrides["timeout"])
    return metadata


def _timeout(timeout: Any) -> Message:
    if not timeout:
        return {}
    import datetime

    from ._times import duration

    if not isinstance(timeout, datetime.timedelta):
        timeout = datetime.timedelta(seconds=timeout)
    return duration(timeout)


def _bindings(bindings: Dict[str, Binding]) -> List[Message]:
    return [{"var": name, "binding": _binding(binding)} for name, binding in bindings.items()]


def _binding(binding: Binding) -> Message:
    promise = binding.promise
    if promise is not None:
        node_id = "" if promise._node is None else promise._node.id
        return {"promise": {"node_id": node_id, "var": promise._var}}
    if binding.items is not None:
        return {"collection": {"bindings": [_binding(item) for item in binding.items]}}
    if binding.members is not None:
        members = {key: _binding(item) for key, item in binding.members.items()}
        return {"map": {"bindings": members}}
    return _literal_binding(binding.literal or {})


def _literal_binding(literal: Message) -> Message:
    """Returns a constant as a binding, which has lists and dicts of its own."""
    if "collection" in literal:
        items = literal["collection"]["literals"]
        return {"collection": {"bindings": [_literal_binding(item) for item in items]}}
    if "map" in literal:
        items = literal["map"]["literals"].items()
        return {"map": {"bindings": {key: _literal_binding(item) for key, item in items}}}
    return {"scalar": literal["scalar"]}
