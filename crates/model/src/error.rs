//! The stable error codes: one table from which HTTP statuses and documentation pages come.

use serde::Serialize;

/// A stable code of the public surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code {
    /// `plan_hash_mismatch`.
    pub name: &'static str,
    /// The HTTP status that carries it.
    pub status: u16,
    pub title: &'static str,
    /// What it means and what to do about it.
    pub help: &'static str,
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

macro_rules! codes {
    ($($ident:ident $status:literal $name:literal $title:literal $help:literal;)*) => {
        impl Code {
            $(pub const $ident: Self = Self { name: $name, status: $status, title: $title, help: $help };)*
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$ident),*];
        }
    };
}

codes! {
    INVALID_REQUEST 400 "invalid_request" "The request is not valid" "The detail names the field and what it takes.";
    INVALID_CURSOR 400 "invalid_cursor" "The cursor is not of this list" "Take `next_cursor` from the page before, unchanged.";
    INVALID_JSON 400 "invalid_json" "The line or body is not JSON" "The detail says where parsing stopped.";
    UNAUTHENTICATED 401 "unauthenticated" "Sign in first" "Send a bearer token or sign in; the credential may have been revoked or have expired.";
    WRONG_CREDENTIALS 401 "wrong_credentials" "Name or password is wrong" "Check both; an administrator can make a new admin link by restarting the server without a password set.";
    FORBIDDEN 403 "forbidden" "Not permitted" "The detail names the permission; an administrator can grant a role that has it.";
    CSRF 403 "csrf" "The request did not come from the dashboard" "Send the `Shieldops-Csrf` header with the value from `/api/v1/me`.";
    REQUESTER_CANNOT_APPROVE 403 "requester_cannot_approve" "A requester cannot approve its own plan" "Another person with the permission `plan.approve` must approve; add a user in Settings.";
    SECOND_PERSON_REQUIRED 403 "second_person_required" "Another person must do this" "Nobody puts in force alone what they wrote or asked for; the detail says what it is about.";
    NOT_FOUND 404 "not_found" "There is no such object" "It does not exist here, or it is not yours to see.";
    METHOD_NOT_ALLOWED 405 "method_not_allowed" "The path does not take this method" "See the API reference for the methods of this path.";
    REQUEST_TIMEOUT 408 "request_timeout" "The body did not come in time" "Nothing of this request was done; send the body without long pauses.";
    CONFLICT 409 "conflict" "The object is not in a state that allows this" "The detail names the state; read the object again.";
    PLAN_HASH_MISMATCH 409 "plan_hash_mismatch" "The plan changed since you read it" "Read the plan again and approve its present hash.";
    PLAN_EXPIRED 409 "plan_expired" "The plan has expired" "Plan again: the new plan has fresh diffs and its own hash.";
    ALREADY_EXISTS 409 "already_exists" "That name is taken" "Choose another name.";
    IDEMPOTENCY_KEY_REQUIRED 400 "idempotency_key_required" "This request needs an Idempotency-Key" "Send a header `Idempotency-Key` with a fresh random value (1 to 128 printable characters); repeat the same value to repeat the request safely.";
    INVALID_LINK 400 "invalid_link" "The link is not valid" "It was used, withdrawn or is too old; ask whoever made it for a new one.";
    SECOND_FACTOR_REQUIRED 401 "second_factor_required" "A second factor is needed" "Send a code, a recovery code or a passkey answer with the `ticket` to `/api/v1/session/second-factor` within five minutes.";
    STRONG_SESSION_REQUIRED 403 "strong_session_required" "A critical plan, or breaking the glass, wants a stronger proof of who you are" "Confirm who you are in a browser session with a passkey or a code of an authenticator app: it counts for five minutes. A recovery code, a token or a key does not.";
    REAUTHENTICATION_REQUIRED 403 "reauthentication_required" "Confirm who you are first" "Send your password, a code or a passkey answer to `/api/v1/me/reauthenticate`; it holds for five minutes.";
    SECOND_FACTOR_NEEDED_HERE 403 "second_factor_needed_here" "This tenant takes no sign-in without a second factor" "Add an authenticator app or a passkey under Account, then sign in again.";
    TENANT_SUSPENDED 403 "tenant_suspended" "The tenant is suspended" "It can be read, plans rejected and automation halted, and events are still taken; the operator of the installation can resume it.";
    TENANT_LOCKED 403 "tenant_locked" "The tenant is locked" "Nobody can sign in to it; events are still taken unless it is being deleted. Ask the operator of the installation.";
    ADDRESS_NOT_ALLOWED 403 "address_not_allowed" "The key may not be used from this address" "Use it from one of its address ranges, or change them.";
    ROUTE_NOT_ALLOWED 403 "route_not_allowed" "The key may not call this route" "Use a key whose routes include it, or change them.";
    WIDER_THAN_OWN 403 "wider_than_own" "Nobody can give more than they have" "Leave out the permissions that the detail names, or ask somebody who has them.";
    IDEMPOTENCY_CONFLICT 409 "idempotency_conflict" "The Idempotency-Key was used for another request" "Use a fresh key for a different request.";
    IDEMPOTENCY_IN_FLIGHT 409 "idempotency_in_flight" "A request with this Idempotency-Key is still running" "Wait and repeat it: the answer of the first will be given.";
    LAST_ADMINISTRATOR 409 "last_administrator" "This is the last administrator" "Make another administrator first.";
    SEPARATION_OF_DUTY 409 "separation_of_duty" "These permissions may not be held together" "The detail names the pair; choose another role or change the rule in Settings.";
    PRECONDITION_FAILED 412 "precondition_failed" "The object changed since you read it" "Read it again and repeat the change with its present ETag.";
    BODY_TOO_LARGE 413 "body_too_large" "The body is over its limit" "Send smaller batches; the detail has the limit.";
    LINE_TOO_LARGE 413 "line_too_large" "An event is over its limit" "The detail has the limit in bytes; the first 64 KiB are kept as a dead letter.";
    TOO_MANY_ITEMS 413 "too_many_items" "Too many items at once" "Send at most as many as the detail says; larger work goes as a job.";
    UNSUPPORTED_MEDIA_TYPE 415 "unsupported_media_type" "The body's type or encoding is not supported" "Send NDJSON, plain, gzip or zstd.";
    POLICY_DENIED 422 "policy_denied" "Policy denies this" "The reasons are listed; any matching deny wins.";
    INVALID_RULE 422 "invalid_rule" "The rule or exception cannot be used" "`errors` says where, why and how to mend it.";
    RULE_NOT_PROVED 409 "rule_not_proved" "The rule is not proved yet" "Let its tests pass and run a backtest of this version, or enable it with `override` and a reason.";
    INVALID_POLICY 422 "invalid_policy" "The policies cannot be used" "`errors` names each place and what is wrong there.";
    POLICY_NOT_PROVED 409 "policy_not_proved" "The policies are not proved yet" "Let their tests pass and replay exactly these policies; `errors` says what is missing.";
    UNKNOWN_CAPABILITY 422 "unknown_capability" "There is no such capability" "See the list of capabilities.";
    INVALID_PARAMS 422 "invalid_params" "The parameters do not fit the capability" "The detail names the parameter and what it takes.";
    UNKNOWN_TARGET 422 "unknown_target" "No such target is registered" "Register the target in Settings first: a target exists only when a person registers it.";
    CONFIRMATION_REQUIRED 422 "confirmation_required" "This needs a typed confirmation" "Repeat the request with `confirm` set to the text in the detail.";
    NOT_AN_INGEST_NODE 421 "not_an_ingest_node" "This node takes no events" "Send events to a node with the role ingest.";
    ROLE_NOT_HERE 421 "role_not_here" "This node does not do that" "Ask a node of the installation that has the role which the detail names.";
    PRECONDITION_REQUIRED 428 "precondition_required" "This change needs If-Match" "Read the object and send its ETag as `If-Match`, so that nobody's change is overwritten.";
    QUEUE_FULL 429 "queue_full" "The server is busy" "Wait as long as `Retry-After` says; nothing of this request was done.";
    RATE_LIMITED 429 "rate_limited" "Too many requests" "Wait as long as `Retry-After` says.";
    BACK_PRESSURE 429 "back_pressure" "Events come faster than they are processed" "Wait as long as `Retry-After` says; nothing of this request was stored.";
    AUTOMATION_HALTED 409 "automation_halted" "Automation is halted" "A person must resume it before anything runs.";
    NO_SPACE 507 "no_space" "The disk is full" "Nothing of this request was stored. Free space on the disk of the data directory: remove other files, make the disk larger, or lower `bus.max_bytes` or `bus.retention_hours`, so that older events go. Then send it again.";
    INTERNAL 500 "internal" "Something failed here" "The request id finds the cause in the server's log.";
    STORAGE 500 "storage" "Storage failed" "Check disk space and permissions of the data directory; the request id finds the cause in the log.";
    TARGET_UNAVAILABLE 502 "target_unavailable" "The target could not be observed" "Nothing was changed; check that the target is up.";
    TIMEOUT 504 "timeout" "The request took too long" "It may still finish; read the object before you repeat it.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
