//! Running a program on a target: no shell, no inherited environment, a time limit, an output limit, and a
//! parent-death signal. All children come from one thread that lives as long as we do, because that signal fires
//! when the spawning thread ends.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use shieldops_respond::{Fault, Watch};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{ChildStderr, ChildStdin, ChildStdout},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::Instant,
};

use super::process;

/// How long a program may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long one may take that speaks to another host: to connect, and then what runs there.
const FAR_TIMEOUT: Duration = Duration::from_secs(20);
/// The most bytes read from a program.
const MAX_OUTPUT: u64 = 4 * 1024 * 1024;
/// The most bytes of an error message that are kept.
const MAX_MESSAGE: usize = 500;
/// Spawns that may wait.
const QUEUE: usize = 64;
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

type Reply = oneshot::Sender<io::Result<Child>>;

/// A program to start, who waits for it, and its room in the queue.
type Job = (Command, Reply, OwnedSemaphorePermit);

/// The thread that all children come from.
#[derive(Debug)]
pub(super) struct Spawner {
    jobs: SyncSender<Job>,
    /// Of the queue: who finds none waits. A look that is not made for want of it would be told as a target that is away.
    room: Arc<Semaphore>,
}

impl Spawner {
    pub(super) fn new() -> io::Result<Self> {
        let (sender, jobs) = sync_channel::<Job>(QUEUE);
        thread::Builder::new().name("linux-exec".to_owned()).spawn(move || {
            for (mut command, reply, room) in jobs {
                drop(room);
                // Nobody waits for it any more: end it.
                if let Err(Ok(child)) = reply.send(command.spawn()) {
                    drop(Running(child));
                }
            }
        })?;
        Ok(Self { jobs: sender, room: Arc::new(Semaphore::new(QUEUE)) })
    }

    async fn spawn(&self, command: Command) -> Result<Running, Fault> {
        let unavailable = |why: String| Fault::Unavailable(why);
        let (reply, child) = oneshot::channel();
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|error| unavailable(error.to_string()))?;
        self.jobs.try_send((command, reply, room)).map_err(|error| unavailable(error.to_string()))?;
        let spawned = child.await.map_err(|error| unavailable(error.to_string()))?;
        spawned.map(Running).map_err(|error| unavailable(format!("cannot start a program: {error}")))
    }
}

/// A child that does not outlive its handle.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            process::kill(self.0.id());
            if let Err(error) = self.0.wait() {
                tracing::warn!(%error, "a killed child could not be reaped");
            }
        }
    }
}

impl Running {
    async fn ended(&mut self, deadline: Instant, within: Duration) -> Result<ExitStatus, Fault> {
        let mut pause = Duration::from_micros(200);
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if Instant::now() < deadline => tokio::time::sleep(pause).await,
                Ok(None) => return Err(late(within)),
                Err(error) => return Err(Fault::Unavailable(error.to_string())),
            }
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }
}

fn late(within: Duration) -> Fault {
    Fault::Unavailable(format!("the program did not end within {} s", within.as_secs()))
}

/// What a program said. Its exit status is a hint, never evidence.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

/// A command with nothing of our environment in it.
pub(super) fn command(argv: &[String]) -> Option<Command> {
    let (program, arguments) = argv.split_first()?;
    let mut command = Command::new(found(program));
    command.args(arguments).env_clear().env("PATH", PATH).env("LC_ALL", "C");
    Some(command)
}

/// The path of a program: what is started by its name and with a search path of its own is forked, which copies the page
/// tables of a server that may be large; what is started by its path is not.
fn found(program: &str) -> PathBuf {
    let named = Path::new(program);
    let mut places = PATH.split(':').map(|folder| Path::new(folder).join(named));
    places.find(|place| place.is_file()).unwrap_or_else(|| named.to_owned())
}

/// Where what a child is told happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Here,
    /// On another host, where it may go on for a while after the child is gone.
    Far,
}

/// Runs `argv`, feeds it `stdin`, and reads what it says. A watched child is told nothing before it is journaled.
pub(super) async fn run(
    spawner: &Spawner,
    argv: &[String],
    stdin: &[u8],
    watch: Option<&dyn Watch>,
) -> Result<Output, Fault> {
    begun(spawner, argv, stdin, watch).await?
}

/// The same; the inner fault is of a program that was told what to do and was ended by us, in the middle of it.
pub(super) async fn begun(
    spawner: &Spawner,
    argv: &[String],
    stdin: &[u8],
    watch: Option<&dyn Watch>,
) -> Result<Result<Output, Fault>, Fault> {
    run_at(Reach::Here, spawner, argv, stdin, watch).await
}

/// The same for a program that speaks to another host: there is a connection to be made first.
pub(super) async fn run_far(
    spawner: &Spawner,
    argv: &[String],
    stdin: &[u8],
    watch: Option<&dyn Watch>,
) -> Result<Output, Fault> {
    run_at(Reach::Far, spawner, argv, stdin, watch).await?
}

async fn run_at(
    reach: Reach,
    spawner: &Spawner,
    argv: &[String],
    stdin: &[u8],
    watch: Option<&dyn Watch>,
) -> Result<Result<Output, Fault>, Fault> {
    let within = if reach == Reach::Far { FAR_TIMEOUT } else { TIMEOUT };
    let mut command = command(argv).ok_or_else(|| Fault::Failed("an empty command".to_owned()))?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let deadline = Instant::now() + within;
    let mut child = spawner.spawn(command).await?;
    let mut identity = process::identify(child.0.id());
    if reach == Reach::Far {
        identity = process::far(identity);
    }
    if let Some(watch) = watch {
        watch.started(&identity).await?;
    }
    let io = |error: io::Error| Fault::Unavailable(format!("talking to a program: {error}"));
    let (Some(input), Some(out), Some(err)) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take())
    else {
        return Err(Fault::Failed("a program without pipes".to_owned()));
    };
    let mut input = ChildStdin::from_std(input).map_err(io)?;
    let out = ChildStdout::from_std(out).map_err(io)?;
    let err = ChildStderr::from_std(err).map_err(io)?;
    let feed = async move {
        // A program that ends early does not read on: what it said tells more than a broken pipe.
        if let Err(error) = input.write_all(stdin).await {
            tracing::debug!(%error, "a program did not read its input");
        }
    };
    let talk = async { tokio::join!(feed, read(out), read(err)) };
    let Ok(((), stdout, stderr)) = tokio::time::timeout_at(deadline, talk).await else { return Ok(Err(late(within))) };
    let status = match child.ended(deadline, within).await {
        Ok(status) => status,
        Err(fault) => return Ok(Err(fault)),
    };
    if let Some(watch) = watch {
        watch.ended(&identity).await?;
    }
    Ok(Ok(Output { success: status.success(), stdout: stdout?, stderr: message(&stderr?) }))
}

async fn read(from: impl AsyncRead + Unpin) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut limited = from.take(MAX_OUTPUT + 1);
    limited.read_to_end(&mut bytes).await.map_err(|error| Fault::Unavailable(error.to_string()))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_OUTPUT {
        return Err(Fault::Unavailable(format!("a program said more than {MAX_OUTPUT} bytes")));
    }
    Ok(bytes)
}

fn message(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim()
        .chars()
        .take(MAX_MESSAGE)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(script: &str, stdin: &[u8]) -> Result<Output, Fault> {
        let argv = ["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        run(&Spawner::new().unwrap(), &argv, stdin, None).await
    }

    #[tokio::test]
    async fn a_program_gets_its_input_and_nothing_of_our_environment() {
        let output = sh("cat; env | sort; echo no >&2; exit 3", b"hello ").await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("hello LC_ALL=C"), "{text}");
        assert!(!text.contains("HOME="), "{text}");
        assert_eq!((output.success, output.stderr.as_str()), (false, "no"));
    }

    #[tokio::test]
    async fn more_programs_than_the_queue_holds_wait_for_their_turn() {
        let spawner = Arc::new(Spawner::new().unwrap());
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..4 * QUEUE {
            let spawner = Arc::clone(&spawner);
            all.spawn(async move { run(&spawner, &["true".to_owned()], b"", None).await });
        }
        for ended in all.join_all().await {
            assert!(ended.is_ok_and(|output| output.success));
        }
    }

    #[tokio::test]
    async fn endless_output_is_cut_off() {
        assert!(sh("yes", b"").await.unwrap_err().to_string().contains("more than"));
    }

    #[test]
    fn who_was_waited_for_is_told_for_how_long() {
        assert_ne!(TIMEOUT, FAR_TIMEOUT);
        assert!(
            late(FAR_TIMEOUT).to_string().contains("within 20 s") && late(TIMEOUT).to_string().contains("within 10 s")
        );
    }

    #[tokio::test]
    async fn a_program_that_is_missing_is_a_clear_error() {
        let argv = ["no-such-program".to_owned()];
        assert!(matches!(run(&Spawner::new().unwrap(), &argv, b"", None).await, Err(Fault::Unavailable(_))));
    }
}
