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
/// Behind the boot id of a child that has something done on another host.
const FAR: &str = "+far";
/// What is begun there ends after this: the child's time to connect, and `timeout` on the target.
const FAR_WORK: Duration = Duration::from_secs(21);
/// The unit in which the kernel tells start times.
const TICKS_PER_S: u64 = 100;

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

/// Marks a child that has something done on another host: it may go on there after the child is gone.
pub(super) fn far(child: Child) -> Child {
    Child { boot_id: format!("{}{FAR}", child.boot_id), ..child }
}

fn lives(child: &Child) -> bool {
    child.boot_id.trim_end_matches(FAR) == boot_id() && start_ticks(child.pid) == Some(child.start_ticks)
}

/// How long until nothing that a far child began can still be at work; nothing for any other.
fn far_rest(child: &Child, boot_id: &str, uptime: Duration) -> Duration {
    let Some(booted) = child.boot_id.strip_suffix(FAR) else { return Duration::ZERO };
    if booted != boot_id {
        // How long ago that was is not known.
        return FAR_WORK;
    }
    let begun = Duration::from_millis(child.start_ticks.saturating_mul(1000 / TICKS_PER_S));
    (begun + FAR_WORK).saturating_sub(uptime).min(FAR_WORK)
}

fn uptime() -> Duration {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text.split_ascii_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default()
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
    tokio::time::sleep(far_rest(child, &boot_id(), uptime())).await;
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

    #[test]
    fn what_a_lost_child_began_on_another_host_is_waited_out() {
        let near = Child { pid: 1, start_ticks: 100_000, boot_id: "boot".to_owned() };
        let rest = |child: &Child, boot: &str, seconds| far_rest(child, boot, Duration::from_secs(seconds)).as_secs();
        assert_eq!(rest(&near, "boot", 1_001), 0);
        let far = far(near);
        assert_eq!((rest(&far, "boot", 1_001), rest(&far, "boot", 2_000), rest(&far, "other", 5)), (20, 0, 21));
    }

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
