from flytekit import task, workflow
from flytekit.types.file import FlyteFile


@task
def size(f: FlyteFile) -> int:
    with open(f) as opened:
        return len(opened.read())


@workflow
def main(f: FlyteFile) -> int:
    return size(f=f)
