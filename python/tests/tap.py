"""Runs the tests of this folder in the Python that runs this file, as TAP without a plan.

usage: tap.py VERSION FIRST_NUMBER [-v] [NAME_PART...]
"""

import io
import os
import sys
import traceback
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]


def cases(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from cases(part)
        else:
            yield part


def title(case):
    module, _, method = case.id().partition(".")
    return f"{module[5:]}: {method.rpartition('.')[2][5:].replace('_', ' ')}"


class Result(unittest.TestResult):
    """Prints one line a test, and for a failure why, as comments."""

    def __init__(self, version, number):
        super().__init__()
        self.version = version
        self.number = number
        self.bad = []

    def startTest(self, case):
        super().startTest(case)
        self.bad = []

    def addSubTest(self, case, subtest, error):
        super().addSubTest(case, subtest, error)
        if error is not None:
            self.bad.append((subtest, error))

    def addError(self, case, error):
        super().addError(case, error)
        self.bad.append((case, error))

    def addFailure(self, case, error):
        super().addFailure(case, error)
        self.bad.append((case, error))

    def addSkip(self, case, reason):
        super().addSkip(case, reason)
        self.skipped.append((case, reason))

    def stopTest(self, case):
        super().stopTest(case)
        self.number += 1
        word = "not ok" if self.bad else "ok"
        skip = next((f" # SKIP {why}" for which, why in self.skipped if which is case), "")
        print(f"{word} {self.number} - [{self.version}] {title(case)}{skip}", flush=True)
        for which, error in self.bad:
            text = io.StringIO()
            print(which, file=text)
            traceback.print_exception(*error, file=text)
            for line in text.getvalue().splitlines():
                print(f"# {line}", flush=True)


def main():
    version, number = sys.argv[1], int(sys.argv[2])
    parts = [word.replace(" ", "_") for word in sys.argv[3:] if word != "-v"]
    found = unittest.defaultTestLoader.discover(HERE, "test_*.py", HERE)
    chosen = [c for c in cases(found) if not parts or any(part in c.id() for part in parts)]
    result = Result(version, number)
    unittest.TestSuite(chosen).run(result)
    return 0 if result.wasSuccessful() else 1


sys.exit(main())
