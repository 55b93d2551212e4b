"""What Schemathesis cannot know of this API: ids of things that are there, and a key that is fresh.

Only requests that are meant to be right are changed. Each thing is made for the request that ends it.
"""

import base64
import datetime
import hashlib
import hmac
import json
import os
import random
import re
import struct
import threading
import time
import uuid

import requests
import schemathesis

FACTS = json.loads(os.environ["CONTRACT"])
SEEN = set()
PREPARED = set()
LOCK = threading.Lock()
# Requests that Schemathesis made up stay as they are in so many of a hundred.
AS_GENERATED = 25
LATER = "2026-12-20T10:00:00Z"


def ask(method, path, body=None, site=False):
    headers = dict(FACTS["site"] if site else FACTS["session"])
    headers |= {"Idempotency-Key": os.urandom(8).hex()} if method == "POST" else {"If-Match": "*"}
    answer = requests.request(method, FACTS["url"] + path, json=body, headers=headers, timeout=60)
    answer.raise_for_status()
    return answer.json() if answer.text else {}


def name():
    return "made-" + os.urandom(6).hex()


def role():
    return {"name": name(), "permissions": ["alert.read", "incident.read"]}


def key():
    return {"name": name(), "permissions": ["alert.read"]}


def user():
    return {"name": name(), "role": "viewer", "password": FACTS["password"]}


def action(target):
    return {"capability": "linux.block_ip", "target": {"kind": "linux_host", "name": target},
            "params": {"address": f"203.0.113.{random.randint(1, 250)}"}}


def plan():
    made = ask("POST", "/api/v1/targets", {"kind": "linux_host", "name": f"sim/{name()}"})
    return ask("POST", "/api/v1/plans", {"actions": [action(made["name"])]})


def second():
    """A person who approves what another asked for."""
    return person("admin")["headers"]


def opened(login):
    body = {"name": login, "password": FACTS["password"]}
    answer = requests.post(FACTS["url"] + "/api/v1/session", json=body, timeout=60)
    answer.raise_for_status()
    return held(answer)[0]


def held(answer):
    """What the session that was opened sends, and whose it is."""
    headers = {"Cookie": answer.headers["set-cookie"].split(";")[0]}
    me = requests.get(FACTS["url"] + "/api/v1/me", headers=headers, timeout=60).json()
    return headers | {"Shieldops-Csrf": me["csrf"]}, me["user"]["id"]


def code(secret):
    """RFC 6238."""
    digest = hmac.new(base64.b32decode(secret + "=" * (-len(secret) % 8)), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1)
    at = digest.digest()[-1] & 15
    number = struct.unpack(">I", digest.digest()[at:at + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def own(method, path, body=None):
    """As the person whose account is tried."""
    headers = FACTS["account"] | {"If-Match": "*"}
    answer = requests.request(method, FACTS["url"] + path, json=body, headers=headers, timeout=60)
    answer.raise_for_status()
    return answer.json() if answer.text else {}


def offered():
    if own("GET", "/api/v1/me/factors")["totp"]:
        own("DELETE", "/api/v1/me/totp")
    offer = own("POST", "/api/v1/me/totp")
    return {"ticket": offer["ticket"], "code": code(offer["secret"])}


def enrolled():
    if not own("GET", "/api/v1/me/factors")["totp"]:
        own("POST", "/api/v1/me/totp/confirm", offered())


def challenged():
    """The second step of a sign-in, with a recovery code."""
    made = person()
    headers = opened(made["name"])
    offer = requests.post(FACTS["url"] + "/api/v1/me/totp", headers=headers, timeout=60).json()
    body = {"ticket": offer["ticket"], "code": code(offer["secret"])}
    codes = requests.post(FACTS["url"] + "/api/v1/me/totp/confirm", json=body, headers=headers, timeout=60).json()
    login = {"name": made["name"], "password": FACTS["password"]}
    refused = requests.post(FACTS["url"] + "/api/v1/session", json=login, timeout=60).json()
    return {"ticket": refused["ticket"], "recovery_code": codes["recovery_codes"][0]}


APPROVER = {}


def as_second(path, body):
    if not APPROVER:
        APPROVER.update(second())
    headers = APPROVER | {"Idempotency-Key": os.urandom(8).hex()}
    answer = requests.post(FACTS["url"] + path, json=body, headers=headers, timeout=60)
    answer.raise_for_status()
    return answer.json()


def calm():
    ask("POST", "/api/v1/automation/resume", {"reason": "to be tried"})


def done():
    calm()
    made = plan()
    return as_second(f"/api/v1/plans/{made['id']}/approve", {"hash": made["hash"]})


def listed(path):
    return random.choice(ask("GET", path)["items"])["id"]


def session():
    made = person()
    mine = [one for one in ask("GET", "/api/v1/sessions?all=true&limit=200")["items"] if one["user_id"] == made["id"]]
    return mine[0]["id"]


def tenant(*states):
    slug = name()
    ask("POST", "/api/v1/tenants", {"slug": slug, "name": slug}, site=True)
    for state in states:
        ask("POST", f"/api/v1/tenants/{slug}/{state}", {"reason": "to be tried"}, site=True)
    return slug


def leaving():
    slug = tenant()
    ask("DELETE", f"/api/v1/tenants/{slug}?reason=tried&grace_hours=24", site=True)
    return slug


def invited():
    return ask("POST", "/api/v1/invitations", {"name": name(), "role": "viewer"})


def fragment(made):
    return made["link"].split("=", 1)[1]


def grant():
    body = {"role": "viewer", "reason": "a look", "expires_at": LATER}
    return ask("POST", "/api/v1/grants", body)["id"]


def person(role_name="viewer"):
    """By invitation: only an operator makes people with a password beside other tenants."""
    body = {"name": name(), "role": role_name}
    link = fragment(ask("POST", "/api/v1/invitations", body))
    answer = requests.post(FACTS["url"] + "/api/v1/invitations/accept", json={"link": link, "password": FACTS["password"]}, timeout=60)
    answer.raise_for_status()
    headers, identity = held(answer)
    return {"name": body["name"], "id": identity, "headers": headers}


def rule():
    text = (f"title: {name()}\nid: {uuid.uuid4()}\nlevel: low\nlogsource: {{product: linux}}\n"
            "detection:\n  one: {user: root}\n  condition: one\n")
    return {"text": text, "match": [], "miss": []}


def exception():
    text = (f"title: {name()}\nlogsource: {{product: linux}}\n"
            "filter:\n  rules: any\n  one: {user: backup}\n  condition: not one\n")
    return {"filter": text, "owner": "me", "reason": "to be tried", "expires_at": LATER}


def value_list():
    return {"name": f"l{uuid.uuid4().hex[:12]}", "values": ["root"], "note": "to be tried"}


def pipeline():
    name = f"p{uuid.uuid4().hex[:12]}"
    text = f"name: {name}\npriority: 10\ntransformations:\n  - type: field_name_mapping\n    mapping: {{nothing: else}}\n"
    return {"name": name, "text": text, "note": "to be tried"}


def part(path, new, body=None, number=None):
    """For requests about a value list or a pipeline: one is made for each."""
    def made(case):
        case.path_parameters["name"] = ask("POST", path, new())["name"]
        if number is not None:
            case.path_parameters["number"] = number
        if body is not None:
            case.body = body
    return made


def own_rule(body=None, **more):
    """For requests about a rule of the tenant's own."""
    def made(case):
        case.path_parameters["id"] = ask("POST", "/api/v1/rules", rule())["id"]
        if more:
            case.path_parameters.update({key: value for key, value in more.items() if key == "number"})
            if "query" in more:
                case.query = more["query"]
        if body is not None:
            case.body = body
    return made


def soon():
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")


def standing_grant():
    made = ask("POST", "/api/v1/targets", {"kind": "linux_host", "name": f"sim/{name()}", "environment": "staging"})
    return {"capability": "linux.block_ip", "environment": "staging", "targets": [made["id"]], "until": soon(), "reason": "to be tried"}


def gate_draft():
    """What only tightens, so that its author may activate it."""
    now = ask("GET", "/api/v1/gate-settings")["settings"]
    now["protected"] = now["protected"][-400:] + [{"kind": "user", "value": name(), "why": "to be tried"}]
    return {"settings": now, "reason": "to be tried"}


def gate_version(case):
    case.path_parameters["number"] = ask("PUT", "/api/v1/gate-settings", gate_draft())["number"]


def gate_activated(case):
    gate_version(case)
    case.body = {"reason": "to be tried"}


def gate_change(who):
    """A change that waits: asked for by oneself, or by somebody else to be confirmed."""
    made = ask("POST", "/api/v1/targets", {"kind": "linux_host", "name": f"sim/{name()}"})
    path = f"/api/v1/targets/{made['id']}"
    if who == "me":
        return ask("PATCH", path, {"criticality": "low"})["id"]
    if not APPROVER:
        APPROVER.update(second())
    answer = requests.patch(FACTS["url"] + path, json={"criticality": "low"}, headers=APPROVER | {"If-Match": "*"}, timeout=60)
    answer.raise_for_status()
    return answer.json()["id"]


def confirmed(case):
    case.path_parameters["id"] = gate_change("other")


def withdrawn(case):
    case.path_parameters["id"] = gate_change("me")
    case.body = {"reason": "to be tried"}


def compared(case):
    case.query = {"from": "0"}


def looked_up(case):
    case.query = {"value": "192.0.2.1"}


def revised(case):
    body = rule()
    case.path_parameters["id"] = ask("POST", "/api/v1/rules", body)["id"]
    case.body = body | {"text": body["text"].replace("level: low", "level: high")}


# An id by the kind that a path takes.
IDS = {
    "alerts": lambda: listed("/api/v1/alerts?limit=20"),
    "incidents": lambda: listed("/api/v1/incidents?limit=20"),
    "events": lambda: listed("/api/v1/events?limit=20"),
    "rules": lambda: listed("/api/v1/rules?limit=20&origin=built_in"),
    "exceptions": lambda: ask("POST", "/api/v1/exceptions", exception())["id"],
    "plans": lambda: plan()["id"],
    "actions": lambda: done()["actions"][0]["id"],
    "targets": lambda: ask("POST", "/api/v1/targets", {"kind": "linux_host", "name": f"sim/{name()}"})["id"],
    "roles": lambda: ask("POST", "/api/v1/roles", role())["id"],
    "keys": lambda: ask("POST", "/api/v1/keys", key())["id"],
    "tokens": lambda: ask("POST", "/api/v1/tokens", {"kind": "personal", "name": name()})["id"],
    "users": lambda: person()["id"],
    "invitations": lambda: invited()["id"],
    "grants": grant,
    "standing-grants": lambda: ask("POST", "/api/v1/standing-grants", standing_grant())["id"],
    "gate-changes": lambda: gate_change("me"),
    "sessions": session,
    "jobs": lambda: listed("/api/v1/jobs"),
    "tenants": tenant,
}
STATES = {"unlock": ["lock"], "resume": ["suspend"]}


def incident_pair():
    items = [one["id"] for one in ask("GET", "/api/v1/incidents?limit=50")["items"] if one.get("merged_into") is None]
    return random.sample(items, 2)


def alert_ids():
    return [one["id"] for one in ask("GET", "/api/v1/alerts?limit=3")["items"]]


# Bodies that are right in more than form.
BODIES = {
    "POST /api/v1/plans": lambda: {"actions": [action("sim/tried")]},
    "POST /api/v1/alerts/bulk": lambda: {"ids": alert_ids(), "status": "in_progress", "reason": "a look"},
    "PATCH /api/v1/alerts/{id}": lambda: {"status": "in_progress"},
    "PATCH /api/v1/incidents/{id}": lambda: {"severity": "high", "reason": "a look"},
    "POST /api/v1/targets": lambda: {"kind": "linux_host", "name": f"sim/{name()}"},
    "POST /api/v1/roles": role,
    "PUT /api/v1/roles/{id}": role,
    "POST /api/v1/keys": key,
    "PUT /api/v1/keys/{id}": key,
    "POST /api/v1/users": user,
    "PATCH /api/v1/users/{id}": lambda: {"role": "analyst"},
    "POST /api/v1/invitations": lambda: {"name": name(), "role": "viewer"},
    "POST /api/v1/tenants/{slug}/invitations": lambda: {"name": name(), "role": "viewer"},
    "POST /api/v1/tenants": lambda: {"slug": name(), "name": "Made"},
    "PATCH /api/v1/tenants/{slug}": lambda: {"name": "Renamed"},
    "POST /api/v1/grants": lambda: {"role": "viewer", "reason": "a look", "expires_at": LATER},
    "PUT /api/v1/settings": lambda: {"session_idle_minutes": 55},
    "PUT /api/v1/notifications": lambda: {"email": True},
    "POST /api/v1/settings/rollback": lambda: {"version": rolled()},
    "POST /api/v1/session": lambda: {"name": person()["name"], "password": FACTS["password"]},
    "POST /api/v1/session/reset": lambda: {"link": reset(), "password": FACTS["password"]},
    "POST /api/v1/invitations/accept": lambda: {"link": fragment(invited()), "password": FACTS["password"]},
    "POST /api/v1/session/second-factor": challenged,
    "POST /api/v1/me/reauthenticate": lambda: {"password": FACTS["password"]},
    "POST /api/v1/me/totp/confirm": offered,
    "POST /api/v1/rules": rule,
    "POST /api/v1/rules/check": rule,
    "POST /api/v1/rules/import": lambda: rule() | {"format": "shieldops-rule/1", "exceptions": []},
    "POST /api/v1/rules/{id}/explain": lambda: {"event": {"user": "root"}},
    "POST /api/v1/value-lists": value_list,
    "POST /api/v1/pipelines": pipeline,
    "POST /api/v1/pipelines/check": pipeline,
    "PUT /api/v1/rules/{id}/throttle": lambda: {"limit": {"alerts": 3, "window_s": 3600, "per": "host"}, "reason": "to be tried"},
    "POST /api/v1/exceptions": exception,
    "PATCH /api/v1/exceptions/{id}": lambda: {"owner": "somebody", "reason": "to be tried"},
    "POST /api/v1/incidents/{id}/notes": lambda: {"text": "seen"},
    "POST /api/v1/plans/{id}/reject": lambda: {"reason": "no"},
    "POST /api/v1/actions/{id}/undo": lambda: {"reason": "back"},
    "POST /api/v1/plans/{id}/break-glass": lambda: {"hash": "00", "reason": "to be tried"},
    "POST /api/v1/undo": lambda: {"by": {"automation": True}, "from": "2026-01-01T00:00:00Z", "to": "2026-01-01T01:00:00Z", "preview": True},
    "PUT /api/v1/gate-settings": gate_draft,
    "POST /api/v1/gate-settings/rollback": lambda: {"version": 0, "reason": "to be tried"},
    "PUT /api/v1/autonomy": lambda: {"environment": "development", "level": 1, "reason": "to be tried"},
    "POST /api/v1/standing-grants": standing_grant,
    "POST /api/v1/automation/halt": lambda: {"reason": "stop"},
    "POST /api/v1/automation/resume": lambda: {"reason": "calm"},
    "POST /api/v1/tokens": lambda: {"kind": "personal", "name": name()},
}


for change in ["suspend", "resume", "lock", "unlock"]:
    BODIES["POST /api/v1/tenants/{slug}/" + change] = lambda: {"reason": "to be tried"}


def rolled():
    ask("PUT", "/api/v1/settings", {"session_idle_minutes": random.randint(30, 60)})
    return 1


def reset():
    return fragment(ask("POST", f"/api/v1/users/{person()['id']}/reset"))


def approved(case):
    """What somebody else planned."""
    calm()
    made = ask("POST", "/api/v1/targets", {"kind": "linux_host", "name": f"sim/{name()}"})
    made = as_second("/api/v1/plans", {"actions": [action(made["name"])]})
    case.path_parameters["id"] = made["id"]
    case.body = {"hash": made["hash"]}


def merged(case):
    one, two = incident_pair()
    case.path_parameters["id"] = one
    case.body = {"into": two, "reason": "the same"}


def rejoined(case):
    case.path_parameters["slug"] = leaving()
    case.body = {"reason": "to be tried"}


def outdated(case):
    """A plan that is approved and did not run, or one that ended."""
    made = plan()
    as_second(f"/api/v1/plans/{made['id']}/reject", {"reason": "no"})
    case.path_parameters["id"] = made["id"]


def halted(case):
    """Approved while automation was halted: it waits to be carried out."""
    calm()
    made = plan()
    ask("POST", "/api/v1/automation/halt", {"reason": "to be tried"})
    try:
        as_second(f"/api/v1/plans/{made['id']}/approve", {"hash": made["hash"]})
    except requests.HTTPError:
        pass
    calm()
    case.path_parameters["id"] = made["id"]


def bare(case):
    if own("GET", "/api/v1/me/factors")["totp"]:
        own("DELETE", "/api/v1/me/totp")


SPECIAL = {
    "GET /api/v1/gate-settings/diff": compared,
    "GET /api/v1/gate-settings/versions/{number}": gate_version,
    "POST /api/v1/gate-settings/versions/{number}/activate": gate_activated,
    "POST /api/v1/gate-changes/{id}/confirm": confirmed,
    "POST /api/v1/gate-changes/{id}/withdraw": withdrawn,
    "GET /api/v1/indicators": looked_up,
    "PUT /api/v1/rules/{id}": revised,
    "PATCH /api/v1/rules/{id}": own_rule({"state": "shadow", "reason": "to be tried"}),
    "POST /api/v1/rules/{id}/backtest": own_rule({"from": "2026-11-20T00:00:00Z", "to": "2026-11-22T00:00:00Z"}),
    "GET /api/v1/value-lists/{name}": part("/api/v1/value-lists", value_list),
    "PUT /api/v1/value-lists/{name}": part("/api/v1/value-lists", value_list, {"values": ["ann"], "note": "more"}),
    "DELETE /api/v1/value-lists/{name}": part("/api/v1/value-lists", value_list),
    "GET /api/v1/value-lists/{name}/versions": part("/api/v1/value-lists", value_list),
    "GET /api/v1/value-lists/{name}/versions/{number}": part("/api/v1/value-lists", value_list, number=1),
    "GET /api/v1/pipelines/{name}": part("/api/v1/pipelines", pipeline),
    "PUT /api/v1/pipelines/{name}": part("/api/v1/pipelines", pipeline, {"text": "name: again\ntransformations: []\n", "note": "more"}),
    "PATCH /api/v1/pipelines/{name}": part("/api/v1/pipelines", pipeline, {"active": False, "reason": "to be tried"}),
    "DELETE /api/v1/pipelines/{name}": part("/api/v1/pipelines", pipeline),
    "GET /api/v1/pipelines/{name}/versions": part("/api/v1/pipelines", pipeline),
    "GET /api/v1/pipelines/{name}/versions/{number}": part("/api/v1/pipelines", pipeline, number=1),
    "GET /api/v1/rules/{id}/versions": own_rule(),
    "GET /api/v1/rules/{id}/versions/{number}": own_rule(number=1),
    "GET /api/v1/rules/{id}/diff": own_rule(query={"from": "1", "to": "head"}),
    "POST /api/v1/me/totp": bare,
    "POST /api/v1/plans/{id}/replan": outdated,
    "POST /api/v1/plans/{id}/execute": halted,
    "POST /api/v1/me/recovery-codes": lambda case: enrolled(),
    "DELETE /api/v1/me/totp": lambda case: enrolled(),
    "POST /api/v1/plans/{id}/approve": approved,
    "POST /api/v1/incidents/{id}/merge": merged,
    "POST /api/v1/tenants/{slug}/cancel-deletion": rejoined,
}


def label(case):
    return f"{case.operation.method.upper()} {case.operation.path}"


def prepare(case):
    at = label(case)
    if at in SPECIAL:
        return SPECIAL[at](case)
    kind = re.match(r"/api/v1/([a-z-]+)/\{", case.operation.path)
    last = case.operation.path.rsplit("/", 1)[-1]
    if kind and kind[1] == "tenants":
        case.path_parameters["slug"] = tenant(*STATES.get(last, []))
        if case.query:
            case.query = {"reason": "tried"} if case.operation.method.upper() == "DELETE" else {}
    elif kind and kind[1] in IDS:
        case.path_parameters["id"] = IDS[kind[1]]()
    if at in BODIES:
        case.body = BODIES[at]()


def right(case):
    return case.meta is not None and case.meta.generation.mode.is_positive


def spare(case):
    """Whoever asks stays who they are, and can go on asking."""
    for name_of, value in (case.path_parameters or {}).items():
        if value in FACTS["own"]:
            case.path_parameters[name_of] = "nobody"
    if label(case) == "PUT /api/v1/settings" and isinstance(case.body, dict):
        for member in ["require_second_factor", "session_idle_minutes", "session_hours", "separation_of_duty"]:
            if right(case):
                case.body.pop(member, None)


@schemathesis.hook
def before_call(context, case, kwargs):
    spare(case)
    if not right(case):
        return
    if case.headers is not None and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = os.urandom(8).hex()
    if case.headers is not None:
        case.headers.pop("Shieldops-Tenant", None)
    if random.randrange(100) < AS_GENERATED and label(case) in SEEN:
        return
    try:
        prepare(case)
        PREPARED.add(case.id)
    except (requests.HTTPError, IndexError, KeyError, ValueError):
        # What cannot be made is tried as it was generated.
        return
    if case.headers is not None and "If-Match" in case.headers:
        case.headers["If-Match"] = "*"


@schemathesis.hook
def after_call(context, case, response):
    if 200 <= response.status_code < 300:
        with LOCK:
            if label(case) not in SEEN:
                SEEN.add(label(case))
                with open(FACTS["seen"], "a", encoding="utf-8") as file:
                    file.write(label(case) + "\n")


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """What is no failure: see each."""
    # Any bytes are events: what cannot be read is counted in the answer and kept, so nothing is refused as invalid.
    if label(case) == "POST /api/v1/events" and failure.code == "ST201":
        return False
    # A repeated answer is without what is shown once.
    if failure.code == "ST108" and "idempotency-replayed" in response.headers:
        return False
    # The answer of an earlier request with this key: nothing was looked at again.
    if failure.code == "ST201" and "idempotency-replayed" in response.headers:
        return False
    # It was made right here after it had been generated as wrong.
    return not (failure.code == "ST201" and case.id in PREPARED)
