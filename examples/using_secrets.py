# A task that reads a secret.
#
#     union create secret my_secret            # asks for the value
#     union run --remote examples/using_secrets.py main
#
# Prints {"o0": N}, the length of the value. The value itself must not be returned: a result that
# contains a secret of its task fails the task.

import union


@union.task(secret_requests=[union.Secret(key="my_secret")])
def t1() -> int:
    secret_value = union.current_context().secrets.get(key="my_secret")
    return len(secret_value)


@union.workflow
def main() -> int:
    return t1()
