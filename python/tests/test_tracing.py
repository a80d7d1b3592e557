"""What a workflow function turns into, and what it cannot do."""

import typing
import unittest
from typing import Dict, List, Optional, Tuple

import union
from union._local_run import run_workflow
from union._templates import Compiler


class Pair(typing.NamedTuple):
    total: int
    text: str


@union.task
def one() -> int:
    return 1


@union.task
def add(a: int, b: int = 10) -> int:
    return a + b


@union.task
def split(n: int) -> Tuple[int, str]:
    return n, str(n)


@union.task
def named(n: int) -> Pair:
    return Pair(n, str(n))


@union.task
def both(numbers: List[int], table: Dict[str, int]) -> int:
    return sum(numbers) + sum(table.values())


@union.task
def maybe(n: Optional[int] = None) -> Optional[int]:
    return n


@union.task
def silent() -> None:
    pass


@union.task
def half(x: float) -> float:
    return x / 2


def graph_of(function):
    return union.workflow(function).graph


def templates_of(workflow, **names):
    """Returns the WorkflowTemplate of a workflow; entities are found by their own names."""
    compiler = Compiler("p", "d", lambda entity: ("m", entity.__name__))
    compiler.add(workflow)
    return compiler.workflows[f"m.{workflow.__name__}"]["spec"]


class Graphs(unittest.TestCase):
    def test_each_call_is_a_node_bound_to_what_it_gets(self):
        def wf(n: int) -> int:
            return add(add(n, b=2), one())

        spec = templates_of(union.workflow(wf))
        nodes = spec["template"]["nodes"]
        self.assertEqual(["n0", "n1", "n2"], [node["id"] for node in nodes])
        bindings = {b["var"]: b["binding"] for b in nodes[0]["inputs"]}
        self.assertEqual({"promise": {"node_id": "", "var": "n"}}, bindings["a"])
        self.assertEqual({"scalar": {"primitive": {"integer": 2}}}, bindings["b"])
        bindings = {b["var"]: b["binding"] for b in nodes[2]["inputs"]}
        self.assertEqual({"promise": {"node_id": "n0", "var": "o0"}}, bindings["a"])
        self.assertEqual({"promise": {"node_id": "n1", "var": "o0"}}, bindings["b"])
        self.assertEqual(["n0", "n1"], nodes[2]["upstream_node_ids"])
        out = [{"var": "o0", "binding": {"promise": {"node_id": "n2", "var": "o0"}}}]
        self.assertEqual(out, spec["template"]["outputs"])

    def test_a_default_of_a_task_is_bound_as_a_constant(self):
        def wf() -> int:
            return add(1)

        inputs = templates_of(union.workflow(wf))["template"]["nodes"][0]["inputs"]
        self.assertEqual({"scalar": {"primitive": {"integer": 10}}}, inputs[1]["binding"])

    def test_lists_and_dicts_may_hold_promises_and_constants(self):
        def wf(n: int) -> int:
            return both([one(), 2, n], {"a": one(), "b": 5})

        inputs = templates_of(union.workflow(wf))["template"]["nodes"][2]["inputs"]
        numbers = inputs[0]["binding"]["collection"]["bindings"]
        self.assertEqual(["promise", "scalar", "promise"], [next(iter(b)) for b in numbers])
        table = inputs[1]["binding"]["map"]["bindings"]
        self.assertEqual(
            {"a": "promise", "b": "scalar"}, {k: next(iter(b)) for k, b in table.items()}
        )

    def test_constant_lists_and_dicts_are_bindings_too(self):
        def wf() -> int:
            return both([1], {})

        inputs = templates_of(union.workflow(wf))["template"]["nodes"][0]["inputs"]
        one_item = {"collection": {"bindings": [{"scalar": {"primitive": {"integer": 1}}}]}}
        self.assertEqual(one_item, inputs[0]["binding"])
        self.assertEqual({"map": {"bindings": {}}}, inputs[1]["binding"])

    def test_several_outputs_come_as_a_tuple_or_by_name(self):
        def wf() -> Pair:
            n, text = split(1)
            pair = named(n)
            return Pair(pair.total, pair[1])

        outputs = templates_of(union.workflow(wf))["template"]["outputs"]
        self.assertEqual(["total", "text"], [b["var"] for b in outputs])
        self.assertEqual({"node_id": "n1", "var": "text"}, outputs[1]["binding"]["promise"])

    def test_all_outputs_of_a_call_may_be_returned_at_once(self):
        def wf() -> Tuple[int, str]:
            return split(1)

        self.assertEqual(["o0", "o1"], list(graph_of(wf).outputs))

    def test_order_without_values_makes_upstream_nodes(self):
        def wf() -> int:
            first = silent()
            second = split(1)
            third = one()
            first >> second >> third
            return third

        nodes = templates_of(union.workflow(wf))["template"]["nodes"]
        self.assertEqual([[], ["n0"], ["n1"]], [node["upstream_node_ids"] for node in nodes])

    def test_a_workflow_in_a_workflow_is_one_node_with_its_template_beside(self):
        @union.workflow
        def inner(n: int) -> int:
            return add(n)

        @union.workflow
        def middle(n: int) -> int:
            return inner(n)

        def outer(n: int = 3) -> int:
            return add(middle(n), inner(n=n))

        spec = templates_of(union.workflow(outer))
        node = spec["template"]["nodes"][0]
        self.assertEqual("m.middle", node["workflow_node"]["sub_workflow_ref"]["name"])
        subs = [template["id"]["name"] for template in spec["sub_workflows"]]
        self.assertEqual(["m.middle", "m.inner"], subs)

    def test_a_promise_fits_an_optional_input(self):
        def wf() -> Optional[int]:
            return maybe(one())

        self.assertEqual(1, len(graph_of(wf).nodes[1].after))

    def test_an_input_may_be_returned_as_it_is(self):
        def wf(n: int) -> int:
            return n

        outputs = templates_of(union.workflow(wf))["template"]["outputs"]
        self.assertEqual({"node_id": "", "var": "n"}, outputs[0]["binding"]["promise"])

    def test_overrides_are_set_on_the_one_node(self):
        def wf() -> int:
            silent().with_overrides(node_name="first")
            split(1).with_overrides(timeout=90)
            one()
            return one().with_overrides(retries=2, timeout=None)

        nodes = templates_of(union.workflow(wf))["template"]["nodes"]
        self.assertEqual(
            [
                {"name": "first"},
                {"name": "split", "timeout": {"seconds": 90, "nanos": 0}},
                {"name": "one"},
                {"name": "one", "retries": {"retries": 2}},
            ],
            [node["metadata"] for node in nodes],
        )

    def test_the_failure_policy_is_part_of_the_template(self):
        def wf() -> int:
            return one()

        late = union.WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE
        for policy, number in (
            (None, 0),
            (union.WorkflowFailurePolicy.FAIL_IMMEDIATELY, 0),
            (late, 1),
        ):
            workflow = union.workflow(failure_policy=policy)(wf)
            metadata = templates_of(workflow)["template"]["metadata"]
            self.assertEqual({"on_failure": number}, metadata)

    def test_a_workflow_may_return_nothing(self):
        def wf():
            silent()

        self.assertEqual({}, graph_of(wf).outputs)


def misuses():
    def condition(n: int) -> int:
        return one() if n else add(n)

    def comparing(n: int) -> int:
        return one() if one() == 1 else n

    def arithmetic(n: int) -> int:
        return one() + 1

    def reversed_arithmetic(n: int) -> int:
        return 1 + one()

    def iterating(n: int) -> int:
        for _ in one():
            pass
        return n

    def unpacking(n: int) -> int:
        a, b = one()
        return a

    def formatting(n: int) -> int:
        return add(len(f"{one()}"))

    def indexing(n: int) -> int:
        return both(numbers=[1], table={})[0]

    def attribute(n: int) -> int:
        return one().real

    def counting(n: int) -> int:
        return len(one())

    def as_index(n: int) -> int:
        return [1, 2][one()]

    def member(n: int) -> int:
        return add(1 if 1 in one() else 2)

    return {f.__name__: f for f in list(locals().values())}


def wrong_values():
    def wrong_constant(n: int) -> int:
        return add("1")

    def wrong_promise(n: int) -> int:
        return add(split(1)[1])

    def int_for_float(n: int) -> float:
        return half(one())

    def optional_for_value(n: int) -> int:
        return add(maybe(n))

    def nothing_for_value(n: int) -> int:
        return add(silent())

    def all_outputs(n: int) -> int:
        return add(split(1))

    def missing(n: int) -> int:
        return add(b=1)

    def unknown(n: int) -> int:
        return add(1, c=2)

    def doubled(n: int) -> int:
        return add(1, a=2)

    def too_many(n: int) -> int:
        return add(1, 2, 3)

    def wrong_result(n: int) -> str:
        return one()

    def no_result(n: int) -> int:
        one()

    def too_few_results(n: int) -> Tuple[int, int]:
        return one()

    def undeclared_result(n: int):
        return one()

    def promise_key(n: int) -> int:
        return both([1], {1: one()})

    return {f.__name__: f for f in list(locals().values())}


class Misuse(unittest.TestCase):
    def test_using_a_promise_as_a_value_is_refused_with_the_reason(self):
        for name, function in misuses().items():
            with self.subTest(name), self.assertRaises(union.WorkflowError) as caught:
                graph_of(function)
            self.assertIn("a workflow is a plan", str(caught.exception))

    def test_values_of_the_wrong_type_are_refused_when_traced(self):
        for name, function in wrong_values().items():
            with self.subTest(name), self.assertRaises(union.UnionError):
                graph_of(function)

    def test_ordering_refuses_circles_and_values(self):
        def circle() -> None:
            a, b = one(), one()
            a >> b
            b >> a

        def itself() -> None:
            a = one()
            a >> a

        def value(n: int) -> None:
            one() >> 5

        def workflow_input(n: int) -> None:
            n >> one()

        def uncalled() -> None:
            one >> one()

        for function in (circle, itself, value, workflow_input, uncalled):
            with self.subTest(function.__name__), self.assertRaises(union.UnionError):
                graph_of(function)

    def test_a_workflow_that_calls_itself_is_refused(self):
        @union.workflow
        def wf() -> int:
            return wf()

        with self.assertRaises(union.WorkflowError) as caught:
            wf.graph
        self.assertIn("calls itself", str(caught.exception))

    def test_a_promise_of_another_workflow_is_refused(self):
        kept = []

        @union.workflow
        def inner() -> int:
            kept.append(one())
            return kept[0]

        def outer() -> int:
            inner.graph
            return add(kept[0])

        with self.assertRaises(union.WorkflowError):
            graph_of(outer)

    def test_overrides_that_are_not_supported_are_refused_by_name(self):
        cases = {"limits": 1, "container_image": "x", "cache": True, "retries": -1, "timeout": "x"}
        for name, value in cases.items():

            def wf() -> int:
                return one().with_overrides(**{name: value})

            with self.subTest(name), self.assertRaises(union.UnionError) as caught:
                graph_of(wf)
            self.assertIn("task 'one': with_overrides", str(caught.exception))
            self.assertIn(name, str(caught.exception))

    def test_overrides_of_inputs_and_workflows_are_refused(self):
        @union.workflow
        def inner() -> int:
            return one()

        def of_input(n: int) -> int:
            return n.with_overrides(retries=1)

        def of_workflow() -> int:
            return inner().with_overrides(retries=1)

        for function in (of_input, of_workflow):
            with self.subTest(function.__name__), self.assertRaises(union.UnsupportedError):
                graph_of(function)

    def test_after_an_error_tasks_are_plain_functions_again(self):
        with self.assertRaises(union.WorkflowError):
            graph_of(misuses()["arithmetic"])
        self.assertEqual(1, one())


class Signatures(unittest.TestCase):
    def test_refuses_parameters_without_name_or_type(self):
        def untyped(a) -> int: ...

        def many(*a: int) -> int: ...

        def keywords(**a: int) -> int: ...

        def positional(a: int, /) -> int: ...

        async def later(a: int) -> int: ...

        def generator(a: int) -> int:
            yield 1

        def nested() -> Tuple[int, ...]: ...

        def bad_result() -> set: ...

        for function in (untyped, many, keywords, positional, later, generator, nested, bad_result):
            with self.subTest(function.__name__), self.assertRaises(union.UnionError) as caught:
                union.task(function).interface
            self.assertIn(f"task '{function.__name__}'", str(caught.exception))

    def test_looks_through_wrappers_that_name_what_they_wrap(self):
        import functools

        def body(a: int, *, b: str = "x") -> float: ...

        @functools.wraps(body)
        def wrapper(*args, **kwargs):
            return body(*args, **kwargs)

        interface = union.task(wrapper).interface
        self.assertEqual({"a": "int", "b": "str"}, {n: t.name for n, t in interface.inputs.items()})
        self.assertEqual({"b": "x"}, interface.defaults)


class LocalRuns(unittest.TestCase):
    def test_a_workflow_called_in_python_runs_its_tasks(self):
        @union.workflow
        def inner(n: int) -> Pair:
            return named(add(n, b=1))

        @union.workflow
        def outer(n: int = 1) -> Tuple[int, Optional[int], int]:
            pair = inner(n)
            return both([pair.total, n], {"x": 100}), maybe(), add(one(), one())

        self.assertEqual((103, None, 2), outer())
        self.assertEqual((107, None, 2), outer(n=3))
        self.assertEqual(Pair(6, "6"), run_workflow(inner, {"n": 5}))

    def test_order_decides_what_runs_first(self):
        ran = []

        @union.task
        def note(n: int) -> None:
            ran.append(n)

        @union.workflow
        def wf() -> None:
            first, second = note(1), note(2)
            second >> first

        wf()
        self.assertEqual([2, 1], ran)

    def test_values_arrive_as_copies(self):
        @union.task
        def change(numbers: List[int]) -> List[int]:
            numbers.append(9)
            return numbers

        @union.task
        def make() -> List[int]:
            return [1]

        @union.workflow
        def wf() -> Tuple[List[int], List[int]]:
            made = make()
            return change(made), made

        self.assertEqual(([1, 9], [1]), wf())


if __name__ == "__main__":
    unittest.main()
