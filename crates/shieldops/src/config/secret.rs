//! The address of a database, which may hold a password: it is shown without one, wherever it is shown.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct DatabaseUrl(String);

impl DatabaseUrl {
    /// With its password: for the one who connects.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// From a flag of the command line.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The host that it names; `None` for a socket of this host.
    pub(crate) fn host(&self) -> Option<String> {
        let (_, rest) = self.0.split_once("://")?;
        let (before, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let named = parameters.split('&').find_map(|it| it.strip_prefix("hostaddr=").or(it.strip_prefix("host=")));
        let server = before.split('/').next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
        let host = match server.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => server.split(':').next().unwrap_or_default(),
        };
        let host = named.unwrap_or(host);
        (!host.is_empty() && !host.starts_with(['/', '%'])).then(|| host.to_owned())
    }

    /// What is wrong with it, where that can be told without connecting.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let Some((scheme, rest)) = self.0.split_once("://") else { return Some("not a URL") };
        let host = rest.split(['/', '?']).next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
        match scheme {
            "postgres" | "postgresql" if !host.is_empty() || rest.contains("host=") => None,
            "postgres" | "postgresql" => Some("names no host"),
            _ => Some("not a PostgreSQL address"),
        }
    }
}

/// Without the password, in the user part and among the parameters.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, parameters) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
        let separator = if scheme.is_empty() { "" } else { "://" };
        match rest.rsplit_once('@') {
            Some((user, place)) => {
                let name = user.split_once(':').map_or_else(|| user.to_owned(), |(name, _)| format!("{name}:***"));
                write!(f, "{scheme}{separator}{name}@{place}")?;
            }
            None => write!(f, "{scheme}{separator}{rest}")?,
        }
        for (index, pair) in parameters.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            let name = pair.split('=').next().unwrap_or_default();
            let shown = if name.contains("password") { format!("{name}=***") } else { pair.to_owned() };
            write!(f, "{}{shown}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgres://app:s3cr:e@t@db:5432/shieldops",
            "postgres://db/x?user=app&password=s3cr:e@t",
            "postgres://app:s3cr:e@t@db/x?sslmode=require&sslpassword=s3cr:e@t",
            "app:s3cr:e@t@db",
        ] {
            let url = DatabaseUrl::new(text);
            let shown = format!("{url} {url:?} {}", serde_json::to_string(&url).unwrap());
            assert!(!shown.contains("s3cr") && shown.contains("db"), "{shown}");
            assert_eq!(url.expose(), text);
        }
        assert_eq!(DatabaseUrl::new("postgres://db/x?sslmode=require").to_string(), "postgres://db/x?sslmode=require");
    }

    #[test]
    fn what_is_no_postgresql_address_is_said() {
        assert_eq!(DatabaseUrl::new("postgres://app@db/x").fault(), None);
        assert_eq!(DatabaseUrl::new("postgres:///x?host=/run/postgresql").fault(), None);
        for text in ["db/x", "mysql://db/x", "postgres:///x"] {
            assert!(DatabaseUrl::new(text).fault().is_some(), "{text}");
        }
    }
}
