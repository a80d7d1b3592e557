"""How a task finds its secrets, and that no error ever shows one."""

import os
import unittest
from unittest import mock

import union
from support import CANARY, FolderCase
from union._secrets import SecretsManager

IN_TASK = {"FLYTE_INTERNAL_EXECUTION_ID": "e1", "FLYTE_SECRETS_ENV_PREFIX": "_UNION_"}


class Lookup(FolderCase):
    def setUp(self):
        super().setUp()
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("FLYTE_", "_UNION_"))}
        kept["FLYTE_SECRETS_DEFAULT_DIR"] = self.folder
        patch = mock.patch.dict(os.environ, kept, clear=True)
        patch.start()
        self.addCleanup(patch.stop)
        self.secrets = union.current_context().secrets

    def in_task(self, **more):
        os.environ.update(IN_TASK, **more)

    def test_looks_at_the_prefixed_variable_first(self):
        self.in_task(_UNION_MY_SECRET=" from env\n")
        self.write("my_secret", "from file")
        self.assertEqual("from env", self.secrets.get(key="my_secret"))
        self.assertEqual(b"from env", self.secrets.get(key="my_secret", encode_mode="rb"))

    def test_then_at_the_file_without_the_white_space_around_it(self):
        self.in_task()
        self.write("my_secret", "\n from file \n")
        self.assertEqual("from file", self.secrets.get(key="my_secret"))
        self.assertEqual(b"from file", self.secrets.get("my_secret", encode_mode="rb"))

    def test_finds_a_file_in_lower_case_and_as_given(self):
        self.in_task()
        self.write("upper", "low")
        self.assertEqual("low", self.secrets.get(key="UPPER"))
        self.write("Mixed", "as given")
        self.assertEqual("as given", self.secrets.get(key="Mixed"))

    def test_group_and_version_are_part_of_the_name(self):
        self.in_task(_UNION_G_3_K="env", FLYTE_SECRETS_FILE_PREFIX="p-")
        self.assertEqual("env", self.secrets.get("g", "k", "3"))
        self.write("g/2/p-k", "file")
        self.assertEqual("file", self.secrets.get("G", "K", "2"))
        self.assertEqual(f"{self.folder}/g/2/p-k", self.secrets.get_secrets_file("G", "K", "2"))

    def test_the_attribute_form_is_group_and_key(self):
        self.in_task(_UNION_G_K="env")
        self.assertEqual("env", self.secrets.g.k)
        self.assertEqual("env", self.secrets.G.K)

    def test_the_file_path_is_given_whether_it_exists_or_not(self):
        self.in_task()
        self.assertEqual(f"{self.folder}/my_file", self.secrets.get_secrets_file("MY_FILE"))
        self.write("MY_FILE", "x")
        self.assertEqual(f"{self.folder}/MY_FILE", self.secrets.get_secrets_file("MY_FILE"))

    def test_only_a_local_run_takes_the_plain_variable(self):
        os.environ["MY_SECRET"] = "local"
        self.assertEqual("local", self.secrets.get(key="my_secret"))
        with mock.patch.dict(os.environ, {"_UNION_MY_SECRET": "prefixed"}):
            self.assertEqual("prefixed", self.secrets.get(key="my_secret"))
        self.in_task()
        with self.assertRaises(union.SecretError):
            self.secrets.get(key="my_secret")

    def test_a_missing_secret_says_what_to_add(self):
        self.in_task()
        cases = [
            ({"key": "k"}, 'secret_requests=[union.Secret(key="k")]'),
            ({"group": "k"}, 'secret_requests=[union.Secret(key="k")]'),
            (
                {"group": "g", "key": "k", "group_version": "2"},
                'secret_requests=[union.Secret(group="g", key="k", group_version="2")]',
            ),
        ]
        for arguments, hint in cases:
            with self.subTest(hint), self.assertRaises(ValueError) as caught:
                self.secrets.get(**arguments)
            self.assertIn(hint, str(caught.exception))

    def test_in_a_local_run_it_also_names_the_variable(self):
        with self.assertRaises(union.SecretError) as caught:
            self.secrets.get(key="my_secret")
        self.assertIn("MY_SECRET", str(caught.exception))
        self.assertIn("secret_requests", str(caught.exception))

    def test_binary_is_refused_as_text_without_showing_a_byte(self):
        self.in_task()
        with open("raw", "wb") as file:
            file.write(CANARY.encode() + b"\xff")
        with self.assertRaises(union.SecretError) as caught:
            self.secrets.get(key="raw")
        error = caught.exception
        self.assertIsNone(error.__cause__)
        self.assertIsNone(error.__context__)
        self.assertNotIn("CANARY", repr(error) + str(error))
        self.assertNotIn("0xff", str(error))
        self.assertEqual(CANARY.encode() + b"\xff", self.secrets.get(key="raw", encode_mode="rb"))

    def test_a_file_that_cannot_be_read_is_named_by_its_secret(self):
        self.in_task()
        os.mkdir("is_folder")
        with self.assertRaises(union.SecretError):
            self.secrets.get(key="is_folder")

    def test_refuses_names_that_lead_elsewhere(self):
        self.in_task()
        for name in ("../etc/passwd", "a/b", "", ".", "a\0b"):
            with self.subTest(repr(name)), self.assertRaises(union.UnionError):
                self.secrets.get(key=name)
            with self.subTest(repr(name)), self.assertRaises(union.UnionError):
                self.secrets.get_secrets_file(name)

    def test_refuses_an_unknown_mode(self):
        with self.assertRaises(union.UnionError):
            self.secrets.get(key="k", encode_mode="w")

    def test_shows_nothing_of_itself(self):
        self.in_task(_UNION_K=CANARY)
        shown = repr(self.secrets) + repr(self.secrets.g) + repr(union.current_context())
        self.assertNotIn(CANARY, shown)

    def test_the_old_prefixes_are_found_when_none_is_set(self):
        os.environ["FLYTE_INTERNAL_EXECUTION_ID"] = "e"
        os.environ["_FSEC_K"] = "fsec"
        self.assertEqual("fsec", self.secrets.get(key="k"))
        os.environ["_UNION_K"] = "union"
        self.assertEqual("union", self.secrets.get(key="k"))


class Context(unittest.TestCase):
    def test_tells_which_execution_and_task_this_is(self):
        facts = {
            "FLYTE_INTERNAL_EXECUTION_ID": "e1",
            "FLYTE_INTERNAL_EXECUTION_PROJECT": "p",
            "FLYTE_INTERNAL_EXECUTION_DOMAIN": "d",
            "FLYTE_INTERNAL_TASK_PROJECT": "tp",
            "FLYTE_INTERNAL_TASK_DOMAIN": "td",
            "FLYTE_INTERNAL_TASK_NAME": "m.t",
            "FLYTE_INTERNAL_TASK_VERSION": "v",
            "FLYTE_ATTEMPT_NUMBER": "2",
        }
        with mock.patch.dict(os.environ, facts):
            context = union.current_context()
            id_, task = context.execution_id, context.task_id
            self.assertEqual(("p", "d", "e1"), (id_.project, id_.domain, id_.name))
            self.assertEqual(
                ("tp", "td", "m.t", "v"), (task.project, task.domain, task.name, task.version)
            )
            self.assertEqual((2, False), (context.attempt, context.is_local))

    def test_refuses_by_name_what_it_does_not_have(self):
        with self.assertRaises(union.UnsupportedError) as caught:
            union.current_context().checkpoint
        self.assertIn("checkpoint", str(caught.exception))
        with self.assertRaises(AttributeError):
            union.current_context().no_such_name

    def test_is_one_of_a_kind(self):
        self.assertIsInstance(union.current_context().secrets, SecretsManager)
        self.assertEqual("union", union.current_context().logging.name)


if __name__ == "__main__":
    unittest.main()
