#!/usr/bin/env python3
"""Plays the part of a service manager: passes listening sockets and credentials to a command, hears
what it notifies, feeds no watchdog, and starts it again with the same sockets.

usage: service.py [--unix PATH] [--tcp ADDRESS:PORT]... [--credential NAME=FILE]... [--watchdog S]
                  [--folder DIR] -- COMMAND...

Prints lines: "port N" for each TCP socket, "pid N" for each start, "notify TEXT" for each datagram
(its lines joined by blanks), "exit STATUS" when the command ends. Takes lines on stdin: "restart"
(SIGTERM, wait, start again), "kill" (SIGKILL, then start again), "hup", "stop" (SIGTERM, wait, end).
The end of stdin is "stop".
"""

import argparse
import os
import select
import shutil
import signal
import socket
import subprocess
import sys


def say(*words):
    print(*words, flush=True)


class Service:
    def __init__(self, options):
        self.options = options
        self.sockets = []
        if options.unix:
            self.listen(socket.AF_UNIX, options.unix)
            os.chmod(options.unix, 0o600)
        for address in options.tcp:
            host, port = address.rsplit(":", 1)
            one = self.listen(socket.AF_INET, (host, int(port)))
            say("port", one.getsockname()[1])
        self.notify_path = os.path.join(options.folder, "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.notify_path)
        self.credentials = os.path.join(options.folder, "credentials")
        os.mkdir(self.credentials, 0o700)
        for word in options.credential:
            name, path = word.split("=", 1)
            shutil.copy(path, os.path.join(self.credentials, name))
            os.chmod(os.path.join(self.credentials, name), 0o400)
        self.process = None

    def listen(self, family, address):
        one = socket.socket(family)
        if family == socket.AF_INET:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(address)
        one.listen(128)
        self.sockets.append(one)
        return one

    def start(self):
        fds = [s.fileno() for s in self.sockets]
        env = dict(os.environ, NOTIFY_SOCKET=self.notify_path,
                   CREDENTIALS_DIRECTORY=self.credentials, LISTEN_FDS=str(len(fds)),
                   LISTEN_FDNAMES=":".join("socket" for _ in fds))
        if self.options.watchdog:
            env["WATCHDOG_USEC"] = str(int(self.options.watchdog * 1e6))

        def place():
            high = [os.dup(fd) for fd in fds]  # out of the way of 3, 4, ...
            high = [os.dup2(fd, 200 + i) for i, fd in enumerate(high)]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
                os.set_inheritable(3 + i, True)
            os.closerange(3 + len(fds), 300)

        # $$ is the process id that the command keeps
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *self.options.command], env=env,
            stdin=subprocess.DEVNULL, close_fds=False, preexec_fn=place)
        say("pid", self.process.pid)

    def end(self, how):
        if self.process.poll() is None:
            self.process.send_signal(how)
        while True:  # hear what it says to the last
            self.hear(0.05)
            if self.process.poll() is not None:
                break
        while self.hear(0):
            pass
        say("exit", self.process.returncode)

    def hear(self, wait):
        ready, _, _ = select.select([self.notify], [], [], wait)
        if ready:
            say("notify", self.notify.recv(4096).decode().replace("\n", " "))
        return bool(ready)

    def run(self):
        self.start()
        while True:
            ready, _, _ = select.select([self.notify, sys.stdin], [], [])
            if self.notify in ready:
                self.hear(0)
            if sys.stdin not in ready:
                continue
            line = sys.stdin.readline().strip()
            if line in ("", "stop"):
                self.end(signal.SIGTERM)
                return
            if line == "hup":
                self.process.send_signal(signal.SIGHUP)
            elif line in ("restart", "kill"):
                self.end(signal.SIGTERM if line == "restart" else signal.SIGKILL)
                self.start()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--unix")
    parser.add_argument("--tcp", action="append", default=[])
    parser.add_argument("--credential", action="append", default=[])
    parser.add_argument("--watchdog", type=float, default=0)
    parser.add_argument("--folder", required=True)
    parser.add_argument("command", nargs="+")
    Service(parser.parse_args()).run()


if __name__ == "__main__":
    main()
