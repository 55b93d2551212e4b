//! Rotation as it happens: the writer goes on in the old file for a while, or much was rotated while nobody looked.

use std::{collections::HashMap, fs, io::Write as _, sync::Mutex};

use async_trait::async_trait;

use super::*;
use crate::sources::SinkError;

#[derive(Default)]
struct Lines {
    taken: Mutex<Vec<String>>,
    marks: Mutex<HashMap<String, u64>>,
    places: Mutex<HashMap<String, String>>,
}

#[async_trait]
impl Sink for Lines {
    async fn accept(&self, _hint: Option<&str>, bytes: Bytes, mark: Option<Mark<'_>>) -> Result<(), SinkError> {
        if let Some(Mark { producer, number }) = mark
            && self.marks.lock().unwrap().insert(producer.to_owned(), number).is_some_and(|last| last >= number)
        {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.taken.lock().unwrap().extend(text.lines().map(str::to_owned));
        Ok(())
    }

    fn last(&self, producer: &str) -> Option<u64> {
        self.marks.lock().unwrap().get(producer).copied()
    }
}

impl Checkpoints for Lines {
    fn load(&self, key: &str) -> Option<String> {
        self.places.lock().unwrap().get(key).cloned()
    }
    fn save(&self, key: &str, value: &str) {
        self.places.lock().unwrap().insert(key.to_owned(), value.to_owned());
    }
}

struct World {
    dir: tempfile::TempDir,
    lines: Arc<Lines>,
    tail: Tail,
    file: Followed,
}

impl World {
    fn new() -> Self {
        let (dir, lines) = (tempfile::tempdir().unwrap(), Arc::new(Lines::default()));
        let path = dir.path().join("a.log");
        let places: Arc<dyn Checkpoints> = Arc::<Lines>::clone(&lines);
        let mut tail = Tail::new(vec![path.clone()], None, places);
        tail.leave_after = Duration::ZERO;
        Self { dir, lines, tail, file: Followed::new(path) }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Rotates as of so many minutes ago.
    fn rotate(&self, to: &str, minutes: u64) {
        let (from, to) = (self.dir.path().join("a.log"), self.dir.path().join(to));
        let now = fs::metadata(&from).unwrap().modified().unwrap();
        let when = now.checked_sub(Duration::from_secs(60 * minutes)).unwrap();
        fs::File::options().append(true).open(&from).unwrap().set_modified(when).unwrap();
        fs::rename(from, to).unwrap();
    }

    async fn look(&mut self) -> Vec<String> {
        self.tail.follow(&mut self.file, &*self.lines, &CancellationToken::new()).await.unwrap();
        self.lines.taken.lock().unwrap().clone()
    }

    fn restart(&mut self) {
        self.file = Followed::new(self.dir.path().join("a.log"));
    }
}

#[tokio::test]
async fn what_is_written_to_the_old_file_before_the_new_one_is_used_is_read() {
    let mut world = World::new();
    world.write("a.log", "one\n");
    world.look().await;
    world.rotate("a.log.1", 0);
    world.write("a.log", "");
    assert_eq!(world.look().await, ["one"]);
    world.write("a.log.1", "the writer does not know yet\n");
    assert_eq!(world.look().await.len(), 2);
    world.write("a.log.1", "nor now, no end");
    world.look().await;
    world.write("a.log", "two\n");
    assert_eq!(world.look().await, ["one", "the writer does not know yet", "nor now, no end", "two"]);
}

#[tokio::test]
async fn the_old_file_is_left_only_when_it_is_quiet() {
    let mut world = World::new();
    world.tail.leave_after = Duration::from_hours(1);
    world.write("a.log", "one\n");
    world.look().await;
    world.rotate("a.log.1", 0);
    world.write("a.log", "of the new file\n");
    world.look().await;
    world.write("a.log.1", "late\n");
    assert_eq!(world.look().await, ["one", "late"]);
    world.tail.leave_after = Duration::ZERO;
    assert_eq!(world.look().await, ["one", "late", "of the new file"]);
}

#[tokio::test]
async fn all_that_was_rotated_while_nobody_looked_is_read_in_order() {
    let mut world = World::new();
    world.write("a.log", "one\n");
    world.look().await;
    world.write("a.log", "two\n");
    world.rotate("a.log-20261120", 60);
    world.write("a.log", "three\n");
    world.rotate("a.log-20261121", 40);
    world.write("a.log", "four\n");
    world.rotate("a.log-20261122", 20);
    world.write("a.log", "five\n");
    world.write("a.log.bak", "not of this log\n");
    world.restart();
    assert_eq!(world.look().await, ["one", "two", "three", "four", "five"]);
    world.restart();
    assert_eq!(world.look().await.len(), 5);
}

#[tokio::test]
async fn a_file_that_is_gone_is_said_and_the_new_one_is_read() {
    let mut world = World::new();
    world.write("a.log", "one\n");
    world.look().await;
    world.rotate("a.log.1.gz", 1);
    world.write("a.log", "two\n");
    world.restart();
    assert_eq!(world.look().await, ["one", "two"]);
    assert!(world.file.missed, "what was added to the packed file is not known");
}

#[tokio::test]
async fn another_file_with_the_inode_of_the_old_one_is_read_from_its_start() {
    let mut world = World::new();
    world.write("a.log", "one\n");
    world.look().await;
    // As when the old one was packed and removed, and the new one got its inode.
    fs::write(world.dir.path().join("a.log"), "another file\nwhich is longer\n").unwrap();
    world.restart();
    assert_eq!(world.look().await, ["one", "another file", "which is longer"]);
    assert!(world.file.missed, "what the old one had left is not known");
    world.restart();
    assert_eq!(world.look().await.len(), 3);
}

#[tokio::test]
async fn a_file_that_was_cut_back_and_has_outgrown_its_place_is_read_from_its_start() {
    let mut world = World::new();
    world.write("a.log", "one\n");
    world.look().await;
    fs::write(world.dir.path().join("a.log"), "copied and cut\nwhile nobody looked\n").unwrap();
    assert_eq!(world.look().await, ["one", "copied and cut", "while nobody looked"]);
    world.write("a.log", "and on\n");
    assert_eq!(world.look().await.len(), 4);
}

#[tokio::test]
async fn a_file_that_is_cut_back_in_the_middle_of_an_endless_line_loses_nothing_of_what_follows() {
    let mut world = World::new();
    world.tail.line_bytes = 16;
    world.write("a.log", &"x".repeat(100));
    world.look().await;
    fs::write(world.dir.path().join("a.log"), "first\nsecond\n").unwrap();
    let taken = world.look().await;
    assert!(taken.ends_with(&["first".to_owned(), "second".to_owned()]), "{taken:?}");
}

#[tokio::test]
async fn lines_that_come_to_a_file_after_it_was_left_are_noticed() {
    let mut world = World::new();
    world.write("a.log", "one\n");
    world.look().await;
    world.rotate("a.log.1", 0);
    world.write("a.log", "two\n");
    world.look().await;
    assert!(!world.file.missed);
    world.write("a.log.1", "too late\n");
    assert_eq!(world.look().await, ["one", "two"]);
    assert!(world.file.missed);
}
