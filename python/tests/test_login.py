"""Logging in: from an API key or a configuration, over TLS or on loopback, against a server that
hands out tokens as the control plane does."""

import base64
import json
import os
import ssl
import subprocess
import traceback
from unittest import mock

import union
from support import CANARY, FolderCase
from test_remote import Handler, ServerCase, TcpServer, refusal
from union import remote as remotes
from union._login import Session
from union._target import Credentials, find_target, is_made_for, origin, parse_api_key

SECRET = CANARY + "+/%&=~"


def api_key(text):
    return base64.b64encode(text.encode()).decode()


class TokenHandler(Handler):
    """Also the discovery and the token endpoint; every other call wants the newest token."""

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers), b""))
        host = self.server.told or f"{self.server.scheme}://{self.headers['host']}"
        self.reply(200, {}, json.dumps({"token_endpoint": host + "/oauth2/token"}).encode())

    def do_POST(self):
        if self.path == "/oauth2/token":
            body = self.rfile.read(int(self.headers["content-length"]))
            self.server.asked.append((self.path, dict(self.headers), body))
            self.reply(*self.server.token_reply(len(self.server.asked)))
            return
        if self.headers["authorization"] != f"Bearer {self.server.token}":
            self.rfile.read(int(self.headers["content-length"]))
            self.reply(*refusal(401, "unauthenticated", "log in"))
            return
        super().do_POST()


class LoginCase(ServerCase):
    scheme = "http"

    def setUp(self):
        super().setUp()
        os.environ["XDG_CONFIG_HOME"] = os.environ["HOME"] = self.folder
        del os.environ["UNION_ENDPOINT"]
        with mock.patch("test_remote.Handler", TokenHandler):
            self.server = self.start(TcpServer, ("127.0.0.1", 0))
        self.server.asked, self.server.told, self.server.scheme = [], "", self.scheme
        self.server.token, self.server.token_reply = "", self.hand_out
        self.server.answers["ListExecutions"] = {}
        self.host = f"localhost:{self.server.server_address[1]}"
        self.seconds = 300

    def hand_out(self, number):
        self.server.token = f"{CANARY}-token-{number}"
        token = {"access_token": self.server.token, "expires_in": self.seconds}
        return 200, {"content-type": "application/json"}, json.dumps(token).encode()

    def configure(self, *lines):
        lines = lines or (
            f"endpoint: dns:///{self.host}",
            "insecure: true # loopback",
            "authType: ClientSecret",
            "clientId: 'ci'",
            "clientSecretEnvVar: THE_SECRET",
        )
        os.environ["THE_SECRET"] = SECRET
        text = "# ours\nlogger:\n  level: 5\nadmin:\n" + "".join(f"  {line}\n" for line in lines)
        self.write("union/config.yaml", text)

    def made(self, **arguments):
        remote = union.UnionRemote(**arguments)
        self.addCleanup(lambda: remote._connection and remote._connection.close())
        return remote

    def logins(self):
        return [asked for asked in self.server.asked if asked[0] == "/oauth2/token"]

    def assert_silent(self, error):
        text = repr(error) + str(error) + "".join(traceback.format_exception(None, error, None))
        for secret in (CANARY, base64.b64encode(CANARY.encode()).decode()[:16]):
            self.assertNotIn(secret, text)


class Login(LoginCase):
    def test_a_secret_becomes_a_token_that_is_used_until_it_ends(self):
        self.configure()
        remote = self.made()
        self.assertEqual([], self.server.asked)
        for _ in range(3):
            self.assertEqual([], remote.recent_executions())
        ((_, headers, body),) = self.logins()
        self.assertEqual(b"grant_type=client_credentials", body)
        pair = base64.b64decode(headers["authorization"].split()[1]).decode()
        self.assertEqual("ci:" + CANARY + "%2B%2F%25%26%3D~", pair)
        remote._connection._session._until = 0
        remote.recent_executions()
        self.assertEqual(2, len(self.logins()))

    def test_a_token_that_is_not_known_any_more_is_replaced_once(self):
        self.configure()
        remote = self.made()
        remote.recent_executions()
        self.server.token = "of another start of the server"
        self.assertEqual([], remote.recent_executions())
        self.assertEqual(2, len(self.logins()))
        self.server.token_reply = lambda _: (
            200,
            {},
            json.dumps({"access_token": "never-good", "expires_in": 60}).encode(),
        )
        self.server.token = "of a third"
        with self.assertRaises(remotes.UnauthenticatedError):
            remote.recent_executions()
        self.assertEqual(3, len(self.logins()))

    def test_a_refused_login_says_why_and_shows_nothing(self):
        self.configure()
        body = {"error": "invalid_client", "error_description": "the API key is not accepted"}
        self.server.token_reply = lambda _: (401, {}, json.dumps(body).encode())
        with self.assertRaises(remotes.UnauthenticatedError) as caught:
            self.made().recent_executions()
        self.assertIn("'ci' cannot log in", str(caught.exception))
        self.assertIn("the API key is not accepted", str(caught.exception))
        self.assert_silent(caught.exception)
        self.assertEqual(1, len(self.logins()))
        self.server.token_reply = lambda _: (429, {}, b"{}")
        with self.assertRaises(remotes.UnreachableError):
            self.made().recent_executions()

    def test_the_secret_goes_to_no_other_host(self):
        self.configure()
        for other in ("https://elsewhere.example", f"http://127.0.0.1:{self.host[10:]}"):
            self.server.told = other
            with self.assertRaisesRegex(remotes.RemoteError, "to another host"):
                self.made().recent_executions()
        self.assertEqual([], self.logins())

    def test_a_token_that_no_header_can_carry_is_not_quoted(self):
        self.configure()
        for reply in ({"access_token": CANARY + "\r\nx: y", "expires_in": 9}, {"expires_in": 9}, []):
            data = json.dumps(reply).encode()
            self.server.token_reply = lambda _, data=data: (200, {}, data)
            with self.assertRaisesRegex(remotes.RemoteError, "without a token") as caught:
                self.made().recent_executions()
            self.assert_silent(caught.exception)

    def test_an_endpoint_that_is_given_gets_only_what_was_made_for_it(self):
        self.configure()
        given = self.made(endpoint=f"http://{self.host}")
        self.assertEqual([], given.recent_executions())
        stranger = self.made(endpoint=f"http://127.0.0.1:{self.host[10:]}")
        with self.assertRaises(remotes.UnauthenticatedError):
            stranger.recent_executions()
        self.assertEqual(1, len(self.logins()))

    def test_proxies_are_not_asked(self):
        self.configure()
        proxies = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "ALL_PROXY")}
        with mock.patch.dict(os.environ, proxies):
            self.assertEqual([], self.made().recent_executions())


class Tls(LoginCase):
    scheme = "https"

    def setUp(self):
        super().setUp()
        words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        files = ["-keyout", "key.pem", "-out", "cert.pem"]
        subprocess.run(words.split() + names + files, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("cert.pem", "key.pem")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        os.environ["UNION_API_KEY"] = api_key(f"{self.host}:ci:{CANARY}-secret:None")

    def test_an_api_key_is_all_that_is_needed(self):
        os.environ["SSL_CERT_FILE"] = "cert.pem"
        remote = self.made(default_project="default", default_domain="development")
        self.assertEqual([], remote.recent_executions())
        self.assertEqual(f"https://{self.host}", remote._connection.endpoint)

    def test_the_authorities_are_those_of_the_configuration(self):
        self.configure(f"endpoint: dns:///{self.host}", f"caCertFilePath: {self.folder}/cert.pem")
        self.assertEqual([], self.made().recent_executions())

    def test_who_cannot_prove_its_name_gets_no_secret(self):
        with self.assertRaisesRegex(remotes.UnreachableError, "certificate") as caught:
            self.made().recent_executions()
        self.assert_silent(caught.exception)
        os.environ["SSL_CERT_FILE"] = "cert.pem"
        os.environ["UNION_API_KEY"] = api_key(f"127.0.0.1:{self.host[10:]}:ci:{CANARY}:None")
        with self.assertRaisesRegex(remotes.UnreachableError, "certificate"):
            self.made().recent_executions()
        self.assertEqual([], self.server.asked)

    def test_unless_that_is_wanted(self):
        self.configure(f"endpoint: dns:///{self.host}", "insecureSkipVerify: true")
        self.assertEqual([], self.made().recent_executions())

    def test_authorities_that_cannot_be_read_are_named(self):
        self.configure(f"endpoint: dns:///{self.host}", "caCertFilePath: /no/such/file")
        with self.assertRaisesRegex(union.UnionError, "'/no/such/file'"):
            self.made().recent_executions()


class Keys(FolderCase):
    def test_a_key_may_carry_a_port(self):
        for host in ("union.example.com", "union.example.com:8443", "[::1]:8443"):
            key = parse_api_key(api_key(f"{host}:ci:s3cret:None"), "UNION_API_KEY")
            self.assertEqual((host, "ci", "s3cret"), (key.endpoint, key.client, key.use()))

    def test_what_is_no_key_is_refused_and_not_quoted(self):
        plain = (f"a:b:{CANARY}", f"http://h:ci:{CANARY}:None", f"h:8443:{CANARY}:x", "h:ci::None")
        for text in (CANARY, "", *map(api_key, plain), api_key("é:ci:x:None"), CANARY * 1000):
            with self.assertRaises(union.UnionError) as caught:
                parse_api_key(text, "UNION_API_KEY")
            shown = str(caught.exception) + repr(caught.exception) + str(caught.exception.__context__)
            self.assertNotIn(CANARY, shown)
            self.assertIn("UNION_API_KEY", shown)

    def test_credentials_go_where_they_were_made_for(self):
        for maker, endpoint, fits in (
            ("h", "https://h", True),
            ("h", "https://H:8443", True),
            ("h:8443", "https://h:8443", True),
            ("h:8443", "https://h:8444", False),
            ("h:8443", "http://h:8443", False),
            ("h", "https://h.example", False),
            ("", "https://h", False),
        ):
            self.assertEqual(fits, is_made_for(maker, endpoint), (maker, endpoint))

    def test_an_endpoint_has_one_host_whoever_reads_it(self):
        for endpoint in (
            "https://evil\\@host",
            "https://host\\.evil",
            "https://user@host",
            "https://user:word@host",
            "https://@host",
            "https://ho st",
            "https://host%2eevil",
            "https://h\u00f6st",
            "https://host:80:90",
            "https://host:+80",
            "https://host:",
            "https://[::1",
            "https://[::1%25eth0]",
        ):
            with self.assertRaises(union.UnionError, msg=endpoint):
                origin(endpoint)
            self.assertFalse(is_made_for("host", endpoint), endpoint)
        self.assertEqual(("https", "host", 443, False), origin("host"))
        self.assertEqual(("https", "::1", 8443, True), origin("https://[::1]:8443/path"))
        self.assertEqual(("https", "a-b.example", 443, False), origin("dns:///A-b.example"))

    def test_nothing_shows_them(self):
        credentials = Credentials("ci", CANARY, "h")
        session = Session(credentials, "https://h", None)
        session._token = CANARY
        self.assertNotIn(CANARY, repr(credentials) + repr(session) + str([credentials, session]))

    def test_a_configuration_is_read_as_other_clients_write_it(self):
        def found(*lines):
            path = self.write("c.yaml", "\n".join(lines) + "\n")
            patched = {"UNION_CONFIG": path, "HOME": self.folder}
            with mock.patch.dict(os.environ, patched, clear=True):
                return find_target()

        target = found(
            "admin:",
            "  # ours",
            '  endpoint: "dns:///h:8443"   ',
            "  authType: Pkce",
            "  deviceFlow:",
            "    endpoint: other",
            "  caCertFilePath: /a # b",
            "union:",
            "  endpoint: none",
        )
        self.assertEqual(("https://h:8443", "/a"), (target.endpoint, target.ca_file))
        self.assertIsNone(target.credentials)
        target = found("admin:", "  endpoint: dns:///localhost:80", "  insecure: true")
        self.assertEqual("http://localhost:80", target.endpoint)
        self.assertIsNone(found("logger:", "  level: 1"))
        with self.assertRaisesRegex(union.UnionError, "c.yaml:1"):
            found("admin: {endpoint: h}")
        with self.assertRaisesRegex(union.UnionError, "ExternalCommand"):
            found("admin:", "  endpoint: h", "  authType: ExternalCommand")
        with self.assertRaisesRegex(union.UnionError, "clientId"):
            with self.assertRaisesRegex(union.UnionError, "holds no secret"):
                found("admin:", "  endpoint: h", "  authType: ClientSecret", "  clientId: ci")
            location = self.write("s", "s3cret\n")
            found("admin:", "  endpoint: h", "  authType: ClientSecret", f"  clientSecretLocation: {location}")
        with mock.patch.dict(os.environ, {"UNION_CONFIG": "/no/such"}, clear=True):
            with self.assertRaisesRegex(union.UnionError, "/no/such"):
                find_target()
