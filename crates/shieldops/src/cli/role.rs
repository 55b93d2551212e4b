//! `shieldops role`: roles that a tenant made for itself. The built-in ones are shown beside them and stay as they are.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Outcome,
    see::{PageArgs, done, named, part, print, print_list},
};
use crate::{
    client::{Client, ServerArgs},
    output::Output,
};

const PATH: &str = "/api/v1/roles";
const MEMBERS: &[&str] = &["id", "name", "permissions", "environments", "members", "created_at", "updated_at"];

#[derive(Debug, Subcommand)]
pub(super) enum RoleCommand {
    /// The roles of the tenant.
    List(PageArgs),
    /// One role.
    Show(WhichArgs),
    /// Make a role. Nobody gives more than they have.
    Create(CreateArgs),
    /// Change a role; what is not given stays.
    Update(UpdateArgs),
    /// Remove a role that nobody has.
    Delete(WhichArgs),
}

#[derive(Debug, Args)]
pub(super) struct WhichArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Name or id.
    role: String,
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    server: ServerArgs,
    name: String,
    /// Such as alert.write; several, or separated by commas.
    #[arg(long = "permission", required = true, value_delimiter = ',', value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Plans and actions only on targets of these environments.
    #[arg(long = "environment", value_delimiter = ',', value_name = "ENVIRONMENT")]
    environments: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Name or id.
    role: String,
    #[arg(long)]
    name: Option<String>,
    /// In place of those it has.
    #[arg(long = "permission", value_delimiter = ',', value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// In place of those it has.
    #[arg(
        long = "environment",
        value_delimiter = ',',
        value_name = "ENVIRONMENT",
        conflicts_with = "all_environments"
    )]
    environments: Vec<String>,
    /// In every environment.
    #[arg(long)]
    all_environments: bool,
}

pub(super) fn run(command: &RoleCommand) -> Outcome {
    match command {
        RoleCommand::List(page) => {
            let mut all = Client::new(&page.server)?.list(PATH, &[], page.limit)?;
            if page.server.output == Output::Table {
                built_in(&mut all);
            }
            print_list(&all, page.server.output, &["/id", "/name", "/permissions", "/environments"])
        }
        RoleCommand::Show(args) => {
            let client = Client::new(&args.server)?;
            print(&client.get(&at(&client, &args.role)?)?, args.server.output, MEMBERS)
        }
        RoleCommand::Create(args) => {
            let mut body = json!({"name": args.name, "permissions": args.permissions});
            if !args.environments.is_empty() {
                body["environments"] = json!(args.environments);
            }
            print(&Client::new(&args.server)?.post(PATH, &body)?, args.server.output, MEMBERS)
        }
        RoleCommand::Update(args) => update(args),
        RoleCommand::Delete(args) => {
            let client = Client::new(&args.server)?;
            let answer = client.delete(&at(&client, &args.role)?)?;
            done(&answer, args.server.output, &format!("the role {} is removed", args.role))
        }
    }
}

/// The roles that every tenant has, behind its own.
fn built_in(all: &mut Value) {
    if let Some(items) = all["items"].as_array_mut() {
        let roles = shieldops_identity::permission::ROLES;
        items.extend(roles.iter().map(|name| json!({"id": "built in", "name": name})));
    }
}

fn at(client: &Client, role: &str) -> Result<String, crate::output::Failure> {
    Ok(part(PATH, &named(client, PATH, "rol", role)?))
}

fn update(args: &UpdateArgs) -> Outcome {
    let client = Client::new(&args.server)?;
    let path = at(&client, &args.role)?;
    let role = client.edit(&path, |now| {
        let permissions =
            if args.permissions.is_empty() { now["permissions"].clone() } else { json!(args.permissions) };
        let environments = match (args.all_environments, args.environments.is_empty()) {
            (true, _) => Value::Null,
            (false, true) => now["environments"].clone(),
            (false, false) => json!(args.environments),
        };
        let name = args.name.as_ref().map_or_else(|| now["name"].clone(), |name| name.clone().into());
        Ok(json!({"name": name, "permissions": permissions, "environments": environments}))
    })?;
    print(&role, args.server.output, MEMBERS)
}
