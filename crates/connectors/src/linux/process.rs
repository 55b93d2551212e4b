//! Processes by what cannot be reused: pid, start time and boot id.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use shieldops_respond::{Child, Fault};

/// How long a child of a lost process may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(20);

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// Clock ticks after boot at which the process began; `None` when there is none.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything: fields are counted after its end.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// The identity of a process that runs now.
pub(super) fn identify(pid: u32) -> Child {
    Child { pid, start_ticks: start_ticks(pid).unwrap_or(0), boot_id: boot_id() }
}

fn lives(child: &Child) -> bool {
    child.boot_id == boot_id() && start_ticks(child.pid) == Some(child.start_ticks)
}

/// Waits a little for a child to end, then ends it. Another process of the same pid is left alone.
pub(super) async fn end(child: &Child) -> Result<(), Fault> {
    let begun = Instant::now();
    while lives(child) {
        if begun.elapsed() > GRACE {
            kill(child.pid);
        }
        if begun.elapsed() > GRACE * 2 {
            return Err(Fault::Unavailable(format!("process {} of an earlier run does not end", child.pid)));
        }
        tokio::time::sleep(STEP).await;
    }
    Ok(())
}

pub(super) fn kill(pid: u32) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    if let Err(error) = kill_process(pid, Signal::KILL) {
        tracing::debug!(?pid, %error, "the process had ended");
    }
}

/// The pids of processes one of whose arguments is exactly `argument`.
pub(super) fn with_argument(argument: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|part| part == argument.as_bytes())
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn a_child_that_does_not_end_is_ended_and_another_of_its_pid_is_not() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let known = identify(child.id());
        let other = Child { start_ticks: known.start_ticks + 1, ..known.clone() };
        end(&other).await.unwrap();
        assert!(lives(&known));
        let waiting = tokio::task::spawn_blocking(move || child.wait().unwrap());
        end(&known).await.unwrap();
        assert!(!waiting.await.unwrap().success());
        assert!(!lives(&known));
    }
}
