"""Acknowledged work outlives the machine: one life of several, each but the last ended by its power.

The host keeps what was acknowledged ("ack ..." lines, as they come) and hands it to the next life on a
disk of its own; /dev/vdc is the control plane's."""

import hashlib
import json
import os
import threading

import lib
from lib import check, equals

SCRIPT = """
import hashlib, os
import union

@union.task(secret_requests=[union.Secret(key="steady")])
def main(mark: str) -> int:
    with open("/var/lib/union-disk/marks/" + mark, "a") as file:
        file.write("ran\\n")
        file.flush()
        os.fsync(file.fileno())
    return len(union.current_context().secrets.get(key="steady"))
"""
OPEN = """
import hashlib
import union

@union.task(secret_requests=[union.Secret(key="%s")])
def main() -> str:
    return hashlib.sha256(union.current_context().secrets.get(key="%s").encode()).hexdigest()[:20]
"""
DISK = "/var/lib/union-disk"


def words():
    return dict(w.split("=", 1) for w in lib.read("/proc/cmdline").split() if "=" in w)


def begin(life):
    os.makedirs(DISK)
    if life == 0:
        lib.run("mkfs.ext4", "-q", "/dev/vdc")
    check("life %d: the disk is mounted" % life, lib.run("mount", "/dev/vdc", DISK)[0] == 0)
    lib.accounts()
    os.rmdir("/var/lib/union")
    if life == 0:
        for name in ("plane", "marks"):
            os.mkdir(DISK + "/" + name)
            lib.run("chown", "union:union", DISK + "/" + name)
        os.chmod(DISK + "/plane", 0o700)
        os.chmod(DISK + "/marks", 0o777)
    lib.drop_in("[Service]\nStateDirectory=\nReadWritePaths=%s\n" % DISK)
    lib.configure("tasks: {writable: %s/marks}\n" % DISK)
    lib.write(lib.CONFIG, lib.read(lib.CONFIG).replace("data: /var/lib/union\n", "data: %s/plane\n" % DISK))
    if life == 0:
        status, _, err = lib.run("uniond", "init", "--config", lib.CONFIG, "--user", "union", "--host",
                                 "localhost")
        check("life 0: init", status == 0, err)
    status, _, err = lib.run("systemctl", "start", "uniond")
    check("life %d: the service starts" % life, status == 0,
          err + lib.run("journalctl", "-u", "uniond", "--no-pager")[1])


def verify(life, acks):
    secrets, runs = acks.get("secret", {}), acks.get("run", {})
    status, out, err = lib.union("get", "secret", "-o", "json")
    if not check("life %d: secrets are listed" % life, status == 0, err):
        return
    found = {s["name"]: s["version"] for s in json.loads(out)["secrets"]}
    missing = [n for n, said in secrets.items() if found.get(n, 0) < said["version"]]
    check("life %d: each of %d acknowledged secrets is there, in its version" % (life, len(secrets)),
          not missing, missing)
    for name in sorted(secrets)[-2:]:
        status, out, err = lib.union("run", "--remote", lib.script("open.py", OPEN % (name, name)), "main")
        if found.get(name) == secrets[name]["version"]:
            check("life %d: %s opens as what it was" % (life, name),
                  status == 0 and secrets[name]["sha"] in out, out + err)
    def ended():
        text = lib.union("get", "execution", "-o", "json")[1]
        return '"phase": "RUNNING"' not in text and '"phase": "QUEUED"' not in text
    check("life %d: what ran at the cut comes to an end" % life, lib.until(ended, 120),
          lib.union("get", "execution", "-o", "json")[1][-2000:])
    twice = [m for m in runs if lib.read("%s/marks/%s" % (DISK, m)).count("ran") != 1]
    check("life %d: each of %d acknowledged runs ran once" % (life, len(runs)), not twice, twice)
    status, out, err = lib.union("get", "audit", "-o", "json", "--limit", "1000")
    unrecorded = [n for n in secrets if n not in out]
    check("life %d: each acknowledged secret is in the audit trail" % life, status == 0 and not unrecorded,
          err + str(unrecorded))
    status, out, err = lib.union("audit", "verify")
    check("life %d: the trail is whole" % life, status == 0, out + err)


def load(life):
    """Until the power goes."""
    path = lib.script("run.py", SCRIPT)
    if life == 0:
        lib.union_works("a steady secret", "create", "secret", "steady", data="x" * 20)
    lib.say("go")

    def secrets():
        for i in range(10000):
            name, value = "s%d_%d" % (life, i), os.urandom(12).hex()
            if lib.union("create", "secret", name, data=value)[0] == 0:
                acked("secret", name, 1, value)
            if i % 3 == 0:
                value = os.urandom(12).hex()
                if lib.union("update", "secret", name, data=value)[0] == 0:
                    acked("secret", name, 2, value)

    def runs():
        for i in range(10000):
            mark = "r%d_%d" % (life, i)
            if lib.union("run", "--remote", path, "main", "--mark", mark)[0] == 0:
                acked("run", mark, 1, "")

    def acked(kind, name, version, value):
        lib.say("ack %s %s %d %s" % (kind, name, version,
                                     hashlib.sha256(value.encode()).hexdigest()[:20]))

    threads = [threading.Thread(target=f) for f in (secrets, runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def body():
    said = words()
    life, last = int(said["life"]), said["last"] == "yes"
    acks = {}
    for line in lib.read("/dev/vdd", "rb").rstrip(b"\0").decode().splitlines():
        _, kind, name, version, sha = line.split()
        acks.setdefault(kind, {})[name] = {"version": int(version), "sha": sha}
    begin(life)
    if life:
        verify(life, acks)
    if last:
        equals("the service is well", "active", lib.show("ActiveState"))
    else:
        load(life)


lib.main(body)
