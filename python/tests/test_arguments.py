"""What `task`, `workflow`, `Secret` and `Resources` take, and what they refuse by name."""

import datetime
import inspect
import pickle
import unittest

import union
from union._tasks import RETRIES_MAX, TIMEOUT_SECONDS_MAX

# In the order in which existing code may give them by position.
TASK_ORDER = (
    "_task_function task_config cache retries interruptible deprecated timeout container_image "
    "environment requests limits secret_requests execution_mode node_dependency_hints "
    "task_resolver docs disable_deck enable_deck deck_fields pod_template pod_template_name "
    "accelerator pickle_untyped shared_memory resources labels annotations"
).split()
WORKFLOW_ORDER = (
    "_workflow_function failure_policy interruptible on_failure docs pickle_untyped default_options"
).split()

TASK_REFUSED = {
    "task_config": object(),
    "cache": True,
    "cache_version": "1",
    "cache_serialize": True,
    "cache_ignore_input_vars": ("a",),
    "execution_mode": 2,
    "node_dependency_hints": [1],
    "task_resolver": object(),
    "disable_deck": False,
    "enable_deck": True,
    "deck_fields": ("source",),
    "pod_template": object(),
    "pod_template_name": "x",
    "accelerator": object(),
    "pickle_untyped": True,
    "shared_memory": True,
    "labels": {"a": "b"},
    "annotations": {"a": "b"},
    "no_such_argument": 1,
    "container_image": object(),
}
TASK_DEFAULTS = {
    "task_config": None,
    "cache": False,
    "cache_version": "",
    "cache_serialize": False,
    "cache_ignore_input_vars": (),
    "interruptible": None,
    "deprecated": "",
    "timeout": 0,
    "container_image": None,
    "environment": None,
    "requests": None,
    "limits": None,
    "secret_requests": None,
    "node_dependency_hints": None,
    "task_resolver": None,
    "docs": None,
    "disable_deck": True,
    "enable_deck": False,
    "pod_template": None,
    "pod_template_name": None,
    "accelerator": None,
    "pickle_untyped": False,
    "shared_memory": None,
    "resources": None,
    "labels": None,
    "annotations": None,
}
WORKFLOW_REFUSED = {
    "interruptible": True,
    "on_failure": object(),
    "pickle_untyped": True,
    "default_options": object(),
}
BAD_SETTINGS = [
    {"retries": -1},
    {"retries": RETRIES_MAX + 1},
    {"retries": "1"},
    {"retries": True},
    {"network": "some"},
    {"timeout": -1},
    {"timeout": "1"},
    {"timeout": True},
    {"timeout": float("nan")},
    {"timeout": TIMEOUT_SECONDS_MAX + 1},
    {"timeout": datetime.timedelta(seconds=-1)},
    {"interruptible": "yes"},
    {"deprecated": 1},
    {"environment": ["A=1"]},
    {"environment": {"A": 1}},
    {"environment": {"A=": "1"}},
    {"environment": {"": "1"}},
    {"environment": {"A": "\0"}},
    {"requests": "1"},
    {"limits": {"cpu": 1}},
    {"requests": union.Resources(cpu=("1", "2"))},
    {"resources": union.Resources(cpu=1), "limits": union.Resources(cpu=2)},
    {"secret_requests": ["my_secret"]},
]


def body() -> int:
    """Says one."""
    return 1


class Task(unittest.TestCase):
    def test_arguments_stand_where_existing_code_gives_them(self):
        parameters = inspect.signature(union.task).parameters.values()
        names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        self.assertEqual(TASK_ORDER, names)
        self.assertEqual(WORKFLOW_ORDER, list(inspect.signature(union.workflow).parameters))

    def test_refuses_each_unsupported_argument_by_name(self):
        for name, value in TASK_REFUSED.items():
            with self.subTest(name):
                with self.assertRaises(union.UnsupportedError) as caught:
                    union.task(**{name: value})(body)
                self.assertIn(name, str(caught.exception))
                self.assertIn("task 'body'", str(caught.exception))

    def test_takes_each_argument_with_its_default(self):
        for name, value in TASK_DEFAULTS.items():
            with self.subTest(name):
                self.assertEqual(1, union.task(**{name: value})(body)())
        self.assertEqual(1, union.task(**TASK_DEFAULTS)(body)())

    def test_refuses_settings_that_cannot_be(self):
        for settings in BAD_SETTINGS:
            with self.subTest(str(settings)), self.assertRaises(union.UnionError) as caught:
                union.task(**settings)(body)
            self.assertIn("task 'body'", str(caught.exception))

    def test_refuses_what_is_no_function(self):
        for thing in (5, "x", len, [1]):
            with self.subTest(str(thing)), self.assertRaises(union.UnsupportedError):
                union.task(thing)

    def test_keeps_the_name_and_text_of_the_function(self):
        made = union.task(body)
        self.assertEqual(
            ("body", "Says one.", __name__), (made.__name__, made.__doc__, made.__module__)
        )

    def test_called_outside_a_workflow_it_just_runs(self):
        @union.task
        def add(a: int, b: int = 2) -> int:
            return a + b

        self.assertEqual((3, 7), (add(1), add(3, b=4)))


class Workflow(unittest.TestCase):
    def test_refuses_each_unsupported_argument_by_name(self):
        for name, value in WORKFLOW_REFUSED.items():
            with self.subTest(name), self.assertRaises(union.UnsupportedError) as caught:
                union.workflow(**{name: value})(body)
            self.assertIn(name, str(caught.exception))

    def test_refuses_a_failure_policy_that_is_none(self):
        with self.assertRaises(union.UnionError) as caught:
            union.workflow(failure_policy="FAIL_IMMEDIATELY")(body)
        self.assertIn("WorkflowFailurePolicy", str(caught.exception))

    def test_takes_defaults_and_docs(self):
        union.workflow(failure_policy=None, interruptible=False, on_failure=None, docs="x")(body)
        union.workflow()(body)


class Missing(unittest.TestCase):
    def test_names_that_are_not_here_yet_are_refused_by_name(self):
        for name in ("map_task", "dynamic", "conditional", "LaunchPlan", "ImageSpec", "FlyteFile"):
            with self.subTest(name), self.assertRaises(union.UnsupportedError) as caught:
                getattr(union, name)
            self.assertIn(f"union.{name}", str(caught.exception))
        with self.assertRaises(AttributeError):
            union.no_such_name

    def test_everything_listed_is_there(self):
        for name in union.__all__:
            self.assertIsNotNone(getattr(union, name), name)


class Secret(unittest.TestCase):
    def test_takes_positions_as_existing_code_has_them(self):
        mount = union.Secret.MountType.FILE
        made = union.Secret("g", "k", "3", mount, "VAR")
        expected = {
            "group": "g",
            "key": "k",
            "group_version": "3",
            "mount_requirement": 2,
            "env_var": "VAR",
        }
        self.assertEqual(expected, made.message())

    def test_a_key_or_a_group_is_enough(self):
        self.assertEqual("k", union.Secret(key="k").message()["key"])
        self.assertEqual("g", union.Secret("g").message()["group"])
        self.assertEqual(0, union.Secret(key="k").message()["mount_requirement"])

    def test_refuses_parts_that_cannot_be(self):
        cases = [
            {},
            {"key": ""},
            {"key": "a b"},
            {"key": "a/b"},
            {"key": "é"},
            {"key": "x" * 129},
            {"key": 5},
            {"key": "a", "group": "a.b"},
            {"key": "a", "env_var": "lower"},
            {"key": "a", "env_var": "1A"},
            {"key": "a", "env_var": ""},
            {"key": "a", "mount_requirement": "FILE"},
        ]
        for arguments in cases:
            with self.subTest(str(arguments)), self.assertRaises(union.UnionError):
                union.Secret(**arguments)

    def test_mount_types_are_single_named_and_survive_pickling(self):
        for name, number in (("ANY", 0), ("ENV_VAR", 1), ("FILE", 2)):
            mount = getattr(union.Secret.MountType, name)
            self.assertEqual((name, number), (mount.name, mount.value))
            self.assertIs(mount, pickle.loads(pickle.dumps(mount)))

    def test_equal_requests_are_equal(self):
        self.assertEqual(union.Secret(key="a"), union.Secret(key="a"))
        self.assertNotEqual(union.Secret(key="a"), union.Secret(key="b"))
        self.assertEqual(1, len({union.Secret(key="a"), union.Secret(key="a")}))


class Resources(unittest.TestCase):
    def test_takes_quantities_of_cores_and_bytes(self):
        for cpu in (1, 0.5, "1", "500m", "1.5"):
            self.assertEqual(str(cpu), union.Resources(cpu=cpu).cpu)
        for mem in (1024, "2048", "1k", "2Gi", "1.5G"):
            self.assertEqual(str(mem), union.Resources(mem=mem).mem)
        self.assertEqual(("1", "2"), union.Resources(cpu=("1", 2)).cpu)

    def test_refuses_what_is_no_quantity(self):
        cases = [
            {"cpu": "x"},
            {"cpu": ""},
            {"cpu": "1Gi"},
            {"cpu": -1},
            {"cpu": True},
            {"cpu": "1e3"},
        ]
        cases += [{"mem": "1m"}, {"mem": "Gi"}, {"mem": "1 Gi"}, {"mem": ("1",)}, {"mem": "٣"}]
        for arguments in cases:
            with self.subTest(str(arguments)), self.assertRaises(union.UnionError):
                union.Resources(**arguments)

    def test_refuses_what_is_not_supported_by_name(self):
        for name in ("gpu", "ephemeral_storage"):
            with self.subTest(name), self.assertRaises(union.UnsupportedError) as caught:
                union.Resources(**{name: "1"})
            self.assertIn(name, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
