#!/usr/bin/python3
"""Proves that the test of each limit notices when that limit is gone.

usage: proof.py FOLDER [WORD...]     FOLDER is made, or used again; WORDs choose limits by name

In a copy of the sources one limit after the other is lifted, the programs are built, and the rows of the
attacker's table (or the unit test) that docs/reference/limits.md names for it are run: they must fail, and all
others of the same run, which end with the plane's good end, must not. TAP; a line a limit.
"""

import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NO = "if (0)"


def row(*words):
    return [("table", word) for word in words]


def unit(name, test):
    return [("unit", name, test)]


# name, file, [(text, instead of it)], what must fail
LIMITS = [
    ("connections in all", "src/net/crowd.c",
     [("if (crowd->total < most)", "if (crowd->total < most + 1000000)")], row("slow connections")),
    ("connections: a quarter is kept", "src/net/crowd.c", [("most -= most / 4;", "most -= 0;")],
     unit("net_crowd", "others_leave_a_quarter_to_the_own_user")),
    ("connections of one address", "src/net/crowd.c",
     [("place->count >= crowd->limits->connections_per_address", "place->count >= 1000000000u")],
     row("more connections of one place")),
    ("who may use the Unix socket", "src/net/worker.c",
     [("return peer->uid == geteuid() || peer->uid == 0;", "return true;")],
     row("another user at the Unix socket")),
    ("the first byte", "src/net/conn.c",
     [("\tcase CONN_FIRST:\n\tcase CONN_SHAKE:", "\tcase CONN_FIRST:\n\t\treturn INT64_MAX;\n\tcase CONN_SHAKE:")],
     row("a connection that says nothing", "a handshake that stops in the middle")),
    ("the rest of the handshake", "src/net/conn.c",
     [("\tcase CONN_SHAKE:\n\tcase CONN_SNIFF:", "\tcase CONN_SHAKE:\n\t\treturn INT64_MAX;\n\tcase CONN_SNIFF:")],
     row("handshakes that stop after")),
    ("TLS: version", "src/net/tls.c",
     [("SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);", "SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);"),
      ('"ECDHE+AESGCM:ECDHE+CHACHA20"', '"ALL:@SECLEVEL=0"')], row("TLS: version 1.1")),
    ("TLS: protocols", "src/net/tls.c", [("return SSL_TLSEXT_ERR_ALERT_FATAL;", "return SSL_TLSEXT_ERR_NOACK;")],
     row("TLS: protocols that nobody")),
    ("a head's time", "src/net/h1.c", [("return h1->head_since_ms + limits->head_ms;", "return INT64_MAX;")],
     row("a head byte by byte")),
    ("a body's time, HTTP/1.1", "src/net/h1.c",
     [("return h1->stream->since_ms + limits->body_ms;", "return INT64_MAX;")], row("a body byte by byte")),
    ("a body's time, HTTP/2", "src/net/h2.c",
     [("\t\t\tlimit = stream->since_ms + limits->body_ms;", "\t\t\tlimit = INT64_MAX;")],
     row("an HTTP/2 body byte by byte")),
    ("a body's time, a drop at a time", "src/net/stream.c",
     [("net_progress_ms(stream->since_ms, loop_now_ms(worker->loop), len,\n"
       "\t                                   worker->limits->body_ms)", "loop_now_ms(worker->loop)")],
     row("body byte by byte")),
    ("a reader's time, of a stream", "src/net/h2.c",
     [("\t\t\tlimit = stream->since_ms + limits->write_ms;", "\t\t\tlimit = INT64_MAX;")],
     row("a window opened byte by byte")),
    ("a reader's time, of a connection", "src/net/conn.c",
     [("if (outq_len(&conn->out) && conn->wrote_ms + limits->write_ms < due)", NO)],
     row("answers over HTTP/1.1 that nobody reads")),
    ("idle, HTTP/1.1", "src/net/h1.c",
     [("return last + (limits->idle_ms < IDLE_MS ? limits->idle_ms : IDLE_MS);", "return INT64_MAX;")],
     row("an HTTP/1.1 connection with nothing")),
    ("idle, HTTP/2", "src/net/h2.c",
     [("\t\tdue = (conn->read_ms > conn->wrote_ms ? conn->read_ms : conn->wrote_ms) +\n"
       "\t\t      limits->idle_ms;", "\t\tdue = INT64_MAX;")], row("an HTTP/2 connection with nothing")),
    ("a call without a deadline", "src/rpc/decode.c",
     [("\t\ttimeout_ms = limits->call_ms;", "\t\ttimeout_ms = 3600 * 1000;"),
      ("\tif (timeout_ms > limits->deadline_max_ms)", "\tif (0)")],
     unit("rpc_server", "ends_a_call_that_takes_too_long")),
    ("the longest deadline", "src/rpc/decode.c", [("\tif (timeout_ms > limits->deadline_max_ms)", "\tif (0)")],
     unit("rpc_server", "ends_a_call_that_takes_too_long")),
    ("a head, HTTP/1.1", "src/net/h1.c", [("limits->head_max, &h1->scanned", "(size_t)1 << 30, &h1->scanned")],
     row("a head over 32 KiB")),
    ("fields of a head, HTTP/1.1", "src/net/h1.c",
     [("limits->header_count, &head", "4096, &head")], row("HTTP/1.1: more than 64 fields")),
    ("fields of a head, HTTP/2", "src/net/stream.c", [("stream->field_count >= limits->header_count",
                                                      "stream->field_count >= 100000")],
     row("HTTP/2: more than 64 fields")),
    ("a head from HPACK", "src/net/h2.c", [("stream->head_len > conn->worker->limits->head_max",
                                           "stream->head_len > ((size_t)1 << 30)")], row("an HPACK bomb")),
    ("malformed: a length beside chunks", "src/net/http1.c",
     [("(seen.length && seen.coding)", "0")], row("a length beside chunks")),
    ("malformed: two lengths", "src/net/http1.c", [("if (seen->length || !parse_length", "if (!parse_length")],
     row("two lengths that differ")),
    ("fields that may be there once", "src/net/stream.c", [("if (stream->singles & 1u << i)", NO)],
     row("twice in a head: a token", "twice in an HTTP/2 head: a timeout")),
    ("a host beside another authority", "src/net/h2.c",
     [("strcasecmp(host, stream->authority) &&", "0 &&")], row("a host that is not the authority")),
    ("a body as it comes", "src/rpc/call.c",
     [("len > call->body_max + RPC_ENVELOPE_LEN) {\n\t\thttp_count(stream", "0) {\n\t\thttp_count(stream"),
      ("if (outq_len(&call->body) + len > call->body_max + RPC_ENVELOPE_LEN)", NO)],
     row("a body larger than its method")),
    ("a body, unpacked", "src/rpc/decode.c",
     [("bytes->len, call->body_max, plain)", "bytes->len, (size_t)1 << 30, plain)")],
     row("a decompression bomb of 128")),
    ("bodies of one worker", "src/rpc/call.c",
     [("if (worker->body_bytes + len > limits->body_total_max)", NO)], row("many large bodies")),
    ("answers that wait", "src/net/stream.c",
     [("conn->out_waiting + len > NET_OUTPUT_CONNECTION * most", "0"),
      ("worker->out_waiting + len > NET_OUTPUT_WORKER * most", "0")], row("answers asked for and not taken")),
    ("requests at once", "src/net/h2.c",
     [("{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->streams}",
       "{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100000}")], row("more streams at once")),
    ("requests on a connection, HTTP/1.1", "src/net/h1.c",
     [("conn->requests >= limits->requests_max;", "0;")], row("more requests on a connection")),
    ("requests on a connection, HTTP/2", "src/net/h2.c",
     [("conn->requests >= limits->requests_max &&", "0 &&")], row("more HTTP/2 requests")),
    ("resets", "src/net/h2.c", [("#define RESETS_AT_ONCE 1000", "#define RESETS_AT_ONCE 100000000")],
     row("rapid reset")),
    ("CONTINUATION frames", "src/net/h2.c", [("#define CONTINUATIONS_MAX 8", "#define CONTINUATIONS_MAX 100000000")],
     row("empty CONTINUATION")),
    ("SETTINGS and PING that wait", "src/net/h2.c",
     [("\t\tnghttp2_option_set_max_continuations(",
       "\t\tnghttp2_option_set_max_outbound_ack(option, 100000000);\n\t\tnghttp2_option_set_max_continuations(")],
     row("SETTINGS that wait")),
    ("frames that ask for nothing", "src/net/h2.c",
     [("#define FLOOD_AT_ONCE 10000 ", "#define FLOOD_AT_ONCE 1000000000 ")],
     row("acknowledgements", "priorities without", "empty DATA without", "crumbs")),
    ("failed logins of a client", "src/authz/login_budget.c", [("{LOGIN_BUDGET_PAIR, 10000}", "{1000000, 10000}")],
     unit("authz_login_budget", "stops_a_client_that_fails_from_one_address")),
    ("failed logins of an address", "src/authz/login_budget.c",
     [("{LOGIN_BUDGET_ADDRESS, 2000}", "{1000000, 2000}")],
     unit("authz_login_budget", "stops_an_address_that_tries_many_names")),
    ("a token's end", "src/authz/token.c",
     [("(int64_t)get_u64(bytes + AT_EXPIRES) > now_ms", "now_ms != INT64_MIN")], row("a token that has expired")),
    ("a token's life", "src/services/login.c", [("left_ms = job->login->token_ms;", "left_ms = 86400 * 1000;")],
     unit("services_login", "gives_a_token_for_the_right_secret")),
    ("the grace at the end", "src/rpc/server.c", [("\tcall_cancel_all(worker);\n\tif (!worker->hurry",
                                                  "\tif (!worker->hurry")],
     unit("rpc_server", "cancels_what_does_not_end_within_the_grace")),
    ("what a place costs", "src/net/crowd.c", [("spent_us(place, now_us) > HEAVY_US", "0")],
     unit("net_crowd", "who_costs_much_is_heavy")),
    ("a lane's time", "src/net/loop.c", [("lane->open && clock_mono_us() < until_us", "lane->open && lane->at")],
     unit("net_loop", "gives_expensive_ones_one_turn")),
    ("who may read /metrics", "src/rpc/health.c", [("if (options->may_measure)", NO)],
     row("metrics without a login")),
]


def prepare(folder):
    """A copy of what git knows, and a build of it."""
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], stdout=subprocess.PIPE, check=True)
    for name in names.stdout.decode().split("\0"):
        source, copy = os.path.join(ROOT, name), os.path.join(folder, name)
        if not name or not os.path.isfile(source):
            continue
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        with open(source, "rb") as f:
            wanted = f.read()
        try:
            with open(copy, "rb") as f:
                same = f.read() == wanted
        except OSError:
            same = False
        if not same:
            shutil.copy(source, copy)
    build = os.path.join(folder, "build")
    if not os.path.exists(os.path.join(build, "build.ninja")):
        subprocess.run(["meson", "setup", build, folder, "-Dbuildtype=plain", "-Doptimization=1",
                        "-Dtests=enabled", "-Dwerror=false"], stdout=subprocess.DEVNULL, check=True)
    return build


def compile_it(build, tests):
    """What went wrong; None: nothing."""
    targets = ["uniond", "union", "union-exec"] + ["test_" + t[1] for t in tests if t[0] == "unit"]
    done = subprocess.run(["ninja", "-C", build, "-j2", "--quiet"] + targets, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode(errors="replace")[-400:] if done.returncode else None


def fails(folder, build, test):
    """(what was wanted did fail, names of others that failed)"""
    if test[0] == "table":
        args, wanted = [os.path.join(folder, "tests", "attack", "table.py"), test[1]], test[1]
    else:
        args, wanted = [os.path.join(build, "test_" + test[1])], test[2]
    try:
        done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                              timeout=180 if test[0] == "table" else 30,
                              env=dict(os.environ, UNION_BUILD=build), cwd=folder)
    except subprocess.TimeoutExpired:
        return test[0] == "unit", []  # it waits for what does not happen any more
    names = re.findall(r"^not ok \d+ - (.*)$", done.stdout.decode(errors="replace"), re.M)
    return any(wanted in name for name in names), [name for name in names if wanted not in name]


def prove(folder, build, limit):
    """What is wrong; None: its test fails without it."""
    _, path, changes, tests = limit
    path = os.path.join(folder, path)
    with open(path, encoding="utf-8") as f:
        before = f.read()
    after = before
    for text, instead in changes:
        if text not in after:
            return "the sources have changed: %r is not there" % text
        after = after.replace(text, instead)
    try:
        with open(path, "w", encoding="utf-8") as f:
            f.write(after)
        wrong = compile_it(build, tests)
        if wrong:
            return wrong
        for test in tests:
            did, others = fails(folder, build, test)
            if not did:
                return "%s passes without it" % (test[-1],)
            if others:
                print("#   others that notice: %s" % ", ".join(others), flush=True)
    finally:
        with open(path, "w", encoding="utf-8") as f:
            f.write(before)
    return None


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    folder, words = os.path.abspath(sys.argv[1]), sys.argv[2:]
    build = prepare(folder)
    count = failed = 0
    for limit in LIMITS:
        if words and not any(word in limit[0] for word in words):
            continue
        wrong = prove(folder, build, limit)
        count += 1
        failed += wrong is not None
        print("%sok %d - %s" % ("not " if wrong else "", count, limit[0]), flush=True)
        if wrong:
            print("# " + wrong.replace("\n", "\n# "), flush=True)
    print("1..%d" % count)
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
