#!/usr/bin/env python3
"""kill -9 of uniond, of the keeper and of launchers, at random moments of a mixed load.

usage: kill.py --rounds N --seed N --values FILE [--claims]

Runs with the environment of a story (tests/lib.sh): own home, `union` on PATH. Each round starts a few
operations at once (creates, updates, deletes, reads, runs), and kills one of the processes at a point
given by the number of operations that have ended, so that no clock decides. In the end:

  - every acknowledged write is there, every acknowledged delete is gone;
  - every accepted run has ended once, with its true result;
  - the audit trail is whole, and names each run whose task read the secret;
  - no attempt of a task ran while another attempt of the same node ran (each holds a lock file).

With --claims there are only runs, and uniond or the keeper is killed as soon as a launcher is there:
between the keeper's record of a release, the trail's, and the launcher's own copy.

Prints TAP. Values are random, and are added to FILE for the canary search.
"""

import argparse
import base64
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading

SCRIPT = '''
import fcntl, os, sys
import union

@union.task(secret_requests=[union.Secret(key="steady")], retries=3)
def step(folder: str, mark: str) -> int:
    lock = os.open(os.path.join(folder, mark + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        with open(os.path.join(folder, "overlap"), "a") as f:
            f.write(mark + chr(10))
    total = 0
    for i in range(200000):
        total += i
    return len(union.current_context().secrets.get(key="steady"))

@union.task
def add(a: int, b: int) -> int:
    return a + b

@union.workflow
def main(folder: str, mark: str) -> int:
    return add(a=step(folder=folder, mark=mark), b=1)
'''


class Plane:
    """What the test knows to be acknowledged."""

    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.lock = threading.Lock()
        self.there = {}    # name -> least version that was acknowledged
        self.deleted = set()
        self.unsure = set()  # a request on it failed: either outcome is right
        self.runs = {}     # name -> accepted
        self.ended = 0
        self.killed = {"uniond": 0, "keeper": 0, "union-exec": 0}
        self.folder = os.path.join(os.environ["HOME"], "marks")
        os.makedirs(self.folder, exist_ok=True)
        self.script = os.path.join(os.environ["HOME"], "steps.py")
        with open(self.script, "w", encoding="utf-8") as f:
            f.write(SCRIPT)

    def value(self):
        value = ("CANARY-" + os.urandom(12).hex()).encode()
        with open(self.options.values, "ab") as f:
            f.write(base64.b64encode(value) + b"\n")
        return value

    def union(self, *args, stdin=b"", timeout=120):
        done = subprocess.run(["union", *args], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, check=False)
        with self.lock:
            self.ended += 1
        return done

    def create(self, name):
        done = self.union("create", "secret", name, stdin=self.value())
        with self.lock:
            if done.returncode == 0:
                self.there[name] = 1
            else:
                self.unsure.add(name)

    def update(self, name):
        done = self.union("update", "secret", name, stdin=self.value())
        with self.lock:
            if done.returncode == 0:
                self.there[name] = self.there.get(name, 0) + 1

    def delete(self, name):
        done = self.union("delete", "secret", name)
        with self.lock:
            self.there.pop(name, None)
            (self.deleted if done.returncode == 0 else self.unsure).add(name)

    def run(self, name):
        done = self.union("run", "--remote", "--no-wait", "--name", name, self.script, "main",
                          "--folder", self.folder, "--mark", name)
        with self.lock:
            self.runs[name] = done.returncode == 0


def processes(home):
    """(kind, pid) of this story's programs. A keeper has no environment: its parent is a uniond."""
    planes, keepers = set(), {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry, encoding="ascii", errors="replace") as f:
                name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            with open("/proc/%s/cmdline" % entry, "rb") as f:
                args = f.read().split(b"\0")
            with open("/proc/%s/environ" % entry, "rb") as f:
                environ = f.read().split(b"\0")
        except OSError:
            continue
        mine = ("HOME=" + home).encode() in environ or home.encode() in b" ".join(args)
        if name == "union-exec" and mine:
            yield "union-exec", int(entry)
        elif name == "uniond" and mine:
            planes.add(int(entry))
            yield "uniond", int(entry)
        elif name == "uniond":
            keepers[int(entry)] = int(rest.split()[1])
    for pid, parent in keepers.items():
        if parent in planes:
            yield "keeper", pid


def one_round(plane, number):
    names = ["r%d-%d" % (number, i) for i in range(6)]
    jobs = [lambda n=n: plane.create(n.replace("-", "_")) for n in names]
    older = sorted(plane.there)
    if older:
        jobs.append(lambda: plane.update(plane.random.choice(older)))
        jobs.append(lambda: plane.delete(plane.random.choice(older)) if len(older) > 8 else None)
    jobs += [lambda i=i: plane.run("run-%d-%d" % (number, i)) for i in range(2)]
    jobs.append(lambda: plane.union("get", "secret"))
    victims = ["uniond", "uniond", "keeper", "union-exec"]
    if plane.options.claims:
        jobs = [lambda i=i: plane.run("run-%d-%d" % (number, i)) for i in range(3)]
        victims = [["keeper", "uniond"][number % 2]]
    plane.random.shuffle(jobs)
    kill_after = plane.ended + plane.random.randrange(len(jobs))
    victim = plane.random.choice(victims)
    queue = list(jobs)

    def worker():
        while True:
            with plane.lock:
                if not queue:
                    return
                job = queue.pop()
            job()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        if victim and plane.ended >= kill_after:
            there = list(processes(os.environ["HOME"]))
            if plane.options.claims and any(t.is_alive() for t in threads) and \
                    not any(kind == "union-exec" for kind, _ in there):
                continue
            for kind, pid in there:
                if kind == victim:
                    try:
                        os.kill(pid, signal.SIGKILL)
                        plane.killed[kind] += 1
                    except ProcessLookupError:
                        pass
            victim = None
        for t in threads:
            t.join(0.01)


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def result(self, good, promise, why=""):
        self.count += 1
        self.failed += not good
        print("%sok %d - %s%s" % ("" if good else "not ", self.count, promise,
                                  "" if good else " (%s)" % why), flush=True)


def check(plane, tap):
    listed = {}
    done = plane.union("get", "secret", "-o", "json")
    tap.result(done.returncode == 0, "the plane answers after all of it", done.stderr.decode()[-300:])
    for secret in json.loads(done.stdout or b'{"secrets": []}')["secrets"]:
        listed[secret["name"]] = secret["version"]
    lost = [n for n, version in plane.there.items()
            if n not in plane.unsure and listed.get(n, 0) < version]
    tap.result(not lost, "every acknowledged write is there", "lost: %s" % lost[:5])
    back = [n for n in plane.deleted if n in listed and n not in plane.unsure]
    tap.result(not back, "every acknowledged delete is gone", "back: %s" % back[:5])
    wrong, succeeded = [], set()
    for name, accepted in sorted(plane.runs.items()):
        plane.union("logs", name, "--follow", timeout=300)  # ends when the run does
        done = plane.union("get", "execution", name, "-o", "json")
        if done.returncode != 0:
            if accepted:
                wrong.append(name + " was accepted and is not there")
            continue
        text = done.stdout.decode()
        if not re.search(r'"phase": *"(SUCCEEDED|FAILED)"', text, re.I):
            wrong.append(name + " has not ended: " + text[:200])
        elif re.search(r'"phase": *"SUCCEEDED"', text.split('"nodes"')[0], re.I) and \
                str(len("CANARY-") + 24 + 1) not in text:
            wrong.append(name + " has a wrong result: " + text[:300])
        elif re.search(r'"phase": *"SUCCEEDED"', text.split('"nodes"')[0], re.I):
            succeeded.add(name)
    tap.result(not wrong, "every accepted run has ended, once, with its result", "; ".join(wrong[:3]))
    done = plane.union("audit", "verify", "-o", "json")
    tap.result(done.returncode == 0, "the audit trail is whole, with every release in it",
               (done.stdout + done.stderr).decode()[-600:])
    done = plane.union("get", "secret", "steady", "--used-by", "-o", "json")
    missing = [n for n in succeeded if ('"%s"' % n).encode() not in done.stdout]
    tap.result(done.returncode == 0 and not missing, "who received the secret is in the trail",
               "missing: %s %s" % (missing[:3], done.stderr.decode()[-200:]))
    found = [plane.union("get", "audit", "-o", "jsonl", "--limit", "1000", *words).stdout.count(b"\n")
             for words in (["--action", "secret.release-found"],
                           ["--action", "secret.release", "--verdict", "failed"])]
    print("# releases that a kill left without a record, until the next start: %d; that were not "
          "delivered: %d" % tuple(found))
    overlap = os.path.join(plane.folder, "overlap")
    tap.result(not os.path.exists(overlap), "no two attempts of a node ran at once",
               open(overlap, encoding="utf-8").read() if os.path.exists(overlap) else "")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--values", required=True)
    parser.add_argument("--claims", action="store_true")
    plane = Plane(parser.parse_args())
    tap = Tap()
    plane.union("create", "secret", "steady", stdin=plane.value())
    for number in range(plane.options.rounds):
        one_round(plane, number)
    check(plane, tap)
    print("# killed: %s; %d operations, %d secrets, %d runs"
          % (plane.killed, plane.ended, len(plane.there), len(plane.runs)))
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
