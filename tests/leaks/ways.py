"""The ways that tests/leaks/run tries: name, task of hostile.py, its arguments, how it is judged.

OUT: a value, in the form that is named, is looked for in all that came out of the task.
REACH: the task itself says whether it got there. WATCH: somebody outside looks meanwhile.
"""

OUT, REACH, WATCH = "out", "reach", "watch"

WAYS = [
    # what a task prints
    ("print", "form", ["plain"], OUT, "plain"),
    ("print to standard error", "stderr", [""], OUT, "plain"),
    ("log handler", "log_handler", [""], OUT, "plain"),
    ("dump of the environment", "dump", [""], OUT, "plain"),
    ("environment of a child", "child", ["environment"], OUT, "plain"),
    ("output of a child", "child", ["file"], OUT, "file"),
    ("set -x of a shell", "child", ["set-x"], OUT, "plain"),
    ("message of an exception", "exception", [""], OUT, "plain"),
    ("cause of an exception", "cause", [""], OUT, "plain"),
    ("local variables in a traceback", "traceback_locals", [""], OUT, "plain"),
    ("message of sys.exit", "exit_message", [""], OUT, "plain"),
    # cut and disguised
    ("one byte a write", "cut", ["one-byte-writes"], OUT, "plain"),
    ("half on each stream", "cut", ["two-streams"], OUT, "halves"),
    ("colours between characters", "cut", ["colours"], OUT, "uncoloured"),
    ("progress bar", "cut", ["progress-bar"], OUT, "plain"),
    ("base64", "form", ["base64"], OUT, "base64"),
    ("base64 inside a longer text", "form", ["base64-in-text"], OUT, "base64-in-text"),
    ("base64 of the URL alphabet", "form", ["base64-url"], OUT, "base64-url"),
    ("base32", "form", ["base32"], OUT, "base32"),
    ("hex", "form", ["hex"], OUT, "hex"),
    ("hex with colons", "form", ["hex-colons"], OUT, "hex-colons"),
    ("decimal bytes", "form", ["decimal"], OUT, "decimal"),
    ("percent-encoding of all", "form", ["percent"], OUT, "percent"),
    ("percent-encoding of what must be", "form", ["url-quoted"], OUT, "url-quoted"),
    ("JSON escapes", "form", ["json-unicode"], OUT, "json-unicode"),
    ("HTML entities", "form", ["html"], OUT, "html"),
    ("escapes of C and Python", "form", ["escapes"], OUT, "escapes"),
    ("quoted-printable", "form", ["quoted-printable"], OUT, "quoted-printable"),
    ("UTF-16", "utf16", [""], OUT, "utf16"),
    ("reversed", "form", ["reversed"], OUT, "reversed"),
    ("spaces between characters", "form", ["spaced"], OUT, "spaced"),
    ("gzip in base64", "form", ["gzip-base64"], OUT, "gzip-base64"),
    ("rot13", "form", ["rot13"], OUT, "rot13"),
    ("xor with a constant", "form", ["xor"], OUT, "xor"),
    ("one numbered character a line", "cut", ["numbered"], OUT, "numbered"),
    # what a task returns
    ("return", "returned", ["plain"], OUT, "plain"),
    ("nested return", "returned_nested", [""], OUT, "plain"),
    ("key of a returned dict", "returned_key", [""], OUT, "plain"),
    ("return in base64", "returned", ["base64"], OUT, "base64"),
    ("return of a pickle", "returned_bytes", ["pickle"], OUT, "plain"),
    ("return of a gzip file", "returned_bytes", ["gzip"], OUT, "gzip-of-value"),
    ("return in rot13", "returned", ["rot13"], OUT, "rot13"),
    ("exit status, a byte a run", "place", ["exit-status", "TARGET"], OUT, "exit-status"),
    # what a task leaves
    ("file beside the outputs", "place", ["output-file", "TARGET"], OUT, "plain"),
    ("file name in /tmp", "place", ["file-name", "TARGET"], OUT, "file-name"),
    ("symbolic link out of the sandbox", "place", ["symbolic-link", "TARGET"], OUT, "plain"),
    ("folder that everybody may write", "place", ["world-writable-folder", "TARGET"], OUT, "plain"),
    ("file in /dev/shm", "place", ["shared-memory", "TARGET"], OUT, "plain"),
    ("file in somebody's home", "place", ["home", "TARGET"], OUT, "plain"),
    ("log of the machine", "place", ["syslog", "TARGET"], REACH, None),
    ("core dump", "place", ["core", "TARGET"], OUT, "plain"),
    ("process that outlives its task", "survivor", [""], OUT, "survivor"),
    ("command line, seen by ps of the machine", "place", ["process-title", "TARGET"], WATCH, "ps"),
    # what a task reaches, of a neighbour that runs in the same project
    ("list of processes", "reach", ["processes"], REACH, None),
    ("environ of a neighbour", "reach", ["neighbour-environ"], REACH, None),
    ("memory of a neighbour", "reach", ["neighbour-memory"], REACH, None),
    ("ptrace of a neighbour", "reach", ["neighbour-ptrace"], REACH, None),
    ("process_vm_readv of a neighbour", "reach", ["neighbour-read-memory"], REACH, None),
    ("pidfd_getfd of a neighbour", "reach", ["neighbour-descriptor"], REACH, None),
    ("signal to a neighbour", "reach", ["neighbour-signal"], REACH, None),
    ("files of a neighbour", "reach", ["neighbour-files"], REACH, None),
    ("/dev/shm of a neighbour", "reach", ["neighbour-shared-memory"], REACH, None),
    ("System V memory of a neighbour", "reach", ["neighbour-sysv"], REACH, None),
    ("abstract socket of a neighbour", "reach", ["neighbour-abstract-socket"], REACH, None),
    # of the launcher, the control plane and the machine
    ("memory of the launcher", "reach", ["launcher-memory"], REACH, None),
    ("inherited descriptors", "reach", ["inherited-descriptors"], REACH, None),
    ("keyring of the session", "reach", ["keyring"], REACH, None),
    ("data folder of the control plane", "reach", ["data-folder"], REACH, None),
    ("socket of the control plane", "reach", ["control-plane-socket"], REACH, None),
    ("abstract socket of the machine", "reach", ["outside-abstract-socket"], REACH, None),
    ("/tmp of the machine", "reach", ["host-tmp"], REACH, None),
    ("user namespace of its own", "reach", ["new-namespace"], REACH, None),
    ("mount", "reach", ["mount"], REACH, None),
    ("bpf", "reach", ["bpf"], REACH, None),
    ("perf_event_open", "reach", ["perf"], REACH, None),
    ("terminal", "reach", ["terminal"], REACH, None),
    ("permitted network connection", "reach", ["network"], REACH, None),
    ("network of a task without one", "offline", ["network"], REACH, None),
    # others on the machine, at a task that runs
    ("environ of a task, by another user", None, "other environ", WATCH, None),
    ("memory of a task, by another user", None, "other mem", WATCH, None),
    ("descriptors of a task, by another user", None, "other fd", WATCH, None),
    ("files of a task, by another user", None, "other root", WATCH, None),
    ("memory of the launcher, by another user", None, "other launcher", WATCH, None),
    ("environ of a task, by its own user outside", None, "same environ", WATCH, None),
    ("memory of a task, by its own user outside", None, "same mem", WATCH, None),
    ("memory of the launcher, by its own user outside", None, "same launcher", WATCH, None),
]

REASONS = {
    "rot13": "it is not one of the forms that are looked for: any code can make another one",
    "xor with a constant": "as rot13",
    "one numbered character a line": "as rot13",
    "return in rot13": "as rot13",
    "half on each stream": "the halves come in another order, and half a value is not looked for",
    "exit status, a byte a run": "a task's end has to be told",
    "command line, seen by ps of the machine": "command lines are for everybody, unless the machine "
    "mounts /proc with hidepid",
    "permitted network connection": "a task may send what it has wherever its network leads; "
    '`network="none"` takes the network away',
    "memory of a task, by its own user outside": "the kernel lets whoever made a user namespace look "
    "into it; a task with a user of its own is safe from that",
    "environ of a task, by its own user outside": "as its memory, below",
}
