# A secret as an environment variable, for libraries that expect one.
#
#     union create secret my_union_api_key
#     union run --remote examples/env_var.py main
#
# The script has one task and no workflow, so that `main` means this task. Prints {"o0": N}, the
# length of the value.

import os

import union


@union.task(secret_requests=[union.Secret(key="my_union_api_key", env_var="UNION_API_KEY")])
def t1() -> int:
    # Would log in with UNION_API_KEY at its first call.
    union.UnionRemote(default_project="default", default_domain="development")
    return len(os.environ["UNION_API_KEY"])
