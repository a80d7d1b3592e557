#!/usr/bin/env python3
"""Makes the files that the guard's unit test looks at, with the tools that people make them with.

usage: tests/guard/make_cases.py FOLDER

Needs numpy, pyarrow, msgpack, zstandard, lz4, fastavro, cramjam, joblib and safetensors (PyPI); what it makes is kept in tests/guard/cases/ so
that the test needs none of them. FOLDER/cases.txt says of each file what must come of it:

    NAME hit PATH       the value is there, and this is where
    NAME clean          nothing is
    NAME blind WHY      nothing is found, and this is said of what cannot be looked into
"""

import base64
import bz2
import decimal
import gzip
import io
import json
import lzma
import os
import pickle
import sqlite3
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib

import fastavro
import joblib
import lz4.frame
import msgpack
import numpy
import pyarrow
import pyarrow.feather
import pyarrow.ipc
import pyarrow.orc
import pyarrow.parquet
import safetensors.numpy
import zstandard

VALUE = "hunter22-swordfish-4711"
NEAR = VALUE[:-1] + "2"
FOLDER = sys.argv[1]
CASES = []


def case(name, content, what):
    with open(os.path.join(FOLDER, name), "wb") as file:
        file.write(content)
    CASES.append("%s %s" % (name, what))


def both(name, make, path):
    """The value is found where it is, and a near miss is not."""
    stem, dot, ending = name.partition(".")
    case(name, make(VALUE), "hit %s%s" % (name, path))
    case(stem + "-near" + dot + ending, make(NEAR), "clean")


def zipped(name, content, method=zipfile.ZIP_DEFLATED, comment=b""):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo("readme.txt"), b"nothing here\n" * 20)
        info = zipfile.ZipInfo(name)
        info.compress_type = method
        archive.writestr(info, content)
        archive.comment = comment
    return out.getvalue()


def tarred(name, content, form=tarfile.PAX_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for member, data in (("readme.txt", b"nothing here\n"), (name, content)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip64(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
            member.write(content)
    return out.getvalue()


def named_gzip(name, comment=None):
    """A header with the name of the file, and a comment, as gzip writes the one and others the other."""
    packed = gzip.compress(b"nothing here\n", mtime=0)
    extra = name.encode() + b"\0" + (comment.encode() + b"\0" if comment else b"")
    return packed[:3] + bytes([8 | (16 if comment else 0)]) + packed[4:10] + extra + packed[10:]


def sparse_tar(value):
    """By GNU tar, of a file with holes: more of them than a header has room for."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "a.bin"), "wb") as file:
            for i in range(12):
                file.seek(i * 65536)
                file.write(b"piece %d " % i)
            file.write(value.encode())
            file.truncate(1 << 20)
        return gzip.compress(subprocess.run(
            ["tar", "--sparse", "--format=gnu", "--mtime=@0", "-cf", "-", "a.bin"], cwd=folder, check=True,
            stdout=subprocess.PIPE).stdout, mtime=0)


def npy(array, allow_pickle=False):
    out = io.BytesIO()
    numpy.save(out, array, allow_pickle=allow_pickle)
    return out.getvalue()


def npz(**arrays):
    out = io.BytesIO()
    numpy.savez_compressed(out, **arrays)
    return out.getvalue()


class Model:
    def __init__(self, value):
        self.weights = [0.5, 1.5]
        self.settings = {"password": value}


def texts():
    both("text.txt", lambda v: b"user=me\npassword=%s\n" % v.encode(), "")
    both("nested.json", lambda v: json.dumps(
        {"items": [{"name": "a"}, {"name": "b\"c", "inner": [1, None, {"key": "x" + v}]}]}).encode(),
        ".items[1].inner[2].key")
    both("escaped.json", lambda v: json.dumps({"a": [v]}).replace("s", "\\u0073").encode(), ".a[0]")
    both("lines.jsonl", lambda v: b"".join(
        json.dumps({"row": i, "text": v if i == 2 else "-"}).encode() + b"\n" for i in range(4)),
        " line 3.text")
    both("letters.json", lambda v: json.dumps({"list": list(v)}).encode(), ".list")
    both("numbers.json", lambda v: json.dumps({"list": [int(c) for c in v.encode()]}, indent=1).encode(),
         ".list")
    both("base64.json", lambda v: json.dumps(
        {"file": base64.b64encode(zipped("a.txt", v.encode())).decode()}).encode(), ".file/a.txt")


def messages():
    both("map.msgpack", lambda v: msgpack.packb({"a": 1, "items": [1.5, {"password": v}]}),
         ".items[1].password")
    both("bytes.msgpack", lambda v: msgpack.packb([b"x", gzip.compress(v.encode(), mtime=0)]), "[1]")
    both("wide.msgpack", lambda v: msgpack.packb({"l": [ord(c) | 0 for c in v], "x": 2 ** 40}), ".l")
    for protocol in range(6):
        both("p%d.pickle" % protocol, lambda v: pickle.dumps(Model(v), protocol),
             " (pickle, text %d)" % (4 if protocol < 4 else 6))
    both("bytes2.pickle", lambda v: pickle.dumps({"k": gzip.compress(v.encode(), mtime=0)}, 2),
         " (pickle, text 2)")
    both("bytes5.pickle", lambda v: pickle.dumps({"k": bytearray(zlib.compress(v.encode()))}, 5),
         " (pickle, bytes 2)")
    both("two.pickle", lambda v: pickle.dumps([1], 4) + pickle.dumps([v], 4), " (pickle, text 1)")


def packed():
    text = lambda v: ("nothing\n" * 50 + v + "\n").encode()
    both("a.gz", lambda v: gzip.compress(text(v), mtime=0), "")
    both("two.gz", lambda v: gzip.compress(b"first\n", mtime=0) + gzip.compress(text(v), mtime=0), "")
    both("a.zlib", lambda v: zlib.compress(text(v)), "")
    both("a.zst", lambda v: zstandard.compress(text(v)), "")
    both("two.zst", lambda v: zstandard.compress(b"first\n") + zstandard.compress(text(v)), "")
    both("a.lz4", lambda v: lz4.frame.compress(text(v)), "")
    both("linked.lz4", lambda v: lz4.frame.compress(
        b"all work and no play %d\n" * 4000 + text(v), block_size=lz4.frame.BLOCKSIZE_MAX64KB, block_linked=True), "")
    both("a.tar", lambda v: tarred("data/a.csv", text(v)), "/data/a.csv")
    both("gnu.tar", lambda v: tarred("d/" * 60 + "a.csv", text(v), tarfile.GNU_FORMAT), "/" +
         ("d/" * 60 + "a.csv")[:100])
    both("ustar.tar", lambda v: tarred("d/" * 60 + "a.csv", text(v), tarfile.USTAR_FORMAT), "/" +
         ("d/" * 60 + "a.csv")[:100])
    both("a.tar.gz", lambda v: gzip.compress(tarred("data/a.csv", text(v)), mtime=0), "/data/a.csv")
    both("a.zip", lambda v: zipped("data/a.csv", text(v)), "/data/a.csv")
    both("stored.zip", lambda v: zipped("data/a.csv", text(v), zipfile.ZIP_STORED), "/data/a.csv")
    both("comment.zip", lambda v: zipped("a.csv", b"x", comment=v.encode()), "")
    both("deep.zip", lambda v: zipped("in.tar.gz", gzip.compress(tarred("b.zip", zipped(
        "c.json", json.dumps({"k": [v]}).encode())), mtime=0)), "/in.tar.gz/b.zip/c.json.k[0]")
    bad = bytearray(zipped("a.csv", text(VALUE)))
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        where = bad.rindex(mark)
        bad[where + at] |= 1
    case("encrypted.zip", bytes(bad), "blind encrypted.zip/a.csv is encrypted")
    both("bz2.zip", lambda v: zipped("a.csv", text(v), zipfile.ZIP_BZIP2), "/a.csv")
    both("lzma.zip", lambda v: zipped("a.csv", text(v), zipfile.ZIP_LZMA), "/a.csv")
    both("large.zip", lambda v: zip64("a.csv", text(v)), "/a.csv")
    other = bytearray(zipped("a.csv", text(VALUE)))
    for mark, at in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        other[other.rindex(mark) + at] = 9
    case("deflate64.zip", bytes(other), "blind deflate64.zip/a.csv is packed in a way that is not known here")
    both("sheet.docx", lambda v: zipped("word/document.xml", b"<w:t>%s</w:t>" % v.encode()), "/word/document.xml")
    both("name.zip", lambda v: zipped("d/%s.csv" % v, b"x"), "")
    both("name.tar", lambda v: tarred("d/%s.csv" % v, b"x"), "")
    both("name.gz", lambda v: named_gzip(v + ".txt"), "")
    both("names.gz", lambda v: named_gzip("first") + named_gzip(v + ".txt"), "")
    both("behind.gz", lambda v: gzip.compress(b"x" * 200000, mtime=0) + v.encode(), "")
    case("behind.xz", lzma.compress(b"x") + VALUE.encode(), "hit behind.xz")
    case("behind-near.xz", lzma.compress(b"x") + NEAR.encode(), "blind behind-near.xz is damaged")
    both("comment.gz", lambda v: named_gzip("a", v), "")
    case("sparse.tar.gz", sparse_tar(VALUE), "hit sparse.tar.gz/a.bin")
    case("sparse-near.tar.gz", sparse_tar(NEAR),
         "blind sparse-near.tar.gz/a.bin is of no format that is known here")
    hidden = zipped("a.csv", b"nothing")
    inner = zlib.compress(text(VALUE) * 3)
    # members lie behind something: their offsets are counted from the front of the archive
    out = io.BytesIO()
    out.write(inner)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr(zipfile.ZipInfo("a.csv"), b"nothing")
    case("hidden.zip", hidden[:40], "blind hidden.zip is cut off or damaged")
    case("front.zip", b"PK\3\4" + out.getvalue()[4:], "blind front.zip has something between its members")
    case("cut.gz", gzip.compress("\n".join(map(str, range(900))).encode(), mtime=0)[:200],
         "blind cut.gz is cut off")
    both("a.bz2", lambda v: bz2.compress(text(v)), "")
    both("two.bz2", lambda v: bz2.compress(b"first\n") + bz2.compress(text(v)), "")
    both("a.tar.bz2", lambda v: bz2.compress(tarred("data/a.csv", text(v))), "/data/a.csv")
    both("a.xz", lambda v: lzma.compress(text(v)), "")
    both("two.xz", lambda v: lzma.compress(b"first\n") + lzma.compress(text(v)), "")
    both("a.tar.xz", lambda v: lzma.compress(tarred("data/a.csv", text(v))), "/data/a.csv")
    case("cut.bz2", bz2.compress("\n".join(map(str, range(9000))).encode())[:900], "blind cut.bz2 is cut off")
    case("cut.xz", lzma.compress("\n".join(map(str, range(9000))).encode())[:900], "blind cut.xz is cut off")
    nest = text(VALUE)
    for _ in range(14):
        nest = gzip.compress(nest, mtime=0)
    case("nest.gz", nest, "blind nest.gz is nested too deep")


def arrays():
    words = lambda v: numpy.array(["one", "two", v])
    both("utf32.npy", lambda v: npy(words(v)), "")
    both("big.npy", lambda v: npy(words(v).astype(">U30")), "")
    both("bytes.npy", lambda v: npy(numpy.array([b"one", v.encode()])), "")
    both("fields.npy", lambda v: npy(numpy.array([(1, v), (2, "b")], dtype=[("n", "i1"), ("t", "U30")])),
         "")
    both("objects.npy", lambda v: npy(numpy.array([{"k": v}, None], dtype=object), True),
         " (pickle, text 10)")
    both("arrays.npz", lambda v: npz(x=numpy.arange(100), password=words(v)), "/password.npy")
    case("floats.npy", npy(numpy.arange(50) / 3), "clean")


def table(value, count=150):
    rows = ["row %d" % (i % 50) for i in range(count)]
    shared = ["prefix-%06d-%s" % (i // 100, "abc"[i % 3]) for i in range(count)]
    secret = ["plain text %d" % i for i in range(count)]
    secret[count // 2] = "see " + value
    return pyarrow.table({
        "id": pyarrow.array(range(count), pyarrow.int64()),
        "rows": pyarrow.array(rows),
        "shared": pyarrow.array(shared),
        "password": pyarrow.array(secret),
    })


def parquet(content, store_schema=False, **options):
    out = io.BytesIO()
    pyarrow.parquet.write_table(content, out, write_statistics=False, store_schema=store_schema, **options)
    return out.getvalue()


def prefixed(value):
    """Texts that share beginnings, so that no page has the value in one piece."""
    return pyarrow.table({"n": range(3), "password": [value[:11] + "AAAA", value[:16] + "BB", value]})


def tables():
    column = ' column "password"'
    for codec in ("none", "snappy", "gzip", "zstd", "lz4"):
        for page in ("1.0", "2.0"):
            both("%s%s.parquet" % (codec, page[0]), lambda v: parquet(
                table(v), compression=codec, data_page_version=page, use_dictionary=False), column)
        both("dict-%s.parquet" % codec, lambda v: parquet(table(v), compression=codec), column)
    both("delta.parquet", lambda v: parquet(
        table(v), compression="snappy", use_dictionary=False,
        column_encoding={"password": "DELTA_LENGTH_BYTE_ARRAY", "shared": "DELTA_BYTE_ARRAY",
                         "rows": "PLAIN", "id": "DELTA_BINARY_PACKED"}), column)
    for page in ("1.0", "2.0"):
        for codec in ("none", "zstd"):
            both("shared-%s%s.parquet" % (codec, page[0]), lambda v: parquet(
                prefixed(v), compression=codec, use_dictionary=False, data_page_version=page,
                column_encoding={"password": "DELTA_BYTE_ARRAY", "n": "PLAIN"}), column)
    fixed = lambda v: pyarrow.table({"password": pyarrow.array(
        [b"x" * 32, v.encode().ljust(32), b"y" * 32], pyarrow.binary(32))})
    both("fixed.parquet", lambda v: parquet(fixed(v), compression="snappy", use_dictionary=False), column)
    both("split.parquet", lambda v: parquet(
        fixed(v), compression="zstd", use_dictionary=False,
        column_encoding={"password": "BYTE_STREAM_SPLIT"}), column)
    nested = lambda v: pyarrow.table({"a": [[{"k": "x", "v": ["1"]}], None, [{"k": v, "v": []}]]})
    both("nested.parquet", lambda v: parquet(nested(v), compression="snappy", use_dictionary=False),
         ' column "a.list.element.k"')
    both("metadata.parquet", lambda v: parquet(table("-").replace_schema_metadata({"note": v}), True), "")
    both("brotli.parquet", lambda v: parquet(table(v), compression="brotli"), column)
    both("brotli2.parquet", lambda v: parquet(
        table(v), compression="brotli", data_page_version="2.0", use_dictionary=False), column)
    both("keys.parquet", lambda v: parquet(
        table("-").replace_schema_metadata({v: "note"}), True), "")
    both("name.parquet", lambda v: parquet(pyarrow.table({v: [1, 2]})), "")
    both("decimal.parquet", lambda v: parquet(pyarrow.table({
        "n": pyarrow.array([decimal.Decimal("1.25")]), "password": [v]}), compression="zstd"), column)
    for codec in ("uncompressed", "snappy", "zlib", "lz4", "zstd"):
        def orc(value):
            out = io.BytesIO()
            # not the least nor the greatest: those are in the statistics, too
            pyarrow.orc.write_table(pyarrow.table({"n": range(3), "password": ["a", "see " + value, "z"]}),
                                    out, compression=codec)
            return out.getvalue()
        both("%s.orc" % codec, orc, "" if codec == "uncompressed" else " stripe 1")
    schema = {"type": "record", "name": "r", "fields": [
        {"name": "n", "type": "long"}, {"name": "password", "type": ["null", "string"]}]}
    for codec in ("null", "deflate", "snappy", "zstandard", "bzip2", "xz"):
        def avro(value):
            out = io.BytesIO()
            fastavro.writer(out, fastavro.parse_schema(schema), [
                {"n": i, "password": "see " + value if i == 40 else "text %d" % i} for i in range(80)],
                codec=codec, sync_marker=b"0123456789abcdef")
            return out.getvalue()
        both("%s.avro" % codec, avro, "")
    out = io.BytesIO()
    pyarrow.feather.write_feather(pyarrow.table({"n": [1], "password": [VALUE]}), out, version=1)
    case("one.feather", out.getvalue(), "hit one.feather")
    out = io.BytesIO()
    pyarrow.feather.write_feather(pyarrow.table({"n": [1], "password": [NEAR]}), out, version=1)
    case("one-near.feather", out.getvalue(), "clean")
    for kind, opener in (("file", pyarrow.ipc.new_file), ("stream", pyarrow.ipc.new_stream)):
        for codec in (None, "lz4", "zstd"):
            def ipc(value, content=None):
                out = io.BytesIO()
                content = content or table(value)
                with opener(out, content.schema,
                            options=pyarrow.ipc.IpcWriteOptions(compression=codec)) as writer:
                    writer.write_table(content)
                return out.getvalue()
            both("%s-%s.arrow" % (kind, codec or "none"), ipc, column)
            if kind == "file" and codec:
                both("nested-%s.arrow" % codec, lambda v: ipc(v, nested(v)), ' column "a"')
                both("dict-%s.arrow" % codec, lambda v: ipc(v, pyarrow.table(
                    {"n": [1, 2, 1], "password": pyarrow.array(["a", v + "!" * 80, "a"]).dictionary_encode()})),
                    column)
                both("views-%s.arrow" % codec, lambda v: ipc(v, pyarrow.table(
                    {"n": [1], "v": pyarrow.array(["short"], pyarrow.string_view()),
                     "password": pyarrow.array(["a long text with " + v], pyarrow.string_view()),
                     "z": pyarrow.array([[1, 2]])})), column)
    out = io.BytesIO()
    pyarrow.feather.write_feather(table(VALUE), out, compression="zstd")
    case("a.feather", out.getvalue(), "hit a.feather" + column)


def png(*chunks):
    out = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), *chunks,
                       (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")):
        out += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return out


def sqlite(value):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.db")
        base = sqlite3.connect(path)
        base.execute("create table t (a text)")
        base.execute("insert into t values (?)", (value,))
        base.commit()
        base.close()
        with open(path, "rb") as file:
            return file.read()


def documents():
    """What is known, but looked into only in part or by name."""
    blind = lambda name, content, why: case(name, content, "blind %s %s" % (name, why))
    pixels = "is an image, of which only the texts are looked at"
    case("plain.png", png((b"tEXt", b"Comment\0" + VALUE.encode())), "hit plain.png")
    case("packed.png", png((b"zTXt", b"Comment\0\0" + zlib.compress(VALUE.encode()))), "hit packed.png")
    case("utf8.png", png((b"iTXt", b"C\0\1\0en\0K\0" + zlib.compress(VALUE.encode()))), "hit utf8.png")
    blind("near.png", png((b"zTXt", b"Comment\0\0" + zlib.compress(NEAR.encode()))), pixels)
    pdf = lambda v: b"%%PDF-1.4\n%%\xe2\xe3\xcf\xd3\n1 0 obj\n<</Filter/FlateDecode>>\nstream\n%s\nendstream\n%%%%EOF" \
        % zlib.compress(b"BT (%s) Tj ET" % v.encode())
    case("a.pdf", pdf(VALUE), "hit a.pdf")
    blind("near.pdf", pdf(NEAR), "is a PDF, whose letters may be drawn one by one")
    tensors = {"w": numpy.arange(6, dtype="float32")}
    both("a.safetensors", lambda v: safetensors.numpy.save(tensors, {"note": v}), ".__metadata__.note")
    case("found.db", sqlite(VALUE), "hit found.db")
    blind("near.db", sqlite(NEAR), "is an SQLite database, which is not looked into")
    blind("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(range(256)), "is an HDF5 file, which is not looked into")
    blind("a.7z", b"7z\xbc\xaf\x27\x1c\0\4" + bytes(range(128, 256)), "is a 7z archive, which is not looked into")
    blind("a.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(range(128, 256)), "is an image, which is not looked into")
    for name, packer in (("zlib", ("zlib", 3)), ("gzip", ("gzip", 3)), ("bz2", ("bz2", 3)), ("xz", ("xz", 3))):
        def job(value):
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "m")
                joblib.dump({"model": [1.5], "password": value}, path, compress=packer)
                with open(path, "rb") as file:
                    return file.read()
        both("%s.joblib" % name, job, " (pickle, text 3)")


def main():
    os.makedirs(FOLDER, exist_ok=True)
    for make in (texts, messages, packed, arrays, tables, documents):
        make()
    case("noise.bin", bytes((i * 7919 + (i >> 3) * 31) & 0xff | 1 for i in range(600)),
         "blind noise.bin is of no format that is known here")
    with open(os.path.join(FOLDER, "cases.txt"), "w", encoding="ascii") as file:
        file.write("\n".join(CASES) + "\n")


main()
