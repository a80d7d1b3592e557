"""What the scripts of this folder share: the server under test, TAP, generated messages."""

import atexit
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("UNION_BUILD", os.path.join(ROOT, "build"))
SECRET = "/cloudidl.secret.SecretService/"
WAIT = 30  # seconds: longer than anything here takes, so that a hang ends

_results = []


def tool(name):
    path = os.path.join(BUILD, "tests", "wire", name)
    if not os.path.exists(path):
        print("1..0 # SKIP the build has no %s (meson -Dtests=enabled)" % name)
        sys.exit(0)
    return path


def folder():
    path = tempfile.mkdtemp(prefix="union-wire.")
    atexit.register(shutil.rmtree, path, True)
    return path


def check(promise, condition, why=""):
    """One line of TAP."""
    _results.append(bool(condition))
    print("%sok %d - %s" % ("" if condition else "not ", len(_results), promise))
    if not condition and why != "":
        print("# " + str(why)[:2000].replace("\n", "\n# "))
    sys.stdout.flush()


def same(promise, wanted, seen):
    check(promise, wanted == seen, "wanted %r, seen %r" % (wanted, seen))


def finish():
    print("1..%d" % len(_results))
    sys.exit(0 if _results and all(_results) else 1)


class Server:
    """A running echo_server; it must end well, which is a test of its own."""

    def __init__(self, *args, tcp=True, tls=False, unix=False):
        self.folder = folder()
        self.unix = os.path.join(self.folder, "socket") if unix else None
        command = [tool("echo_server"), "--dir", self.folder, *args]
        if tcp:
            command.append("--tcp")
        if unix:
            command += ["--unix", self.unix]
        if tls:
            self.certificate = certificate(self.folder)
            command += ["--tls", *self.certificate]
        self.errors = open(os.path.join(self.folder, "stderr"), "w+b")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors)
        self.ports = {}
        for line in self.process.stdout:
            words = line.decode().split()
            if words == ["ready"]:
                break
            self.ports[words[0]] = int(words[1])
        else:
            raise RuntimeError("the server did not start: " + self.said())
        self.port = self.ports.get("port")
        self.tls = self.ports.get("tls")

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            status = self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = "did not end"
        check("the server ends well", status == 0 and not self.said(),
              "status %s: %s" % (status, self.said()))


def certificate(path):
    """A self-signed one for localhost: (certificate, key)."""
    cert, key = os.path.join(path, "cert.pem"), os.path.join(path, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
    return cert, key


def messages():
    """Generates Python messages from proto/ and makes them importable."""
    path = folder()
    files = []
    proto = os.path.join(ROOT, "proto")
    for base, _, names in os.walk(proto):
        files += [os.path.relpath(os.path.join(base, n), proto) for n in names
                  if n.endswith(".proto")]
    subprocess.run(["protoc", "-I.", "-I/usr/include", "--python_out=" + path, *sorted(files)],
                   cwd=proto, check=True)
    sys.path.insert(0, path)


def talk(port, sent, wait=WAIT):
    """Sends bytes over TCP and returns all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as s:
        s.sendall(sent)
        seen = b""
        while True:
            if not select.select([s], [], [], wait)[0]:
                return seen + b"<the server did not close>"
            try:
                piece = s.recv(65536)
            except ConnectionResetError:
                return seen
            if not piece:
                return seen
            seen += piece
