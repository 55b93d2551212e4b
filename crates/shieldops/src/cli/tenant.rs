//! `shieldops tenant` and `shieldops usage`: the organisations of an installation. Its operator makes and ends them.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use shieldops_model::Code;

use super::{
    Outcome,
    see::{PageArgs, done, heading, part, print, print_list, secret},
};
use crate::{
    client::{Client, Connection, ServerArgs, query, slug},
    output::{self, Failure, Output},
    profile::Profiles,
};

const PATH: &str = "/api/v1/tenants";
const MEMBERS: &[&str] =
    &["slug", "name", "id", "state", "parent", "demo", "created_at", "state_changed_at", "delete_after"];
const COLUMNS: [&str; 6] = ["/slug", "/name", "/state", "/parent", "/created_at", "/delete_after"];
/// Tenants that are looked through for a parent's slug.
const TENANTS: usize = 10_000;
const USAGE: &[&str] = &[
    "from",
    "to",
    "members",
    "custom_roles",
    "keys",
    "tokens",
    "sessions",
    "sources",
    "events",
    "alerts",
    "incidents",
    "actions",
    "ledger_entries",
];

#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Every tenant.
    List(ListArgs),
    /// One tenant.
    Show(SlugArgs),
    /// Make a tenant.
    Create(CreateArgs),
    /// Give it another name, slug or parent.
    Rename(RenameArgs),
    /// Reads stay; writes, sign-ins that write, and new actions stop.
    Suspend(StateArgs),
    /// End a suspension.
    Resume(StateArgs),
    /// Nobody signs in and nothing acts; events are still taken.
    Lock(StateArgs),
    /// End a lock.
    Unlock(StateArgs),
    /// Delete it after its time of grace: then its key is destroyed and nothing brings it back.
    Delete(DeleteArgs),
    /// Keep it after all. It is suspended then, until `shieldops tenant resume`.
    CancelDeletion(StateArgs),
    /// Invite somebody into a tenant: how its first administrator comes in. Prints the link, which is shown this once.
    Invite(InviteArgs),
    /// What it uses.
    Usage(UsageArgs),
    /// Work in this tenant from now on, with the profile that is in use. The server is asked whether you may.
    Use(UseArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    page: PageArgs,
    /// active, suspended, locked or deleting.
    #[arg(long)]
    state: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct SlugArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = slug)]
    slug: String,
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Its name in addresses: small letters, digits and -.
    #[arg(value_parser = slug)]
    slug: String,
    /// What people call it [default: the slug].
    #[arg(long)]
    name: Option<String>,
    /// The tenant that may be given access to it.
    #[arg(long, value_name = "SLUG", value_parser = slug)]
    parent: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct RenameArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = slug)]
    slug: String,
    /// What people call it.
    #[arg(long)]
    name: Option<String>,
    /// Another slug; links with the old one end.
    #[arg(long, value_name = "SLUG", value_parser = slug)]
    slug_to: Option<String>,
    /// The tenant that may be given access to it.
    #[arg(long, value_name = "SLUG", value_parser = slug, conflicts_with = "no_parent")]
    parent: Option<String>,
    /// It stands alone from now on.
    #[arg(long)]
    no_parent: bool,
}

#[derive(Debug, Args)]
pub(super) struct StateArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = slug)]
    slug: String,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    state: StateArgs,
    /// Hours until nothing brings it back, at most 2160 [default: 168].
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u64).range(0..=2_160))]
    grace: Option<u64>,
    /// Undo what is in force on targets first; without it a tenant with live actions is not deleted.
    #[arg(long)]
    undo_first: bool,
    /// Go on without what could not be undone: it stays on its targets. Ask without this first, for the list.
    #[arg(long)]
    leave_behind: bool,
}

#[derive(Debug, Args)]
pub(super) struct InviteArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = slug)]
    slug: String,
    /// Login name or e-mail address.
    name: String,
    #[arg(long, default_value = "admin")]
    role: String,
}

/// What a tenant holds and sent.
#[derive(Debug, Args)]
pub(super) struct UsageArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[arg(value_parser = slug)]
    slug: String,
    #[command(flatten)]
    range: Range,
}

#[derive(Debug, Args)]
pub(super) struct OwnUsageArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    range: Range,
}

#[derive(Debug, Args)]
struct Range {
    /// From this time on, RFC 3339 [default: 30 days before].
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to this time, RFC 3339 [default: now].
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct UseArgs {
    #[arg(value_parser = slug)]
    slug: String,
    /// The profile [default: the one that is in use].
    #[arg(long, value_name = "NAME", env = "SHIELDOPS_PROFILE")]
    profile: Option<String>,
}

pub(super) fn run(command: &TenantCommand) -> Outcome {
    match command {
        TenantCommand::List(args) => {
            let client = Client::new(&args.page.server)?;
            let page = client.list(PATH, &[("state", args.state.as_deref())], args.page.limit)?;
            let page = shown(&client, page, args.page.server.output)?;
            print_list(&page, args.page.server.output, &COLUMNS)
        }
        TenantCommand::Show(args) => {
            let client = Client::new(&args.server)?;
            show(&client, client.get(&part(PATH, &args.slug))?, args.server.output)
        }
        TenantCommand::Create(args) => {
            let name = args.name.as_ref().unwrap_or(&args.slug);
            let mut body = json!({"slug": args.slug, "name": name});
            if let Some(parent) = &args.parent {
                body["parent"] = parent.clone().into();
            }
            let client = Client::new(&args.server)?;
            show(&client, client.post(PATH, &body)?, args.server.output)
        }
        TenantCommand::Rename(args) => rename(args),
        TenantCommand::Suspend(args) => change(args, "suspend"),
        TenantCommand::Resume(args) => change(args, "resume"),
        TenantCommand::Lock(args) => change(args, "lock"),
        TenantCommand::Unlock(args) => change(args, "unlock"),
        TenantCommand::CancelDeletion(args) => change(args, "cancel-deletion"),
        TenantCommand::Delete(args) => {
            let state = &args.state;
            let grace = args.grace.map(|hours| hours.to_string());
            let undo = args.undo_first.then_some("true");
            let leave = args.leave_behind.then_some("true");
            let asked = [
                ("reason", Some(state.reason.as_str())),
                ("grace_hours", grace.as_deref()),
                ("undo_first", undo),
                ("leave_behind", leave),
            ];
            let path = part(PATH, &state.slug);
            let gone = Client::new(&state.server)?.delete_asking(&path, &query(&asked))?;
            deletion(&gone, state.server.output)
        }
        TenantCommand::Invite(args) => {
            let body = json!({"name": args.name, "role": args.role});
            let client = Client::new(&args.server)?;
            let made = client.whole_link(client.post(&format!("{}/invitations", part(PATH, &args.slug)), &body)?);
            secret(&made, args.server.output, "link", &format!("the invitation of {}", args.name))
        }
        TenantCommand::Usage(args) => usage_at(&args.server, &format!("{}/usage", part(PATH, &args.slug)), &args.range),
        TenantCommand::Use(args) => remember(args),
    }
}

fn rename(args: &RenameArgs) -> Outcome {
    let mut body = Map::new();
    for (name, value) in [("name", &args.name), ("slug", &args.slug_to), ("parent", &args.parent)] {
        if let Some(value) = value {
            body.insert(name.to_owned(), value.clone().into());
        }
    }
    if args.no_parent {
        body.insert("parent".to_owned(), Value::String(String::new()));
    }
    if body.is_empty() {
        return Err(Failure::unusable("nothing to change").fix("give --name, --slug-to, --parent or --no-parent"));
    }
    let client = Client::new(&args.server)?;
    show(&client, client.patch(&part(PATH, &args.slug), &body.into())?, args.server.output)
}

fn change(args: &StateArgs, verb: &str) -> Outcome {
    let path = format!("{}/{verb}", part(PATH, &args.slug));
    let client = Client::new(&args.server)?;
    show(&client, client.post(&path, &json!({"reason": args.reason}))?, args.server.output)
}

fn show(client: &Client, tenant: Value, output: Output) -> Outcome {
    let page = shown(client, json!({"items": [tenant]}), output)?;
    print(&page["items"][0], output, MEMBERS)
}

/// Tenants as people read them: a parent by its slug, which is what every command takes.
fn shown(client: &Client, mut page: Value, output: Output) -> Result<Value, Failure> {
    let mut tenants: Vec<&mut Value> = page["items"].as_array_mut().into_iter().flatten().collect();
    if output == Output::Json || tenants.iter().all(|tenant| tenant["parent"].is_null()) {
        return Ok(page);
    }
    let all = client.list(PATH, &[], TENANTS)?;
    for tenant in &mut tenants {
        let parent = all["items"].as_array().into_iter().flatten().find(|other| other["id"] == tenant["parent"]);
        if let Some(parent) = parent {
            tenant["parent"] = parent["slug"].clone();
        }
    }
    Ok(page)
}

/// What the caller's own tenant uses.
pub(super) fn usage(args: &OwnUsageArgs) -> Outcome {
    usage_at(&args.server, "/api/v1/usage", &args.range)
}

fn usage_at(server: &ServerArgs, path: &str, range: &Range) -> Outcome {
    let asked = query(&[("from", range.from.as_deref()), ("to", range.to.as_deref())]);
    print(&Client::new(server)?.get(&format!("{path}{asked}"))?, server.output, USAGE)
}

fn deletion(gone: &Value, output: Output) -> Outcome {
    if output == Output::Table {
        heading(&gone["tenant"], MEMBERS)?;
        for action in gone["undone"].as_array().into_iter().flatten() {
            output::foreign_line(&format!("undone       {}", output::text(action)))?;
        }
        for action in gone["cannot_be_undone"].as_array().into_iter().flatten() {
            output::foreign_line(&format!("stays        {}", output::row(action, &["/action", "/reason"]).join(": ")))?;
        }
        return Ok(std::process::ExitCode::SUCCESS);
    }
    print(gone, output, &[])
}

fn remember(args: &UseArgs) -> Outcome {
    let mut profiles = Profiles::load()?;
    let Some((name, _)) = profiles.pick(args.profile.as_deref())? else {
        return Err(
            Failure::unusable("there is no profile to remember it in").fix("sign in with `shieldops login` first")
        );
    };
    let name = name.to_owned();
    let asks = ServerArgs { profile: Some(name.clone()), tenant: Some(args.slug.clone()), ..ServerArgs::default() };
    let connection = Connection::resolve(&asks, &profiles)?;
    if connection.token.is_some() {
        Client::connect(&connection)?.get("/api/v1/me").map_err(|failure| elsewhere(failure, &args.slug))?;
    }
    if let Some(profile) = profiles.all.get_mut(&name) {
        profile.tenant = Some(args.slug.clone());
    }
    profiles.save()?;
    done(&Value::Null, Output::Table, &format!("the profile {name} works in {}", args.slug))
}

/// What is not found is the tenant: a person learns no more of one that is not theirs.
fn elsewhere(failure: Failure, slug: &str) -> Failure {
    if !failure.what.contains(Code::NOT_FOUND.name) {
        return failure;
    }
    Failure::refused(format!("the profile stays as it is: `{slug}` is no tenant, or you are no member of it"))
        .fix("`shieldops me` names those that you are a member of")
}
