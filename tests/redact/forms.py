"""The forms in which a value may be printed: how each is made, and whether redaction finds it.

Made with Python's own encoders where it has one: nothing here knows how src/redact reads them. Used by
tests/tools/redaction_test.py, which also writes docs/reference/redaction.md from it, and by the canary
search.
"""

import base64
import gzip
import html
import json
import quopri
import random
import shlex
import textwrap
import urllib.parse
import zlib

STRINGS = ["\x1b]8;;https://example.org/\x1b\\", "\x1b]0;a title\x07", "\x0f", "\x1bP1$r0m\x1b\\"]
COLOURS = ["\x1b[0m", "\x1b[1;31m", "\x1b[K", "\x1b(B"]


def between(text, mark):
    return mark.join(text)


def phase(value, before):
    """Base64 of a longer text, `before` bytes of it before the value."""
    return base64.b64encode(b"\x9d\xc3\x81"[:before] + value + b"\xfe\xdc").decode()


def wrap(text, column, line_end="\n"):
    return line_end.join(text[i:i + column] for i in range(0, len(text), column))


def quoted(text):
    """As Go, Rust and Ruby write a text: what cannot be shown with a backslash."""
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def ansi_c(text):
    return "$'%s'" % text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")


def json_all(text):
    units = text.encode("utf-16-be")
    return "".join("\\u%02x%02x" % (units[i], units[i + 1]) for i in range(0, len(units), 2))


# name, what makes it of a text, whether it is found. In the order of the page.
FORMS = [
    ("as it is", lambda t: t, True),
    ("without the white space around it", lambda t: t.strip(), True),
    ("with `\\r\\n` for each line end", lambda t: t.replace("\n", "\r\n"), True),
    ("with other white space where it has some", lambda t: "\n    ".join(t.split()), True),
    ("wrapped at a column (16 characters or more)", lambda t: wrap(t, 7), True),
    ("terminal colours between its characters", lambda t: "".join(
        c + COLOURS[i % 4] for i, c in enumerate(t)), True),
    ("one space between its characters", lambda t: between(t, " "), True),
    ("reversed", lambda t: t[::-1], True),
    ("UTF-16, little-endian", lambda t: t.encode("utf-16-le"), True),
    ("UTF-16, big-endian", lambda t: t.encode("utf-16-be"), True),
    ("UTF-32", lambda t: t.encode("utf-32-le"), True),
    ("base64", lambda t: base64.b64encode(t.encode()).decode(), True),
    ("base64 without padding", lambda t: base64.b64encode(t.encode()).decode().rstrip("="), True),
    ("base64, URL alphabet", lambda t: base64.urlsafe_b64encode(t.encode()).decode(), True),
    ("base64 of a longer text, second phase", lambda t: phase(t.encode(), 1), True),
    ("base64 of a longer text, third phase", lambda t: phase(t.encode(), 2), True),
    ("base64, wrapped at 76", lambda t: base64.encodebytes(b"x" * 60 + t.encode()).decode(), True),
    ("base64, wrapped at 1", lambda t: wrap(base64.b64encode(t.encode()).decode(), 1, "\r\n"), True),
    ("base64 with escaped line ends", lambda t: wrap(
        base64.b64encode(t.encode()).decode(), 9, "\\n"), True),
    ("base64, percent-encoded", lambda t: urllib.parse.quote(
        base64.b64encode(t.encode()).decode(), safe=""), True),
    ("hex, lower case", lambda t: t.encode().hex(), True),
    ("hex, upper case", lambda t: t.encode().hex().upper(), True),
    ("hex with `:`", lambda t: t.encode().hex(":"), True),
    ("hex with spaces", lambda t: t.encode().hex(" "), True),
    ("hex with `\\x`", lambda t: "".join("\\x%02x" % b for b in t.encode()), True),
    ("hex with `0x`", lambda t: ", ".join("0x%02x" % b for b in t.encode()), True),
    ("hex, wrapped", lambda t: wrap(t.encode().hex(), 10), True),
    ("percent-encoded, what must be", lambda t: urllib.parse.quote(t, safe=""), True),
    ("percent-encoded, all, lower case", lambda t: "".join("%%%02x" % b for b in t.encode()), True),
    ("percent-encoded, all, upper case", lambda t: "".join("%%%02X" % b for b in t.encode()), True),
    ("percent-encoded, `+` for a blank", urllib.parse.quote_plus, True),
    ("JSON", json.dumps, True),
    ("JSON, `\\/` for a slash", lambda t: json.dumps(t).replace("/", "\\/"), True),
    ("JSON, `\\uXXXX` and surrogates for all", json_all, True),
    ("Python `repr` of text", repr, True),
    ("Python `repr` of bytes", lambda t: repr(t.encode()), True),
    ("Python `ascii`", ascii, True),
    ("C string with octal", lambda t: "".join("\\%03o" % b for b in t.encode()), True),
    ("shell, quoted", shlex.quote, True),
    ("shell, `set -x`", lambda t: "'" + t.replace("'", "'\\''") + "'", True),
    ("shell, a backslash before each mark", lambda t: "".join(
        c if c.isalnum() or ord(c) > 127 or c == "\n" else "\\" + c for c in t), True),
    ("shell, `printf %q` and its kin", ansi_c, True),
    ("Go `%q`, Rust `{:?}`, Ruby `inspect`", quoted, True),
    ("Go `%v` of bytes", lambda t: "[" + " ".join(str(b) for b in t.encode()) + "]", True),
    ("Go `% x`", lambda t: t.encode().hex(" "), True),
    ("Rust `escape_default`", lambda t: "".join(
        c if " " <= c <= "~" and c not in "\\\"'" else {"\n": "\\n"}.get(c) or (
            "\\" + c if c in "\\\"'" else "\\u{%x}" % ord(c)) for c in t), True),
    ("TOML and Python, `\\UXXXXXXXX` for all", lambda t: "".join("\\U%08X" % ord(c) for c in t), True),
    ("SQL and YAML, two single quotes for one", lambda t: "'" + t.replace("'", "''") + "'", True),
    ("CSV, two double quotes for one", lambda t: '"' + t.replace('"', '""') + '"', True),
    ("YAML, double-quoted and folded", lambda t: json.dumps(t).replace(" ", "\\\n  \\ "), True),
    ("`jq`, `tojson` with UTF-8", lambda t: json.dumps(t, ensure_ascii=False), True),
    ("terminal titles and links between its characters", lambda t: "".join(
        STRINGS[i % 4] * (i > 0) + c for i, c in enumerate(t)), True),
    ("8-bit terminal sequences between its characters", lambda t: b"\x9b31m".join(
        c.encode() for c in t), True),
    ("within a terminal's title", lambda t: "\x1b]0;%s\x07" % t, True),
    ("XML", lambda t: html.escape(t, quote=False), True),
    ("HTML", html.escape, True),
    ("decimal entities for all", lambda t: "".join("&#%d;" % ord(c) for c in t), True),
    ("hex entities for all", lambda t: "".join("&#x%X;" % ord(c) for c in t), True),
    ("YAML, folded", lambda t: "\n  ".join(textwrap.wrap(t, 12, break_long_words=False)), True),
    ("list of decimal numbers", lambda t: str(list(t.encode())), True),
    ("decimal numbers with blanks", lambda t: " ".join(str(b) for b in t.encode()), True),
    ("base32", lambda t: base64.b32encode(t.encode()).decode(), True),
    ("base32, lower case, in a longer text", lambda t: base64.b32encode(
        b"abc" + t.encode() + b"x").decode().lower(), True),
    ("quoted-printable", lambda t: quopri.encodestring(t.encode()).decode(), True),
    ("quoted-printable, all", lambda t: "".join("=%02X" % b for b in t.encode()), True),
    ("gzip in base64", lambda t: base64.b64encode(gzip.compress(t.encode(), mtime=1)).decode(), True),
    ("zlib in base64", lambda t: base64.b64encode(zlib.compress(t.encode())).decode(), True),
    ("base64 of base64", lambda t: base64.b64encode(base64.b64encode(t.encode())).decode(), False),
    ("base64 of a JSON text, where that escapes something", lambda t: base64.b64encode(
        json_all(t).encode()).decode(), False),
    ("JSON in JSON, `\\uXXXX` for all", lambda t: json_all(t).replace("\\", "\\\\"), False),
    ("percent-encoded twice", lambda t: "".join("%%25%02x" % b for b in t.encode()), False),
    ("entities, escaped once more", lambda t: "".join("&amp;#%d;" % ord(c) for c in t), False),
    ("ASCII85", lambda t: base64.a85encode(t.encode()).decode(), False),
    ("overstrike, as manual pages print bold", lambda t: "".join(c + "\b" + c for c in t), False),
    ("`xxd`", lambda t: "\n".join("%08x: %s" % (
        i, t.encode()[i:i + 8].hex(" ", 2)) for i in range(0, len(t.encode()), 8)), False),
    ("`od -tx1`", lambda t: "\n".join("%07o %s" % (
        i, t.encode()[i:i + 8].hex(" ")) for i in range(0, len(t.encode()), 8)), False),
    ("base85", lambda t: base64.b85encode(t.encode()).decode(), False),
    ("rot13 and other ciphers", lambda t: t.translate(str.maketrans(
        "abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")), False),
    ("in upper case", str.upper, False),
    ("one character a line, with other text between", lambda t: "\nline ".join(t), False),
    ("half of it", lambda t: t[:len(t) // 2], False),
    ("a hex dump with offsets", lambda t: "\n".join(
        "%08x  %s" % (i, t.encode()[i:i + 8].hex(" ")) for i in range(0, len(t.encode()), 8)), False),
    ("binary digits", lambda t: " ".join("%08d" % int(bin(b)[2:]) for b in t.encode()), False),
    ("bzip2, xz or zstd in base64", lambda t: base64.b64encode(
        __import__("bz2").compress(t.encode())).decode(), False),
    ("base64 of UTF-16", lambda t: base64.b64encode(t.encode("utf-16-le")).decode(), False),
]


def values():
    """Texts of several kinds; each is found in each form that is said to be found."""
    source = random.Random(4)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return [
        "hunter22-swordfish",
        "correct horse battery staple",
        "p/ss\"w'rd&<x>+%41=\\n;#",
        "na\u00efve-p\u00e4ss\u20acw\u00f6rd-\U0001f511x",
        "".join(source.choice(letters) for _ in range(40)),
        "-----BEGIN KEY-----\n" + "\n".join(
            "".join(source.choice(letters + "+/") for _ in range(64)) for _ in range(4)) +
        "\n-----END KEY-----",
    ]
