"""The interface of a task or workflow, read from the signature of its function."""

from __future__ import annotations

import sys

from ._errors import TypeMismatchError, TypeUnsupportedError, UnsupportedError
from ._types import Type, evaluate, spelled, type_of, unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional, Tuple

    from ._wire import Message

_VARARGS, _VARKEYWORDS, _GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x04, 0x08, 0x20, 0x80, 0x200


class Interface:
    """Names and types of inputs and outputs, in the order of the signature.

    `owner` is how messages name it: "task 't1'". `output_class` is the NamedTuple of the outputs,
    if there is one; `is_tuple` says that the function returns a tuple even for one output.
    """

    def __init__(
        self,
        owner: str,
        inputs: Dict[str, Type],
        defaults: Dict[str, Any],
        outputs: Dict[str, Type],
        output_class: Optional[type],
        is_tuple: bool,
    ) -> None:
        self.owner = owner
        self.inputs = inputs
        self.defaults = defaults
        self.outputs = outputs
        self.output_class = output_class
        self.is_tuple = is_tuple

    def bind(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Dict[str, Any]:
        """Returns what each input gets in a call, defaults included, in order.

        Raises TypeMismatchError for too many, unknown, doubled or missing arguments.
        """
        names = list(self.inputs)
        if len(args) > len(names):
            text = f"{self.owner} takes {len(names)} inputs, not {len(args)}"
            raise TypeMismatchError(text, slug="input-type")
        given = dict(zip(names, args))
        for name, value in kwargs.items():
            if name not in self.inputs:
                listed = ", ".join(names) or "none"
                text = f"{self.owner} has no input {name!r}"
                raise TypeMismatchError(text, f"inputs: {listed}", slug="input-unknown")
            if name in given:
                raise TypeMismatchError(f"{self.owner} gets the input {name!r} twice")
            given[name] = value
        for name in names:
            if name not in given and name not in self.defaults:
                text = f"{self.owner} needs the input {name!r}"
                raise TypeMismatchError(text, slug="input-missing")
        return {name: given[name] if name in given else self.defaults[name] for name in names}

    def split(self, result: Any) -> Dict[str, Any]:
        """Returns the outputs by name from what the function returned."""
        if not self.outputs:
            return {}
        if not self.is_tuple:
            return {name: result for name in self.outputs}
        if not isinstance(result, tuple) or len(result) != len(self.outputs):
            got = f"{len(result)} values" if isinstance(result, tuple) else type(result).__name__
            text = f"{self.owner} must return a tuple of {len(self.outputs)} values, not {got}"
            raise TypeMismatchError(text, slug="task-failed")
        return dict(zip(self.outputs, result))

    def join(self, values: Dict[str, Any]) -> Any:
        """Returns outputs as the function itself would: the way back from `split`."""
        if not self.outputs:
            return None
        if not self.is_tuple:
            return next(iter(values.values()))
        ordered = [values[name] for name in self.outputs]
        return self.output_class(*ordered) if self.output_class else tuple(ordered)

    def input_literals(self, values: Dict[str, Any]) -> Message:
        """Returns Python values of inputs as the LiteralMap message."""
        inputs = self.inputs
        where = f"{self.owner}: input "
        return {
            "literals": {n: inputs[n].to_literal(v, f"{where}{n!r}") for n, v in values.items()}
        }

    def output_literals(self, values: Dict[str, Any]) -> Message:
        """Returns Python values of outputs as the LiteralMap message."""
        outputs = self.outputs
        where = f"{self.owner}: output "
        try:
            literals = {n: outputs[n].to_literal(v, f"{where}{n!r}") for n, v in values.items()}
        except TypeMismatchError as err:
            raise TypeMismatchError(err.message, err.hint, slug="task-failed") from None
        return {"literals": literals}

    def message(self) -> Message:
        """Returns the TypedInterface message."""
        return {
            "inputs": {"variables": _variables(self.inputs)},
            "outputs": {"variables": _variables(self.outputs)},
        }

    def parameters(self) -> Message:
        """Returns the ParameterMap message: each input with its default, or required."""
        parameters = {}
        for name, declared in self.inputs.items():
            parameter: Message = {"var": {"type": declared.literal_type(), "description": name}}
            if name in self.defaults:
                where = f"{self.owner}: default of input {name!r}"
                parameter["default"] = declared.to_literal(self.defaults[name], where)
            else:
                parameter["required"] = True
            parameters[name] = parameter
        return {"parameters": parameters}


def _variables(types: Dict[str, Type]) -> Message:
    return {n: {"type": declared.literal_type(), "description": n} for n, declared in types.items()}


def interface_of(function: Callable[..., Any], owner: str) -> Interface:
    """Returns the interface of a function. Wrappers that name what they wrap are looked through.

    Raises TypeUnsupportedError or UnsupportedError, naming `owner` and the parameter.
    """
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    if code is None:
        raise UnsupportedError(f"{owner} must be a function, not {type(function).__name__}")
    _refuse_kinds(code, owner)
    count = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[:count]
    annotations = function.__annotations__
    namespace = function.__globals__
    inputs = {}
    for name in names:
        where = f"{owner}: input {name!r}"
        if name not in annotations:
            raise TypeUnsupportedError(f"{where} has no type", f"write it as {name}: T")
        inputs[name] = type_of(annotations[name], namespace, where)
    positional = names[: code.co_argcount]
    defaults = dict(zip(positional[::-1], (function.__defaults__ or ())[::-1]))
    defaults.update(function.__kwdefaults__ or {})
    defaults = {name: defaults[name] for name in names if name in defaults}
    outputs, output_class, is_tuple = _outputs_of(annotations.get("return"), namespace, owner)
    return Interface(owner, inputs, defaults, outputs, output_class, is_tuple)


def _refuse_kinds(code: Any, owner: str) -> None:
    if code.co_flags & (_VARARGS | _VARKEYWORDS):
        raise UnsupportedError(f"{owner}: *args and **kwargs have no types and cannot be inputs")
    if code.co_posonlyargcount:
        name = code.co_varnames[0]
        raise UnsupportedError(f"{owner}: input {name!r} is positional-only; inputs have names")
    if code.co_flags & (_GENERATOR | _COROUTINE | _ASYNC_GENERATOR):
        raise UnsupportedError(f"{owner}: generators and async functions are not supported")


def _outputs_of(
    annotation: Any, namespace: Dict[str, Any], owner: str
) -> Tuple[Dict[str, Type], Optional[type], bool]:
    where = f"{owner}: the result"
    if isinstance(annotation, str):
        annotation = evaluate(annotation, namespace, where)
    if annotation is None or annotation is type(None):
        return {}, None, False
    if getattr(annotation, "__origin__", None) is tuple:
        members = annotation.__args__
        if not members or Ellipsis in members or members == ((),):
            raise unsupported(annotation, where)
        outputs = {}
        for i, member in enumerate(members):
            outputs[f"o{i}"] = type_of(member, namespace, f"{owner}: output 'o{i}'")
        return outputs, None, True
    if isinstance(annotation, type) and issubclass(annotation, tuple):
        return _named_outputs(annotation, namespace, owner), annotation, True
    return {"o0": type_of(annotation, namespace, f"{owner}: output 'o0'")}, None, False


def _named_outputs(output_class: type, namespace: Dict[str, Any], owner: str) -> Dict[str, Type]:
    module = sys.modules.get(output_class.__module__)
    namespace = {**namespace, **(vars(module) if module else {})}
    fields = getattr(output_class, "_fields", None)
    types = getattr(output_class, "__annotations__", {})
    if not fields or any(name not in types for name in fields):
        text = (
            f"{owner}: the result has the type {spelled(output_class)}, whose parts have no types"
        )
        raise TypeUnsupportedError(text, "use tuple[T, ...] by part, or a typing.NamedTuple")
    return {name: type_of(types[name], namespace, f"{owner}: output {name!r}") for name in fields}
