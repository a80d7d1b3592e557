"""Runs a workflow function with promises for values and records the graph that results.

A `Promise` stands for one output of a node, or for an input of the workflow (node None). Node ids
are n0, n1, … in the order of the calls. Constants become literals here, so that a value of a wrong
type is found when the script is compiled.
"""

from __future__ import annotations

from . import _state
from ._errors import TypeMismatchError, UnsupportedError, WorkflowError
from ._tasks import Task, check_retries, check_timeout
from ._types import NOTHING, Dict_, List, Optional_, Type
from ._workflows import Workflow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, NoReturn, Optional, Tuple, Union

    from ._signature import Interface
    from ._wire import Message

    Entity = Union[Task, Workflow]

NODES_MAX = 1000
"""Nodes in one workflow; the control plane counts those of sub-workflows too."""

_WHY = "a workflow is a plan: its function runs before any task does, so there is no value yet"


class Promise:
    """A value that a node will have, or that the workflow will get. It can only be passed on."""

    __slots__ = ("_node", "_var", "_type", "_owner")

    def __init__(self, node: Optional[Node], var: str, type_: Type, owner: str) -> None:
        self._node = node
        self._var = var
        self._type = type_
        self._owner = owner

    def __repr__(self) -> str:
        if self._node is None:
            return f"<input {self._var!r} of {self._owner}>"
        return f"<output {self._var!r} of {self._node.entity.label}>"

    def __rshift__(self, other: Any) -> Any:
        return _order(self._node, other, self)

    def with_overrides(self, **overrides: Any) -> Promise:
        """Sets name, retries or timeout for this one call; others are refused by name."""
        _override(self._node, overrides)
        return self

    def _refuse(self, what: str) -> WorkflowError:
        text = f"{self!r} cannot be {what} in {self._owner}: {_WHY}"
        return WorkflowError(text, "do it in a task, and pass the value to that task")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._refuse(f"asked for its attribute {name!r}")

    # Equality by identity keeps promises usable as keys; comparing two of them is refused below.
    __hash__ = object.__hash__


def _refusal(what: str) -> Any:
    def method(self: Promise, *args: Any) -> NoReturn:
        raise self._refuse(what)

    return method


def _refuse_operators() -> None:
    kinds = {
        "used in a condition": "bool",
        "iterated over": "iter next reversed contains len",
        "indexed": "getitem setitem delitem",
        "compared": "eq ne lt le gt ge",
        "called": "call",
        "used as a context": "enter exit",
        "turned into a number or text": "int float complex index round bytes format",
        "computed with": (
            "add sub mul matmul truediv floordiv mod divmod pow lshift and or xor radd rsub rmul "
            "rmatmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift rand ror rxor iadd isub "
            "imul imatmul itruediv ifloordiv imod ipow ilshift irshift iand ior ixor neg pos abs "
            "invert"
        ),
    }
    for what, names in kinds.items():
        for name in names.split():
            setattr(Promise, f"__{name}__", _refusal(what))
    setattr(Promise, "__str__", _refusal("turned into a number or text"))


_refuse_operators()


class Outputs(tuple):  # type: ignore[type-arg]
    """The promises of a call with several outputs; those of a NamedTuple also by name."""

    _node: Node

    def __rshift__(self, other: Any) -> Any:
        return _order(self._node, other, self)

    def with_overrides(self, **overrides: Any) -> Outputs:
        """Sets name, retries or timeout for this one call; others are refused by name."""
        _override(self._node, overrides)
        return self

    def __getattr__(self, name: str) -> NoReturn:
        names = list(self._node.interface.outputs)
        raise AttributeError(f"{self._node.entity.label} has no output {name!r}: {names}")


class NoOutput:
    """What a call without outputs gives: good for ordering with >> and for nothing else."""

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def __rshift__(self, other: Any) -> Any:
        return _order(self._node, other, self)

    def with_overrides(self, **overrides: Any) -> NoOutput:
        """Sets name, retries or timeout for this one call; others are refused by name."""
        _override(self._node, overrides)
        return self

    def __repr__(self) -> str:
        return f"<no output of {self._node.entity.label}>"


class Node:
    """One call in a workflow: what is called, what it gets, what must run before it."""

    def __init__(self, id_: str, entity: Entity, inputs: Dict[str, Binding]) -> None:
        self.id = id_
        self.entity = entity
        self.inputs = inputs
        self.overrides: Dict[str, Any] = {}
        self.after: Dict[Node, None] = {}  # a set that keeps its order
        for binding in inputs.values():
            for promise in binding.promises():
                if promise._node is not None:
                    self.after[promise._node] = None

    @property
    def interface(self) -> Interface:
        return self.entity.interface


class Binding:
    """What an input gets, by declared type: a promise, a constant, or a list or dict with
    promises in it. Exactly one of the four is set."""

    __slots__ = ("type", "promise", "literal", "items", "members")

    def __init__(self, type_: Type) -> None:
        self.type = type_
        self.promise: Optional[Promise] = None
        self.literal: Optional[Message] = None
        self.items: Optional[list[Binding]] = None
        self.members: Optional[dict[str, Binding]] = None

    def promises(self) -> list[Promise]:
        """Returns every promise in it."""
        if self.promise is not None:
            return [self.promise]
        parts = list(self.items or ()) + list((self.members or {}).values())
        return [promise for part in parts for promise in part.promises()]


class Graph:
    """A traced workflow: nodes in the order of the calls, and a binding for each output."""

    def __init__(self, nodes: list[Node], outputs: Dict[str, Binding]) -> None:
        self.nodes = nodes
        self.outputs = outputs

    def ordered(self) -> list[Node]:
        """Returns the nodes so that each stands after all it needs."""
        done: Dict[Node, None] = {}
        waiting = list(self.nodes)
        while waiting:
            ready = [node for node in waiting if all(before in done for before in node.after)]
            done.update(dict.fromkeys(ready))
            waiting = [node for node in waiting if node not in done]
        return list(done)


class Tracer:
    """Collects the calls that a workflow function makes."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.nodes: list[Node] = []

    def call(self, entity: Entity, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        """Records a call of a task or workflow and returns promises for its outputs."""
        if len(self.nodes) == NODES_MAX:
            raise WorkflowError(f"{self.owner} has more than {NODES_MAX} nodes")
        interface = entity.interface
        values = interface.bind(args, kwargs)
        inputs = {}
        for name, value in values.items():
            where = f"{entity.label}: input {name!r}"
            inputs[name] = self.bind(value, interface.inputs[name], where)
        node = Node(f"n{len(self.nodes)}", entity, inputs)
        self.nodes.append(node)
        return self._promises(node)

    def _promises(self, node: Node) -> Any:
        outputs = node.interface.outputs
        if not outputs:
            return NoOutput(node)
        promises = [Promise(node, name, type_, self.owner) for name, type_ in outputs.items()]
        if not node.interface.is_tuple:
            return promises[0]
        named = node.interface.output_class
        # The class of the task's own comes first: its field may be called "count".
        kind = type(named.__name__, (named, Outputs), {}) if named else Outputs
        result: Outputs = tuple.__new__(kind, promises)
        result._node = node
        return result

    def bind(self, value: Any, type_: Type, where: str) -> Binding:
        """Returns the binding of a constant, a promise, or a list or dict that has promises."""
        binding = Binding(type_)
        inner = type_.item if isinstance(type_, Optional_) else type_
        if isinstance(value, Promise):
            self._check_promise(value, type_, where)
            binding.promise = value
        elif isinstance(value, NoOutput):
            raise TypeMismatchError(f"{where} gets the result of {value!r}")
        elif isinstance(value, Outputs):
            raise TypeMismatchError(
                f"{where} gets all outputs of {value._node.entity.label}",
                "unpack them: a, b = …",
            )
        elif isinstance(inner, List) and isinstance(value, list) and _has_promise(value):
            items = enumerate(value)
            binding.items = [self.bind(v, inner.item, f"{where}[{i}]") for i, v in items]
        elif isinstance(inner, Dict_) and isinstance(value, dict) and _has_promise(value):
            members = inner.check(value, where).items()
            binding.members = {k: self.bind(v, inner.item, f"{where}[…]") for k, v in members}
        else:
            binding.literal = type_.to_literal(value, where)
        return binding

    def _check_promise(self, promise: Promise, wanted: Type, where: str) -> None:
        if promise._owner != self.owner or (
            promise._node is not None and promise._node not in self.nodes
        ):
            raise WorkflowError(f"{where} gets {promise!r}, which belongs to {promise._owner}")
        if not wanted.accepts(promise._type):
            raise TypeMismatchError(
                f"{where} must be {wanted.name}, not {promise._type.name} ({promise!r})"
            )


def _has_promise(value: Any) -> bool:
    if isinstance(value, (Promise, Outputs, NoOutput)):
        return True
    if isinstance(value, list):
        return any(_has_promise(item) for item in value)
    if isinstance(value, dict):
        return any(_has_promise(item) for item in value.values())
    return False


def _override(node: Optional[Node], overrides: Dict[str, Any]) -> None:
    if node is None or not isinstance(node.entity, Task):
        raise UnsupportedError("with_overrides is supported for calls of tasks only")
    owner = f"{node.entity.label}: with_overrides"
    if "node_name" in overrides:
        overrides["name"] = overrides.pop("node_name")
    for name, value in overrides.items():
        if name not in ("name", "retries", "timeout") and value is not None:
            raise UnsupportedError(f"{owner}: the argument {name!r} is not supported yet")
    given = {name: value for name, value in overrides.items() if value is not None}
    if not isinstance(given.get("name", ""), str):
        raise TypeMismatchError(f"{owner}: name must be a str")
    if "retries" in given:
        check_retries(owner, given["retries"])
    if "timeout" in given:
        check_timeout(owner, given["timeout"])
    node.overrides.update(given)


def _order(first: Optional[Node], other: Any, shown: Any) -> Any:
    is_call = isinstance(other, (Promise, Outputs, NoOutput))
    second = other._node if is_call else None
    if first is None or second is None:
        raise WorkflowError(f"{shown!r} >> {other!r}: both sides of >> must be calls of tasks")
    if _reaches(second, first):
        text = f"{first.entity.label} >> {second.entity.label} would make a circle"
        raise WorkflowError(text)
    second.after[first] = None
    return other


def _reaches(start: Node, goal: Node) -> bool:
    """Whether `start` is `goal` or must run before it."""
    seen = {goal}
    waiting = [goal]
    while waiting:
        node = waiting.pop()
        if node is start:
            return True
        fresh = [before for before in node.after if before not in seen]
        seen.update(fresh)
        waiting.extend(fresh)
    return False


_open: list[Workflow] = []


def trace(workflow: Workflow) -> Graph:
    """Returns the graph of a workflow. Raises what its function raises, and WorkflowError or
    TypeMismatchError for what a plan cannot say."""
    if workflow in _open:
        raise WorkflowError(f"{workflow.label} calls itself")
    interface = workflow.interface
    tracer = Tracer(workflow.label)
    inputs = {n: Promise(None, n, type_, tracer.owner) for n, type_ in interface.inputs.items()}
    outer, _state.tracer = _state.tracer, tracer
    _open.append(workflow)
    try:
        result = workflow.__wrapped__(**inputs)
        for node in tracer.nodes:
            if isinstance(node.entity, Workflow):
                node.entity.graph  # noqa: B018 - traced now, so that its errors come now
    finally:
        _open.pop()
        _state.tracer = outer
    return Graph(tracer.nodes, _bind_outputs(tracer, interface, result))


def _bind_outputs(tracer: Tracer, interface: Interface, result: Any) -> Dict[str, Binding]:
    if not interface.outputs:
        if result is not None and not isinstance(result, NoOutput):
            text = f"{tracer.owner} returns a value but declares none"
            raise WorkflowError(text, "add the type of the result: def …() -> T")
        return {}
    if interface.is_tuple and isinstance(result, Promise):
        raise TypeMismatchError(
            f"{tracer.owner} must return {len(interface.outputs)} values, not one"
        )
    if result is None or isinstance(result, NoOutput):
        for name, type_ in interface.outputs.items():
            if not type_.accepts(NOTHING):
                raise TypeMismatchError(f"{tracer.owner} returns nothing for its output {name!r}")
    bindings = {}
    for name, value in interface.split(result).items():
        where = f"{tracer.owner}: output {name!r}"
        bindings[name] = tracer.bind(value, interface.outputs[name], where)
    return bindings
