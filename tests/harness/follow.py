"""Drives `union run --remote` for tests/stories/cli_follow.sh: prints "ok - ..." and "not ok - ..."."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

PATIENCE = 90
SCRIPT = '''
import os, time, union

@union.task(secret_requests=[union.Secret(key="followed")])
def slow(gate: str) -> int:
    value = union.current_context().secrets.get(key="followed")
    print("first line with", value, flush=True)
    while not os.path.exists(gate):
        time.sleep(0.02)
    print("second line", flush=True)
    return len(value)

@union.task
def twice(n: int) -> int:
    """Doubles a number.

    Nothing else."""
    return 2 * n

@union.task
def fails(n: int) -> int:
    raise ValueError("went wrong on purpose")

@union.task
def one_of_many_tasks_with_a_long_name(n: int) -> int:
    return n

@union.workflow
def crowd():
    for n in range(12):
        one_of_many_tasks_with_a_long_name(n=n)

@union.workflow
def chain(gate: str, factor: float = 0.5, flag: bool = False) -> int:
    """Waits, then doubles."""
    return twice(n=slow(gate=gate))
'''


def check(promise, good, what=""):
    shown = what.decode(errors="replace") if isinstance(what, bytes) else what
    print(f"{'ok' if good else 'not ok'} - {promise}{'' if good else ' (%r)' % (shown,)}", flush=True)
    return good


def union(*args, **more):
    return subprocess.run(["union", *args], capture_output=True, text=True, timeout=PATIENCE, check=False,
                          stdin=subprocess.DEVNULL, **more)


class Run:
    """A `union` whose stderr is read as it comes."""

    def __init__(self, *args):
        # a shell starts what is in the background with SIGINT ignored: not here
        self.process = subprocess.Popen(
            ["union", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        self.seen = b""

    def read_until(self, text):
        end = time.monotonic() + PATIENCE
        fd = self.process.stderr.fileno()
        while text not in self.seen and time.monotonic() < end:
            if select.select([fd], [], [], 1)[0]:
                piece = os.read(fd, 65536)
                if not piece:
                    break
                self.seen += piece
        return text in self.seen

    def end(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        self.seen += err
        return self.process.returncode, out

    def name(self):
        return re.search(rb"Execution '([a-z0-9-]+)'", self.seen).group(1).decode()


GATES = os.environ["GATES"]  # a folder that tasks see


def open_gate(path):
    with open(path, "w", encoding="ascii"):
        pass


def follow_test(folder, script):
    gate = os.path.join(GATES, "gate1")
    run = Run("run", "--remote", script, "chain", "--gate", gate)
    check("the task's output comes while it runs", run.read_until(b"first line with"), run.seen)
    run.read_until(b"[secret followed]")
    check("redacted, behind its node", b"n0 | first line with [secret followed]" in run.seen, run.seen)
    open_gate(gate)
    status, out = run.end()
    check("the run succeeds", status == 0, run.seen)
    check("its outputs are JSON on stdout, and nothing else is", json.loads(out) == {"o0": 64}, out)
    for phase in (b"running", b"succeeded"):
        check(f"each node is seen {phase.decode()}", len(re.findall(rb"(?m)^n[01] .*" + phase, run.seen)) >= 1,
              run.seen)
    name = run.name()
    done = union("get", "execution", name, "-o", "json")
    told = json.loads(done.stdout)
    check("get execution tells the same", told["phase"] == "succeeded" and told["outputs"] == {"o0": 64}, told)
    check("with its nodes", {node["phase"] for node in told["nodes"]} == {"succeeded"}, told)
    done = union("logs", name)
    check("logs has the whole output", done.stdout.count("line") == 2 and done.returncode == 0, done.stdout)


def interrupt_test(folder, script):
    gate = os.path.join(GATES, "gate2")
    run = Run("run", "--remote", script, "slow", "--gate", gate)
    run.read_until(b"first line")
    run.process.send_signal(signal.SIGINT)
    status, out = run.end()
    name = run.name()
    check("Ctrl-C stops following with status 130", status == 130 and out == b"", status)
    for hint in (f"union logs {name} --follow", f"union get execution {name}", f"union abort execution {name}"):
        check(f"and says: {hint.rsplit(' ', 1)[0]} ...", hint.encode() in run.seen, run.seen)
    logs = Run("logs", name, "--follow")
    first = logs.process.stdout.readline()
    check("logs --follow picks it up", b"first line" in first, first)
    open_gate(gate)
    status, out = logs.end()
    check("and ends with the run", status == 0 and b"second line" in out, out)
    done = union("get", "execution", name)
    check("the run went on meanwhile", "succeeded" in done.stdout, done.stdout + done.stderr)


def kill_test(folder, script):
    gate = os.path.join(GATES, "gate3")
    run = Run("run", "--remote", script, "slow", "--gate", gate)
    run.read_until(b"first line")
    logs = Run("logs", run.name(), "--follow")
    first = logs.process.stdout.readline()
    check("two follow it", b"first line" in first, first)
    pid = json.loads(union("info", "-o", "json").stdout)["pid"]
    os.kill(pid, signal.SIGKILL)
    open_gate(gate)
    status, out = logs.end()
    check("logs --follow survives the death of the control plane too",
          status == 0 and out.count(b"second line") == 1 and b"first line" not in out, out)
    status, out = run.end()
    check("following survives the death of the control plane", status == 0, run.seen)
    check("with the result", out.strip() != b"" and json.loads(out) == {"o0": 32}, out)
    check("no line is lost or shown twice",
          run.seen.count(b"first line") == 1 and run.seen.count(b"second line") == 1, run.seen)
    again = json.loads(union("info", "-o", "json").stdout)["pid"]
    check("and another control plane runs", again != pid, again)


def end_tests(folder, script):
    gate = os.path.join(GATES, "gate4")
    done = union("run", "--remote", "--no-wait", "--name", "to-abort", script, "slow", "--gate", gate)
    check("--no-wait prints the name and returns", done.stdout == "to-abort\n", done.stdout + done.stderr)
    done = union("run", "--remote", "--no-wait", "--name", "to-abort", script, "slow", "--gate", gate)
    check("a name that is taken is refused", done.returncode == 1 and "already" in done.stderr, done.stderr)
    done = union("abort", "execution", "to-abort", "--reason", "enough")
    check("abort stops it", done.returncode == 0, done.stderr)
    logs = union("logs", "to-abort", "--follow")
    check("its logs end", logs.returncode == 0, logs.stderr)
    done = union("get", "execution", "to-abort", "-o", "json")
    check("it is aborted", json.loads(done.stdout)["phase"] == "aborted", done.stdout)
    done = union("run", "--remote", script, "fails", "--n", "1")
    check("a run that fails has status 1", done.returncode == 1 and done.stdout == "", done.stdout)
    check("and shows the task's own error", "went wrong on purpose" in done.stderr, done.stderr)


def input_tests(script):
    done = union("run", "--remote", script, "chain", "--help")
    for wanted in ("Waits, then doubles.", "--gate str (required)", "--factor float (default: 0.5)",
                   "--flag bool (default: false)"):
        check(f"--help of the entity has: {wanted}", wanted in done.stdout, done.stdout)
    done = union("run", script, "twice", "--n", "21")
    check("a local run prints its outputs", done.returncode == 0 and json.loads(done.stdout) == {"o0": 42},
          done.stdout + done.stderr)
    done = union("run", script, "fails", "--n=1")
    check("a local run that fails shows it as Python does",
          done.returncode == 1 and "ValueError: went wrong on purpose" in done.stderr, done.stderr)


def on_terminal(rows, columns, *args):
    """Runs `union` on a terminal of that size; returns its exit status and all that was written."""
    pid, fd = pty.fork()
    if not pid:
        os.environ["TERM"] = "xterm"
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execvp("union", ["union", *args])
    seen = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return status, seen


def last_picture(seen):
    return re.sub(rb"\033\[[0-9;]*m", b"", seen.rsplit(b"\033[J", 1)[-1]).decode().replace("\r", "")


def terminal_test(folder, script):
    """On a terminal a node has one line, which is rewritten."""
    gate = os.path.join(GATES, "gate5")
    open_gate(gate)
    status, seen = on_terminal(24, 80, "run", "--remote", script, "chain", "--gate", gate)
    check("on a terminal the run succeeds too", status == 0, seen)
    check("and its lines are updated in place", b"\033[1A\033[J" in seen or b"\033[2A\033[J" in seen, seen)
    last = last_picture(seen)
    check("at the end each node stands there once, succeeded", last.count("succeeded") == 2, last)


def small_terminal_test(script):
    """Names give way to states; more nodes than lines are counted."""
    status, seen = on_terminal(8, 30, "run", "--remote", script, "crowd")
    check("on a small terminal too", status == 0, seen)
    lines = last_picture(seen).splitlines()
    nodes = [line for line in lines if line.startswith("n")]
    check("every line of a node ends in its state", len(nodes) == 5 and
          all(line.endswith(" succeeded") for line in nodes), lines)
    check("and begins with the end of its task's name", all("..h_a_long_name " in line for line in nodes), lines)
    check("within the terminal", max(map(len, lines)) < 30, lines)
    check("what has no line is counted", "and 7 more: 7 done" in lines, lines)
    check("the whole screen is never cleared", b"\033[8A" not in seen and b"\033[7A" not in seen, seen)


def main():
    folder = sys.argv[1]
    script = os.path.join(folder, "follow_script.py")
    with open(script, "w", encoding="utf-8") as file:
        file.write(SCRIPT)
    follow_test(folder, script)
    interrupt_test(folder, script)
    end_tests(folder, script)
    input_tests(script)
    terminal_test(folder, script)
    small_terminal_test(script)
    kill_test(folder, script)


if __name__ == "__main__":
    main()
