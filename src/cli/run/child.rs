//! The command that runs beside a drill.

use std::{
    ffi::OsString,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::{ExitStatus, Stdio},
};
use tokio::process::{Child, Command};

/// A command's process; killed if the drill goes before it does.
#[derive(Debug)]
pub(super) struct Beside {
    child: Child,
}

impl Beside {
    /// Starts it, with the proxy's address in its environment. What it prints goes where the drill's
    /// own data goes, unless that has to be `data_alone`.
    pub(super) fn start(
        command: &[OsString],
        proxy: SocketAddr,
        data_alone: bool,
    ) -> io::Result<Option<Self>> {
        let Some((program, arguments)) = command.split_first() else {
            return Ok(None);
        };
        let url = format!("http://{}", reachable(proxy));
        let out = if data_alone { Stdio::from(io::stderr()) } else { Stdio::inherit() };
        let child = Command::new(program)
            .args(arguments)
            .env("FIREDRILL_URL", &url)
            .env("FIREDRILL_URL_DEFAULT", &url)
            .stdin(Stdio::null())
            .stdout(out)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Some(Self { child }))
    }

    /// Waits for its end.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}

/// Where to connect to reach somebody who listens on `address`: all addresses are none.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
