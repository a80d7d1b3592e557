"""The forms in which a value is looked for: what a careless program makes of it."""

import base64
import codecs
import gzip
import urllib.parse


def forms(value):
    """What betrays `value`, by the name of the form."""
    v = value.encode()
    return {
        "plain": v,
        "base64": base64.b64encode(v),
        "base64-in-text": base64.b64encode(b"x:" + v + b"@host"),
        "base64-url": base64.urlsafe_b64encode(v).rstrip(b"="),
        "hex": v.hex().encode(),
        "hex-colons": v.hex(":").upper().encode(),
        "percent": "".join("%%%02X" % c for c in v).encode(),
        "url-quoted": urllib.parse.quote(value, safe="").encode(),
        "json-unicode": "".join("\\u%04x" % ord(c) for c in value).encode(),
        "html": "".join("&#%d;" % ord(c) for c in value).encode(),
        "escapes": "".join("\\x%02x" % c for c in v).encode(),
        "decimal": str(list(v))[1:-1].encode(),
        "reversed": v[::-1],
        "spaced": " ".join(value).encode(),
        "base32": base64.b32encode(v).rstrip(b"="),
        "quoted-printable": "".join("=%02X" % c for c in v).encode(),
        "gzip-base64": base64.b64encode(gzip.compress(v, mtime=0)),
        "rot13": codecs.encode(value, "rot13").encode(),
        "xor": bytes(c ^ 0x55 for c in v).hex().encode(),
        "utf16": value.encode("utf-16-le"),
        "file-name": value.replace("/", ":").encode(),
    }
