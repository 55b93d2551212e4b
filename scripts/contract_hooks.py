"""What Schemathesis cannot know of this API: ids of things that are there, and a key that is fresh.

Only requests that are meant to be right are changed. The things themselves are made in `contract_things`.
"""

import os
import pathlib
import random
import re
import sys
import threading

import requests
import schemathesis

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from contract_things import *  # noqa: E402, F403: every maker, by its name

SEEN = set()
PREPARED = set()
LOCK = threading.Lock()
# Requests that Schemathesis made up stay as they are in so many of a hundred.
AS_GENERATED = 25

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
    "POST /api/v1/grants": lambda: {"role": "viewer", "reason": "a look", "expires_at": soon()},
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
    "POST /api/v1/policies/check": policy,
    "POST /api/v1/policies/versions": new_policy,
    "POST /api/v1/policies/replays": lambda: {},
    "POST /api/v1/gate-settings/rollback": lambda: {"version": 0, "reason": "to be tried"},
    "PUT /api/v1/autonomy": lambda: {"environment": "development", "level": 1, "reason": "to be tried"},
    "POST /api/v1/standing-grants": standing_grant,
    "POST /api/v1/automation/halt": lambda: {"reason": "stop"},
    "POST /api/v1/automation/resume": lambda: {"reason": "calm"},
    "POST /api/v1/tokens": lambda: {"kind": "personal", "name": name()},
}


for change in ["suspend", "resume", "lock", "unlock"]:
    BODIES["POST /api/v1/tenants/{slug}/" + change] = lambda: {"reason": "to be tried"}


SPECIAL = {
    "GET /api/v1/gate-settings/diff": compared,
    "GET /api/v1/policies/diff": lambda case: case.query and case.query.clear(),
    "GET /api/v1/policies/versions/{number}": policy_version,
    "GET /api/v1/policies/replays/{id}": policy_replay,
    "POST /api/v1/policies/versions/{number}/activate": policy_activated,
    "POST /api/v1/policies/deactivate": policy_in_force,
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
    # Refused for its version before its body was read.
    if failure.code == "ST201" and response.status_code == 412:
        return False
    # It was made right here after it had been generated as wrong.
    return not (failure.code == "ST201" and case.id in PREPARED)
