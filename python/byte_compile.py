"""Compiles the installed package, so that no task start does: tasks may not write there.

usage: byte_compile.py INSTALLED_FOLDER    (meson sets DESTDIR)
"""

import compileall
import os
import sys

folder = sys.argv[1]
placed = os.environ.get("DESTDIR", "") + folder
is_good = compileall.compile_dir(placed, quiet=1, ddir=folder)
sys.exit(0 if is_good else 1)
