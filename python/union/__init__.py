"""Tasks, workflows and the secrets they ask for.

    import union

    @union.task(secret_requests=[union.Secret(key="my_secret")])
    def t1() -> int:
        return len(union.current_context().secrets.get(key="my_secret"))

    @union.workflow
    def main() -> int:
        return t1()

Needs nothing but Python 3.9 or later. Parts are loaded when they are first used: a task process
loads only what its task touches.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._context import Context as Context
    from ._context import ExecutionId as ExecutionId
    from ._context import TaskId as TaskId
    from ._context import current_context as current_context
    from ._errors import FlyteRecoverableException as FlyteRecoverableException
    from ._errors import RecoverableError as RecoverableError
    from ._errors import SecretError as SecretError
    from ._errors import TypeMismatchError as TypeMismatchError
    from ._errors import TypeUnsupportedError as TypeUnsupportedError
    from ._errors import UnionError as UnionError
    from ._errors import UnsupportedError as UnsupportedError
    from ._errors import WorkflowError as WorkflowError
    from ._resources import Resources as Resources
    from ._secrets import Secret as Secret
    from ._tasks import Task as Task
    from ._tasks import task as task
    from ._workflows import Workflow as Workflow
    from ._workflows import WorkflowFailurePolicy as WorkflowFailurePolicy
    from ._workflows import workflow as workflow
    from .remote import UnionRemote as UnionRemote

_PLACES = {
    "Context": "_context",
    "ExecutionId": "_context",
    "TaskId": "_context",
    "current_context": "_context",
    "FlyteRecoverableException": "_errors",
    "RecoverableError": "_errors",
    "SecretError": "_errors",
    "TypeMismatchError": "_errors",
    "TypeUnsupportedError": "_errors",
    "UnionError": "_errors",
    "UnsupportedError": "_errors",
    "WorkflowError": "_errors",
    "Resources": "_resources",
    "Secret": "_secrets",
    "Task": "_tasks",
    "task": "_tasks",
    "Workflow": "_workflows",
    "WorkflowFailurePolicy": "_workflows",
    "workflow": "_workflows",
    "UnionRemote": "remote",
}

# Names of this interface that other implementations have and this one does not, yet.
_MISSING = frozenset(
    (
        "ActorEnvironment", "Artifact", "Cache", "CachePolicy", "ContainerTask", "CronSchedule",
        "Deck", "FixedRate", "FlyteDirectory", "FlyteFile", "ImageSpec", "LaunchPlan",
        "PodTemplate", "StructuredDataset", "VersionParameters", "actor_cache", "approve",
        "conditional", "dynamic", "eager", "map", "map_task", "reference_launch_plan",
        "reference_task", "reference_workflow", "sleep", "wait_for_input",
    )
)  # fmt: skip

__all__ = [*_PLACES, "__version__"]


def __getattr__(name: str) -> object:
    place = _PLACES.get(name)
    if place is not None:
        value = getattr(__import__(f"{__name__}.{place}", fromlist=["*"]), name)
        globals()[name] = value
        return value
    if name in _MISSING:
        from ._errors import UnsupportedError

        raise UnsupportedError(f"union.{name} is not supported yet")
    raise AttributeError(f"module 'union' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
