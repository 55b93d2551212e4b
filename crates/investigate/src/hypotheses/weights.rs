//! All weights, in percent. They are judgements, kept in one place so that they can be read, argued with and changed.

/// Many accounts tried from one address.
pub(super) mod spray {
    pub(crate) const BASE: i32 = 35;
    /// At least five accounts; at least ten.
    pub(crate) const MANY_USERS: i32 = 20;
    pub(crate) const VERY_MANY_USERS: i32 = 10;
    /// About the same number of tries for each account.
    pub(crate) const EVEN: i32 = 10;
    pub(crate) const PUBLIC: i32 = 10;
    pub(crate) const WITHIN_MINUTES: i32 = 10;
    /// One account took most of the tries.
    pub(crate) const ONE_USER_LEADS: i32 = -20;
    pub(crate) const PRIVATE: i32 = -15;
}

/// Many tries of one account.
pub(super) mod brute_force {
    pub(crate) const BASE: i32 = 35;
    /// At least ten tries; at least fifty.
    pub(crate) const MANY: i32 = 15;
    pub(crate) const VERY_MANY: i32 = 15;
    /// More than ten a minute.
    pub(crate) const FAST: i32 = 15;
    pub(crate) const PUBLIC: i32 = 10;
    pub(crate) const PRIVATE: i32 = -15;
    pub(crate) const REGULAR: i32 = -25;
}

/// A sign-in after failed ones from the same address.
pub(super) mod compromise {
    pub(crate) const BASE: i32 = 40;
    pub(crate) const MANY_FAILURES: i32 = 15;
    pub(crate) const USER_WAS_GUESSED: i32 = 15;
    pub(crate) const SOON: i32 = 10;
    pub(crate) const PUBLIC: i32 = 5;
    pub(crate) const ALERTS_INSIDE: i32 = 15;
    pub(crate) const FEW_FAILURES: i32 = -25;
    pub(crate) const ONLY_THIS_USER: i32 = -15;
    pub(crate) const USUAL_PLACE: i32 = -25;
    pub(crate) const NOTHING_INSIDE: i32 = -5;
}

/// Requests that rules take for exploits.
pub(super) mod web_attempts {
    pub(crate) const BASE: i32 = 45;
    pub(crate) const MANY: i32 = 15;
    pub(crate) const SEVERAL_RULES: i32 = 20;
    pub(crate) const PUBLIC: i32 = 10;
    pub(crate) const SINGLE: i32 = -15;
}

/// An exploit that worked.
pub(super) mod web_success {
    pub(crate) const BASE: i32 = 10;
    pub(crate) const ANSWERED: i32 = 20;
    pub(crate) const SERVER_ERROR: i32 = 5;
    pub(crate) const SERVER_RAN_PROGRAMS: i32 = 50;
    pub(crate) const REFUSED: i32 = -10;
    pub(crate) const SERVER_RAN_NOTHING: i32 = -10;
}

/// What the rules alone say of an address, by the worst level.
pub(super) mod rules {
    use shieldops_model::Severity;

    pub(crate) const fn base(worst: Severity) -> i32 {
        match worst {
            Severity::Informational => 5,
            Severity::Low => 20,
            Severity::Medium => 50,
            Severity::High => 65,
            Severity::Critical => 75,
        }
    }
    /// For each further rule, and the most that they add.
    pub(crate) const FURTHER_RULE: i32 = 10;
    pub(crate) const FURTHER_RULES: i32 = 20;
    pub(crate) const USUAL_PLACE: i32 = -15;
}

/// A person at work inside.
pub(super) mod hands_on {
    pub(crate) const BASE: i32 = 25;
    pub(crate) const AFTER_COMPROMISE: i32 = 25;
    pub(crate) const SEVERAL_TACTICS: i32 = 20;
    pub(crate) const MANY_PROGRAMS: i32 = 10;
    pub(crate) const FETCHES: i32 = 10;
    pub(crate) const PACE_OF_A_PERSON: i32 = 5;
    pub(crate) const SEEN_BEFORE: i32 = -20;
}

/// A way back in was left.
pub(super) mod persistence {
    pub(crate) const BASE: i32 = 40;
    pub(crate) const HIGH_LEVEL: i32 = 10;
    pub(crate) const SEVERAL_WAYS: i32 = 20;
    pub(crate) const AFTER_COMPROMISE: i32 = 20;
    pub(crate) const FAILED: i32 = -30;
}

/// Somebody was asked to test.
pub(super) mod authorised {
    pub(crate) const BASE: i32 = 10;
    pub(crate) const PRIVATE: i32 = 25;
    pub(crate) const SAYS_SO: i32 = 10;
    pub(crate) const ONLY_PROBES: i32 = 10;
    pub(crate) const SIGNED_IN: i32 = -10;
    pub(crate) const LEFT_SOMETHING: i32 = -10;
}

/// A machine that keeps trying an old password.
pub(super) mod job {
    pub(crate) const BASE: i32 = 10;
    pub(crate) const ONE_USER: i32 = 15;
    pub(crate) const REGULAR: i32 = 40;
    pub(crate) const PRIVATE: i32 = 15;
    pub(crate) const IRREGULAR: i32 = -10;
    pub(crate) const MANY_USERS: i32 = -30;
    pub(crate) const ALSO_WEB: i32 = -10;
}

/// Somebody mistyped a password.
pub(super) mod slips {
    pub(crate) const BASE: i32 = 35;
    pub(crate) const FEW: i32 = 20;
    pub(crate) const THEN_IN: i32 = 15;
    pub(crate) const USUAL_PLACE: i32 = 15;
    pub(crate) const PUBLIC: i32 = -10;
    /// Other alerts on what the account did afterwards.
    pub(crate) const ALERTS_INSIDE: i32 = -30;
}

/// Somebody administers the host.
pub(super) mod administration {
    pub(crate) const BASE: i32 = 30;
    pub(crate) const PLAIN_SIGN_IN: i32 = 25;
    pub(crate) const SEEN_BEFORE: i32 = 15;
    pub(crate) const AFTER_COMPROMISE: i32 = -30;
    pub(crate) const HOST_TAKEN: i32 = -15;
    pub(crate) const HIGH_ALERTS: i32 = -15;
}
