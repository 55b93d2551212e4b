"""Things of a throw-away server that requests of the contract are about: each is made for the request that ends it."""

import base64
import datetime
import hashlib
import hmac
import json
import os
import random
import struct
import time
import uuid

import requests

FACTS = json.loads(os.environ["CONTRACT"])


def ask(method, path, body=None, site=False):
    headers = dict(FACTS["site"] if site else FACTS["session"])
    headers |= {"Idempotency-Key": os.urandom(8).hex()} if method == "POST" else {"If-Match": "*"}
    answer = requests.request(method, FACTS["url"] + path, json=body, headers=headers, timeout=120)
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
    answer = requests.post(FACTS["url"] + "/api/v1/session", json=body, timeout=120)
    answer.raise_for_status()
    return held(answer)[0]


def held(answer):
    """What the session that was opened sends, and whose it is."""
    headers = {"Cookie": answer.headers["set-cookie"].split(";")[0]}
    me = requests.get(FACTS["url"] + "/api/v1/me", headers=headers, timeout=120).json()
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
    answer = requests.request(method, FACTS["url"] + path, json=body, headers=headers, timeout=120)
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
    offer = requests.post(FACTS["url"] + "/api/v1/me/totp", headers=headers, timeout=120).json()
    body = {"ticket": offer["ticket"], "code": code(offer["secret"])}
    codes = requests.post(FACTS["url"] + "/api/v1/me/totp/confirm", json=body, headers=headers, timeout=120).json()
    login = {"name": made["name"], "password": FACTS["password"]}
    refused = requests.post(FACTS["url"] + "/api/v1/session", json=login, timeout=120).json()
    return {"ticket": refused["ticket"], "recovery_code": codes["recovery_codes"][0]}


APPROVER = {}


def as_second(path, body):
    if not APPROVER:
        APPROVER.update(second())
    headers = APPROVER | {"Idempotency-Key": os.urandom(8).hex()}
    answer = requests.post(FACTS["url"] + path, json=body, headers=headers, timeout=120)
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
    body = {"role": "viewer", "reason": "a look", "expires_at": soon()}
    return ask("POST", "/api/v1/grants", body)["id"]


def person(role_name="viewer"):
    """By invitation: only an operator makes people with a password beside other tenants."""
    body = {"name": name(), "role": role_name}
    link = fragment(ask("POST", "/api/v1/invitations", body))
    answer = requests.post(FACTS["url"] + "/api/v1/invitations/accept", json={"link": link, "password": FACTS["password"]}, timeout=120)
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
    return {"filter": text, "owner": "me", "reason": "to be tried", "expires_at": soon()}


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
    now["numbers"]["no_redo_s"] += 1
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
    answer = requests.patch(FACTS["url"] + path, json={"criticality": "low"}, headers=APPROVER | {"If-Match": "*"}, timeout=120)
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


def incident_pair():
    items = [one["id"] for one in ask("GET", "/api/v1/incidents?limit=50")["items"] if one.get("merged_into") is None]
    return random.sample(items, 2)


def alert_ids():
    return [one["id"] for one in ask("GET", "/api/v1/alerts?limit=3")["items"]]


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


def policy():
    """Files that forbid nothing anybody does, and another text each time."""
    rego = f"# {name()}\npackage tenant.tried\n\ndeny contains \"never\" if input.drifted\n"
    test = ("package tenant.tried_test\n\nimport data.tenant.tried\n\n"
            "test_all_is_free if tried.deny == set() with input as {\"drifted\": false}\n")
    return {"files": [{"path": "tried.rego", "text": rego}, {"path": "tried_test.rego", "text": test}]}


def new_policy():
    return policy() | {"reason": "to be tried"}


def policy_version(case):
    case.path_parameters["number"] = ask("POST", "/api/v1/policies/versions", new_policy())["number"]


def replayed(body):
    """A replay that has ended."""
    path = "/api/v1/policies/replays/" + ask("POST", "/api/v1/policies/replays", body)["id"]
    for _ in range(600):
        if ask("GET", path)["state"] != "running":
            break
        time.sleep(0.1)
    return path.rsplit("/", 1)[1]


def policy_replay(case):
    case.path_parameters["id"] = replayed({})


def policy_activated(case):
    """What somebody else wrote, and what is proved."""
    number = as_second("/api/v1/policies/versions", new_policy())["number"]
    replayed({"version": number})
    case.path_parameters["number"] = number
    case.body = {"reason": "to be tried"}


def policy_in_force(case):
    made = ask("POST", "/api/v1/policies/versions", new_policy())["number"]
    replayed({"version": made})
    as_second(f"/api/v1/policies/versions/{made}/activate", {"reason": "to be tried"})
    case.body = {"reason": "to be tried"}
