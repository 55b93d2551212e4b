//! `shieldops login`, `logout` and `profile`: a token of your own for this machine, kept in the profile.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Outcome,
    see::{done, part},
    user::fragment,
};
use crate::{
    ask,
    client::{Client, Connection, ServerArgs},
    output::{self, Failure, Output},
    profile::{DEFAULT, Profile, Profiles},
};

#[derive(Debug, Args)]
pub(super) struct LoginArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The login name [default: it is asked for].
    #[arg(long)]
    name: Option<String>,
    /// Keep a token or key that is read from standard input.
    #[arg(long, conflicts_with_all = ["name", "claim"])]
    with_token: bool,
    /// Spend the admin link that the first start printed: the password is chosen now.
    #[arg(long, value_name = "LINK")]
    claim: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct LogoutArgs {
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum ProfileCommand {
    /// The profiles of this machine.
    List(ProfileListArgs),
    /// Use a profile from now on.
    Use(ProfileArgs),
    /// Forget a profile; its token stays valid: `shieldops logout` ends it.
    Remove(ProfileArgs),
}

#[derive(Debug, Args)]
pub(super) struct ProfileListArgs {
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct ProfileArgs {
    name: String,
}

pub(super) fn login(args: &LoginArgs) -> Outcome {
    let mut profiles = Profiles::load()?;
    let name = args.server.profile.clone().or_else(|| profiles.current.clone()).unwrap_or_else(|| DEFAULT.to_owned());
    // A profile that is made now is not known yet, and another one's tenant may not be this person's.
    let known = profiles.all.contains_key(&name).then(|| name.clone());
    let mut connection = Connection::resolve(&ServerArgs { profile: known.clone(), ..args.server.clone() }, &profiles)?;
    if known.is_none() {
        connection.tenant.clone_from(&args.server.tenant);
    }
    other_server(&profiles, args, &name, &connection)?;
    let (token, token_id) = if args.with_token {
        let token = ask::secret("token")?;
        Client::connect(&Connection { token: Some(token.clone()), ..connection.clone() })?.get("/api/v1/me")?;
        (token, None)
    } else {
        let client = match &args.claim {
            Some(link) => claim(&connection, link)?,
            None => sign_in(&connection, args.name.as_deref())?.0,
        };
        let made = client.post("/api/v1/tokens", &json!({"kind": "personal", "name": "command line"}));
        let closed = client.close_session();
        let made = made?;
        closed?;
        let Some(token) = made["token"].as_str() else { return Err(Failure::unusable("the server made no token")) };
        (token.to_owned(), made["id"].as_str().map(str::to_owned))
    };
    let Connection { server, tenant, ca_file, .. } = connection;
    let profile = Profile { server: server.clone(), token: Some(token), token_id, tenant, ca_file };
    profiles.all.insert(name.clone(), profile);
    profiles.current = Some(name.clone());
    profiles.save()?;
    done(&Value::Null, args.server.output, &format!("signed in to {server}; the profile is {name}"))
}

/// The profile of another server is not replaced unasked.
fn other_server(profiles: &Profiles, args: &LoginArgs, name: &str, to: &Connection) -> Result<(), Failure> {
    match profiles.all.get(name) {
        Some(kept) if args.server.profile.is_none() && kept.server != to.server => {
            Err(Failure::unusable(format!("the profile {name} is of {}", kept.server))
                .fix("give the new one a name: shieldops login --profile NAME --server URL"))
        }
        _ => Ok(()),
    }
}

/// Opens a session with a password and, where one is set, a second factor. Gives the password for what asks it again.
pub(super) fn sign_in(connection: &Connection, name: Option<&str>) -> Result<(Client, String), Failure> {
    let name = name.map_or_else(|| ask::word("name"), |name| Ok(name.to_owned()))?;
    let password = ask::secret("password")?;
    let mut client = Client::nobody(connection)?;
    let body = json!({"name": name, "password": password});
    if let Some(challenge) = client.open_session("/api/v1/session", &body)? {
        second_factor(&mut client, &challenge)?;
    }
    Ok((client, password))
}

fn second_factor(client: &mut Client, challenge: &Value) -> Result<(), Failure> {
    let methods: Vec<_> = challenge["methods"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (what, member) = if methods.contains(&"totp") {
        ("code of the authenticator app", "code")
    } else if methods.contains(&"recovery_code") {
        ("recovery code", "recovery_code")
    } else {
        let fix = "make a personal token in the dashboard and keep it with `shieldops login --with-token`";
        return Err(Failure::refused("this account signs in with a passkey, which takes a browser").fix(fix));
    };
    let body = json!({"ticket": challenge["ticket"], member: ask::secret(what)?});
    match client.open_session("/api/v1/session/second-factor", &body)? {
        None => Ok(()),
        Some(_again) => Err(Failure::refused("the second factor was not accepted").fix("sign in again")),
    }
}

fn claim(connection: &Connection, link: &str) -> Result<Client, Failure> {
    let mut client = Client::nobody(connection)?;
    let body = json!({"secret": fragment(link), "password": ask::new_password()?});
    client.open_session("/api/v1/session/claim", &body)?;
    Ok(client)
}

pub(super) fn logout(args: &LogoutArgs) -> Outcome {
    let mut profiles = Profiles::load()?;
    let Some((name, profile)) = profiles.pick(args.server.profile.as_deref())? else {
        return Err(Failure::unusable("no profile is in use").fix("shieldops profile list shows them"));
    };
    let (name, profile) = (name.to_owned(), profile.clone());
    if let (Some(_token), Some(id)) = (&profile.token, &profile.token_id) {
        let connection =
            Connection::resolve(&ServerArgs { profile: Some(name.clone()), ..ServerArgs::default() }, &profiles)?;
        Client::connect(&connection)?.delete(&part("/api/v1/tokens", id))?;
    }
    if let Some(kept) = profiles.all.get_mut(&name) {
        (kept.token, kept.token_id) = (None, None);
    }
    profiles.save()?;
    done(&Value::Null, args.server.output, &format!("signed out of {}", profile.server))
}

pub(super) fn profile(command: &ProfileCommand) -> Outcome {
    let mut profiles = Profiles::load()?;
    let unknown = |name: &str| {
        Failure::unusable(format!("there is no profile `{name}`")).fix("shieldops profile list shows them")
    };
    match command {
        ProfileCommand::List(args) => {
            let one = |(name, profile): (&String, &Profile)| json!({"name": name, "server": profile.server, "tenant": profile.tenant, "signed_in": profile.token.is_some(), "current": profiles.current.as_ref() == Some(name)});
            let items: Vec<_> = profiles.all.iter().map(one).collect();
            let columns = ["/name", "/server", "/tenant", "/signed_in", "/current"];
            super::see::print_list(&json!({"items": items, "next_cursor": null}), args.output, &columns)
        }
        ProfileCommand::Use(args) => {
            if !profiles.all.contains_key(&args.name) {
                return Err(unknown(&args.name));
            }
            profiles.current = Some(args.name.clone());
            profiles.save()?;
            output::line(&format!("the profile is {}", args.name)).map(|()| std::process::ExitCode::SUCCESS)
        }
        ProfileCommand::Remove(args) => {
            profiles.all.remove(&args.name).ok_or_else(|| unknown(&args.name))?;
            if profiles.current.as_ref() == Some(&args.name) {
                profiles.current = None;
            }
            profiles.save()?;
            output::line(&format!("the profile {} is forgotten", args.name)).map(|()| std::process::ExitCode::SUCCESS)
        }
    }
}
