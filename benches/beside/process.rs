//! A contender as a process of its own: lines of JSON in and out, on a core of its own, with a meter on it.
//!
//! Separate from the rows, because processor time can be told apart only between processes.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A started contender; ends when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Processor time of all its threads, the kernel's part included.
    pub(crate) cpu: Duration,
    /// How often its threads went to sleep by their own will.
    pub(crate) sleeps: u64,
    /// Resident memory in bytes.
    pub(crate) memory: u64,
    /// Threads.
    pub(crate) threads: u64,
}

impl Process {
    /// Starts the program on these cores, in the words of `taskset`.
    pub(crate) fn start(program: &[String], cores: &str) -> Result<Self, String> {
        let first = program.first().ok_or("no program")?;
        let mut child = Command::new("taskset")
            .args(["-c", cores])
            .args(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("{first}: {error}"))?;
        let (requests, answers) = (child.stdin.take(), child.stdout.take());
        let (requests, answers) = requests.zip(answers).ok_or("both are piped")?;
        Ok(Self { child, requests, answers: BufReader::new(answers) })
    }

    /// One request and its answer.
    pub(crate) fn ask(&mut self, request: &Value) -> Result<Value, String> {
        writeln!(self.requests, "{request}").map_err(|error| error.to_string())?;
        self.requests.flush().map_err(|error| error.to_string())?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| error.to_string())?;
        let answer: Value =
            serde_json::from_str(&line).map_err(|error| format!("{error}: {line:?}"))?;
        match answer["error"].as_str() {
            Some(error) => Err(format!("{request}: {error}")),
            None => Ok(answer),
        }
    }

    /// What it has used until now.
    pub(crate) fn usage(&self) -> Usage {
        usage(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process with this number has used until now, by what Linux tells of it.
pub(crate) fn usage(process: u32) -> Usage {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; the fields behind it do not.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map_or(Vec::new(), |(_, rest)| rest.split_whitespace().collect());
    let field =
        |index: usize| fields.get(index).and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    let mut sleeps = 0;
    for task in fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        sleeps += number(&status, "voluntary_ctxt_switches:");
    }
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    Usage {
        // User and system time in ticks, of which Linux has a hundred a second on every architecture.
        cpu: Duration::from_millis((field(11) + field(12)) * 10),
        sleeps,
        memory: number(&status, "VmRSS:") * 1024,
        threads: number(&status, "Threads:"),
    }
}

fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
