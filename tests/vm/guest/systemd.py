"""The shipped units under the real thing."""

import os

import lib
from lib import check, equals, works

TASK = """
import os
import union

@union.task(secret_requests=[union.Secret(key="my_secret")])
def main() -> str:
    secret = union.current_context().secrets.get(key="my_secret")
    print("it is", secret)
    return "%d %d" % (len(secret), os.getuid())
"""


def body():
    lib.install()
    equals("it is ready by its own word", "active", lib.show("ActiveState"))
    value = lib.value()
    lib.home()
    lib.union_works("a secret is made", "create", "secret", "my_secret", data=value)
    status, out, err = lib.union("run", "--remote", lib.script("one.py", TASK), "main")
    check("a task has it", status == 0 and str(len(value)) in out, out + err)
    lib.note(out + err)
    lib.note(lib.run("journalctl", "--no-pager", "-u", "uniond")[1])
    lib.search("the journal has no value", [("journal", lib.journal())])


lib.main(body)
