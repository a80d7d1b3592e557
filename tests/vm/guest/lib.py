"""What checks inside of the virtual machine share: verdicts as TAP, services, secrets, searching."""

import base64
import os
import subprocess
import sys
import time
import traceback

sys.path.insert(0, "/opt/tests/harness")
sys.path.insert(0, "/opt/tests/redact")

CONFIG = "/etc/union/config.yaml"
SOCKET = "unix:///run/union/uniond.sock"
HOUSE = {"count": 0}
VALUES = []


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text):
    for line in str(text).splitlines():
        say("# " + line)


def check(promise, holds, detail=""):
    HOUSE["count"] += 1
    say("%sok - %s" % ("" if holds else "not ", promise))
    if not holds:
        for line in str(detail).splitlines()[-25:]:
            say("# ! " + line)
    return bool(holds)


def equals(promise, wanted, found):
    return check(promise, wanted == found, "wanted %r, found %r" % (wanted, found))


def run(*words, data=None, env=None, timeout=120, user=None, cwd=None):
    """(status, stdout, stderr); stdin is `data`."""
    words = [str(w) for w in words]
    if user:
        words = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", *words]
    try:
        done = subprocess.run(words, input=(data or "").encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, check=False, cwd=cwd,
                              env=dict(os.environ, **(env or {})))
    except subprocess.TimeoutExpired as late:
        return -1, (late.stdout or b"").decode(errors="replace"), "ran over %d s" % timeout
    return (done.returncode, done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"))


def works(promise, *words, **options):
    status, out, err = run(*words, **options)
    check(promise, status == 0, "status %d\n%s\n%s" % (status, out[-1500:], err[-1500:]))
    return out


def until(holds, seconds=30):
    """Whether it comes to hold; for what nobody announces."""
    end = time.monotonic() + seconds
    while True:
        if holds():
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.05)


def read(path, mode="r"):
    try:
        with open(path, mode) as file:
            return file.read()
    except OSError:
        return "" if mode == "r" else b""


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    if not path.startswith("/proc/"):
        os.chmod(path, mode)


def value(word="value"):
    """A new value that is looked for at the end."""
    made = "CANARY-%s-%s" % (os.urandom(18).hex(), word)
    VALUES.append(made)
    return made


def needles():
    import canary
    found = {}
    for made in VALUES:
        for needle in canary.encodings(made.encode()):
            if len(needle) >= 16:
                found[needle] = made
    return found


def search(promise, places, find=None):
    """No value in any of `places`: (name, bytes)."""
    looked = find or needles()
    hits, size = [], 0
    for name, data in places:
        size += len(data)
        hits += [name for needle in looked if needle in data]
    note("%s: looked through %d bytes" % (promise, size))
    return check(promise, not hits, "found in %s" % sorted(set(hits))[:20])


def pieces(path, size=8 << 20, overlap=4096):
    """A large file, or a disk, piece by piece; holes cost nothing."""
    tail = b""
    with open(path, "rb", 0) as file:
        while True:
            data = file.read(size)
            if not data:
                return
            if data.strip(b"\0"):
                yield path, tail + data
            tail = data[-overlap:]


def files_below(*roots):
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    yield path, path.encode() + read(path, "rb")


def journal():
    run("journalctl", "--sync")
    return run("journalctl", "--no-pager", "-o", "verbose", "-a")[1].encode()


# ---- the server, as docs/tasks/server.md says ----

def configure(extra="", tcp=None):
    lines = "data: /var/lib/union\nlisten:\n  unix: /run/union/uniond.sock\n"
    if tcp:
        lines += "  tcp: \"%s\"\n" % tcp
        lines += "tls: {certificate: /etc/union/tls.crt, key: /etc/union/tls.key}\n"
    write(CONFIG, lines + extra)
    run("chgrp", "union", CONFIG)
    os.chmod(CONFIG, 0o640)


def certificate(name="localhost"):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "30", "-subj", "/CN=" + name, "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "/etc/union/tls.key", "-out",
        "/etc/union/tls.crt")
    os.chmod("/etc/union/tls.key", 0o640)
    run("chgrp", "union", "/etc/union/tls.key")


def accounts():
    works("the user of the service is made by sysusers", "systemd-sysusers")
    works("its folders by tmpfiles", "systemd-tmpfiles", "--create", "union.conf")


def install(extra="", tcp=None):
    """From `make install` to a service that runs."""
    accounts()
    configure(extra, tcp)
    if tcp:
        certificate()
    works("uniond takes its configuration", "uniond", "-t", "--config", CONFIG)
    out = works("init makes the control plane", "uniond", "init", "--config", CONFIG, "--host",
                "localhost", "--user", "union")
    key = next((line.split('"')[1] for line in out.splitlines() if "UNION_API_KEY=" in line), "")
    if key:
        VALUES.append(base64.b64decode(key).decode().split(":")[3])
    works("the service starts", "systemctl", "enable", "--now", "uniond.service")
    return key


def drop_in(text, unit="uniond.service"):
    write("/etc/systemd/system/%s.d/test.conf" % unit, text)
    run("systemctl", "daemon-reload")


def show(what, unit="uniond.service"):
    return run("systemctl", "show", "-p", what, "--value", unit)[1].strip()


def union(*words, **options):
    """As the service's own user, which her socket is open to."""
    env = dict({"UNION_ENDPOINT": SOCKET, "HOME": "/var/lib/union-home", "LANG": "C.UTF-8"},
               **options.pop("env", {}))
    options.setdefault("user", "union")
    return run("union", *words, env=env, **options)


def union_works(promise, *words, **options):
    status, out, err = union(*words, **options)
    check(promise, status == 0, "status %d\n%s\n%s" % (status, out[-1500:], err[-2500:]))
    return out


def home():
    os.makedirs("/var/lib/union-home", exist_ok=True)
    run("chown", "union:union", "/var/lib/union-home")
    os.chmod("/var/lib/union-home", 0o755)


def script(name, text):
    home()
    path = "/var/lib/union-home/" + name
    write(path, text)
    return path


def start_run(path, *words, **env):
    """`union run --remote`, beside us."""
    return subprocess.Popen(
        ["setpriv", "--reuid", "union", "--regid", "union", "--clear-groups", "union", "run",
         "--remote", path, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, cwd="/var/lib/union-home",
        env=dict(os.environ, UNION_ENDPOINT=SOCKET, HOME="/var/lib/union-home", **env))


def end_run(process, timeout=120):
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        return -1, out.decode(errors="replace"), err.decode(errors="replace")
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def main(function):
    try:
        function()
    except Exception:  # pylint: disable=broad-except
        check("the check runs to its end", False, traceback.format_exc())
    say("1..%d" % HOUSE["count"])
