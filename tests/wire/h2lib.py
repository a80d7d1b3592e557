"""HTTP/2 by hand: frames, and heads that are not indexed."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, body):
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


def text(name, value):
    """A field that is not indexed, without Huffman."""
    out = b"\0"
    for part in (name, value):
        out += (bytes([len(part)]) if len(part) < 127
                else b"\x7f" + varint(len(part) - 127)) + part
    return out


def varint(number):
    out = b""
    while number >= 128:
        out += bytes([number % 128 | 128])
        number //= 128
    return out + bytes([number])


def head(path=b"/healthz", method=b"GET", more=()):
    return (text(b":method", method) + text(b":scheme", b"http") + text(b":path", path) +
            text(b":authority", b"localhost") + b"".join(text(n, v) for n, v in more))


def frames(reply):
    """(kind, flags, stream, body) of each frame."""
    out = []
    while len(reply) >= 9:
        size = int.from_bytes(reply[:3], "big")
        out.append((reply[3], reply[4], int.from_bytes(reply[5:9], "big"), reply[9:9 + size]))
        reply = reply[9 + size:]
    return out


def goaway(reply):
    codes = [int.from_bytes(f[3][4:8], "big") for f in frames(reply) if f[0] == 7]
    return codes[-1] if codes else None


def read_until(s, wanted):
    seen = b""
    while not any(wanted(f) for f in frames(seen)):
        piece = s.recv(65536)
        if not piece:
            break
        seen += piece
    return seen
