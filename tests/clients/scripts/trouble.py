# Tasks that go wrong, each in its way.
import os
import time

from flytekit import task, workflow
from flytekit.exceptions.user import FlyteRecoverableException


@task
def raises(x: int) -> int:
    if x > 0:
        raise ValueError(f"no good: {x}")
    return x


@workflow
def broken(x: int = 7) -> int:
    return raises(x=x)


@task(retries=3)
def flaky() -> int:
    attempt = int(os.environ["FLYTE_ATTEMPT_NUMBER"])
    if attempt < 2:
        raise FlyteRecoverableException(f"attempt {attempt}")
    return attempt


@task
def sleeps() -> int:
    print("asleep", flush=True)
    time.sleep(600)
    return 1
