"""Runs tasks and workflows in the current Python, with the same conversions as an execution:
every value between two tasks becomes a literal and back."""

from __future__ import annotations

import os

from ._workflows import Workflow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Union

    from ._tasks import Task
    from ._tracing import Binding, Node
    from ._wire import Message

    Literals = Dict[str, Message]


def run_workflow(workflow: Workflow, values: Dict[str, Any]) -> Any:
    """Returns what the workflow returns, as Python values. `values` are its inputs by name."""
    interface = workflow.interface
    outputs = run(workflow, interface.input_literals(values)["literals"])
    return interface.join(from_literals(interface.outputs, outputs, f"{workflow.label}: output "))


def run(entity: Union[Task, Workflow], inputs: Literals) -> Literals:
    """Returns the outputs of a task or workflow as literals by name.

    Missing inputs get their defaults. Raises what the tasks raise, and TypeMismatchError.
    """
    interface = entity.interface
    given = from_literals(interface.inputs, inputs, f"{entity.label}: input ")
    values = interface.bind((), given)
    if isinstance(entity, Workflow):
        return _run_graph(entity, interface.input_literals(values)["literals"])
    with _Environment(entity.settings["environment"]):
        result = entity.__wrapped__(**values)
    note_dropped(entity, result)
    outputs: Literals = interface.output_literals(interface.split(result))["literals"]
    return outputs


def from_literals(types: Dict[str, Any], literals: Literals, where: str) -> Dict[str, Any]:
    """Returns Python values for those literals whose names are declared."""
    declared = [name for name in types if name in literals]
    return {n: types[n].from_literal(literals[n], f"{where}{n!r}") for n in declared}


def note_dropped(entity: Task, result: Any) -> None:
    """Says on stderr that a result is lost because the signature declares none."""
    if result is None or entity.interface.outputs:
        return
    import sys

    kind = type(result).__name__
    text = f"note: {entity.label} returned a value ({kind}) but declares no result; add '-> {kind}'"
    print(f"union: {text}", file=sys.stderr)


def _run_graph(workflow: Workflow, inputs: Literals) -> Literals:
    graph = workflow.graph
    done: Dict[Node, Literals] = {}
    for node in graph.ordered():
        given = {name: _resolve(b, inputs, done) for name, b in node.inputs.items()}
        done[node] = run(node.entity, given)
    return {name: _resolve(b, inputs, done) for name, b in graph.outputs.items()}


def _resolve(binding: Binding, inputs: Literals, done: Dict[Node, Literals]) -> Message:
    if binding.promise is not None:
        node = binding.promise._node
        return (inputs if node is None else done[node])[binding.promise._var]
    if binding.items is not None:
        return {"collection": {"literals": [_resolve(b, inputs, done) for b in binding.items]}}
    if binding.members is not None:
        members = {k: _resolve(b, inputs, done) for k, b in binding.members.items()}
        return {"map": {"literals": members}}
    assert binding.literal is not None
    return binding.literal


class _Environment:
    """Sets variables for the time of a `with` block."""

    def __init__(self, variables: Dict[str, str]) -> None:
        self.variables = variables
        self.before: Dict[str, Any] = {}

    def __enter__(self) -> None:
        self.before = {name: os.environ.get(name) for name in self.variables}
        os.environ.update(self.variables)

    def __exit__(self, *_: Any) -> None:
        for name, value in self.before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
