#!/usr/bin/env python3
"""Every rule of tools/check-source fires on the smallest file that breaks it, and only then. TAP."""

import os
import subprocess
import sys
import tempfile

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "check-source")
GUARDED = "#ifndef BASE_X_H\n#define BASE_X_H\n%s\n#endif\n"


def function(name, body, parameters="void"):
    return "static int\n%s(%s)\n{\n%s\n}\n" % (name, parameters, body)


def calls(what):
    return function("one", "\treturn %s;" % what)


# name of the test, path, text, what must be found (None: nothing)
CASES = [
    ("accepts_a_clean_file", "src/base/x.c", function("one", "\treturn 1;"), None),
    ("accepts_a_clean_header", "src/base/x.h", GUARDED % "int one(void);", None),
    ("refuses_slash_comments", "src/base/x.c", "int a; // why\n", "comment with //"),
    ("sees_no_slash_comment_in_a_string", "src/base/x.c", 'const char *a = "http://x";\n', None),
    ("sees_no_call_in_a_comment_or_a_string", "src/base/x.c",
     '/* strcpy(a, b) */\nconst char *a = "malloc(1)";\n', None),
    ("refuses_notes_to_self", "src/base/x.c", "/* TO" "DO: later */\n", "a note to self"),
    ("refuses_long_lines", "src/base/x.c", "int " + "a" * 96 + ";\n", "101 columns"),
    ("counts_a_tab_as_eight", "src/base/x.c", "\t/* " + "a" * 87 + " */\n", "101 columns"),
    ("accepts_a_full_line", "src/base/x.c", "int " + "a" * 95 + ";\n", None),
    ("refuses_blanks_at_the_end", "src/base/x.c", "int a; \n", "blanks at the end"),
    ("refuses_carriage_returns", "src/base/x.c", "int a;\r\n", "carriage return"),
    ("refuses_a_file_without_a_last_newline", "src/base/x.c", "int a;", "no newline"),
    ("refuses_a_long_file", "src/base/x.c", "int a;\n" * 801, "file of 801 lines"),
    ("accepts_a_file_at_the_limit", "src/base/x.c", "int a;\n" * 800, None),
    ("refuses_a_long_function", "src/base/x.c", function("one", "\n".join(["\ta();"] * 78)),
     "function of 81 lines"),
    ("accepts_a_function_at_the_limit", "src/base/x.c", function("one", "\n".join(["\ta();"] * 77)), None),
    ("refuses_seven_parameters", "src/base/x.c",
     function("one", "\treturn 1;", "int a, int b, int c, int d,\n    int (*e)(int, int), int f, int g"),
     "7 parameters"),
    ("accepts_six_parameters", "src/base/x.c",
     function("one", "\treturn 1;", "int a, int b, int c, int d, int (*e)(int, int), int f"), None),
    ("refuses_a_header_without_its_guard", "src/base/x.h", "int one(void);\n", "#ifndef BASE_X_H"),
    ("refuses_a_header_with_anothers_guard", "src/base/x.h",
     "#ifndef BASE_Y_H\n#define BASE_Y_H\n#endif\n", "#define BASE_X_H"),
    ("refuses_paths_of_one_machine", "docs/x.md", "see /ro" "ot/notes\n", "a path of one machine"),
    ("refuses_paths_of_one_machine_in_scripts", "tools/x.sh", "cd /wo" "rk/main\n", "a path of one machine"),
    ("takes_an_exception_in_the_line", "src/base/x.c",
     function("one", "\treturn memcmp(a, b, 1); /* check-source: al" "low memcmp, public */"), None),
    ("takes_an_exception_in_the_line_before", "src/base/x.c",
     function("one", "\t/* check-source: al" "low memcmp, public */\n\treturn memcmp(a, b, 1);"), None),
    ("refuses_an_exception_without_a_reason", "src/base/x.c",
     function("one", "\treturn memcmp(a, b, 1); /* check-source: al" "low memcmp */"), "memcmp is banned"),
    ("refuses_an_exception_that_nothing_needs", "src/base/x.c",
     "int a; /* check-source: al" "low memcmp, public */\n", "not needed"),
    ("tests_may_compare_print_and_allocate", "src/base/x_test.c",
     function("one", "\tprintf(\"x\");\n\tfree(malloc(1));\n\treturn memcmp(a, b, 1);"), None),
    ("programs_may_exit_print_and_read_the_environment", "cmd/x.c",
     function("one", "\tprintf(\"%s\", getenv(\"HOME\"));\n\texit(1);"), None),
    ("programs_may_not_allocate_for_themselves", "cmd/x.c", calls("malloc(1)"), "malloc is banned"),
    ("a_member_of_a_struct_may_be_called_free", "src/base/x.c", calls("a->free(1)"), None),
    ("only_the_allocator_calls_malloc", "src/base/alloc.c", calls("malloc(1)"), None),
]

for banned in ("strcpy strcat sprintf vsprintf gets atoi atol strtok system popen rand memcmp getenv exit "
               "malloc calloc realloc free strdup strndup printf fprintf puts").split():
    CASES.append(("refuses_" + banned, "src/base/x.c", calls(banned + "(a)"), banned + " is banned"))


def run(path, text):
    with tempfile.TemporaryDirectory() as folder:
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full))
        with open(full, "w", newline="") as file:
            file.write(text)
        done = subprocess.run([sys.executable, TOOL, path], cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout.decode()


def main():
    print("1..%d" % len(CASES))
    failed = 0
    for number, (name, path, text, expected) in enumerate(CASES, 1):
        status, output = run(path, text)
        if expected is None:
            good = status == 0 and " 0 findings" in output
        else:
            good = status == 1 and expected in output and output.startswith(path + ":")
        failed += not good
        print("%sok %d - check_source.%s" % ("" if good else "not ", number, name), flush=True)
        if not good:
            print("".join("# %s\n" % line for line in output.splitlines()), end="")
    return 1 if failed else 0


sys.exit(main())
