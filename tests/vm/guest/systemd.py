"""The shipped units under the real thing: what a manager does to a service, done to this one."""

import os
import signal
import time

import lib
from lib import check, equals, works

ONE = """
import os
import union

@union.task(secret_requests=[union.Secret(key="my_secret")])
def main() -> str:
    secret = union.current_context().secrets.get(key="my_secret")
    print("it is", secret)
    return "%d %d" % (len(secret), os.getuid())
"""
LONG = """
import os, time
import union

@union.task(secret_requests=[union.Secret(key="my_secret")])
def main(mark: str) -> int:
    print("BEGAN", flush=True)
    while not os.path.exists("/srv/gate/" + mark):
        time.sleep(0.1)
    return len(union.current_context().secrets.get(key="my_secret"))
"""
TASKS = "tasks:\n  writable: /srv/gate\n"


def main_pid():
    return int(lib.show("MainPID") or 0)


def is_active():
    return lib.show("ActiveState") == "active"


def subject():
    """Whose certificate the port shows."""
    shown = lib.run("openssl", "s_client", "-connect", "127.0.0.1:443", "-alpn", "h2", data="")[1]
    found = [line for line in shown.splitlines() if line.startswith("subject=")]
    return found[0].split("=")[-1].strip() if found else "nothing"


def began(process):
    """Reads what a run shows until its task is at work."""
    shown = []
    for line in process.stderr:
        shown.append(line.decode(errors="replace"))
        if b"BEGAN" in line:
            return True
    lib.note("".join(shown))
    return False


def first():
    lib.install(TASKS, tcp="0.0.0.0:443")
    equals("it is ready by its own word", "active", lib.show("ActiveState"))
    lib.home()
    os.makedirs("/srv/gate", exist_ok=True)
    os.chmod("/srv/gate", 0o755)
    value = lib.value()
    lib.union_works("a secret is made", "create", "secret", "my_secret", data=value)
    status, out, err = lib.union("run", "--remote", lib.script("one.py", ONE), "main")
    check("a task has it", status == 0 and str(len(value)) in out, out + err)
    check("its output is redacted", "it is [secret my_secret]" in err, err)
    equals("the port below 1024 serves", "localhost", subject())
    for pid in lib.run("pgrep", "-x", "uniond")[1].split():
        status = lib.read("/proc/%s/status" % pid)
        check("no process of it is root's", "Uid:\t0" not in status, status)


def task_across(name, disturb):
    """A task runs while `disturb` happens to its control plane; its result comes once."""
    path = lib.script("long.py", LONG)
    process = lib.start_run(path, "main", "--mark", name)
    check("%s: a task is at work" % name, began(process))
    done = disturb()
    lib.write("/srv/gate/" + name, "")
    status, out, err = lib.end_run(process)
    check("%s: the task ran on, and its client saw its result" % name, status == 0 and "o0" in out,
          "%s %s\n%s\n%s" % (status, out, err, lib.run("journalctl", "--no-pager", "-n", "30")[1]))
    found = lib.union("get", "execution", "-o", "json")[1]
    check("%s: in one attempt" % name, '"attempt": 2' not in found, found)
    return done


def reload():
    before = main_pid()
    lib.certificate("other")
    works("reload", "systemctl", "reload", "uniond.service")
    check("reload takes the new certificate", lib.until(lambda: subject() == "other"), subject())
    check("reload: it is the same process, and ready", main_pid() == before and is_active())


def restart():
    before = main_pid()
    status, _, err = lib.run("systemctl", "restart", "uniond.service")
    check("restart works while a task runs", status == 0 and is_active() and main_pid() != before,
          err + lib.run("journalctl", "--no-pager", "-n", "30")[1])


def crash():
    before = main_pid()
    os.kill(before, signal.SIGKILL)
    check("killed, it is started again", lib.until(lambda: is_active() and main_pid() not in (0, before), 60),
          lib.run("journalctl", "--no-pager", "-n", "30")[1])


def watchdog():
    lib.drop_in("[Service]\nWatchdogSec=6s\n")
    works("a shorter watchdog", "systemctl", "restart", "uniond.service")
    before = main_pid()
    time.sleep(13)
    equals("the watchdog is fed: nothing happens for two of its times", before, main_pid())
    os.kill(before, signal.SIGSTOP)
    check("stopped by SIGSTOP, the watchdog ends it and starts it again",
          lib.until(lambda: is_active() and main_pid() not in (0, before), 60), lib.show("Result"))
    check("and the journal says why", "atchdog" in lib.run("journalctl", "-u", "uniond")[1])


def credentials():
    """The key of TLS as a credential, encrypted for this machine: nobody but root has the file."""
    works("the key is encrypted for this machine", "systemd-creds", "encrypt", "--with-key=host",
          "--name=tls.key", "/etc/union/tls.key", "/etc/union/tls.cred")
    os.unlink("/etc/union/tls.key")
    lib.write(lib.CONFIG, lib.read(lib.CONFIG).replace("/etc/union/tls.key", "credential:tls.key"))
    lib.drop_in("[Service]\nLoadCredentialEncrypted=tls.key:/etc/union/tls.cred\n")
    status, _, err = lib.run("systemctl", "restart", "uniond.service")
    check("it starts with an encrypted credential", status == 0,
          err + lib.run("journalctl", "--no-pager", "-n", "20", "-u", "uniond")[1])
    equals("and serves with that key", "other", subject())
    status, out, err = lib.union("run", "--remote", lib.script("peek.py", PEEK), "main")
    check("a task does not see the credentials", status == 0 and "NOTHING" in out, out + err)


PEEK = """
import os
import union

@union.task
def main() -> str:
    found = [n for n in os.environ if "CRED" in n or "NOTIFY" in n or "LISTEN" in n]
    for root in ("/run/credentials", "/run/systemd", "/run/union"):
        try:
            found += os.listdir(root)
        except OSError:
            pass
    return repr(found) if found else "NOTHING"
"""


def sockets():
    works("stop again", "systemctl", "stop", "uniond.service")
    text = lib.read(lib.CONFIG)
    lib.write(lib.CONFIG, "".join(l for l in text.splitlines(True) if "tcp:" not in l))
    works("the sockets alone", "systemctl", "enable", "--now", "uniond.socket")
    check("nothing runs yet", not is_active())
    lib.union_works("the first client starts it", "get", "secret")
    check("it runs", is_active())
    equals("the port is systemd's, with TLS", "other", subject())
    works("restart with sockets", "systemctl", "restart", "uniond.service")
    lib.run("systemctl", "stop", "uniond.service")
    equals("a connection to the port starts it, too", "other", subject())


def drain():
    """What is in flight has its time, and stop is quick and clean."""
    process = lib.start_run(lib.script("long.py", LONG), "main", "--mark", "drain")
    check("drain: a run is followed", began(process))
    start = time.monotonic()
    works("stop while a run is followed", "systemctl", "stop", "uniond.socket", "uniond.service")
    seconds = time.monotonic() - start
    check("within drain_timeout and little more", seconds < 25, seconds)
    equals("as a clean end", "success", lib.show("Result"))
    lib.note("stop took %.1f s" % seconds)
    lib.write("/srv/gate/drain", "")
    works("and a start after it", "systemctl", "start", "uniond.service")
    lib.end_run(process)


def body():
    first()
    reload()
    task_across("restart", restart)
    task_across("crash", crash)
    task_across("watchdog", watchdog)
    credentials()
    sockets()
    drain()
    lib.search("no value in the journal", [("journal", lib.journal())])
    lib.search("no value below the folders of the system", lib.files_below("/var/log", "/var/lib/union",
                                                                         "/run", "/tmp", "/var/tmp"))
    rating = lib.run("systemd-analyze", "security", "--no-pager", "uniond.service")[1].splitlines()
    lib.note(rating[-1] if rating else "")


lib.main(body)
