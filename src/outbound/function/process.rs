//! A function's process from its start to its end: one thread that waits for it.

use std::io::{self, PipeReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::outbound::function::definition::Definition;
use crate::outbound::function::launcher;
use crate::outbound::function::limits::STACK_SIZE;
use crate::outbound::function::output::{self, LastLine};
use crate::outbound::function::variables;

/// How long the end of a process waits for its last words. Longer only where what it has started still holds the pipe.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How long the wake-up of a listener may take.
const WAKE: Duration = Duration::from_millis(100);

struct Started {
    child: Child,
    listener: TcpListener,
    address: SocketAddr,
    output: PipeReader,
}

/// What a process is started with.
pub(super) struct Start<'a> {
    pub(super) definition: &'a Definition,
    /// Where it runs, absolute.
    pub(super) working_directory: &'a Path,
    /// As in the settings.
    pub(super) launcher: Option<&'a Path>,
    /// Makes the name of a log stream that no other process has.
    pub(super) unique: &'a str,
}

/// Starts a process and stays until it has ended, or could not be started; tells how that was.
///
/// `before_start` is called when nothing is known that prevents the start. `serve` is called in a thread of its own, with
/// the listener of the process's runtime API; a connection wakes it when the process has ended. `on_started` is told
/// whether all that the process needs is there. `on_died` is called while the number of the dead process is still its own.
pub(super) fn run(
    start: &Start<'_>,
    before_start: impl FnOnce(),
    serve: impl FnOnce(&TcpListener) + Send + 'static,
    on_started: impl FnOnce(Pid, bool),
    on_died: impl FnOnce(Pid),
) -> String {
    match start.spawn(before_start) {
        Ok(started) => supervise(&start.definition.name, started, serve, on_started, on_died),
        Err(reason) => reason,
    }
}

/// Where the function runs, absolute.
pub(super) fn working_directory(directory: &Path) -> PathBuf {
    std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned())
}

impl Start<'_> {
    fn spawn(&self, before_start: impl FnOnce()) -> Result<Started, String> {
        let refused = |error: io::Error| format!("the system refuses what a process needs: {error}");
        let places = variables::search_places(self.definition);
        let command = self.definition.command(&places);
        let Some((program, arguments)) = command.split_first() else {
            return Err("it has no command".to_owned());
        };
        let root = self.working_directory;
        if !root.is_dir() {
            return Err(format!("its working directory {} is not there", root.display()));
        }
        if let Some(obstacle) = self
            .definition
            .managed
            .as_ref()
            .and_then(|managed| managed.obstacle(root, &places))
        {
            return Err(obstacle);
        }
        // A path is one below the working directory; a name is looked up in PATH.
        let program: PathBuf = if program.contains('/') {
            root.join(program)
        } else {
            program.into()
        };
        // Before the sources are read by the process, so that a write in between is seen.
        before_start();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let (output, input) = io::pipe().map_err(refused)?;
        let mut command = match self.launcher {
            Some(launcher) => {
                let mut command = Command::new(launcher);
                command
                    .arg(launcher::ARGUMENT)
                    .arg(std::process::id().to_string())
                    .arg(&program);
                command
            }
            None => Command::new(&program),
        };
        command
            .args(arguments)
            .current_dir(root)
            .env_clear()
            .envs(variables::of(self.definition, root, address, self.unique))
            .stdin(Stdio::null())
            .stdout(input.try_clone().map_err(refused)?)
            .stderr(input)
            .process_group(0);
        let child = command
            .spawn()
            .map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
        Ok(Started {
            child,
            listener,
            address,
            output,
        })
    }
}

/// Stays until the process has ended; tells how.
fn supervise(
    name: &str,
    started: Started,
    serve: impl FnOnce(&TcpListener) + Send + 'static,
    on_started: impl FnOnce(Pid, bool),
    on_died: impl FnOnce(Pid),
) -> String {
    let Started {
        mut child,
        listener,
        address,
        output,
    } = started;
    let pid = Pid::from_child(&child);
    let last_line = LastLine::default();
    let (last_words, silence) = channel::<()>();
    // It is kept until the wake-up below: by then its port could be another's.
    let listener = Arc::new(listener);
    let serve = {
        let listener = Arc::clone(&listener);
        move || serve(&listener)
    };
    let read = {
        let (name, last_line) = (name.to_owned(), last_line.clone());
        move || {
            output::pump(output, &last_line, |line| log::info!("function {name}: {line}"));
            drop(last_words);
        }
    };
    let builder = || thread::Builder::new().stack_size(STACK_SIZE);
    let threads = builder().name("function-output".to_owned()).spawn(read);
    let threads = threads.and_then(|_| builder().name("function-api".to_owned()).spawn(serve));
    // Where the threads are refused, it is killed at once.
    on_started(pid, threads.is_ok());
    // The process is left a zombie at first: until it is reaped, its number is given to no other, and can be killed.
    while matches!(
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT),
        Err(rustix::io::Errno::INTR)
    ) {}
    on_died(pid);
    let status = child.wait();
    // Wakes the listener, which then sees that there is nothing to serve any more: the one way works on Linux, the other
    // elsewhere.
    let _ = rustix::net::shutdown(&*listener, rustix::net::Shutdown::Both);
    let _ = TcpStream::connect_timeout(&address, WAKE);
    let _ = silence.recv_timeout(LAST_WORDS);
    if let Err(error) = threads {
        return format!("the system refuses a thread: {error}");
    }
    let end = status.map_or_else(|error| format!("ended somehow: {error}"), how);
    match last_line.get() {
        line if line.is_empty() => end,
        line => format!("{end}; the last that it printed: {line}"),
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
