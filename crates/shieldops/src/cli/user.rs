//! `shieldops user` and `shieldops invitation`: the members of a tenant, and how somebody becomes one.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Outcome,
    local::{self, ResetArgs, UserArgs},
    me,
    see::{PageArgs, ShowArgs, done, list, named, part, print, print_list, secret},
};
use crate::{
    ask,
    client::{Client, Connection, ServerArgs},
    output::Output,
    profile::Profiles,
};

const PATH: &str = "/api/v1/users";
const INVITATIONS: &str = "/api/v1/invitations";
/// Roles that are looked through for their names.
const ROLES: usize = 1_000;
const MEMBERS: &[&str] =
    &["id", "name", "display", "role", "disabled", "has_password", "second_factor", "last_sign_in_at"];

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// The members of the tenant.
    List(PageArgs),
    /// One member.
    Show(WhoArgs),
    /// Make an account; its password is one line of standard input.
    Create(UserArgs),
    /// Invite somebody; prints the link, which is shown this once.
    Invite(InviteArgs),
    /// Give a member another role.
    Role(RoleArgs),
    /// Refuse a member from now on.
    Disable(WhoArgs),
    /// Let a member in again.
    Enable(WhoArgs),
    /// End a membership; with the last one the account ends.
    Remove(WhoArgs),
    /// Make a link with which a member sets a new password; it is shown this once.
    Reset(WhoArgs),
    /// Take a member's second factors away: for a device that is lost.
    ResetFactors(WhoArgs),
    /// Set a password in the data directory itself, for whoever can no longer sign in; it is one line of standard input.
    ResetPassword(ResetArgs),
}

#[derive(Debug, Args)]
pub(super) struct InviteArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Login name or e-mail address.
    name: String,
    /// admin, operator, analyst, auditor, viewer, or a role of the tenant.
    #[arg(long)]
    role: String,
}

#[derive(Debug, Args)]
pub(super) struct RoleArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Name or id.
    person: String,
    /// admin, operator, analyst, auditor, viewer, or a role of the tenant.
    role: String,
}

#[derive(Debug, Args)]
pub(super) struct WhoArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Name or id.
    person: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum InvitationCommand {
    /// Invitations and reset links that were made.
    List(PageArgs),
    /// End an invitation that nobody used yet.
    Revoke(ShowArgs),
    /// Become a member. A new person chooses a password; who has an account here signs in with it.
    Accept(AcceptArgs),
}

#[derive(Debug, Args)]
pub(super) struct AcceptArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The secret at the end of the link, or the whole link.
    link: String,
    /// Make a new account, where this machine knows one already.
    #[arg(long)]
    new: bool,
    /// The login name of the account to join with [default: it is asked for].
    #[arg(long, conflicts_with = "new")]
    name: Option<String>,
}

pub(super) fn run(command: &UserCommand) -> Outcome {
    match command {
        UserCommand::List(args) => {
            let client = Client::new(&args.server)?;
            let page = with_roles(&client, client.list(PATH, &[], args.limit)?, args.server.output);
            let columns = ["/id", "/name", "/role", "/disabled", "/second_factor", "/last_sign_in_at"];
            print_list(&page, args.server.output, &columns)
        }
        UserCommand::Show(args) => {
            let client = Client::new(&args.server)?;
            show(&client, client.get(&at(&client, &args.person)?)?, args.server.output)
        }
        UserCommand::Create(args) => create(args),
        UserCommand::Invite(args) => {
            let client = Client::new(&args.server)?;
            let body = json!({"name": args.name, "role": role(&client, &args.role)?});
            let made = client.whole_link(client.post(INVITATIONS, &body)?);
            secret(&made, args.server.output, "link", &format!("the invitation of {}", args.name))
        }
        UserCommand::Role(args) => {
            let client = Client::new(&args.server)?;
            let body = json!({"role": role(&client, &args.role)?});
            let user = client.patch(&at(&client, &args.person)?, &body)?;
            show(&client, user, args.server.output)
        }
        UserCommand::Disable(args) => set_disabled(args, true),
        UserCommand::Enable(args) => set_disabled(args, false),
        UserCommand::Remove(args) => {
            let client = Client::new(&args.server)?;
            let answer = client.delete(&at(&client, &args.person)?)?;
            done(&answer, args.server.output, &format!("{} is no member any more", args.person))
        }
        UserCommand::Reset(args) => {
            let client = Client::new(&args.server)?;
            let made = client.post(&format!("{}/reset", at(&client, &args.person)?), &json!({}))?;
            let made = client.whole_link(made);
            secret(&made, args.server.output, "link", &format!("the reset link of {}", args.person))
        }
        UserCommand::ResetFactors(args) => {
            let client = Client::new(&args.server)?;
            let answer = client.delete(&format!("{}/factors", at(&client, &args.person)?))?;
            done(&answer, args.server.output, &format!("{} has no second factor now", args.person))
        }
        UserCommand::ResetPassword(args) => local::reset_password(args),
    }
}

/// The path of a member.
fn at(client: &Client, person: &str) -> Result<String, crate::output::Failure> {
    Ok(part(PATH, &named(client, PATH, "usr", person)?))
}

/// A built-in role by its name, another by its id.
pub(super) fn role(client: &Client, text: &str) -> Result<String, crate::output::Failure> {
    if shieldops_identity::permission::ROLES.contains(&text) {
        return Ok(text.to_owned());
    }
    named(client, "/api/v1/roles", "rol", text)
}

fn create(args: &UserArgs) -> Outcome {
    let Some(connection) = args.place.server()? else { return local::create_user(args) };
    let client = Client::connect(&connection)?;
    let password = ask::secret("password")?;
    let body = json!({"name": args.name, "role": role(&client, &args.role)?, "password": password});
    show(&client, client.post(PATH, &body)?, args.place.server.output)
}

fn show(client: &Client, user: Value, output: Output) -> Outcome {
    let page = with_roles(client, json!({"items": [user]}), output);
    print(&page["items"][0], output, MEMBERS)
}

/// Members as people read them: a role of the tenant's own by its name. Who may not read roles sees its id.
fn with_roles(client: &Client, mut page: Value, output: Output) -> Value {
    let mut users: Vec<&mut Value> = page["items"].as_array_mut().into_iter().flatten().collect();
    let own = |user: &&mut Value| user["role"].as_str().is_some_and(|role| role.starts_with("rol_"));
    if output == Output::Json || !users.iter().any(own) {
        return page;
    }
    let roles = client.list("/api/v1/roles", &[], ROLES).unwrap_or_default();
    for user in &mut users {
        let role = roles["items"].as_array().into_iter().flatten().find(|role| role["id"] == user["role"]);
        if let Some(role) = role {
            user["role"] = role["name"].clone();
        }
    }
    page
}

fn set_disabled(args: &WhoArgs, disabled: bool) -> Outcome {
    let client = Client::new(&args.server)?;
    let user = client.patch(&at(&client, &args.person)?, &json!({"disabled": disabled}))?;
    show(&client, user, args.server.output)
}

pub(super) fn invitation(command: &InvitationCommand) -> Outcome {
    match command {
        InvitationCommand::List(page) => {
            let columns = ["/id", "/kind", "/name", "/role", "/invited_by", "/expires_at", "/spent_at", "/revoked_at"];
            list(page, INVITATIONS, &[], &columns)
        }
        InvitationCommand::Revoke(args) => {
            let answer = Client::new(&args.server)?.delete(&part(INVITATIONS, &args.id))?;
            done(&answer, args.server.output, &format!("{} is withdrawn", args.id))
        }
        InvitationCommand::Accept(args) => accept(args),
    }
}

fn accept(args: &AcceptArgs) -> Outcome {
    let connection = Connection::resolve(&args.server, &Profiles::load()?)?;
    let link = fragment(&args.link);
    let path = format!("{INVITATIONS}/accept");
    if args.new || (args.name.is_none() && connection.token.is_none()) {
        let password = ask::new_password()?;
        let mut client = Client::nobody(&Connection { tenant: None, ..connection })?;
        client.open_session(&path, &json!({"link": link, "password": password}))?;
        client.close_session()?;
        return done(&Value::Null, args.server.output, "you are a member now: shieldops login");
    }
    // A token is no session: who joins says who they are.
    let answer =
        me::in_session_of(&connection, args.name.as_deref(), |client| client.post(&path, &json!({"link": link})))?;
    let tenant = answer["tenant"].as_str().unwrap_or_default();
    done(&answer, args.server.output, &format!("you are a member now: shieldops tenant use {tenant}"))
}

/// The secret of a link: what stands behind its last `=`, or all of it.
pub(super) fn fragment(link: &str) -> &str {
    link.rsplit('=').next().unwrap_or(link)
}
