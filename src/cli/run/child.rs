//! The command that runs beside a drill.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// A command's process; killed if the drill goes before it does.
#[derive(Debug)]
pub(super) struct Beside {
    child: Child,
}

impl Beside {
    /// Starts it, with where the proxies are in its environment. What it prints goes where the drill's
    /// own data goes, unless that has to be `data_alone`.
    pub(super) fn start(
        command: &[OsString],
        variables: BTreeMap<String, String>,
        data_alone: bool,
    ) -> io::Result<Option<Self>> {
        let Some((program, arguments)) = command.split_first() else {
            return Ok(None);
        };
        let out = if data_alone { Stdio::from(io::stderr()) } else { Stdio::inherit() };
        let child = Command::new(program)
            .args(arguments)
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(out)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Some(Self { child }))
    }

    /// Sees it out when the drill is over before it is: gives it time to clean up, says so if it
    /// takes long (or at once, if it was not told by the terminal), and kills it in the end.
    pub(super) async fn see_out(&mut self, is_told: bool, patience: Duration) {
        if is_told && timeout(patience / 2, self.child.wait()).await.is_ok() {
            return;
        }
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid
            && kill_process(pid, Signal::TERM).is_ok()
            && timeout(patience / 2, self.child.wait()).await.is_err()
        {
            tracing::warn!("the command did not end when it was asked to, and is killed");
        }
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}
