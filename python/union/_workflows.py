"""`@union.workflow`: a function that says which tasks run and what flows between them."""

from __future__ import annotations

from . import _state
from ._arguments import refuse
from ._errors import UnionError, UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, TypeVar, overload

    from ._signature import Interface
    from ._tracing import Graph

    F = TypeVar("F", bound=Callable[..., Any])

_REFUSED: Dict[str, Any] = {
    "interruptible": (None, False),
    "on_failure": (None,),
    "pickle_untyped": (None, False),
    "default_options": (None,),
}


class WorkflowFailurePolicy:
    """What happens to the other nodes of a workflow when one has failed."""

    FAIL_IMMEDIATELY: WorkflowFailurePolicy
    """They are ended. The default."""
    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE: WorkflowFailurePolicy
    """Those that do not need the failed one still run; then the workflow fails."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: int) -> None:
        self.name = name
        self.value = value

    def __repr__(self) -> str:
        return f"<WorkflowFailurePolicy.{self.name}: {self.value}>"


for _number, _name in enumerate(("FAIL_IMMEDIATELY", "FAIL_AFTER_EXECUTABLE_NODES_COMPLETE")):
    setattr(WorkflowFailurePolicy, _name, WorkflowFailurePolicy(_name, _number))


class Workflow:
    """A function as a workflow. Called inside another workflow it becomes one node of it;
    called elsewhere it runs here and now, its tasks one after the other."""

    __name__: str
    __module__: str

    def __init__(
        self, function: Callable[..., Any], failure_policy: Optional[WorkflowFailurePolicy] = None
    ) -> None:
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(self, name, getattr(function, name, None))
        self.__wrapped__ = function
        self.failure_policy = failure_policy or WorkflowFailurePolicy.FAIL_IMMEDIATELY
        self._interface: Optional[Interface] = None
        self._graph: Optional[Graph] = None

    @property
    def label(self) -> str:
        """How messages name the workflow."""
        return f"workflow {self.__name__!r}"

    @property
    def interface(self) -> Interface:
        """Names and types of inputs and outputs. Raises what `interface_of` raises."""
        if self._interface is None:
            from ._signature import interface_of

            self._interface = interface_of(self.__wrapped__, self.label)
        return self._interface

    @property
    def graph(self) -> Graph:
        """Nodes and bindings. The function runs once for it, with promises for values."""
        if self._graph is None:
            from ._tracing import trace

            self._graph = trace(self)
        return self._graph

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if _state.tracer is not None:
            return _state.tracer.call(self, args, kwargs)
        from ._local_run import run_workflow

        return run_workflow(self, self.interface.bind(args, kwargs))

    def __repr__(self) -> str:
        return f"<union {self.label} of {self.__module__}>"


if TYPE_CHECKING:

    @overload
    def workflow(_workflow_function: F) -> F: ...

    @overload
    def workflow(
        _workflow_function: None = None,
        failure_policy: Optional[WorkflowFailurePolicy] = None,
        interruptible: bool = False,
        on_failure: None = None,
        docs: Any = None,
        pickle_untyped: bool = False,
        default_options: None = None,
    ) -> Callable[[F], F]: ...


def workflow(
    _workflow_function: Any = None,
    failure_policy: Optional[WorkflowFailurePolicy] = None,
    interruptible: Any = False,
    on_failure: Any = None,
    docs: Any = None,
    pickle_untyped: Any = False,
    default_options: Any = None,
) -> Any:
    """Makes a workflow of a function: `@union.workflow`.

    The function runs once, when the script is compiled, with promises for its inputs and for what
    tasks return; it may pass them on, put them in lists and dicts, return them, and order calls
    with `first() >> second()`.

    failure_policy: `union.WorkflowFailurePolicy`: what happens to the others when a node fails.
    docs: accepted for readers of the code.

    Every other argument is accepted with its default and refused by name with any other value.
    Raises UnsupportedError, or UnionError for a value that cannot be.
    """
    given = {
        "interruptible": interruptible,
        "on_failure": on_failure,
        "pickle_untyped": pickle_untyped,
        "default_options": default_options,
    }

    def decorate(function: Callable[..., Any]) -> Workflow:
        if not hasattr(function, "__code__") and not hasattr(function, "__wrapped__"):
            name = type(function).__name__
            raise UnsupportedError(f"@union.workflow needs a function, not {name}")
        owner = f"workflow {getattr(function, '__name__', '?')!r}"
        refuse(owner, given, _REFUSED)
        if not isinstance(failure_policy, (WorkflowFailurePolicy, type(None))):
            text = f"{owner}: failure_policy must be one of union.WorkflowFailurePolicy"
            raise UnionError(text, slug="invalid")
        return Workflow(function, failure_policy)

    return decorate if _workflow_function is None else decorate(_workflow_function)
