"""CPU and memory that a task asks for."""

from __future__ import annotations

from ._errors import UnionError, UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional, Sequence, Tuple, Union

    from ._wire import Message

    Cpu = Union[str, int, float]
    Mem = Union[str, int]

_CPU, _MEMORY = 1, 3  # Resources.ResourceName
_SUFFIXES = ("", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


class Resources:
    """What a task asks for: `Resources(cpu="500m", mem="2Gi")`.

    cpu: number of cores; "500m" and 0.5 are half a core.
    mem: bytes; text may end in k, M, G, T, P, E (powers of 1000) or Ki … Ei (powers of 1024).
    As `resources=` of a task each may be a pair: what is asked for, and the limit.

    Raises UnionError for what is not a quantity, UnsupportedError for gpu and ephemeral_storage.
    """

    __slots__ = ("cpu", "mem")

    def __init__(
        self,
        cpu: Union[None, Cpu, Sequence[Cpu]] = None,
        mem: Union[None, Mem, Sequence[Mem]] = None,
        gpu: Any = None,
        ephemeral_storage: Any = None,
    ) -> None:
        for name, value in (("gpu", gpu), ("ephemeral_storage", ephemeral_storage)):
            if value is not None:
                raise UnsupportedError(f"Resources: the argument {name!r} is not supported yet")
        self.cpu = _checked("cpu", cpu, ("", "m"))
        self.mem = _checked("mem", mem, _SUFFIXES)

    def __repr__(self) -> str:
        return f"Resources(cpu={self.cpu!r}, mem={self.mem!r})"

    @property
    def has_pair(self) -> bool:
        """Whether a part is a pair of request and limit."""
        return isinstance(self.cpu, tuple) or isinstance(self.mem, tuple)

    def entries(self, which: int = 0) -> List[Message]:
        """Returns ResourceEntry messages; of pairs the first (0) or second (1) part."""
        entries = []
        for name, value in ((_CPU, self.cpu), (_MEMORY, self.mem)):
            part = value[which] if isinstance(value, tuple) else value
            if part is not None:
                entries.append({"name": name, "value": part})
        return entries


def _checked(name: str, value: Any, suffixes: Tuple[str, ...]) -> Union[None, str, Tuple[str, ...]]:
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        if len(value) != 2:
            raise UnionError(f"Resources: {name} must be one quantity or a pair", slug="invalid")
        return tuple(_quantity(name, part, suffixes) for part in value)
    return _quantity(name, value, suffixes)


def _quantity(name: str, value: Any, suffixes: Tuple[str, ...]) -> str:
    text = str(value)
    number = text.rstrip("kKMGTPEim")
    is_number = number.replace(".", "", 1).isdecimal() and number.isascii()
    is_kind = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    if not is_kind or not is_number or text[len(number) :] not in suffixes:
        hint = 'for example cpu="500m", mem="2Gi"'
        raise UnionError(f"Resources: {name}={value!r} is not a quantity", hint, slug="invalid")
    return text


def container_resources(
    requests: Optional[Resources], limits: Optional[Resources], both: Optional[Resources]
) -> Message:
    """Returns the Resources message of a container."""
    if both is not None:
        return {"requests": both.entries(0), "limits": both.entries(1)}
    message: Message = {}
    if requests is not None:
        message["requests"] = requests.entries()
    if limits is not None:
        message["limits"] = limits.entries()
    return message
