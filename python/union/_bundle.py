"""The code bundle: the script and what it imports, as a .tar.gz that is the same every time.

Same files, same bytes: names sorted, owner and time zero, mode 0644 or 0755. Written by hand and
not with `tarfile`, which takes longer to import than all the rest takes to run.
"""

from __future__ import annotations

import os
import stat
import sys

from ._errors import UnionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Dict, Iterator, List, Set, Tuple

FILES_MAX = 10_000
"""Files in one bundle."""
BYTES_MAX = 256 << 20
"""Bytes of all files of one bundle together."""
COMPRESSED_MAX = 64 << 20
"""Bytes of the .tar.gz."""
DEPTH_MAX = 32
"""Folders in a path, with the file itself."""
RATIO_MAX = 200
"""How many times larger than the .tar.gz the files may be, beyond the first 16 MiB: what a launcher
unpacks at most."""
_RATIO_FREE = 16 << 20

_SKIPPED_FOLDERS = frozenset(
    (
        ".git", ".hg", ".svn", ".bzr", "CVS", "__pycache__", ".mypy_cache", ".pytest_cache",
        ".ruff_cache", ".tox", ".nox", ".cache", ".ipynb_checkpoints", ".venv", "venv",
        "site-packages", "dist-packages", "node_modules",
    )
)  # fmt: skip
_BLOCK = 512


class BundleError(UnionError):
    """The files cannot be bundled: too many, too large, or one has an impossible name."""

    slug = "bundle-refused"


def imported_files(root: str, script: ModuleType) -> List[str]:
    """Returns, relative to `root`, the files of every module below it that the script imported,
    and of those that its functions will import when they run."""
    files: Set[str] = set()
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and _is_code_below(path, root):
            files.add(os.path.relpath(path, root))
    files.add(os.path.relpath(str(script.__file__), root))
    waiting = sorted(files)
    while waiting:
        fresh = [name for name in _later_imports(root, waiting.pop()) if name not in files]
        files.update(fresh)
        waiting.extend(fresh)
    return sorted(files)


def all_files(root: str) -> List[str]:
    """Returns, relative to `root`, every regular file below it. Left out are folders of version
    control, caches, virtual environments, and links to folders."""
    files: List[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED_FOLDERS
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        )
        for name in sorted(names):
            path = os.path.join(folder, name)
            if not name.endswith((".pyc", ".pyo")) and os.path.isfile(path):
                files.append(os.path.relpath(path, root))
        if len(files) > FILES_MAX:
            raise BundleError(f"more than {FILES_MAX} files below '{root}'", "use --copy auto")
    return files


def pack(root: str, files: List[str]) -> bytes:
    """Returns the .tar.gz of `files`, paths relative to `root`. Raises BundleError."""
    import zlib

    if len(files) > FILES_MAX:
        raise BundleError(f"{len(files)} files are too many; the limit is {FILES_MAX}")
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: with a gzip header, its time zero
    parts: List[bytes] = []
    total = 0
    for name in sorted(files):
        data, executable = _read(os.path.join(root, name), BYTES_MAX - total)
        total += len(data)
        parts.append(packer.compress(_header(name, len(data), executable)))
        parts.append(packer.compress(data))
        parts.append(packer.compress(bytes(-len(data) % _BLOCK)))
    parts.append(packer.compress(bytes(2 * _BLOCK)))
    parts.append(packer.flush())
    bundle = b"".join(parts)
    if len(bundle) > COMPRESSED_MAX:
        text = f"the bundle has {len(bundle) >> 20} MiB; the limit is {COMPRESSED_MAX >> 20} MiB"
        raise BundleError(text, _largest(root, files))
    unpacked = total + 2 * _BLOCK * (len(files) + 1)
    if unpacked > max(_RATIO_FREE, RATIO_MAX * len(bundle)):
        text = f"the files are more than {RATIO_MAX} times larger than their bundle"
        raise BundleError(text, "keep files that are nearly empty inside out of it")
    return bundle


def _largest(root: str, files: List[str]) -> str:
    """Returns a hint that names the file to leave out first."""
    size, name = max((os.path.getsize(os.path.join(root, name)), name) for name in files)
    keep = "keep large data outside the folder of the script, or use --copy auto"
    return f"the largest file is '{name}', {size >> 20} MiB: {keep}"


def write(path: str, bundle: bytes) -> None:
    """Writes the bundle so that only its owner can read it, whole or not at all."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(bundle)
        os.replace(temporary, path)
    except OSError as err:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise BundleError(f"cannot write the bundle '{path}': {err.strerror}", "", "io") from None


def _is_code_below(path: str, root: str) -> bool:
    if not os.path.isabs(path) or not path.startswith(root.rstrip(os.sep) + os.sep):
        return False
    folder = os.path.dirname(os.path.relpath(path, root))
    inside = set(folder.split(os.sep))
    return (
        not (inside & _SKIPPED_FOLDERS)
        and os.path.isfile(path)
        and not _in_environment(root, folder)
    )


def _in_environment(root: str, folder: str) -> bool:
    """Whether a folder below `root` lies in a virtual environment."""
    while folder:
        if os.path.exists(os.path.join(root, folder, "pyvenv.cfg")):
            return True
        folder = os.path.dirname(folder)
    return False


def _later_imports(root: str, name: str) -> Iterator[str]:
    """Yields the files below `root` that the imports of one file name, wherever they stand."""
    if not name.endswith(".py"):
        return
    with open(os.path.join(root, name), "rb") as file:
        source = file.read()
    try:
        tree = compile(source, name, "exec", 0x400)  # 0x400: syntax tree only (ast.parse)
    except (SyntaxError, ValueError):  # never imported, then
        return
    package = os.path.dirname(name).split(os.sep) if os.sep in name else []
    for node in _walk(tree):
        for parts in _imported(node, package):
            yield from _module_files(root, parts)


def _walk(tree: Any) -> Iterator[Any]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                waiting.extend(item for item in value if hasattr(item, "_fields"))
            elif hasattr(value, "_fields"):
                waiting.append(value)


def _imported(node: Any, package: List[str]) -> Iterator[List[str]]:
    kind = type(node).__name__
    if kind == "Import":
        for alias in node.names:
            yield alias.name.split(".")
    elif kind == "ImportFrom":
        base = package[: len(package) - node.level + 1] if node.level else []
        base = base + (node.module.split(".") if node.module else [])
        for alias in node.names:
            yield [*base, alias.name]


def _module_files(root: str, parts: List[str]) -> Iterator[str]:
    """Yields the files of a module and of the packages it lies in, as far as they exist."""
    for count in range(1, len(parts) + 1):
        stem = os.path.join(*parts[:count])
        for name in (os.path.join(stem, "__init__.py"), f"{stem}.py"):
            if _is_code_below(os.path.join(root, name), root):
                yield name
                break
        else:
            if not os.path.isdir(os.path.join(root, stem)):
                return


def _read(path: str, limit: int) -> Tuple[bytes, bool]:
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"'{path}' is not a regular file")
            data = file.read(limit + 1)
    except OSError as err:
        raise BundleError(f"cannot read '{path}': {err.strerror}", "", "file-unreadable") from None
    if len(data) > limit:
        hint = "use --copy auto, or keep large data outside the folder of the script"
        raise BundleError(f"the files of the bundle have more than {BYTES_MAX >> 20} MiB", hint)
    return data, bool(status.st_mode & 0o100)


def _header(name: str, size: int, executable: bool) -> bytes:
    """Returns the ustar header of a regular file."""
    prefix, base = _split_name(name)
    fields: Dict[int, bytes] = {
        0: base,
        100: b"0000755\0" if executable else b"0000644\0",
        108: b"0000000\0",  # owner
        116: b"0000000\0",  # group
        124: b"%011o\0" % size,
        136: b"00000000000\0",  # time
        148: b" " * 8,  # checksum, counted as spaces
        156: b"0",
        257: b"ustar\00000",
        345: prefix,
    }
    header = bytearray(_BLOCK)
    for at, content in fields.items():
        header[at : at + len(content)] = content
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def _split_name(name: str) -> Tuple[bytes, bytes]:
    """Returns the two fields that a path may be split into: at most 155 and 100 bytes."""
    try:
        raw = name.replace(os.sep, "/").encode()
    except UnicodeEncodeError:
        raise BundleError(f"the file name {ascii(name)} is not UTF-8") from None
    if raw.count(b"/") >= DEPTH_MAX or any(byte < 0x20 or byte == 0x7F for byte in raw):
        text = f"the path {ascii(name)} is too deep or has control characters"
        raise BundleError(text, f"at most {DEPTH_MAX} parts")
    if len(raw) <= 100:
        return b"", raw
    for at, byte in enumerate(raw):
        if byte == 0x2F and at <= 155 and len(raw) - at - 1 <= 100:
            return raw[:at], raw[at + 1 :]
    raise BundleError(f"the path '{name}' is too long for a bundle", "at most about 250 bytes")
