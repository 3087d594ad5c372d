//! PostgreSQL behind a proxy: clean without a fault, late by exactly one round trip for a simple
//! query, and gone with a reset.

use crate::program::{Done, Folder, Service, done, free_port, proxied, read_until};
use std::{
    fs,
    io::Write,
    os::unix::{fs::chown, process::CommandExt},
    path::PathBuf,
    process::{Command, Stdio},
};

/// A database of its own.
struct Database {
    folder: Folder,
    port: u16,
    _server: Service,
}

/// A program of PostgreSQL's, which Debian keeps out of the way.
fn program(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found: Option<PathBuf> =
        versions.map(|version| version.path().join("bin").join(name)).find(|path| path.exists());
    Command::new(found.unwrap_or_else(|| name.into()))
}

/// The user that the server runs as: it refuses to run as root.
fn user() -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.starts_with("postgres:"))?;
    let mut fields = line.split(':').skip(2).map(str::parse);
    Some((fields.next()?.ok()?, fields.next()?.ok()?))
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

impl Database {
    fn start(name: &str) -> Self {
        let folder = Folder::new(name);
        let data = folder.path().join("data");
        fs::create_dir_all(&data).expect("a folder");
        let as_its_user = |mut command: Command| {
            if is_root() {
                let (user, group) = user().expect("a user `postgres`");
                command.uid(user).gid(group);
            }
            command.current_dir("/");
            command
        };
        if is_root() {
            let (user, group) = user().expect("a user `postgres`");
            chown(&data, Some(user), Some(group)).expect("it may be given away");
        }
        let mut command = as_its_user(program("initdb"));
        command.args(["--auth=trust", "--username=postgres", "--no-sync", "--locale=C", "-D"]);
        command.arg(&data);
        let made = done(command);
        assert_eq!(made.code, Some(0), "{}", made.told);
        let port = free_port();
        let mut command = as_its_user(program("postgres"));
        command.arg("-D").arg(&data).arg("-k").arg(&data).args(["-p", &port.to_string()]);
        command.args(["-h", "127.0.0.1", "-c", "fsync=off", "-c", "log_checkpoints=off"]);
        let server = Service::start(command, "ready to accept connections");
        Self { folder, port, _server: server }
    }
}

/// A client of the database at `port`.
fn client(name: &str, port: u16) -> Command {
    let mut command = Command::new(name);
    command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port.to_string()]);
    command.env("PGCONNECT_TIMEOUT", "20").env("PGSSLMODE", "disable").env("LC_ALL", "C");
    command
}

/// Lines of SQL, on one connection.
fn psql(port: u16, lines: &[&str]) -> Done {
    let mut command = client("psql", port);
    command.args(["-X", "-q", "-A", "-t", "postgres"]);
    for line in lines {
        command.args(["-c", line]);
    }
    done(command)
}

#[test]
#[ignore = "needs PostgreSQL; .ci/run installs it and runs this"]
fn postgres_runs_clean_without_a_fault() {
    let database = Database::start("clean");
    let (_firedrill, port) = proxied(&database.folder, database.port);
    let met = psql(port, &["select 6 * 7", "select sum(n) from generate_series(1, 100000) n"]);
    assert_eq!((met.code, met.told.as_str()), (Some(0), "42\n5000050000\n"));
    for args in
        [&["-i", "-q"][..], &["-n", "-c", "4", "-t", "100"], &["-n", "-c", "2", "-C", "-t", "20"]]
    {
        let mut command = client("pgbench", port);
        command.args(args).arg("postgres");
        let met = done(command);
        assert_eq!(met.code, Some(0), "{}", met.told);
        let failed = met.told.lines().find(|line| line.contains("failed transactions"));
        assert!(failed.is_none_or(|line| line.contains(": 0 (")), "{}", met.told);
    }
}

#[test]
#[ignore = "needs PostgreSQL; .ci/run installs it and runs this"]
fn a_simple_query_of_postgres_is_late_by_one_round_trip() {
    let database = Database::start("late");
    let (firedrill, port) = proxied(&database.folder, database.port);
    let times = |lines: &[&str]| {
        let told = psql(port, lines).told;
        let times = told.lines().filter_map(|line| line.strip_prefix("Time: "));
        let times = times.filter_map(|time| time.split(' ').next()?.parse().ok());
        times.collect::<Vec<f64>>()
    };
    let lines = ["\\timing on", "select 1", "select 2", "select 3"];
    firedrill.toxic(r#"{"type":"latency","attributes":{"latency":200}}"#);
    let late = times(&lines);
    assert_eq!(late.len(), 3, "{late:?}");
    assert!(late.iter().all(|time| (200.0..400.0).contains(time)), "{late:?} ms");
    firedrill.delete("/proxies/p/toxics/latency_downstream");
    let prompt = times(&lines);
    assert!(prompt.iter().all(|time| *time < 200.0), "{prompt:?} ms");
}

#[test]
#[ignore = "needs PostgreSQL; .ci/run installs it and runs this"]
fn a_reset_ends_the_connection_of_postgres() {
    let database = Database::start("reset");
    let (firedrill, port) = proxied(&database.folder, database.port);
    let mut command = client("psql", port);
    command.args(["-X", "-q", "-A", "-t", "postgres"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut psql = command.spawn().expect("it starts");
    let mut asks = psql.stdin.take().expect("piped");
    let mut hears = psql.stdout.take().expect("piped");
    asks.write_all(b"select 6 * 7;\n").expect("it listens");
    assert_eq!(read_until(&mut hears, "\n"), "42\n");
    firedrill.toxic(r#"{"type":"reset_peer"}"#);
    asks.write_all(b"select 1;\n").expect("it listens");
    let met = psql.wait_with_output().expect("its end");
    let told = String::from_utf8_lossy(&met.stderr).into_owned();
    assert_eq!(met.status.code(), Some(2), "the connection went bad: {told}");
    // So it calls a reset, too.
    assert!(told.contains("server closed the connection unexpectedly"), "{told}");
    assert!(told.contains("connection to server was lost"), "{told}");
    firedrill.post("/reset", "");
    assert_eq!(self::psql(port, &["select 1"]).told, "1\n", "it lets go");
}

#[test]
#[ignore = "needs PostgreSQL; .ci/run installs it and runs this"]
fn a_proxy_that_is_off_refuses_postgres() {
    let database = Database::start("off");
    let (firedrill, port) = proxied(&database.folder, database.port);
    firedrill.patch("/proxies/p", r#"{"enabled":false}"#);
    let met = psql(port, &["select 1"]);
    assert_eq!(met.code, Some(2), "{}", met.told);
    assert!(met.told.contains("Connection refused"), "{}", met.told);
}
