"""The keys under a passphrase that only root can read: made by init, opened as a credential."""

import os
import time

import lib
from lib import check, equals

FILE = "/etc/union/secret/passphrase"


def timed(promise, *words, **options):
    begin = time.monotonic()
    status, out, err = lib.run(*words, **options)
    lib.note("%s: %.1f s" % (promise, time.monotonic() - begin))
    check(promise, status == 0, lib.run("journalctl", "-n", "15", "--no-pager")[1] + out + err)
    return out


def body():
    lib.accounts()
    lib.home()
    lib.configure("keys: {provider: passphrase, passphrase_file: \"credential:passphrase\"}\n")
    phrase = lib.value("passphrase")
    lib.write(FILE, phrase + "\n", 0o600)
    os.chmod(os.path.dirname(FILE), 0o700)
    timed("init as the service's user takes a passphrase of root's", "uniond", "init", "--config", lib.CONFIG,
          "--host", "localhost", "--user", "union", env={"CREDENTIALS_DIRECTORY": os.path.dirname(FILE)},
          timeout=200)
    equals("everything it made is the user's", "",
           lib.run("find", "/var/lib/union", "!", "-user", "union")[1])
    lib.drop_in("[Service]\nLoadCredential=passphrase:%s\n" % FILE)
    timed("the service starts with it as a credential", "systemctl", "start", "uniond.service", timeout=200)
    lib.union_works("a secret is made: the keys are open", "create", "secret", "one", data=lib.value())
    timed("and starts again", "systemctl", "restart", "uniond.service", timeout=200)
    out = lib.union_works("the secret is there", "get", "secret")
    check("by its name", "one" in out, out)
    lib.search("no value in the journal", [("journal", lib.journal())])
    lib.search("no value below the folders of the system",
               lib.files_below("/var/log", "/var/lib/union", "/tmp", "/var/tmp"))


lib.main(body)
