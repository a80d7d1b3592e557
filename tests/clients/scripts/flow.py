# Several tasks, a workflow in a workflow, a list made of results, and inputs with defaults.
import typing

from flytekit import task, workflow


@task
def square(n: int) -> int:
    return n * n


@task
def collect(values: typing.List[int], label: str) -> typing.Dict[str, int]:
    return {label: sum(values)}


@workflow
def twice(n: int) -> int:
    return square(n=square(n=n))


@workflow
def main(n: int = 3, label: str = "total") -> typing.Dict[str, int]:
    first = square(n=n)
    return collect(values=[first, twice(n=first), 5], label=label)
