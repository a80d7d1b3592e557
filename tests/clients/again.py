"""One process of the union package that lists secrets each time a line comes in: the number of them,
or "refused".

usage: again.py CONFIG
"""

import sys

from flytekit.configuration import Config
from union.internal.secret.payload_pb2 import ListSecretsRequest
from union.remote import UnionRemote

stub = UnionRemote(config=Config.auto(sys.argv[1])).secret_client
for line in sys.stdin:
    try:
        print(len(stub.ListSecrets(ListSecretsRequest(limit=20)).secrets), flush=True)
    except Exception:  # of whatever kind: what is asked is whether it gets through
        print("refused", flush=True)
