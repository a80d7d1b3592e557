#!/usr/bin/env python3
"""Every rule of tools/check-layers fires on the smallest tree that breaks it, and only then. TAP."""

import os
import subprocess
import sys
import tempfile

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "check-layers")

# name of the test, files, what must be found (None: nothing)
CASES = [
    ("accepts_includes_from_the_layers_before", {
        "src/base/a.h": "int a(void);\n", "src/store/b.c": '#include "base/a.h"\n'}, None),
    ("refuses_an_include_from_a_later_layer", {
        "src/base/a.c": '#include "store/b.h"\n', "src/store/b.h": "int b(void);\n"},
     "src/base/a.c:1: base/ includes from store/"),
    ("refuses_it_in_a_header_too", {
        "src/crypto/a.h": '#include "envelope/b.h"\n', "src/envelope/b.h": "int b(void);\n"},
     "src/crypto/a.h:1: crypto/ includes from envelope/"),
    ("refuses_it_in_a_test_too", {
        "src/model/a_test.c": '\n#include "keeper/b.h"\n', "src/keeper/b.h": "int b(void);\n"},
     "src/model/a_test.c:2: model/ includes from keeper/"),
    ("refuses_a_folder_that_is_no_layer", {"src/misc/a.c": "int a;\n"}, "src/misc/ is in no layer"),
    ("refuses_an_include_from_a_folder_that_is_no_layer", {
        "src/base/a.c": '#include "misc/b.h"\n', "src/misc/b.h": "int b(void);\n"},
     "src/base/a.c:1: src/misc/ is in no layer"),
    ("refuses_an_include_from_cmd", {"src/launch/a.c": '#include "cmd/x/y.h"\n'}, "src/ includes from cmd/"),
    ("accepts_generated_messages_anywhere", {
        "src/base/a.c": '#include "flyteidl/core/types.pb-c.h"\n#include "proto-all.h"\n'}, None),
    ("keeps_the_crypto_library_in_crypto", {"src/keeper/a.c": "#include <sodium.h>\n"},
     "<sodium.h> outside of src/crypto/"),
    ("accepts_the_crypto_library_in_crypto", {"src/crypto/a.c": "#include <sodium.h>\n"}, None),
    ("keeps_the_database_in_store", {"src/services/a.c": "#include <sqlite3.h>\n"},
     "<sqlite3.h> outside of src/store/"),
    ("keeps_tls_in_net", {"src/rpc/a.c": "#include <openssl/ssl.h>\n"}, "<openssl/ssl.h> outside of src/net"),
    ("refuses_a_header_that_does_not_compile_alone", {"src/base/a.h": "size_t a(void);\n"},
     "src/base/a.h:1: does not compile alone"),
    ("accepts_a_header_that_includes_what_it_needs", {
        "src/base/a.h": "#include <stddef.h>\nsize_t a(void);\n"}, None),
    ("compiles_the_headers_of_programs_too", {"cmd/x/a.h": "size_t a(void);\n"},
     "cmd/x/a.h:1: does not compile alone"),
]


def run(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w") as file:
                file.write(text)
        done = subprocess.run([sys.executable, TOOL, root], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout.decode()


def main():
    print("1..%d" % len(CASES))
    failed = 0
    for number, (name, files, expected) in enumerate(CASES, 1):
        status, output = run(files)
        good = status == (expected is not None) and (expected or " 0 findings") in output
        failed += not good
        print("%sok %d - check_layers.%s" % ("" if good else "not ", number, name), flush=True)
        if not good:
            print("".join("# %s\n" % line for line in output.splitlines()), end="")
    return 1 if failed else 0


sys.exit(main())
