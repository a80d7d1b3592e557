"""A control plane for the tests of leaks."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Plane:
    """A control plane for the hostile, with a home of its own, for whoever runs this."""

    def __init__(self, build):
        self.home = tempfile.mkdtemp(prefix="union-leaks.")
        self.kept = tempfile.mkdtemp(prefix="union-values.")
        self.gate = os.path.join(self.home, "gate")
        self.open_folder = tempfile.mkdtemp(prefix="union-open.", dir="/var/tmp")
        os.mkdir(self.gate)
        os.chmod(self.gate, 0o755)
        os.chmod(self.open_folder, 0o777)
        self.code = os.path.join(self.home, "code")
        os.mkdir(self.code)
        shutil.copy(os.path.join(HERE, "hostile.py"), self.code)
        config = os.path.join(self.home, ".config", "union")
        os.makedirs(config)
        with open(os.path.join(config, "uniond.yaml"), "w", encoding="utf-8") as file:
            file.write("tasks:\n  show: %s\nparallel_tasks: 2\n" % self.gate)
        keys = os.path.join(self.home, ".ssh")
        os.mkdir(keys, 0o755)  # which nobody should
        with open(os.path.join(keys, "id_test"), "w", encoding="utf-8") as file:
            file.write("a key")
        self.data = os.path.join(self.home, ".local", "share", "union")
        self.env = {"HOME": self.home, "PATH": os.path.abspath(build) + ":/usr/bin:/bin",
                    "TMPDIR": self.home, "LANG": "C.UTF-8", "UNION_PYTHON": "/usr/bin/python3",
                    "ASAN_OPTIONS": "detect_leaks=0"}
        self.values = {}

    def union(self, *words, data=b"", check=True):
        done = subprocess.run(["union", *words], env=self.env, input=data, cwd=self.code,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              check=False)
        if check and done.returncode != 0:
            raise SystemExit("leaks: union %s: %s" % (words[0], done.stderr.decode()[-600:]))
        return done

    def secret(self, name):
        value = "Canary+/%s?&\"%s" % (os.urandom(9).hex(), name)
        self.union("create", "secret", name, data=value.encode())
        self.values[name] = value

    def stop(self):
        info = self.union("info", "-o", "json", check=False).stdout.decode()
        found = re.search(r'"pid": *(\d+)', info)
        if found:
            try:
                os.kill(int(found.group(1)), signal.SIGTERM)
            except ProcessLookupError:
                pass
            for _ in range(200):
                if not os.path.exists("/proc/" + found.group(1)):
                    break
                time.sleep(0.02)
        for folder in (self.home, self.kept, self.open_folder):
            shutil.rmtree(folder, ignore_errors=True)

    def everything(self):
        """All bytes that lie in files of the control plane, of the home, and in the open folder."""
        for root in (self.home, self.open_folder):
            for folder, _, names in os.walk(root):
                for name in names:
                    path = os.path.join(folder, name)
                    yield os.fsencode(path)
                    try:
                        if os.path.islink(path):
                            yield os.fsencode(os.readlink(path))
                        elif os.path.isfile(path):
                            with open(path, "rb") as file:
                                yield file.read()
                    except OSError:
                        pass
