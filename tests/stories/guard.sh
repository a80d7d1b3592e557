#!/usr/bin/env bash
# Results: a value in seventeen disguises, what passes, and what the policy of a project makes of the rest.
. "$(dirname "$0")/../lib.sh"
story "no result carries a value away, whatever it is wrapped in"

value=$(canary)
check "creates the secret" run_with_input "$value" union create secret my_secret

cat >"$T/home/give.py" <<'PY'
import base64, bz2, dataclasses, gzip, io, json, lzma, os, pickle, sys, tarfile, typing, zipfile, zlib
import union

ask = union.task(secret_requests=[union.Secret(key="my_secret")])

def secret() -> str:
    return union.current_context().secrets.get(key="my_secret")

def zipped(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()

def tarred(name, content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()

@dataclasses.dataclass
class Settings:
    user: str
    password: str

@ask
def plain() -> str:
    return "x" + secret()

@ask
def in_list() -> typing.List[str]:
    return ["a", "b", secret()]

@ask
def in_dict() -> typing.Dict[str, typing.List[str]]:
    return {"items": ["a", secret()]}

@ask
def as_key() -> typing.Dict[str, int]:
    return {secret(): 1}

@ask
def in_dataclass() -> Settings:
    return Settings("me", secret())

@ask
def optional() -> typing.Optional[str]:
    return secret()

@ask
def letters() -> typing.List[str]:
    return list(secret())

@ask
def numbers() -> typing.List[int]:
    return [ord(c) for c in secret()]

@ask
def in_json() -> str:
    return json.dumps({"deep": [{"password": secret()}]})

@ask
def in_bytes() -> bytes:
    return b"\x00\x01" + secret().encode()

@ask
def in_pickle() -> bytes:
    return pickle.dumps({"model": [1.5, {"password": secret()}]})

@ask
def in_gzip() -> bytes:
    return gzip.compress(secret().encode())

@ask
def in_zlib() -> bytes:
    return zlib.compress(secret().encode())

@ask
def in_bzip2() -> bytes:
    return bz2.compress(secret().encode())

@ask
def in_xz() -> bytes:
    return lzma.compress(secret().encode())

@ask
def in_zip() -> bytes:
    return zipped("data/a.csv", "user,password\nme,%s\n" % secret())

@ask
def in_tar() -> bytes:
    return tarred("inner.zip", zipped("b.txt", secret()))

@ask
def in_text_of_zip() -> str:
    return base64.b64encode(zipped("b.txt", secret())).decode()

@ask
def in_a_deck() -> int:
    line = open("/proc/self/cmdline", "rb").read().split(b"\0")
    folder = next(word for word in line if word.endswith(b"/outputs"))
    with open(os.path.join(folder, b"deck.html"), "w") as deck:
        deck.write("<p>%s</p>" % secret())
    return 1

@ask
def length() -> int:
    return len(secret())

@ask
def unknown() -> bytes:
    return bytes(b ^ 0xa5 for b in secret().encode())

@ask
def half() -> bytes:
    return zipped("half.txt", secret()[:9])

@ask
def error_in_zip() -> int:
    raise ValueError("cannot log in with " + secret())
PY

give() { # PROMISE TEXT TASK
	refuses "$1" "$2" union run --remote "$T/home/give.py" "$3"
	warns "with the name of the secret" "contains the value of secret 'my_secret'"
}
give "a text" "output 'o0'" plain
give "an item of a list" "output 'o0[2]'" in_list
give "an item of a list in a dict" "output 'o0.items[1]'" in_dict
give "a key of a dict" "output 'o0.?'" as_key
give "a field of a dataclass" "output 'o0.password'" in_dataclass
give "an optional text" "output 'o0'" optional
give "a list of letters" "output 'o0'" letters
give "a list of numbers" "output 'o0'" numbers
give "JSON in a text" "output 'o0.deep[0].password'" in_json
give "bytes" "output 'o0'" in_bytes
give "a pickle" "output 'o0 (pickle, text" in_pickle
give "gzip" "output 'o0'" in_gzip
give "zlib" "output 'o0'" in_zlib
give "bzip2" "output 'o0'" in_bzip2
give "xz" "output 'o0'" in_xz
give "a zip" "output 'o0/data/a.csv'" in_zip
give "a zip in a tar.gz" "output 'o0/inner.zip/b.txt'" in_tar
give "base64 of a zip" "output 'o0/b.txt'" in_text_of_zip
give "a deck" "file 'deck.html'" in_a_deck
check "what was made of a value passes" union run --remote "$T/home/give.py" length
check "so does a part of it" union run --remote "$T/home/give.py" half
refuses "an error is redacted" "cannot log in with [secret my_secret]" \
	union run --remote "$T/home/give.py" error_in_zip
check "a format that is not known passes" union run --remote "$T/home/give.py" unknown
warns "and the log says so" "the guard let pass what it cannot look into: o0 is of no format that is known here"

printf 'PASSWORD = "%s"\n' "$value" >"$KEPT/config.py"
cp "$KEPT/config.py" "$T/home/config.py"
sed 's/^import base64,/import config, base64,/' "$T/home/give.py" >"$T/home/given.py"
check "a value in the code does not end the run" union run --remote "$T/home/given.py" length
warns "but is told" "the code has the value of secret 'my_secret' in 'config.py'"
rm -rf "$T/home/config.py" "$T/home/__pycache__"
# What was given to the control plane as code is there as code.
stop_plane
rm -rf "$DATA/bundles"

cat >"$T/home/sent.py" <<'PY'
import union

@union.task
def one() -> int:
    return 1
PY
mkdir -p "$T/home/sent" && cp "$T/home/sent.py" "$T/home/sent/"
printf '# made up\nDB_PASSWORD=9fK2mQ7xT4bW8s\n' >"$T/home/sent/.env"
printf 'a = 1\n\nTOKEN = "gh%s"\n' p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17 >"$T/home/sent/token.py"
refuses "code with a .env file is not sent" ".env: a .env file" \
	union run --remote --copy all "$T/home/sent/sent.py" one
warns "nor with a token, at its line" "token.py:3: a GitHub token"
if grep -q zQWBu "$T/err"; then fail "what is there is not shown"; else pass "what is there is not shown"; fi
check "unless it is allowed" union run --remote --copy all --allow-secrets-in-bundle '.env,token.*' \
	"$T/home/sent/sent.py" one

stop_plane
cat >"$T/plane.yaml" <<EOT
data: $T/plane
guard:
  default: strict
  known: calm
  off: loose
EOT
mkfifo "$T/ready"
uniond --config "$T/plane.yaml" --ready-fd 9 9>"$T/ready" 2>"$T/plane.log" &
read -r _ <"$T/ready" || sed "s/^/# /" "$T/plane.log"
export UNION_ENDPOINT=unix://$T/plane/uniond.sock
check "creates the secret there" run_with_input "$value" union create secret my_secret
refuses "a strict project refuses what it cannot look into" "a result cannot be looked into: o0 is of no format" \
	union run --remote "$T/home/give.py" unknown
check "and lets pass what it can" union run --remote "$T/home/give.py" half
check "a project where it is off looks at nothing" union run --remote --project loose "$T/home/give.py" unknown
warns "and the log says so" "the guard is off in this project: nobody looks into the results"
if grep -q "cannot look into" "$T/err"; then fail "and nothing else"; else pass "and nothing else"; fi
refuses "errors are redacted there, too" "cannot log in with [secret my_secret]" \
	union run --remote --project loose "$T/home/give.py" error_in_zip
check "a project that says known lets pass what it does not know" \
	union run --remote --project calm "$T/home/give.py" unknown
warns "and names it" "the guard let pass what it cannot look into: o0 is of no format"
refuses "but no value" "contains the value of secret 'my_secret'" \
	union run --remote --project calm "$T/home/give.py" in_zip
stop_plane
finish
