"""One run of Schemathesis against a throw-away server without limits of rates.

Usage: contract.py BINARY operator|tenant SECONDS. Fails on a failed check, on a panic of the server, and when less than 90 %
of the operations that the principal may call were answered with success at least once. A machine that was too slow for that tries
those that are missing again. CONTRACT_SEED is the seed (1): another finds other things.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading

import requests

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHECKS = ",".join([
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "ignored_auth",
])
PASSWORD = "a phrase of some length"
# Would end the principal that asks, or the links that it came by.
LEFT_OUT = ["DELETE /api/v1/session", "POST /api/v1/me/password"]
WANTED = 0.9
# Runs at most over what was not reached.
AGAIN = 3
SEED = os.environ.get("CONTRACT_SEED", "1")


class Server:
    """A server on a data directory of its own."""

    def __init__(self, binary, directory):
        environment = {**os.environ, "SHIELDOPS_LIMITS__ENABLED": "false", "SHIELDOPS_LOG__LEVEL": "warn"}
        self.log = open(directory / "log", "wb")
        self.process = subprocess.Popen(
            [binary, "serve", "--data-dir", directory / "data", "--listen", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment,
        )
        self.claim = self.url = None
        for line in self.process.stdout:
            self.claim = (re.search(r"#claim=(\S+)", line) or [None, self.claim])[1]
            if line.startswith("ready "):
                self.url = line.split()[1]
                break
        if not self.url:
            raise SystemExit("contract: the server did not start")
        # Whatever it says later must not fill the pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=180)
        self.log.close()


class Caller:
    """A signed-in person, or a token."""

    def __init__(self, url, cookie=None, token=None):
        self.url, self.headers = url, {}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        if cookie:
            self.headers["Cookie"] = cookie
            self.headers["Shieldops-Csrf"] = self.call("GET", "/api/v1/me")["csrf"]

    def call(self, method, path, body=None):
        more = {"Idempotency-Key": os.urandom(8).hex()} if method == "POST" else {"If-Match": "*"}
        answer = requests.request(method, self.url + path, json=body, headers={**self.headers, **more}, timeout=120)
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.text else answer

    def opened(self, path, body):
        """The session that a request opens."""
        answer = requests.post(self.url + path, json=body, timeout=120)
        if answer.status_code != 204:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
        return Caller(self.url, cookie=answer.headers["set-cookie"].split(";")[0])


def operator(server):
    return Caller(server.url).opened("/api/v1/session/claim", {"secret": server.claim, "password": PASSWORD})


def administrator(site):
    """Of a new tenant, by invitation."""
    site.call("POST", "/api/v1/tenants", {"slug": "parent", "name": "Parent"})
    site.call("POST", "/api/v1/tenants", {"slug": "tried", "name": "Tried", "parent": "parent"})
    made = site.call("POST", "/api/v1/tenants/tried/invitations", {"name": "tried-admin", "role": "admin"})
    link = made["link"].split("=", 1)[1]
    return Caller(site.url).opened("/api/v1/invitations/accept", {"link": link, "password": PASSWORD})


def fill(caller):
    """Events, alerts, an incident, a host."""
    made = caller.call("POST", "/api/v1/tokens", {"kind": "ingest", "name": "shipper"})
    lines = "\n".join(
        f"Nov 21 10:15:02 web-{n} sshd[4211]: Accepted password for root from 203.0.113.{n} port 51122 ssh2"
        for n in range(1, 40)
    )
    headers = {"Authorization": f"Bearer {made['token']}", "Content-Type": "text/plain"}
    requests.post(f"{caller.url}/api/v1/events", data=lines, headers=headers, timeout=120).raise_for_status()
    caller.call("POST", "/api/v1/targets", {"kind": "linux_host", "name": "sim/tried", "host": "web-1"})


def described():
    """Method, path and id of every operation."""
    description = json.loads((ROOT / "docs/openapi.json").read_text())
    for path, item in description["paths"].items():
        for method in ["get", "post", "put", "patch", "delete"]:
            if method in item:
                yield method.upper(), path, item[method]["operationId"]


def operations():
    return [f"{method} {path}" for method, path, _ in described()]


def run(server, caller, site, who, seconds, directory):
    """All operations with a token, then those of one's own account with a session."""
    made = caller.call("POST", "/api/v1/tokens", {"kind": "personal", "name": "schemathesis"})
    link = caller.call("POST", "/api/v1/invitations", {"name": "tried-person", "role": "viewer"})["link"].split("=", 1)[1]
    account = Caller(server.url).opened("/api/v1/invitations/accept", {"link": link, "password": PASSWORD})
    me = caller.call("GET", "/api/v1/me")
    sessions = [one["id"] for one in caller.call("GET", "/api/v1/sessions?all=true")["items"]]
    people = [one["id"] for one in caller.call("GET", "/api/v1/users")["items"]]
    facts = {
        "url": server.url, "session": caller.headers, "site": site.headers, "account": account.headers,
        "seen": str(directory / "seen"), "password": PASSWORD,
        "own": [made["id"], me["tenant"]["slug"], "main", *sessions, *people],
    }
    environment = {
        **os.environ, "SCHEMATHESIS_HOOKS": str(ROOT / "scripts/contract_hooks.py"), "CONTRACT": json.dumps(facts),
    }
    ids = {f"{method} {path}": name for method, path, name in described()}
    left_out = [part for name in LEFT_OUT for part in ["--exclude-operation-id", ids[name]]]
    token = ["-H", f"Authorization: Bearer {made['token']}", "--checks", CHECKS, "--max-time", str(seconds)]
    session = [part for name, value in account.headers.items() for part in ["-H", f"{name}: {value}"]]
    # Whether a credential is asked for was seen with the token.
    session += ["--include-tag", "account", "--checks", CHECKS.replace(",ignored_auth", ""), "--max-time", str(max(15, seconds // 8))]
    codes = [schemathesis(arguments + left_out, server, environment) for arguments in [token, session]]
    for _ in range(AGAIN):
        wanted, missed = reached(directory, who)
        if share(wanted, missed) >= WANTED:
            break
        print(f"contract: {len(missed)} operations are tried again")
        for person in [caller, site]:
            # The proof that each gave may have grown old meanwhile.
            with contextlib.suppress(RuntimeError):
                person.call("POST", "/api/v1/me/reauthenticate", {"password": PASSWORD})
        only = [part for name in missed for part in ["--include-operation-id", ids[name]]]
        codes.append(schemathesis(token + only, server, environment))
    return max(codes)


def schemathesis(arguments, server, environment):
    command = [
        str(pathlib.Path(sys.executable).with_name("st")), "run", "docs/openapi.json", "--url", server.url,
        "--continue-on-failure", "--warnings", "off", "--request-timeout", "120", "--seed", SEED, *arguments,
    ]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def reached(directory, who):
    """The operations that should be answered with success, and those of them that never were."""
    seen = set((directory / "seen").read_text().splitlines()) if (directory / "seen").exists() else set()
    wanted = [name for name in operations() if name not in LEFT_OUT]
    if who == "tenant":
        # Tenants, the installation and people with a password are the operator's.
        others = ["/api/v1/tenants", "/api/v1/installation", "POST /api/v1/users"]
        wanted = [name for name in wanted if not any(other in name for other in others) or name.endswith("/reset")]
    return wanted, [name for name in wanted if name not in seen]


def share(wanted, missed):
    return 1 - len(missed) / len(wanted)


def tell(who, wanted, missed):
    part = share(wanted, missed)
    print(f"contract: as {who}, {part:.0%} of {len(wanted)} operations were answered with success at least once")
    if missed:
        print("contract: never: " + ", ".join(missed))


def main():
    binary, who, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        server = Server(binary, directory)
        try:
            site = operator(server)
            tenant = administrator(site)
            caller = site if who == "operator" else tenant
            site.call("PATCH", "/api/v1/tenants/main", {"parent": "parent"})
            fill(caller)
            code = run(server, caller, site, who, seconds, directory)
            wanted, missed = reached(directory, who)
            tell(who, wanted, missed)
            alive = server.process.poll() is None
        finally:
            server.stop()
        log = (directory / "log").read_text(errors="replace")
        if not alive or "panicked" in log:
            print(f"contract: the server {'panicked' if alive else 'ended'}:\n{log[-4000:]}")
            return 1
        if share(wanted, missed) < WANTED:
            print(f"contract: at least {WANTED:.0%} are wanted")
            return 1
        return code


if __name__ == "__main__":
    sys.exit(main())
