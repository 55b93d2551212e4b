//! `shieldops me`: who you are, what you may do, and your own credentials. What changes a credential signs in afresh: a
//! token cannot do it.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Outcome, login,
    see::{ShowArgs, done, part, print, print_list},
    user::fragment,
};
use crate::{
    ask,
    client::{Client, Connection, ServerArgs},
    output::{self, Failure, Output},
    profile::Profiles,
};

const PATH: &str = "/api/v1/me";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct MeArgs {
    #[command(subcommand)]
    command: Option<MeCommand>,
    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum MeCommand {
    /// Every permission, and the rule that gives or refuses it.
    Permissions(ServerArgs),
    /// Choose another password; signs in first.
    Password(SignedArgs),
    /// Add an authenticator app; signs in first, prints ten recovery codes.
    Totp(SignedArgs),
    /// Remove the authenticator app; signs in first.
    TotpRemove(SignedArgs),
    /// Make ten new recovery codes; signs in first. The old ones end.
    RecoveryCodes(SignedArgs),
    /// Whether a second factor is set, and how many recovery codes are left.
    Factors(ServerArgs),
    /// The passkeys; they are added in the browser.
    Passkeys(ServerArgs),
    /// Remove a passkey; signs in first.
    PasskeyRemove(PasskeyArgs),
    /// Set a password with a reset link, as one line of standard input.
    ResetPassword(LinkArgs),
}

#[derive(Debug, Args)]
pub(super) struct SignedArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The login name [default: it is asked for].
    #[arg(long)]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct PasskeyArgs {
    #[command(flatten)]
    which: ShowArgs,
    /// The login name [default: it is asked for].
    #[arg(long)]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct LinkArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The secret at the end of the link, or the whole link.
    link: String,
}

pub(super) fn run(args: &MeArgs) -> Outcome {
    match &args.command {
        None => show(&args.server),
        Some(MeCommand::Permissions(server)) => {
            let all = Client::new(server)?.get(&format!("{PATH}/permissions"))?;
            print_list(&all, server.output, &["/permission", "/allowed", "/rule", "/environments"])
        }
        Some(MeCommand::Password(args)) => password(args),
        Some(MeCommand::Totp(args)) => totp(args),
        Some(MeCommand::TotpRemove(args)) => {
            let answer = in_session(args, |client| client.delete(&format!("{PATH}/totp")))?;
            done(&answer, args.server.output, "the authenticator app is removed")
        }
        Some(MeCommand::RecoveryCodes(args)) => {
            let made = in_session(args, |client| client.post(&format!("{PATH}/recovery-codes"), &json!({})))?;
            codes(&made, args.server.output)
        }
        Some(MeCommand::Factors(server)) => {
            let set = Client::new(server)?.get(&format!("{PATH}/factors"))?;
            print(&set, server.output, &["totp", "passkeys", "recovery_codes_left"])
        }
        Some(MeCommand::Passkeys(server)) => {
            let all = Client::new(server)?.get(&format!("{PATH}/passkeys"))?;
            print_list(&all, server.output, &["/id", "/name", "/created_at", "/last_used_at"])
        }
        Some(MeCommand::PasskeyRemove(args)) => {
            let signed = SignedArgs { server: args.which.server.clone(), name: args.name.clone() };
            let path = part(&format!("{PATH}/passkeys"), &args.which.id);
            let answer = in_session(&signed, |client| client.delete(&path))?;
            done(&answer, signed.server.output, &format!("{} is removed", args.which.id))
        }
        Some(MeCommand::ResetPassword(args)) => {
            let connection = Connection::resolve(&args.server, &Profiles::load()?)?;
            let body = json!({"link": fragment(&args.link), "password": ask::new_password()?});
            let answer = Client::nobody(&connection)?.post("/api/v1/session/reset", &body)?;
            done(&answer, args.server.output, "the password is set: shieldops login")
        }
    }
}

fn show(server: &ServerArgs) -> Outcome {
    let me = Client::new(server)?.get(PATH)?;
    if server.output == Output::Json {
        return print(&me, Output::Json, &[]);
    }
    let rows = [
        ("name", "/user/name"),
        ("id", "/user/id"),
        ("role", "/user/role"),
        ("tenant", "/tenant/slug"),
        ("operator", "/operator"),
        ("confirmed", "/confirmed/with"),
        ("confirmed at", "/confirmed/at"),
        ("version", "/version"),
    ];
    for (name, pointer) in rows {
        if let Some(value) = me.pointer(pointer).filter(|value| !value.is_null()) {
            output::foreign_line(&format!("{name:<12} {}", output::text(value)))?;
        }
    }
    let tenants: Vec<_> =
        me["tenants"].as_array().into_iter().flatten().map(|tenant| output::text(&tenant["slug"])).collect();
    if !tenants.is_empty() {
        output::foreign_line(&format!("{:<12} {}", "tenants", tenants.join(", ")))?;
    }
    Ok(std::process::ExitCode::SUCCESS)
}

fn in_session(args: &SignedArgs, work: impl FnOnce(&Client) -> Result<Value, Failure>) -> Result<Value, Failure> {
    in_session_of(&Connection::resolve(&args.server, &Profiles::load()?)?, args.name.as_deref(), work)
}

/// Does something in a session of its own, which ends with it.
pub(super) fn in_session_of(
    connection: &Connection,
    name: Option<&str>,
    work: impl FnOnce(&Client) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    let (client, _) = login::sign_in(connection, name)?;
    let outcome = work(&client);
    let closed = client.close_session();
    let value = outcome?;
    closed.map(|()| value)
}

fn password(args: &SignedArgs) -> Outcome {
    let connection = Connection::resolve(&args.server, &Profiles::load()?)?;
    let (client, current) = login::sign_in(&connection, args.name.as_deref())?;
    let body = json!({"current": current, "new": ask::new_password()?});
    let answer = client.post(&format!("{PATH}/password"), &body);
    let closed = client.close_session();
    let answer = answer?;
    closed?;
    done(&answer, args.server.output, "the password is changed; every other session ended")
}

fn totp(args: &SignedArgs) -> Outcome {
    let made = in_session(args, |client| {
        let offer = client.post(&format!("{PATH}/totp"), &json!({}))?;
        output::note(&format!("add this to the authenticator app: {}", output::text(&offer["uri"])));
        let code = ask::word("code")?;
        client.post(&format!("{PATH}/totp/confirm"), &json!({"ticket": offer["ticket"], "code": code}))
    })?;
    codes(&made, args.server.output)
}

/// Recovery codes, one a line; shown this once.
fn codes(made: &Value, output: Output) -> Outcome {
    if output == Output::Json {
        return print(made, Output::Json, &[]);
    }
    output::note("recovery codes, each for one sign-in; they are shown this once");
    for code in made["recovery_codes"].as_array().into_iter().flatten() {
        output::line(&output::text(code))?;
    }
    Ok(std::process::ExitCode::SUCCESS)
}
