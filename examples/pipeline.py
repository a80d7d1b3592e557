# A workflow of three tasks: two run in parallel, the third gets what they return.
#
#     union create secret my_secret
#     union run --remote examples/pipeline.py main --rows 1000
#
# Prints {"o0": "..."}. `load` and `connect` need nothing from each other and run at the same time;
# `report` starts when both are done.

from typing import List

import union


@union.task
def load(rows: int) -> List[float]:
    """Makes some data."""
    print(f"loading {rows} rows")
    return [row / 2 for row in range(rows)]


@union.task(secret_requests=[union.Secret(key="my_secret")], retries=2)
def connect() -> int:
    """Uses a secret, and returns what it was used for, not the secret."""
    password = union.current_context().secrets.get(key="my_secret")
    print(f"connecting with {password}")  # the log shows [secret my_secret]
    return len(password)


@union.task
def report(values: List[float], password_length: int) -> str:
    """Puts both together."""
    mean = sum(values) / len(values)
    return f"mean {mean:.2f} of {len(values)} rows, password of {password_length} characters"


@union.workflow
def main(rows: int = 100) -> str:
    """Loads data, connects with a password, and reports."""
    return report(values=load(rows=rows), password_length=connect())
