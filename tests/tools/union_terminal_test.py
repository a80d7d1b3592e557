#!/usr/bin/env python3
"""The prompt of `union create secret`, on a real terminal device; and what a process list shows.

The control plane here is a socket that nobody answers: the value is asked for before it is needed.
"""
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time

BUILD = os.environ.get("UNION_BUILD", "build")
UNION = os.path.abspath(os.path.join(BUILD, "union"))
PROMPT = b"Enter secret value: "
CANARY = "CANARY-terminal-5d0c"
count = failed = 0


def check(promise, good, what=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {promise}{'' if good else f' ({what!r})'}", flush=True)


class Terminal:
    """`union ARGS` as a session of its own on a new terminal."""

    def __init__(self, home, *args, before=(), keep=()):
        self.master, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        environment = {"HOME": home, "PATH": os.environ["PATH"], "TERM": "xterm",
                       "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")}
        self.seen = b""
        self.process = subprocess.Popen(
            [*before, UNION, *args], stdin=self.slave, stdout=self.slave, stderr=self.slave,
            pass_fds=keep, env=environment, preexec_fn=self.take_terminal)

    def take_terminal(self):
        os.setsid()
        import fcntl
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read_until(self, text, times=1, seconds=20):
        end = time.monotonic() + seconds
        while self.seen.count(text) < times and time.monotonic() < end:
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:
                    break
        return self.seen.count(text) >= times

    def type(self, data):
        os.write(self.master, data)

    def end(self, seconds=20):
        """The exit status, and all output until then."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            self.read_until(b"\0never", seconds=0.1)
        self.read_until(b"\0never", seconds=0.1)
        return self.process.poll()

    def is_restored(self):
        return termios.tcgetattr(self.slave) == self.before

    def echo_is_off(self):
        return not termios.tcgetattr(self.slave)[3] & termios.ECHO

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def ask(home, *more):
    return Terminal(home, "create", "secret", "x", "--endpoint", f"unix://{home}/nobody", *more)


def prompt_tests(home):
    t = ask(home)
    check("asks with exactly the prompt", t.read_until(PROMPT) and t.seen == PROMPT, t.seen)
    check("with echo off", t.echo_is_off())
    t.type(CANARY.encode() + b"\n")
    status = t.end()
    check("shows nothing of what was typed", CANARY.encode() not in t.seen, t.seen)
    check("goes on when the line is complete", status == 1 and b"cannot reach" in t.seen, t.seen)
    check("leaves the terminal as it was", t.is_restored())
    t.close()

    t = ask(home)
    t.read_until(PROMPT)
    t.type(b"half\x03")
    check("Ctrl-C ends it with status 130", t.end() == 130, t.seen)
    check("and the terminal is as it was", t.is_restored())
    t.close()

    for name in ("SIGTERM", "SIGHUP"):
        t = ask(home)
        t.read_until(PROMPT)
        t.process.send_signal(getattr(signal, name))
        check(f"{name} ends it by that signal", t.end() == -getattr(signal, name), t.process.poll())
        check("and the terminal is as it was", t.is_restored())
        t.close()


# A shell in small: the kernel stops only a process whose parent belongs to the same session.
SHELL = """
import os, signal, sys
pid = os.fork()
if not pid:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[2], sys.argv[2:])
os.write(int(sys.argv[1]), b"%d" % pid)
os.waitpid(pid, 0)
"""


def state_of(pid, wanted, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            if file.read().rsplit(")", 1)[1].split()[0] in wanted:
                return True
        select.select([], [], [], 0.01)
    return False


def stop_test(home):
    pid_end, child_end = os.pipe()
    os.set_inheritable(child_end, True)
    t = Terminal(home, "create", "secret", "x", "--endpoint", f"unix://{home}/nobody",
                 before=[sys.executable, "-c", SHELL, str(child_end)], keep=[child_end])
    t.read_until(PROMPT)
    pid = int(os.read(pid_end, 32))
    t.type(b"forgotten")
    os.kill(pid, signal.SIGTSTP)
    check("a stop stops it", state_of(pid, "T"))
    check("with the terminal as it was", t.is_restored())
    os.kill(pid, signal.SIGCONT)
    check("and it asks again when continued", t.read_until(PROMPT, 2), t.seen)
    check("with echo off again", t.echo_is_off())
    os.kill(pid, signal.SIGINT)
    t.end()
    check("and the terminal is as it was in the end", t.is_restored())
    t.close()
    os.close(pid_end)
    os.close(child_end)


def editing_tests(home):
    t = ask(home)
    t.read_until(PROMPT)
    t.type(b"ab\x7f\x7f\x7f\n")
    check("what is erased is gone: an empty value is refused", t.end() == 1 and b"empty" in t.seen,
          t.seen)
    t.close()
    t = ask(home)
    t.read_until(PROMPT)
    t.type(b"abcdef\x15\n")
    check("Ctrl-U erases all of it", t.end() == 1 and b"empty" in t.seen, t.seen)
    t.close()
    t = ask(home)
    t.read_until(PROMPT)
    writer = threading.Thread(target=t.type, args=(b"x" * 20000 + b"\nrest of a paste\n",))
    writer.start()
    status = t.end()
    writer.join()
    check("a pasted value may have more than a terminal's line", status == 1, t.seen)
    waiting = select.select([t.slave], [], [], 0)[0]
    check("the rest of a paste does not reach the shell", not waiting or status == 1)
    t.close()


def file_tests(home):
    """What a terminal is not asked for."""
    done = subprocess.run([UNION, "create", "secret", "x", "--endpoint", f"unix://{home}/nobody"],
                          input=b"", capture_output=True, check=False)
    check("standard input that is no terminal is the value", b"standard input is empty" in done.stderr,
          done.stderr)


def argv_test(home):
    """--value is gone from the process list by the time anything else happens."""
    path = os.path.join(home, "plane.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    process = subprocess.Popen([UNION, "create", "secret", "x", f"--value={CANARY}", "--endpoint",
                                f"unix://{path}"], stderr=subprocess.PIPE,
                               env={"HOME": home, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")})
    connection, _ = listener.accept()
    connection.recv(65536)
    with open(f"/proc/{process.pid}/cmdline", "rb") as file:
        line = file.read()
    check("--value is wiped from the command line", b"create" in line and CANARY.encode() not in line,
          line)
    connection.close()
    error = process.communicate(timeout=20)[1]
    check("and no error shows it", CANARY.encode() not in error, error)


def main():
    if not os.access(UNION, os.X_OK):
        sys.exit(f"no {UNION}: build it, or set UNION_BUILD")
    with tempfile.TemporaryDirectory(prefix="union-terminal-") as home:
        for test in (prompt_tests, stop_test, editing_tests, file_tests, argv_test):
            test(home)
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
