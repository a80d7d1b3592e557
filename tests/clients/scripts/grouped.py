# Secrets by flytekit's own ways: groups, attributes, versions, files and variables.
import os
import typing

from flytekit import Secret, current_context, task, workflow

FILE = Secret.MountType.FILE
VARIABLE = Secret.MountType.ENV_VAR


@task(
    secret_requests=[
        Secret(group="db", key="password"),
        Secret(group="db", key="Token", mount_requirement=FILE),
        Secret(group="cert", group_version="1", key="pem", mount_requirement=FILE),
        Secret(group="vars", key="plain", mount_requirement=VARIABLE),
        Secret(group="vars", key="named", env_var="NAMED", mount_requirement=VARIABLE),
    ]
)
def use() -> typing.List[int]:
    secrets = current_context().secrets
    assert secrets.db.password == secrets.get("db", "password")
    with open(secrets.get_secrets_file("db", "Token")) as f:
        token = f.read()
    assert token == secrets.get("db", "Token")
    assert os.environ["NAMED"] == secrets.get("vars", "named")
    print("the password is", secrets.db.password)
    found = [secrets.db.password, token, secrets.get("cert", "pem", group_version="1"),
             secrets.get("vars", "plain"), os.environ["NAMED"]]
    return [len(value) for value in found]


@workflow
def main() -> typing.List[int]:
    return use()
