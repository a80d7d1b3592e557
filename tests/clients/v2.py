"""Runs the command of flyte 2 and ends with its status, without the end of Python.

At that end, threads of its HTTP library still run: about one command in fifty aborts (status 134) when
all of its work is done, on a busy machine (docs/reference/clients.md).
"""

import os
import sys

from flyte.cli.main import main

sys.argv[0] = "flyte"
status = 1
try:
    main()
    status = 0
except SystemExit as end:
    if isinstance(end.code, str):
        print(end.code, file=sys.stderr)
    else:
        status = end.code or 0
except BaseException:
    sys.excepthook(*sys.exc_info())
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)
