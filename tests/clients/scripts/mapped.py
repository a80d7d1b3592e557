# What is not supported, and said so at registration.
import typing

from flytekit import map_task, task, workflow


@task
def square(n: int) -> int:
    return n * n


@workflow
def main(ns: typing.List[int]) -> typing.List[int]:
    return map_task(square)(n=ns)
