#!/usr/bin/env python3
"""A TLS door to a Unix socket, with a certificate of its own.

usage: tls_proxy.py FOLDER SOCKET

Writes FOLDER/cert.pem (for 127.0.0.1), listens on a free port of loopback and prints its number.
Ends when its standard input does. Needs the openssl command.
"""

import os
import select
import socket
import ssl
import subprocess
import sys
import threading


def pump(outer, path):
    """One thread a connection: an SSL object may not be read and written at the same time."""
    with outer, socket.socket(socket.AF_UNIX) as inner:
        try:
            inner.connect(path)
            while True:
                ready = [outer] if outer.pending() else select.select([outer, inner], [], [])[0]
                for source, target in ((outer, inner), (inner, outer)):
                    if source in ready:
                        data = source.recv(65536)
                        if not data:
                            return
                        target.sendall(data)
        except OSError:
            pass


def serve(listener, context, path):
    while True:
        raw, _ = listener.accept()
        try:
            outer = context.wrap_socket(raw, server_side=True)
        except OSError:
            continue
        threading.Thread(target=pump, args=(outer, path), daemon=True).start()


def main():
    folder, path = sys.argv[1:]
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    os.unlink(key)
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, context, path), daemon=True).start()
    os.write(1, b"%d\n" % listener.getsockname()[1])
    sys.stdin.read()


main()
