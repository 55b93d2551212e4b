//! `shieldops session` and `shieldops grant`: who is signed in, and who of a parent tenant may work here.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    Outcome,
    key::in_days,
    see::{PageArgs, ShowArgs, done, list, part, print},
};
use crate::client::{Client, ServerArgs};

const SESSIONS: &str = "/api/v1/sessions";
const GRANTS: &str = "/api/v1/grants";

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// Your own sessions.
    List(ListArgs),
    /// End a session: it is refused on its next request.
    Revoke(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    page: PageArgs,
    /// Those of every member.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum GrantCommand {
    /// The grants of this tenant, past ones too.
    List(GrantListArgs),
    /// Let the parent tenant's people work in this one for a time.
    Create(GrantArgs),
    /// End a grant at once.
    Revoke(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct GrantListArgs {
    #[command(flatten)]
    page: PageArgs,
    /// Those that this tenant holds in others.
    #[arg(long)]
    held: bool,
}

#[derive(Debug, Args)]
pub(super) struct GrantArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// admin, operator, analyst, auditor, viewer, or a role of the tenant.
    #[arg(long)]
    role: String,
    /// For how many days, at most 90.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,
    /// Why. It stands in the ledger.
    #[arg(long)]
    reason: String,
}

pub(super) fn run(command: &SessionCommand) -> Outcome {
    match command {
        SessionCommand::List(args) => {
            let columns = [
                "/id",
                "/user_name",
                "/client_addr",
                "/confirmed/with",
                "/confirmed/at",
                "/created_at",
                "/last_used_at",
                "/expires_at",
            ];
            list(&args.page, SESSIONS, &[("all", args.all.then_some("true"))], &columns)
        }
        SessionCommand::Revoke(args) => {
            let answer = Client::new(&args.server)?.delete(&part(SESSIONS, &args.id))?;
            done(&answer, args.server.output, &format!("{} is ended", args.id))
        }
    }
}

pub(super) fn grant(command: &GrantCommand) -> Outcome {
    match command {
        GrantCommand::List(args) => {
            let columns =
                ["/id", "/tenant", "/grantee", "/role", "/reason", "/granted_by", "/expires_at", "/revoked_at"];
            list(&args.page, GRANTS, &[("held", args.held.then_some("true"))], &columns)
        }
        GrantCommand::Create(args) => {
            let client = Client::new(&args.server)?;
            let role = super::user::role(&client, &args.role)?;
            let body = json!({"role": role, "reason": args.reason, "expires_at": in_days(args.days)});
            let members = ["id", "grantee", "role", "reason", "granted_by", "expires_at"];
            print(&client.post(GRANTS, &body)?, args.server.output, &members)
        }
        GrantCommand::Revoke(args) => {
            let answer = Client::new(&args.server)?.delete(&part(GRANTS, &args.id))?;
            done(&answer, args.server.output, &format!("{} is ended", args.id))
        }
    }
}
