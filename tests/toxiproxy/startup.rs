//! Starting: from a file of Toxiproxy's, and what cannot be started.

use crate::{
    peer::{Peer, echo},
    server::{Server, serve},
};
use std::{fs, net::TcpListener, path::PathBuf, process::Output};

fn file(name: &str, text: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("toxiproxy");
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    path
}

/// Runs a server that cannot start to its end.
fn refused(file: &PathBuf) -> Output {
    let mut command = serve(["--toxiproxy-config"]);
    command.arg(file).output().expect("it ends")
}

#[test]
fn the_proxies_of_a_file_are_there_with_their_toxics() {
    let text = format!(
        r#"[{{"name":"b","listen":"localhost:0","upstream":"{0}"}},
            {{"name":"a","listen":"127.0.0.1:0","upstream":"{0}","enabled":false,
              "toxics":[{{"type":"noop"}}]}}]"#,
        echo()
    );
    let path = file("good.json", &text);
    let server = Server::with(["--toxiproxy-config", path.to_str().expect("UTF-8")]);
    let client = Peer::to(server.get("/proxies/b").listen());
    client.time_to(&client, b"hello");
    let a = server.get("/proxies/a").json();
    assert_eq!(
        (&a["enabled"], &a["toxics"][0]["name"]),
        (&false.into(), &"noop_downstream".into())
    );
}

/// The original logs it and goes on without.
#[test]
fn a_file_that_is_missing_or_cannot_be_read_is_a_mistake_of_usage() {
    for (name, text) in [("broken.json", "[{"), ("no-list.json", "{}"), ("no-name.json", "[{}]")] {
        let output = refused(&file(name, text));
        assert_eq!(output.status.code(), Some(2), "{name}: {output:?}");
        assert!(!output.stderr.is_empty());
    }
    let output = refused(&PathBuf::from("no-such-file.json"));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_port_of_a_file_that_is_taken_ends_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("an address");
    let path = file("taken.json", &format!(r#"[{{"name":"p","listen":"{at}","upstream":"x:1"}}]"#));
    let output = refused(&path);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(&at.to_string()), "{told}");
}

#[test]
fn an_admin_port_that_is_taken_ends_the_start() {
    let server = Server::start();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.args(["serve", "--admin", &server.admin.to_string()]);
    let output = command.output().expect("it ends");
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(&server.admin.to_string()), "{told}");
}
