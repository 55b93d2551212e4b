//! `shieldops indicators`: lists of what is known to be bad, or good, and what was seen of them.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read, stdin},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::{
    Outcome,
    see::{PageArgs, done, list, named, part, print},
};
use crate::{
    client::{Client, ServerArgs, query},
    output::{self, Failure, Output},
};

const LISTS: &str = "/api/v1/indicators/lists";
const MEMBERS: &[&str] = &[
    "id",
    "name",
    "description",
    "source",
    "state",
    "allow",
    "severity",
    "confidence",
    "valid_days",
    "enabled",
    "entries",
    "refused",
    "imported_at",
    "created_at",
    "updated_at",
    "by",
];
/// Bytes of one request of an import.
const PIECE_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of a STIX bundle, which is one request.
const BUNDLE_BYTES: u64 = 32 * 1024 * 1024;
/// Problems that are shown.
const SHOWN: usize = 20;

#[derive(Debug, Subcommand)]
pub(super) enum IndicatorsCommand {
    /// The lists of the tenant.
    List(PageArgs),
    /// One list.
    Show(NamedArgs),
    /// Make a list, without entries.
    Create(CreateArgs),
    /// Change what is said of a list, or switch it on or off.
    Update(UpdateArgs),
    /// Import a file into a list: one indicator a line, CSV with a header, or STIX 2.1.
    Import(ImportArgs),
    /// What names a value, or the entries of a list.
    Search(SearchArgs),
    /// What was seen of what is listed, last seen first.
    Hits(HitsArgs),
    /// Delete a list with its entries.
    Delete(NamedArgs),
}

#[derive(Debug, Args)]
pub(super) struct NamedArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The id or the name of the list.
    list: String,
}

#[derive(Debug, Args)]
struct AboutArgs {
    #[arg(long)]
    description: Option<String>,
    /// Who made it, or where it is published.
    #[arg(long)]
    source: Option<String>,
    /// Of its alerts: informational, low, medium, high or critical [default: high].
    #[arg(long)]
    severity: Option<String>,
    /// Of entries that say nothing themselves.
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=100))]
    confidence: Option<u8>,
    /// Days for which entries count from their import, unless they say it themselves.
    #[arg(long, value_name = "DAYS")]
    valid_days: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    server: ServerArgs,
    name: String,
    /// What it names is never a hit, whatever other lists say.
    #[arg(long)]
    allow: bool,
    #[command(flatten)]
    about: AboutArgs,
}

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    #[command(flatten)]
    named: NamedArgs,
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    about: AboutArgs,
    /// Whether events are looked up in it.
    #[arg(long)]
    enabled: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Csv,
    Stix,
    Misp,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    named: NamedArgs,
    /// The file, or `-` for standard input.
    file: PathBuf,
    /// What the file is [default: by how it begins].
    #[arg(long)]
    format: Option<Format>,
    /// Keep what the list holds.
    #[arg(long)]
    append: bool,
}

#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    #[command(flatten)]
    page: PageArgs,
    /// An address, network, domain, URL, hash or e-mail address.
    #[arg(required_unless_present = "list")]
    value: Option<String>,
    /// Entries of this list, by id or name.
    #[arg(long)]
    list: Option<String>,
    /// Only ip, cidr, domain, hash, url or email.
    #[arg(long)]
    kind: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct HitsArgs {
    #[command(flatten)]
    page: PageArgs,
    /// Of this list: its id, or the name of a file of the installation.
    #[arg(long)]
    list: Option<String>,
    /// Those that an allow-list made no alerts (true), or those that are (false).
    #[arg(long)]
    allowed: Option<bool>,
}

pub(super) fn run(command: &IndicatorsCommand) -> Outcome {
    match command {
        IndicatorsCommand::List(page) => {
            list(page, LISTS, &[], &["/id", "/name", "/state", "/allow", "/entries", "/severity", "/imported_at"])
        }
        IndicatorsCommand::Show(args) => {
            let (client, path) = at(args)?;
            print(&client.get(&path)?, args.server.output, MEMBERS)
        }
        IndicatorsCommand::Create(args) => {
            let mut body = about(&args.about);
            body.insert("name".to_owned(), args.name.clone().into());
            body.insert("allow".to_owned(), args.allow.into());
            print(&Client::new(&args.server)?.post(LISTS, &body.into())?, args.server.output, MEMBERS)
        }
        IndicatorsCommand::Update(args) => update(args),
        IndicatorsCommand::Import(args) => import(args),
        IndicatorsCommand::Search(args) => search(args),
        IndicatorsCommand::Hits(args) => {
            let allowed = args.allowed.map(|allowed| allowed.to_string());
            let filters = [("list", args.list.as_deref()), ("allowed", allowed.as_deref())];
            let columns = [
                "/last_seen",
                "/entity/value",
                "/kind",
                "/indicator",
                "/provenance/list",
                "/provenance/line",
                "/count",
                "/alert_id",
            ];
            list(&args.page, "/api/v1/indicators/hits", &filters, &columns)
        }
        IndicatorsCommand::Delete(args) => {
            let (client, path) = at(args)?;
            done(&client.delete(&path)?, args.server.output, &format!("{} is deleted", args.list))
        }
    }
}

/// A list by its id or name.
fn at(args: &NamedArgs) -> Result<(Client, String), Failure> {
    let client = Client::new(&args.server)?;
    let path = part(LISTS, &named(&client, LISTS, "ilt", &args.list)?);
    Ok((client, path))
}

fn about(args: &AboutArgs) -> Map<String, Value> {
    let texts = [("description", &args.description), ("source", &args.source), ("severity", &args.severity)];
    let mut body: Map<String, Value> =
        texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text.clone()?.into()))).collect();
    body.extend(args.confidence.map(|value| ("confidence".to_owned(), value.into())));
    body.extend(args.valid_days.map(|value| ("valid_days".to_owned(), value.into())));
    body
}

fn update(args: &UpdateArgs) -> Outcome {
    let mut body = about(&args.about);
    body.extend(args.name.clone().map(|name| ("name".to_owned(), name.into())));
    body.extend(args.enabled.map(|enabled| ("enabled".to_owned(), enabled.into())));
    if body.is_empty() {
        return Err(Failure::unusable("nothing is to be changed").fix("give --name, --enabled, --severity, ..."));
    }
    let (client, path) = at(&args.named)?;
    print(&client.patch(&path, &body.into())?, args.named.server.output, MEMBERS)
}

fn search(args: &SearchArgs) -> Outcome {
    let client = Client::new(&args.page.server)?;
    let of = args.list.as_ref().map(|text| named(&client, LISTS, "ilt", text)).transpose()?;
    let filters = [("value", args.value.as_deref()), ("list", of.as_deref()), ("kind", args.kind.as_deref())];
    let columns = [
        "/kind",
        "/indicator",
        "/allow",
        "/provenance/list",
        "/provenance/line",
        "/provenance/confidence",
        "/provenance/expires_at",
        "/provenance/reference",
    ];
    list(&args.page, "/api/v1/indicators", &filters, &columns)
}

/// What the requests of one import did.
#[derive(Default)]
struct Sum {
    imported: u64,
    refused: u64,
    diagnostics: Vec<Value>,
    list: Value,
}

impl Sum {
    fn add(&mut self, mut answer: Value) {
        self.imported += answer["imported"].as_u64().unwrap_or(0);
        self.refused += answer["refused"].as_u64().unwrap_or(0);
        if let Some(said) = answer["diagnostics"].as_array_mut() {
            self.diagnostics.append(said);
        }
        self.list = answer["list"].take();
    }
}

fn import(args: &ImportArgs) -> Outcome {
    let (client, path) = at(&args.named)?;
    let unreadable = |error| Failure::unusable(format!("cannot read {}: {error}", args.file.display()));
    let file: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(stdin())
    } else {
        Box::new(File::open(&args.file).map_err(unreadable)?)
    };
    let mut pieces = Pieces { file: BufReader::new(file), format: args.format, header: None, line: 1 };
    let mut sum = Sum::default();
    let mut piece = pieces.next().map_err(unreadable)?;
    let mut after: Option<String> = None;
    loop {
        let next = if piece.last { None } else { Some(pieces.next().map_err(unreadable)?) };
        let (line, more) = (piece.line.to_string(), next.is_some().to_string());
        let format = args.format.and_then(|format| format.to_possible_value()).map(|word| word.get_name().to_owned());
        let asked = query(&[
            ("mode", Some(if args.append { "append" } else { "replace" })),
            ("from_line", Some(&line)),
            ("after", after.as_deref()),
            ("more", Some(&more)),
            ("format", format.as_deref()),
        ]);
        let answer = client.post_text(&format!("{path}/import{asked}"), "text/plain", piece.text)?;
        after = answer["next"].as_str().map(str::to_owned);
        sum.add(answer);
        let Some(next) = next else { break };
        piece = next;
    }
    told(&sum, args.named.server.output)
}

fn told(sum: &Sum, form: Output) -> Outcome {
    if form == Output::Json {
        let Sum { imported, refused, diagnostics, list } = sum;
        output::json(&json!({"imported": imported, "refused": refused, "diagnostics": diagnostics, "list": list}))?;
        return Ok(ExitCode::SUCCESS);
    }
    for said in sum.diagnostics.iter().take(SHOWN) {
        output::foreign_line(&format!("line {}: {}", said["line"], output::text(&said["message"])))?;
    }
    output::foreign_line(&format!(
        "{} entries imported, {} lines refused; the list holds {}",
        sum.imported, sum.refused, sum.list["entries"]
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// A file in pieces of whole lines. CSV has its header before each; STIX is one piece.
struct Pieces {
    file: BufReader<Box<dyn Read>>,
    format: Option<Format>,
    header: Option<String>,
    line: u64,
}

struct Piece {
    text: String,
    /// The number of its first line.
    line: u64,
    last: bool,
}

impl Pieces {
    fn next(&mut self) -> std::io::Result<Piece> {
        let start = self.file.fill_buf()?;
        let is_bundle = start.trim_ascii_start().starts_with(b"{") || start.trim_ascii_start().starts_with(b"[");
        if self.line == 1 && (self.format == Some(Format::Stix) || (self.format.is_none() && is_bundle)) {
            let mut text = String::new();
            self.file.by_ref().take(BUNDLE_BYTES + 1).read_to_string(&mut text)?;
            return Ok(Piece { text, line: 1, last: true });
        }
        let mut bytes = self.header.clone().unwrap_or_default().into_bytes();
        let first = self.line - u64::from(self.header.is_some());
        while bytes.len() < PIECE_BYTES {
            let before = bytes.len();
            if self.file.by_ref().take(1 << 20).read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            self.line += u64::from(bytes.ends_with(b"\n"));
            let line = String::from_utf8_lossy(bytes.get(before..).unwrap_or_default()).into_owned();
            if self.header.is_none() && self.is_header(&line) {
                self.header = Some(line);
            }
        }
        let last = self.file.fill_buf()?.is_empty();
        Ok(Piece { text: String::from_utf8_lossy(&bytes).into_owned(), line: first, last })
    }

    /// The first line of CSV that is no comment.
    fn is_header(&self, line: &str) -> bool {
        let csv = match self.format {
            Some(format) => matches!(format, Format::Csv | Format::Misp),
            None => shieldops_detect::ListFormat::guess(line) == shieldops_detect::ListFormat::Csv,
        };
        csv && !line.trim().is_empty() && !line.starts_with('#') && self.line <= 200
    }
}
