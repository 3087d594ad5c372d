//! The built binary, taking commands.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread,
};

/// Killed with the test, however that ends.
pub(crate) struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// Runs a command of it on a port of its own; says where it takes commands.
pub(crate) fn served(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> (Served, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.args(args).args(["--admin", "127.0.0.1:0"]);
    command.env_remove("FIREDRILL_TOKEN").stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
    let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let served = Served(child);
    let mut lines = lines.map(|line| line.expect("UTF-8"));
    let admin = lines.find_map(|line| Some(line.split_once("admin: http://")?.1.to_owned()));
    // What else it says is read, so that it is not held up by saying it.
    thread::spawn(move || lines.count());
    (served, admin.expect("it says where").trim().to_owned())
}
