"""The mail server and the web server of `scripts/receivers`: they keep what they are sent, and fail where they are asked to.

By the name before the @: `greylist` is put off once for each letter, `later` always, `reject` is refused for good,
`mute` is taken and told nothing of it while there is no file `answered-MESSAGE-ID` in our folder.
By the path: /ok answers 204, /503 always 503, /429 says when to come again, /410 410, /redirect 302, /slow nothing for 30 s,
/once/NAME 503 the first time.
"""

import asyncio
import email
import json
import os
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

HOME = sys.argv[1]
KEPT = os.path.join(HOME, "received")
LOCK = threading.Lock()
SEEN = set()


def keep(kind, value):
    """One file a thing, there only when it is whole."""
    name = os.path.join(KEPT, f"{kind}-{time.time_ns()}")
    with open(name + ".part", "w", encoding="utf-8") as out:
        json.dump(value, out)
    os.rename(name + ".part", name + ".json")


def first_time(what):
    with LOCK:
        new = what not in SEEN
        SEEN.add(what)
        return new


def answered(message_id):
    return os.path.basename(message_id) == message_id and os.path.exists(os.path.join(HOME, f"answered-{message_id}"))


class Mail:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "reject":
            return "550 5.1.1 no such user"
        if name == "later":
            return "451 4.7.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.original_content)
        if any(to.startswith("greylist") for to in envelope.rcpt_tos) and first_time(message["Message-ID"]):
            return "451 4.7.1 try again later"
        keep("mail", {
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": server.transport.get_extra_info("sslcontext") is not None,
            "auth": bool(session.authenticated), "headers": [[k, str(v)] for k, v in message.items()],
            "subject": str(email.header.make_header(email.header.decode_header(message["Subject"]))),
            "parts": {part.get_content_type(): part.get_payload(decode=True).decode() for part in message.walk() if not part.is_multipart()},
        })
        if any(to.startswith("mute") for to in envelope.rcpt_tos) and not answered(message["Message-ID"]):
            await asyncio.sleep(60)
        return "250 OK"


def login(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.login == b"peer" and data.password == b"peerpw"
    return AuthResult(success=good, handled=good or False)


class Web(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        path = self.path.split("?")[0]
        keep("http", {"path": self.path, "host": self.headers["Host"], "headers": [[k.lower(), v] for k, v in self.headers.items()], "body": body.decode()})
        if path == "/slow":
            time.sleep(30)
        status = {"/503": 503, "/429": 429, "/410": 410, "/redirect": 302}.get(path, 204)
        if path.startswith("/once/") and first_time(path):
            status = 503
        self.send_response(status)
        if path == "/429":
            self.send_header("Retry-After", "90")
        if path == "/redirect":
            self.send_header("Location", "/ok")
        self.send_header("Content-Length", "0")
        self.end_headers()


def web(tls):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    if tls:
        server.socket = context().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def context():
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(os.path.join(HOME, "server.pem"), os.path.join(HOME, "server.key"))
    return made


def free_port():
    import socket
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def mail(**options):
    controller = Controller(Mail(), hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    return controller.port


PORTS = {
    "PEER_SMTP": mail(tls_context=context(), require_starttls=True, authenticator=login, auth_required=True),
    "PEER_SMTPS": mail(ssl_context=context(), authenticator=login, auth_required=True, auth_require_tls=False),
    "PEER_SMTP_PLAIN": mail(),
    "PEER_HTTP": web(False),
    "PEER_HTTPS": web(True),
}
with open(os.path.join(HOME, "env.part"), "w", encoding="utf-8") as out:
    for variable, port in PORTS.items():
        out.write(f"{variable}=127.0.0.1:{port}\n")
    out.write(f"PEER_RECEIVED={KEPT}\nPEER_CA={HOME}/ca.pem\n")
os.rename(os.path.join(HOME, "env.part"), os.path.join(HOME, "env"))
threading.Event().wait()
