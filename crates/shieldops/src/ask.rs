//! What a person is asked for: on a terminal with a prompt and without echo, else one line of standard input each.

use std::{
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    process::{Command, Stdio},
};

use anyhow::Context as _;

use crate::output::Failure;

/// A longer line is none of these.
const LINE_BYTES: u64 = 4_096;

/// Something that nobody looking over the shoulder should read.
pub(crate) fn secret(what: &str) -> Result<String, Failure> {
    let asks = io::stdin().is_terminal();
    if asks {
        prompt(what);
        echo(false);
    }
    let read = read();
    if asks {
        echo(true);
        drop(writeln!(io::stderr()));
    }
    filled(what, read?)
}

/// A password that is chosen now: on a terminal it is asked for twice.
pub(crate) fn new_password() -> Result<String, Failure> {
    let first = secret("new password")?;
    if io::stdin().is_terminal() && secret("the same again")? != first {
        return Err(Failure::unusable("the two passwords differ").fix("try again"));
    }
    Ok(first)
}

/// A word that may be seen.
pub(crate) fn word(what: &str) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        prompt(what);
    }
    filled(what, read()?)
}

fn prompt(what: &str) {
    drop(write!(io::stderr(), "{what}: "));
}

fn read() -> Result<String, Failure> {
    let mut line = String::new();
    let read = io::Read::take(io::stdin().lock(), LINE_BYTES).read_line(&mut line);
    read.context("cannot read standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn filled(what: &str, text: String) -> Result<String, Failure> {
    if text.is_empty() {
        return Err(Failure::unusable(format!("no {what} on standard input"))
            .fix("write it as one line, for example from a password manager"));
    }
    Ok(text)
}

/// Whether the terminal shows what is typed. Where it cannot be told, it is shown.
fn echo(on: bool) {
    let status = Command::new("stty")
        .arg(if on { "echo" } else { "-echo" })
        .stdin(Stdio::inherit())
        .stderr(Stdio::null())
        .status();
    drop(status);
}
