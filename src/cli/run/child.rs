//! The command that runs beside a drill.
//!
//! It has a process group of its own: what it starts in turn (`sh -c pytest`, npm's grandchildren) is
//! told to end when it is, and none of it outlives the drill. A terminal tells only the drill of
//! Ctrl-C, so that is passed on.

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, set_child_subreaper,
    test_kill_process_group, waitid, waitpgid,
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

/// How often is looked whether a group has gone: nothing tells.
const LOOK: Duration = Duration::from_millis(10);
/// How long what a command leaves behind may take to end by itself: a `tee` has its last line to write.
const GRACE: Duration = Duration::from_secs(1);
/// How long the system may take to clear away what was killed.
const BURIAL: Duration = Duration::from_secs(1);

/// A command's processes; killed if the drill goes before they do.
#[derive(Debug)]
pub(super) struct Beside {
    child: Child,
    /// Its process group, which it leads.
    group: Pid,
    /// Nothing of the group is left, and its number may be another's by now.
    gone: bool,
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
        // What its processes leave behind becomes ours when they end, so that we hear of its end too:
        // in a container there may be nobody else to take it away.
        if let Err(error) = set_child_subreaper(Some(rustix::process::getpid())) {
            tracing::debug!(%error, "what the command leaves behind is for init to clear away");
        }
        let out = if data_alone { Stdio::from(io::stderr()) } else { Stdio::inherit() };
        let child = Command::new(program)
            .args(arguments)
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(out)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let group = pid.ok_or_else(|| io::Error::other("it has no process id"))?;
        Ok(Some(Self { child, group, gone: false }))
    }

    /// Sees it out when the drill is over before it is: passes on to the whole group why, gives it time
    /// to clean up, asks it to end, says so if it does not, and kills it.
    pub(super) async fn see_out(&mut self, signal: Signal, patience: Duration) {
        let signals =
            if signal == Signal::TERM { vec![signal] } else { vec![signal, Signal::TERM] };
        let each = patience / u32::try_from(signals.len()).unwrap_or(1);
        for signal in signals {
            self.tell(signal);
            if self.goes_within(each).await {
                return;
            }
        }
        tracing::warn!("the command did not end when it was asked to, and is killed");
        self.tell(Signal::KILL);
        self.goes_within(BURIAL).await;
    }

    /// Ends what it left behind when it ended by itself.
    pub(super) async fn clear_up(&mut self, patience: Duration) {
        if self.goes_within(GRACE).await {
            return;
        }
        tracing::warn!("the command left processes running, which are ended");
        self.tell(Signal::TERM);
        if !self.goes_within(patience.saturating_sub(GRACE)).await {
            self.tell(Signal::KILL);
            self.goes_within(BURIAL).await;
        }
    }

    /// Waits for its end; what it started may go on.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Whether it was stopped since this was asked last. That is what a terminal does to a group that
    /// reads from it and is not in its foreground, and nobody would know what it waits for.
    pub(super) fn was_stopped(&self) -> bool {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        self.child.id().is_some() && matches!(waitid(WaitId::Pid(self.group), options), Ok(Some(_)))
    }

    /// Sends the whole group a signal. What is stopped has to go on to hear it.
    fn tell(&self, signal: Signal) {
        for signal in [signal, Signal::CONT] {
            if let Err(error) = kill_process_group(self.group, signal) {
                tracing::debug!(%error, ?signal, "the command's group was not told");
            }
        }
    }

    /// Whether all of the group has gone before the time is up.
    async fn goes_within(&mut self, time: Duration) -> bool {
        self.gone = self.gone || timeout(time, self.all_gone()).await.is_ok();
        self.gone
    }

    async fn all_gone(&mut self) {
        // First, since its status is not for `waitpgid` to take.
        let _status = self.child.wait().await;
        loop {
            // Those that became ours stay on the list until they are waited for.
            while let Ok(Some(_)) = waitpgid(self.group, WaitOptions::NOHANG) {}
            if test_kill_process_group(self.group).is_err() {
                return;
            }
            sleep(LOOK).await;
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.gone {
            self.tell(Signal::KILL);
        }
    }
}
