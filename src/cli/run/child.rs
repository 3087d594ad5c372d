//! The command that runs beside a drill.

use std::{
    ffi::OsString,
    io,
    net::SocketAddr,
    process::{ExitStatus, Stdio},
};
use tokio::process::{Child, Command};

/// A command's process; killed if the drill goes before it does.
#[derive(Debug)]
pub(super) struct Beside {
    child: Child,
}

impl Beside {
    /// Starts it, with the proxy's address in its environment.
    pub(super) fn start(command: &[OsString], proxy: SocketAddr) -> io::Result<Option<Self>> {
        let Some((program, arguments)) = command.split_first() else {
            return Ok(None);
        };
        let url = format!("http://{proxy}");
        let child = Command::new(program)
            .args(arguments)
            .env("FIREDRILL_URL", &url)
            .env("FIREDRILL_URL_DEFAULT", &url)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Some(Self { child }))
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}
