# A secret as a file, for values that are binary or large.
#
#     union create secret my_file_secret -f path/to/file
#     union run --remote examples/file_secret.py main
#
# Prints {"o0": N}, the number of characters in the file.

import union


@union.task(
    secret_requests=[
        union.Secret(key="my_file_secret", mount_requirement=union.Secret.MountType.FILE),
    ]
)
def t1() -> int:
    path = union.current_context().secrets.get_secrets_file("my_file_secret")
    with open(path, "r") as f:
        secret_value = f.read()
    return len(secret_value)
