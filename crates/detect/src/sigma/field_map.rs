//! Names that a log source gives to the fields that rules speak of. A rule's field is tried as it is first.
//!
//! The shipped table is short on purpose: it covers sources whose own names differ from the Sigma taxonomy.

use shieldops_model::LogSource;

/// In events of this log source, `field` of a rule is the first of `to` that the event has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldAlias {
    /// What is absent is open.
    pub product: Option<String>,
    pub category: Option<String>,
    pub service: Option<String>,
    pub field: String,
    pub to: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldMap {
    aliases: Vec<FieldAlias>,
}

/// Product, category, service (empty: open), the rule's field, the event's fields.
const SHIPPED: &[(&str, &str, &str, &str, &[&str])] = &[
    ("linux", "process_creation", "auditd", "Image", &["exe"]),
    ("linux", "process_creation", "auditd", "CommandLine", &["proctitle"]),
    ("linux", "process_creation", "auditd", "CurrentDirectory", &["cwd"]),
    ("linux", "process_creation", "auditd", "ProcessId", &["pid"]),
    ("linux", "process_creation", "auditd", "ParentProcessId", &["ppid"]),
    ("linux", "process_creation", "auditd", "User", &["auid", "uid"]),
    ("linux", "file_event", "auditd", "TargetFilename", &["name"]),
    ("linux", "file_event", "auditd", "Image", &["exe"]),
    // Security 4688 says the same as Sysmon 1 in other words.
    ("windows", "process_creation", "security", "Image", &["NewProcessName"]),
    ("windows", "process_creation", "security", "ParentImage", &["ParentProcessName"]),
    ("windows", "process_creation", "security", "ParentProcessId", &["ProcessId"]),
    ("windows", "process_creation", "security", "User", &["SubjectUserName"]),
    ("windows", "process_creation", "security", "LogonId", &["SubjectLogonId"]),
    // Web servers that log JSON under their own variable names.
    ("", "webserver", "", "c-ip", &["remote_addr", "client_ip", "src_ip"]),
    ("", "webserver", "", "cs-method", &["request_method", "method"]),
    ("", "webserver", "", "cs-uri-stem", &["uri", "path"]),
    ("", "webserver", "", "cs-uri-query", &["args", "query_string"]),
    ("", "webserver", "", "cs-uri", &["request_uri"]),
    ("", "webserver", "", "cs-user-agent", &["http_user_agent", "user_agent"]),
    ("", "webserver", "", "cs-referer", &["http_referer", "referer"]),
    ("", "webserver", "", "sc-status", &["status"]),
];

impl FieldMap {
    pub fn empty() -> Self {
        Self::default()
    }

    /// The table that comes with the engine.
    pub fn shipped() -> Self {
        let open = |word: &str| (!word.is_empty()).then(|| word.to_owned());
        let aliases = SHIPPED.iter().map(|(product, category, service, field, to)| FieldAlias {
            product: open(product),
            category: open(category),
            service: open(service),
            field: (*field).to_owned(),
            to: to.iter().map(|name| (*name).to_owned()).collect(),
        });
        Self { aliases: aliases.collect() }
    }

    /// Later entries come after earlier ones for the same field.
    #[must_use]
    pub fn with(mut self, alias: FieldAlias) -> Self {
        self.aliases.push(alias);
        self
    }

    /// Every name that an event may use instead of a rule's.
    pub(crate) fn all_names(&self) -> impl Iterator<Item = &str> {
        self.aliases.iter().flat_map(|alias| alias.to.iter().map(String::as_str))
    }

    /// The names to try for a rule's field in events of this source, in order.
    pub(crate) fn names<'m>(&'m self, source: &'m LogSource, field: &'m str) -> impl Iterator<Item = &'m str> {
        self.aliases
            .iter()
            .filter(move |alias| alias.field == field && alias.applies(source))
            .flat_map(|alias| alias.to.iter().map(String::as_str))
    }
}

impl FieldAlias {
    fn applies(&self, source: &LogSource) -> bool {
        let agrees = |wanted: &Option<String>, have: &Option<String>| wanted.is_none() || wanted == have;
        agrees(&self.product, &source.product)
            && agrees(&self.service, &source.service)
            && self.category.as_ref().is_none_or(|category| source.categories.contains(category))
    }
}
