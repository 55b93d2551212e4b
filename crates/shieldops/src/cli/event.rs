//! `shieldops event` and `shieldops ingest`: what was received, looked for and sent.

use std::{io::Read as _, path::PathBuf};

use clap::{Args, Subcommand};

use super::{
    Outcome,
    see::{PageArgs, ShowArgs, list, print},
};
use crate::{
    client::{Client, ServerArgs, query},
    output::Failure,
};

/// What one request of `event send` takes.
const MAX_SEND_BYTES: u64 = 32 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum EventCommand {
    /// Look through the log of events, newest first.
    Search(SearchArgs),
    /// One event as it was received.
    Show(ShowArgs),
    /// Send the lines of a file, or of standard input.
    Send(SendArgs),
}

#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    #[command(flatten)]
    page: PageArgs,
    /// Text anywhere in the event, without regard to case.
    text: Option<String>,
    /// An address, host, account, ... as kind:value.
    #[arg(long, value_name = "KIND:VALUE")]
    entity: Option<String>,
    /// From this time on, RFC 3339.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[arg(long)]
    source: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The file, or `-` for standard input.
    file: PathBuf,
    /// What the lines are, where their shape does not say: sshd, nginx, auditd, ...
    #[arg(long)]
    source: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum IngestCommand {
    /// Counts, and what each source sent.
    Stats(ServerArgs),
    /// Lines that were refused or not understood.
    DeadLetters(PageArgs),
}

pub(super) fn run(command: &EventCommand) -> Outcome {
    match command {
        EventCommand::Search(args) => {
            let filters = [
                ("q", args.text.as_deref()),
                ("entity", args.entity.as_deref()),
                ("from", args.from.as_deref()),
                ("to", args.to.as_deref()),
                ("source", args.source.as_deref()),
            ];
            list(&args.page, "/api/v1/events", &filters, &["/id", "/time", "/source", "/raw"])
        }
        EventCommand::Show(args) => {
            let event = Client::new(&args.server)?.get(&format!("/api/v1/events/{}", args.id))?;
            print(&event, args.server.output, &["id", "time", "received_at", "source", "format", "time_quality", "raw"])
        }
        EventCommand::Send(args) => send(args),
    }
}

fn send(args: &SendArgs) -> Outcome {
    let shown = args.file.display();
    let mut text = String::new();
    let read = if args.file.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_SEND_BYTES + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(&args.file).and_then(|file| file.take(MAX_SEND_BYTES + 1).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::unusable(format!("{shown}: cannot be read")).why(error.to_string()))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_SEND_BYTES {
        return Err(Failure::unusable(format!("{shown}: more than {MAX_SEND_BYTES} bytes"))
            .fix("send it in parts, or let the server follow the file (ingest.files)"));
    }
    let path = format!("/api/v1/events{}", query(&[("source", args.source.as_deref())]));
    let answer = Client::new(&args.server)?.post_text(&path, "text/plain", text)?;
    print(&answer, args.server.output, &["accepted", "rejected", "errors"])
}

pub(super) fn ingest(command: &IngestCommand) -> Outcome {
    match command {
        IngestCommand::Stats(server) => {
            let stats = Client::new(server)?.get("/api/v1/ingest/stats")?;
            let members = [
                "accepted",
                "rejected",
                "processed",
                "lag_events",
                "watermark",
                "dead_letters",
                "bytes",
                "damaged_events",
                "syslog",
            ];
            print(&stats, server.output, &members)
        }
        IngestCommand::DeadLetters(page) => {
            list(page, "/api/v1/dead-letters", &[], &["/id", "/at", "/stage", "/code", "/source", "/detail"])
        }
    }
}
