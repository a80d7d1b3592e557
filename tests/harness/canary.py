#!/usr/bin/env python3
"""Searches everything that a whole-program test left behind for the values it stored.

usage: canary.py --values FILE --root DIR... [--pid PID...] [--allow-pid PID...]

--values   one value a line, base64; the file itself must lie outside every root
--root     folders whose files are read whole: names, contents, link targets
--pid      processes whose memory is read (uniond, the keeper); needs root or the same user and a
           process that may be read

Looked for: each value in every form of tests/redact/forms.py that redaction finds, and in base64 at each
of the three alignments, in files, in every /proc/PID/cmdline and environ that can be read, and in
`ps`. What stands between characters (white space, zeros, terminal colours, marks) is left out on both
sides, so that one search finds all of it. Prints one line a place and exits 1 at the first hit in any of
them; 0 and a line of counts otherwise. A value is never printed: a hit names its number in the file.
"""

import argparse
import base64
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "redact"))
import forms  # noqa: E402

CHUNK = 4 << 20
HUGE = 1 << 36  # bytes: mappings this large are a sanitizer's shadow, not the program's memory


TERMINAL = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[(=>78M].?)")
KEPT = bytes(range(128, 256)) + b"".join(bytes([c]) for c in range(128) if chr(c).isalnum())
DROPPED = bytes(c for c in range(256) if c not in KEPT)
LEAST = 8  # characters of letters and digits: a needle with fewer is searched for as it is


def shape(data):
    """Letters, digits and bytes from 128 on: the same for a value however it is spaced or parted."""
    if b"\x1b" in data:
        data = TERMINAL.sub(b"", data)
    return data.translate(None, DROPPED)


def alignments(value):
    """Base64 of the value within a longer text, without the digits that it shares with that."""
    for phase in range(3):
        padded = b"\0" * phase + value
        text = base64.b64encode(padded[:len(padded) // 3 * 3])
        yield text[(0, 2, 3)[phase]:]


def encodings(value):
    """All byte strings that betray `value`."""
    found = {value, value.hex().encode(), value.hex().upper().encode(), *alignments(value)}
    try:
        text = value.decode()
        for _, make, is_found in forms.FORMS:
            if is_found:
                made = make(text)
                found.add(made if isinstance(made, bytes) else made.encode())
    except UnicodeDecodeError:
        pass
    return found


class Search:
    def __init__(self, values):
        shaped, plain = {}, {}
        for number, value in enumerate(values):
            for needle in encodings(value):
                short = shape(needle)
                if len(short) >= LEAST:
                    shaped.setdefault(short, number)
                elif len(needle) >= 6:
                    plain.setdefault(needle, number)
        self.shaped, self.plain = shaped, plain
        self.longest = 4 * max((len(e) for e in list(shaped) + list(plain)), default=0)
        self.hits = []
        self.looked_at = {"files": 0, "bytes": 0, "processes": 0, "memory": 0}

    def look(self, place, data):
        if not data:
            return
        if not data.strip(b"\0"):  # most of a process's memory
            return
        text = shape(data)
        for needles, where in ((self.shaped, text), (self.plain, data)):
            for needle, number in needles.items():
                if needle in where:
                    self.hits.append("value %d in %s" % (number, place))
                    return

    def look_stream(self, place, read):
        """Like look for data that comes in pieces: read() until it is empty."""
        tail = b""
        while True:
            data = read()
            if not data:
                return
            self.look(place, tail + data)
            tail = data[-self.longest:]

    def file(self, path):
        self.looked_at["files"] += 1
        self.look("the name of " + path, os.fsencode(path))
        try:
            if os.path.islink(path):
                self.look("the link " + path, os.fsencode(os.readlink(path)))
                return
            if not os.path.isfile(path):
                return
            self.looked_at["bytes"] += os.path.getsize(path)
            with open(path, "rb") as f:
                self.look_stream(path, lambda: f.read(CHUNK))
        except FileNotFoundError:
            pass

    def tree(self, root):
        for folder, _, names in os.walk(root):
            self.look("the name of " + folder, os.fsencode(folder))
            for name in names:
                self.file(os.path.join(folder, name))

    def every_process(self, allowed):
        me = os.getpid()
        for name in os.listdir("/proc"):
            if not name.isdigit() or int(name) in allowed or int(name) == me:
                continue
            self.looked_at["processes"] += 1
            for what in ("cmdline", "environ"):
                try:
                    with open("/proc/%s/%s" % (name, what), "rb") as f:
                        self.look("%s of process %s" % (what, name), f.read())
                except OSError:
                    pass
        self.look("the output of ps", subprocess.run(["ps", "auxwwe"], stdout=subprocess.PIPE,
                                                     check=False).stdout)

    def memory(self, pid):
        """Every readable mapping of one process."""
        try:
            maps = open("/proc/%d/maps" % pid, encoding="utf-8", errors="replace")
            memory = open("/proc/%d/mem" % pid, "rb", 0)
        except OSError as error:
            print("canary: cannot read the memory of process %d: %s" % (pid, error.strerror))
            sys.exit(1)
        with maps, memory:
            for line in maps:
                span, flags = line.split()[:2]
                start, end = (int(x, 16) for x in span.split("-"))
                if flags[0] != "r" or end - start > HUGE or "[vvar" in line or "[vsyscall" in line:
                    continue
                words = line.split(None, 5)
                self.mapping(pid, memory, start, end, words[5].strip() if len(words) > 5 else "")

    def mapping(self, pid, memory, start, end, name):
        at = start

        def read():
            nonlocal at
            if at >= end:
                return b""
            try:
                memory.seek(at)
                data = memory.read(min(CHUNK, end - at))
            except OSError:  # memfd_secret, or gone: what root cannot read nobody can
                return b""
            at += len(data)
            self.looked_at["memory"] += len(data)
            return data

        self.look_stream("the memory of process %d (%s at %x, %d KiB)"
                         % (pid, name or "anonymous", start, (end - start) >> 10), read)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--values", required=True)
    parser.add_argument("--root", action="append", default=[])
    parser.add_argument("--pid", action="append", type=int, default=[])
    parser.add_argument("--allow-pid", action="append", type=int, default=[])
    options = parser.parse_args()
    with open(options.values, "rb") as f:
        values = [base64.b64decode(line) for line in f.read().split()]
    search = Search(values)
    for root in options.root:
        search.tree(root)
    search.every_process(set(options.allow_pid))
    for pid in options.pid:
        search.memory(pid)
    for hit in search.hits:
        print("canary: FOUND " + hit)
    print("canary: %d values; %d files (%d bytes), %d processes, %d bytes of memory: %d hits"
          % (len(values), search.looked_at["files"], search.looked_at["bytes"],
             search.looked_at["processes"], search.looked_at["memory"], len(search.hits)))
    return 1 if search.hits else 0


if __name__ == "__main__":
    sys.exit(main())
