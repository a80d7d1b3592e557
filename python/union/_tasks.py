"""`@union.task`: a function that runs as a process of its own, with the secrets it asks for."""

from __future__ import annotations

from . import _state
from ._arguments import refuse
from ._errors import UnionError, UnsupportedError
from ._secrets import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    from typing import Any, Callable, Dict, List, Optional, TypeVar, Union, overload

    from ._resources import Resources
    from ._signature import Interface

    F = TypeVar("F", bound=Callable[..., Any])

RETRIES_MAX = 100
TIMEOUT_SECONDS_MAX = 365 * 24 * 60 * 60

# What an argument that is not supported may hold without changing anything.
_REFUSED: Dict[str, Any] = {
    "task_config": (None,),
    "cache": (False, None),
    "cache_version": ("", None),
    "cache_serialize": (False, None),
    "cache_ignore_input_vars": ((), None),
    "execution_mode": (None, 1),  # 1: the default behavior
    "node_dependency_hints": (None, [], ()),
    "task_resolver": (None,),
    "disable_deck": (None, True),
    "enable_deck": (None, False),
    "deck_fields": (None, ()),
    "pod_template": (None,),
    "pod_template_name": (None, ""),
    "accelerator": (None,),
    "pickle_untyped": (False, None),
    "shared_memory": (None, False),
    "labels": (None, {}),
    "annotations": (None, {}),
}


class Task:
    """A function as a task. Called inside a workflow it becomes a node, elsewhere it just runs."""

    __name__: str
    __module__: str

    def __init__(self, function: Callable[..., Any], settings: Dict[str, Any]) -> None:
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(self, name, getattr(function, name, None))
        self.__wrapped__ = function
        self.settings = settings
        self._interface: Optional[Interface] = None

    @property
    def label(self) -> str:
        """How messages name the task."""
        return f"task {self.__name__!r}"

    @property
    def interface(self) -> Interface:
        """Names and types of inputs and outputs. Raises what `interface_of` raises."""
        if self._interface is None:
            from ._signature import interface_of

            self._interface = interface_of(self.__wrapped__, self.label)
        return self._interface

    @property
    def secret_requests(self) -> List[Secret]:
        requests: List[Secret] = self.settings["secret_requests"]
        return requests

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if _state.tracer is not None:
            return _state.tracer.call(self, args, kwargs)
        return self.__wrapped__(*args, **kwargs)

    def __rshift__(self, other: Any) -> Any:
        raise UnionError(
            f"{self.label} is not called", "order calls: first() >> second()", slug="script-error"
        )

    def __repr__(self) -> str:
        return f"<union {self.label} of {self.__module__}>"


if TYPE_CHECKING:

    @overload
    def task(_task_function: F) -> F: ...

    @overload
    def task(
        _task_function: None = None,
        task_config: None = None,
        cache: bool = False,
        retries: int = 0,
        interruptible: Optional[bool] = None,
        deprecated: str = "",
        timeout: Union[datetime.timedelta, int] = 0,
        container_image: Optional[str] = None,
        environment: Optional[Dict[str, str]] = None,
        requests: Optional[Resources] = None,
        limits: Optional[Resources] = None,
        secret_requests: Optional[List[Secret]] = None,
        execution_mode: Any = None,
        node_dependency_hints: Any = None,
        task_resolver: None = None,
        docs: Any = None,
        disable_deck: Optional[bool] = None,
        enable_deck: Optional[bool] = None,
        deck_fields: Any = None,
        pod_template: None = None,
        pod_template_name: Optional[str] = None,
        accelerator: None = None,
        pickle_untyped: bool = False,
        shared_memory: Any = None,
        resources: Optional[Resources] = None,
        labels: Optional[Dict[str, str]] = None,
        annotations: Optional[Dict[str, str]] = None,
        *,
        network: Optional[str] = None,
        cache_serialize: bool = False,
        cache_version: str = "",
        cache_ignore_input_vars: Any = (),
    ) -> Callable[[F], F]: ...


def task(
    _task_function: Any = None,
    task_config: Any = None,
    cache: Any = False,
    retries: int = 0,
    interruptible: Optional[bool] = None,
    deprecated: str = "",
    timeout: Any = 0,
    container_image: Optional[str] = None,
    environment: Optional[Dict[str, str]] = None,
    requests: Optional[Resources] = None,
    limits: Optional[Resources] = None,
    secret_requests: Optional[List[Secret]] = None,
    execution_mode: Any = None,
    node_dependency_hints: Any = None,
    task_resolver: Any = None,
    docs: Any = None,
    disable_deck: Any = None,
    enable_deck: Any = None,
    deck_fields: Any = None,
    pod_template: Any = None,
    pod_template_name: Any = None,
    accelerator: Any = None,
    pickle_untyped: Any = False,
    shared_memory: Any = None,
    resources: Optional[Resources] = None,
    labels: Any = None,
    annotations: Any = None,
    *,
    network: Optional[str] = None,
    **kwargs: Any,
) -> Any:
    """Makes a task of a function: `@union.task` or `@union.task(secret_requests=[…])`.

    retries: how often an attempt is repeated (0 to 100) that raised `union.RecoverableError`, ran
    into its timeout or ended without a result. 0: the task is begun once at most.
    timeout: seconds (int) or timedelta for one attempt, at most a year; 0: no limit.
    environment: variables for the process, str to str.
    requests, limits, resources: `union.Resources`; `resources` stands for both others.
    secret_requests: list of `union.Secret`.
    network: "none" runs the task without a network; the default is the machine's.
    container_image: recorded; an engine that starts containers uses it.
    interruptible, deprecated: recorded. docs: accepted for readers of the code.

    Every other argument is accepted with its default and refused by name with any other value.
    Raises UnsupportedError, or UnionError for a value that cannot be.
    """
    given = {
        "task_config": task_config,
        "cache": cache,
        "execution_mode": execution_mode,
        "node_dependency_hints": node_dependency_hints,
        "task_resolver": task_resolver,
        "disable_deck": disable_deck,
        "enable_deck": enable_deck,
        "deck_fields": deck_fields,
        "pod_template": pod_template,
        "pod_template_name": pod_template_name,
        "accelerator": accelerator,
        "pickle_untyped": pickle_untyped,
        "shared_memory": shared_memory,
        "labels": labels,
        "annotations": annotations,
        **kwargs,
    }
    settings = {
        "retries": retries,
        "interruptible": interruptible,
        "deprecated": deprecated,
        "timeout": timeout,
        "container_image": container_image,
        "environment": environment or {},
        "requests": requests,
        "limits": limits,
        "resources": resources,
        "secret_requests": list(secret_requests or ()),
        "network": network,
    }

    def decorate(function: Callable[..., Any]) -> Task:
        if not hasattr(function, "__code__") and not hasattr(function, "__wrapped__"):
            raise UnsupportedError(f"@union.task needs a function, not {type(function).__name__}")
        owner = f"task {getattr(function, '__name__', '?')!r}"
        refuse(owner, given, _REFUSED)
        _check_settings(owner, settings)
        return Task(function, settings)

    return decorate if _task_function is None else decorate(_task_function)


def _check_settings(owner: str, settings: Dict[str, Any]) -> None:
    check_retries(owner, settings["retries"])
    if settings["timeout"] is None:
        settings["timeout"] = 0
    check_timeout(owner, settings["timeout"])
    if settings["interruptible"] not in (None, True, False):
        raise _bad(owner, "interruptible must be a bool")
    if not isinstance(settings["deprecated"], str):
        raise _bad(owner, "deprecated must be a str")
    image = settings["container_image"]
    if image is not None and not isinstance(image, str):
        raise UnsupportedError(f"{owner}: container_image must be a str; images are not built yet")
    if settings["network"] not in (None, "none"):
        raise _bad(owner, 'network must be "none", or not be given')
    _check_environment(owner, settings["environment"])
    _check_resources(owner, settings)
    for request in settings["secret_requests"]:
        if not isinstance(request, Secret):
            raise _bad(owner, "secret_requests must be a list of union.Secret")


def check_retries(owner: str, retries: Any) -> None:
    """Raises UnionError unless `retries` is a number of retries."""
    if type(retries) is not int or not 0 <= retries <= RETRIES_MAX:
        raise _bad(owner, f"retries must be an int from 0 to {RETRIES_MAX}")


def check_timeout(owner: str, timeout: Any) -> None:
    """Raises UnionError unless `timeout` is a length of time, 0 for none."""
    seconds = timeout.total_seconds() if hasattr(timeout, "total_seconds") else timeout
    if type(seconds) not in (int, float) or not 0 <= seconds <= TIMEOUT_SECONDS_MAX:
        text = f"timeout must be a timedelta or int, from 0 to {TIMEOUT_SECONDS_MAX} seconds"
        raise _bad(owner, text)


def _check_environment(owner: str, environment: Any) -> None:
    if not isinstance(environment, dict):
        raise _bad(owner, "environment must be a dict from str to str")
    for name, value in environment.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise _bad(owner, "environment must be a dict from str to str")
        if name == "" or "=" in name or "\0" in name or "\0" in value:
            raise _bad(owner, f"environment: {name!r} cannot be a variable")


def _check_resources(owner: str, settings: Dict[str, Any]) -> None:
    names = [n for n in ("requests", "limits", "resources") if settings[n] is not None]
    if not names:
        return
    from ._resources import Resources

    for name in names:
        if not isinstance(settings[name], Resources):
            raise _bad(owner, f"{name} must be union.Resources")
        if name != "resources" and settings[name].has_pair:
            raise _bad(owner, f"{name}: pairs of quantities are for resources=")
    if "resources" in names and len(names) > 1:
        raise _bad(owner, f"give either resources or {names[0]}, not both")


def _bad(owner: str, text: str) -> UnionError:
    return UnionError(f"{owner}: {text}", slug="invalid")
