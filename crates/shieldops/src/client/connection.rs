//! Which server, as whom, for which tenant: flags and variables over the profile.

use std::path::PathBuf;

use clap::Args;

use super::slug;
use crate::{
    output::{Failure, Output},
    profile::Profiles,
};

const DEFAULT_SERVER: &str = "http://127.0.0.1:8420";

/// Which server, as whom, for which tenant. What is not given stands in the profile.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerArgs {
    /// The address of the server [default: that of the profile, else http://127.0.0.1:8420].
    #[arg(long, value_name = "URL", env = "SHIELDOPS_SERVER", help_heading = "Connection")]
    pub(crate) server: Option<String>,
    /// A personal access token or a key.
    #[arg(long, value_name = "TOKEN", env = "SHIELDOPS_TOKEN", hide_env_values = true, help_heading = "Connection")]
    pub(crate) token: Option<String>,
    /// The profile to use, as `shieldops login` made it.
    #[arg(long, value_name = "NAME", env = "SHIELDOPS_PROFILE", help_heading = "Connection")]
    pub(crate) profile: Option<String>,
    /// The tenant to work in, where you belong to several.
    #[arg(long, value_name = "SLUG", env = "SHIELDOPS_TENANT", value_parser = slug, help_heading = "Connection")]
    pub(crate) tenant: Option<String>,
    /// A PEM file with the certificate to trust, for a self-signed server: tls/cert.pem of its data directory.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub(crate) ca_file: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t, help_heading = "Connection")]
    pub(crate) output: Output,
}

/// What the flags and the profile come to.
#[derive(Clone, Default)]
pub(crate) struct Connection {
    pub(crate) server: String,
    pub(crate) token: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
}

impl Connection {
    /// A flag wins over the profile. The profile's token goes to the profile's server only.
    pub(crate) fn resolve(args: &ServerArgs, profiles: &Profiles) -> Result<Self, Failure> {
        let profile = profiles.pick(args.profile.as_deref())?.map(|(_, profile)| profile);
        let site = |url: &str| url.trim_end_matches('/').to_owned();
        let server = args.server.as_deref().or(profile.map(|profile| profile.server.as_str()));
        let server = site(server.unwrap_or(DEFAULT_SERVER));
        if !server.starts_with("http://") && !server.starts_with("https://") {
            return Err(
                Failure::unusable(format!("--server {server}: not a URL")).fix("write it as http://127.0.0.1:8420")
            );
        }
        let own = profile.filter(|profile| site(&profile.server) == server);
        Ok(Self {
            server,
            token: args.token.clone().or_else(|| own?.token.clone()).filter(|token| !token.is_empty()),
            tenant: args.tenant.clone().or_else(|| own?.tenant.clone()),
            ca_file: args.ca_file.clone().or_else(|| own?.ca_file.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn profiles() -> Profiles {
        let profile = Profile {
            server: "https://work.example/".to_owned(),
            token: Some("theirs".to_owned()),
            tenant: Some("acme".to_owned()),
            ..Profile::default()
        };
        Profiles { current: Some("work".to_owned()), all: [("work".to_owned(), profile)].into() }
    }

    #[test]
    fn a_flag_wins_over_the_profile_and_its_token_goes_to_no_other_server() {
        let resolved = |args: &ServerArgs| Connection::resolve(args, &profiles()).ok().unwrap();
        let own = resolved(&ServerArgs::default());
        assert_eq!((own.server.as_str(), own.token.as_deref()), ("https://work.example", Some("theirs")));
        assert_eq!(own.tenant.as_deref(), Some("acme"));
        let tenant = resolved(&ServerArgs { tenant: Some("other".to_owned()), ..ServerArgs::default() });
        assert_eq!((tenant.tenant.as_deref(), tenant.token.as_deref()), (Some("other"), Some("theirs")));
        let elsewhere =
            resolved(&ServerArgs { server: Some("https://evil.example".to_owned()), ..ServerArgs::default() });
        assert_eq!((elsewhere.token, elsewhere.tenant), (None, None));
        let none = Connection::resolve(&ServerArgs::default(), &Profiles::default()).ok().unwrap();
        assert_eq!(none.server, DEFAULT_SERVER);
    }
}
