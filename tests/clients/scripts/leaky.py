# Files and folders as flytekit returns them: with the value packed, and without.
import gzip
import os
import typing
import zipfile

from flytekit import Secret, current_context, task
from flytekit.types.directory import FlyteDirectory
from flytekit.types.file import FlyteFile

ASK = [Secret(key="my_secret")]


def secret() -> str:
    return current_context().secrets.get(key="my_secret")


def folder(name: str) -> str:
    path = os.path.join(current_context().working_directory, name)
    os.makedirs(path, exist_ok=True)
    return path


@task(secret_requests=ASK)
def as_file() -> FlyteFile:
    path = os.path.join(folder("one"), "model.gz")
    with gzip.open(path, "wb") as file:
        file.write(secret().encode())
    return FlyteFile(path)


@task(secret_requests=ASK)
def as_folder() -> FlyteDirectory:
    path = folder("many")
    with open(os.path.join(path, "clean.txt"), "w") as file:
        file.write("nothing")
    with zipfile.ZipFile(os.path.join(path, "data.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner/a.csv", "user,password\nme,%s\n" % secret())
    return FlyteDirectory(path)


@task(secret_requests=ASK)
def in_list() -> typing.List[FlyteFile]:
    made = []
    for name, text in (("a.txt", "nothing"), ("b.txt", secret())):
        made.append(os.path.join(folder("list"), name))
        with open(made[-1], "w") as file:
            file.write(text)
    return [FlyteFile(path) for path in made]


@task(secret_requests=ASK)
def clean() -> FlyteFile:
    path = os.path.join(folder("clean"), "length.json")
    with open(path, "w") as file:
        file.write('{"length": %d}' % len(secret()))
    return FlyteFile(path)
