"""Compiles the package where it lies, so that no task has to at its start: in its sandbox it could
not keep what it compiled.

usage: byte_compile.py FOLDER [STAMP]    (installing, meson sets DESTDIR)
"""

import compileall
import os
import sys

folder = sys.argv[1]
stamp = sys.argv[2] if len(sys.argv) > 2 else None
placed = folder if stamp else os.environ.get("DESTDIR", "") + folder
is_good = compileall.compile_dir(placed, quiet=1, ddir=folder)
if stamp:  # a source tree that cannot be written to is only slower
    with open(stamp, "w", encoding="utf-8"):
        sys.exit(0)
sys.exit(0 if is_good else 1)
