//! A server whose clock is ahead: a shared object between it and the system, made here.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Only the wall clock; timers go on as they are.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t which, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, which, now);
    const char *ahead = getenv("TEST_CLOCK_AHEAD");
    if (!failed && which == CLOCK_REALTIME && ahead) now->tv_sec += atol(ahead);
    return failed;
}
"#;

pub(crate) struct Ahead {
    object: PathBuf,
    seconds: String,
}

/// `None`, loudly, where there is no compiler of C.
pub(crate) fn ahead(dir: &Path) -> Option<Ahead> {
    let (source, object) = (dir.join("clock.c"), dir.join("clock.so"));
    std::fs::write(&source, SOURCE).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&object).arg(&source).output();
    if !made.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: the clock cannot be put ahead here (this needs cc)");
        return None;
    }
    Some(Ahead { object, seconds: String::new() })
}

impl Ahead {
    /// The environment of a server that lives so many seconds later.
    pub(crate) fn by(&mut self, seconds: u32) -> [(&str, &str); 2] {
        self.seconds = seconds.to_string();
        [("LD_PRELOAD", self.object.to_str().unwrap()), ("TEST_CLOCK_AHEAD", &self.seconds)]
    }
}
