# Secrets as users of the union package ask for them, without groups.
import os
import typing

import union

FILE = union.Secret.MountType.FILE


@union.task(
    secret_requests=[
        union.Secret(key="password"),
        union.Secret(key="Token", mount_requirement=FILE),
        union.Secret(key="named", env_var="NAMED"),
        union.Secret(key="pem", env_var="PEM_PATH", mount_requirement=FILE),
    ]
)
def use() -> typing.List[int]:
    secrets = union.current_context().secrets
    with open(secrets.get_secrets_file("Token")) as f:
        token = f.read()
    with open(os.environ["PEM_PATH"]) as f:
        pem = f.read()
    assert secrets.get(key="named") == os.environ["NAMED"]
    assert secrets.get("pem") == pem
    found = [secrets.get(key="password"), token, os.environ["NAMED"], pem]
    return [len(value) for value in found]


@union.workflow
def main() -> typing.List[int]:
    return use()
