"""What the process is doing: the one thing that tasks and workflows look at when called."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from ._tracing import Tracer

tracer: Optional[Tracer] = None
"""Set while a workflow function is traced: calls then become nodes. Only one thread traces."""

is_loading = False
"""True while a program of ours imports the user's script: it may not start executions then, because
compiling the script for them would import it again, and so on without end."""
