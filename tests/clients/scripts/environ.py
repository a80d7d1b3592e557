# What flytekit's own runtime leaves of a secret that is asked for as a variable.
import ctypes
import os
import resource
import subprocess
import typing

from flytekit import Secret, task, workflow


@task(secret_requests=[Secret(group="vars", key="named", env_var="NAMED",
                              mount_requirement=Secret.MountType.ENV_VAR)])
def look() -> typing.List[str]:
    value = os.environ["NAMED"].encode()
    with open("/proc/self/environ", "rb") as file:
        block = file.read()
    child = subprocess.run(["env"], stdout=subprocess.PIPE, check=True).stdout
    dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
    core = resource.getrlimit(resource.RLIMIT_CORE)
    return [
        "own-environ:" + str(value in block),
        "children:" + str(value in child),
        "dumpable:" + str(dumpable),
        "core:" + str(max(core) <= 1),
    ]


@workflow
def main() -> typing.List[str]:
    return look()
