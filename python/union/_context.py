"""What a task can learn about where it runs."""

from __future__ import annotations

import os

from ._errors import UnsupportedError
from ._secrets import SecretsManager, is_local

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime
    import logging

_UNSUPPORTED = (
    "stats",
    "checkpoint",
    "decks",
    "default_deck",
    "timeline_deck",
    "raw_output_prefix",
    "output_metadata_prefix",
)


class ExecutionId:
    """Which execution this is. In a local run the name is "local"."""

    __slots__ = ("project", "domain", "name")

    def __init__(self, project: str, domain: str, name: str) -> None:
        self.project = project
        self.domain = domain
        self.name = name

    def __repr__(self) -> str:
        return f"ExecutionId({self.project!r}, {self.domain!r}, {self.name!r})"

    def __str__(self) -> str:
        return f"{self.project}:{self.domain}:{self.name}"


class TaskId:
    """Which registered task this is. All parts are "" in a local run."""

    __slots__ = ("project", "domain", "name", "version")

    def __init__(self, project: str, domain: str, name: str, version: str) -> None:
        self.project = project
        self.domain = domain
        self.name = name
        self.version = version

    def __repr__(self) -> str:
        return f"TaskId({self.project!r}, {self.domain!r}, {self.name!r}, {self.version!r})"


class Context:
    """The surroundings of the code that runs now; `union.current_context()` returns it."""

    __slots__ = ()

    @property
    def secrets(self) -> SecretsManager:
        """The secrets that the task asked for with `secret_requests`."""
        return SecretsManager()

    @property
    def execution_id(self) -> ExecutionId:
        """Project, domain and name of the execution."""
        get = os.environ.get
        return ExecutionId(
            get("FLYTE_INTERNAL_EXECUTION_PROJECT") or get("FLYTE_DEFAULT_PROJECT") or "default",
            get("FLYTE_INTERNAL_EXECUTION_DOMAIN") or get("FLYTE_DEFAULT_DOMAIN") or "development",
            get("FLYTE_INTERNAL_EXECUTION_ID", "local"),
        )

    @property
    def task_id(self) -> TaskId:
        """Project, domain, name and version of the task."""
        fields = ("PROJECT", "DOMAIN", "NAME", "VERSION")
        return TaskId(*(os.environ.get(f"FLYTE_INTERNAL_TASK_{field}", "") for field in fields))

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 0."""
        number = os.environ.get("FLYTE_ATTEMPT_NUMBER", "0")
        return int(number) if number.isdecimal() else 0

    @property
    def is_local(self) -> bool:
        """Whether the script runs in the current Python and not in an execution."""
        return is_local()

    @property
    def working_directory(self) -> str:
        """A folder that the task may write to."""
        return os.getcwd()

    @property
    def execution_date(self) -> datetime.datetime:
        """The time now, in UTC."""
        import datetime

        return datetime.datetime.now(datetime.timezone.utc)

    @property
    def logging(self) -> logging.Logger:
        """A logger called "union"; what it writes to stderr is part of the task's log."""
        import logging

        return logging.getLogger("union")

    def __getattr__(self, name: str) -> object:
        if name in _UNSUPPORTED:
            raise UnsupportedError(f"current_context().{name} is not supported yet")
        raise AttributeError(f"the context has no {name!r}")


def current_context() -> Context:
    """Returns the surroundings of the code that runs now: secrets, execution_id and more."""
    return Context()
