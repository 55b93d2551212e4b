//! The tactics of ATT&CK for Enterprise in the order of an attack. Names are those of attack.mitre.org.

/// One tactic: a column of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tactic {
    /// `TA0001`.
    pub id: &'static str,
    /// The short name that Sigma tags and every surface use: `initial-access`.
    pub short: &'static str,
    pub name: &'static str,
}

const fn tactic_row(id: &'static str, short: &'static str, name: &'static str) -> Tactic {
    Tactic { id, short, name }
}

/// The fourteen tactics, first stage first.
pub const TACTICS: [Tactic; 14] = [
    tactic_row("TA0043", "reconnaissance", "Reconnaissance"),
    tactic_row("TA0042", "resource-development", "Resource development"),
    tactic_row("TA0001", "initial-access", "Initial access"),
    tactic_row("TA0002", "execution", "Execution"),
    tactic_row("TA0003", "persistence", "Persistence"),
    tactic_row("TA0004", "privilege-escalation", "Privilege escalation"),
    tactic_row("TA0005", "defense-evasion", "Defense evasion"),
    tactic_row("TA0006", "credential-access", "Credential access"),
    tactic_row("TA0007", "discovery", "Discovery"),
    tactic_row("TA0008", "lateral-movement", "Lateral movement"),
    tactic_row("TA0009", "collection", "Collection"),
    tactic_row("TA0011", "command-and-control", "Command and control"),
    tactic_row("TA0010", "exfiltration", "Exfiltration"),
    tactic_row("TA0040", "impact", "Impact"),
];

/// The tactic of a short name; underscores and capitals of older tags are understood.
pub fn tactic(short: &str) -> Option<&'static Tactic> {
    rank(short).and_then(|rank| TACTICS.get(rank))
}

/// Where a tactic stands in the order of an attack: 0 is first.
pub fn rank(short: &str) -> Option<usize> {
    let wanted = short.to_ascii_lowercase().replace('_', "-");
    TACTICS.iter().position(|tactic| tactic.short == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tactic_is_found_by_both_spellings_of_its_tag() {
        assert_eq!(tactic("initial_access"), tactic("initial-access"));
        assert_eq!(tactic("initial-access").unwrap().id, "TA0001");
        assert_eq!(rank("impact"), Some(13));
        assert_eq!(tactic("t1110"), None);
    }
}
