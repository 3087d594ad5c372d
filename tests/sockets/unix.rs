//! Unix sockets, as listener and as upstream.

use crate::{
    firedrill::{Running, done, firedrill, folder},
    peers::{GET, Heard, LIMIT, Service, answer, hear, serve, serving, talk, until},
};
use rustix::process::Signal;
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, PoisonError},
    thread,
};

/// A folder of short name: the path of a socket has no room for the usual ones.
struct Room(PathBuf);

impl Room {
    fn new(name: &str) -> Self {
        let room = std::env::temp_dir().join(format!("fd-{name}-{}", std::process::id()));
        fs::create_dir_all(&room).expect("a folder");
        Self(room)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("set");
    stream
}

fn ask(path: &Path) -> String {
    let mut stream = connect(path);
    stream.write_all(GET).expect("written");
    hear(&mut stream, "")
}

/// The proxy `shop` on a Unix socket, in front of a service.
fn shop(path: &Path, service: &Service, keys: &str) -> String {
    format!(
        "  shop: {{ listen: \"unix:{}\", upstream: \"http://{}\"{keys} }}\n",
        path.display(),
        service.address
    )
}

fn listens(server: &Running) {
    server.line(|line| line.starts_with("admin: "));
}

/// A service on a Unix socket, and what it was sent.
fn unix_service(path: &Path) -> Heard {
    let listener = UnixListener::bind(path).expect("a socket");
    let heard = Heard::default();
    let kept = Arc::clone(&heard);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let kept = Arc::clone(&kept);
            thread::spawn(move || answer(stream, &kept).ok());
        }
    });
    heard
}

fn fault(server: &Running, command: &[&str]) {
    let admin = format!("http://{}", server.admin());
    let all = ["ctl", "--admin", &admin, "fault"].into_iter().chain(command.iter().copied());
    let put = done(firedrill(all));
    assert_eq!(put.code, Some(0), "{}", put.err);
}

#[test]
fn curl_finds_a_proxy_on_a_unix_socket() {
    let (room, service) = (Room::new("curl"), Service::start());
    let path = room.path("shop.sock");
    let server = serve("unix-curl", &shop(&path, &service, ""));
    let line = server.line(|line| line.starts_with("shop: "));
    assert!(line.starts_with(&format!("shop: unix:{} -> http://", path.display())), "{line}");
    listens(&server);
    let curl = Command::new("curl")
        .args(["--silent", "--max-time", "20", "--unix-socket"])
        .arg(&path)
        .arg("http://shop.example/")
        .output()
        .expect("curl");
    assert_eq!(String::from_utf8_lossy(&curl.stdout), "ok", "{curl:?}");
    assert_eq!(service.times("Host: shop.example\r\n"), 1, "{:?}", service.heard());
}

#[test]
fn the_file_is_its_owners_and_goes_with_the_drill() {
    let (room, service) = (Room::new("file"), Service::start());
    let path = room.path("shop.sock");
    let server = serve("unix-file", &shop(&path, &service, ""));
    listens(&server);
    let file = fs::symlink_metadata(&path).expect("a file");
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    server.signal(Signal::TERM);
    assert_eq!(server.finish().code, Some(0));
    assert!(!path.exists());
}

#[test]
fn what_a_dead_process_left_is_replaced_and_what_lives_is_not() {
    let (room, service) = (Room::new("stale"), Service::start());
    let path = room.path("shop.sock");
    // Nobody removes the file of a listener that is gone.
    drop(UnixListener::bind(&path).expect("a socket"));
    assert!(path.exists());
    let server = serve("unix-stale", &shop(&path, &service, ""));
    listens(&server);
    assert!(ask(&path).starts_with("HTTP/1.1 200"));

    let second = done(serving("unix-stale-2", &shop(&path, &service, "")));
    assert_ne!(second.code, Some(0));
    assert!(second.err.contains("another process listens there"), "{}", second.err);
    assert!(second.err.contains(&format!("unix:{}", path.display())), "{}", second.err);
    assert!(ask(&path).starts_with("HTTP/1.1 200"));

    let file = room.path("notes.txt");
    fs::write(&file, "mine").expect("a file");
    let third = done(serving("unix-stale-3", &shop(&file, &service, "")));
    assert!(third.err.contains("is no socket"), "{}", third.err);
    assert_eq!(fs::read_to_string(&file).expect("still there"), "mine");
}

#[test]
fn an_http_upstream_may_be_a_unix_socket() {
    let room = Room::new("up");
    let path = room.path("app.sock");
    let heard = unix_service(&path);
    let upstream = format!("upstream: \"unix:{}\"", path.display());
    let text = format!(
        "  shop: {{ listen: 0, {upstream}, host: rewrite }}\n  \
         db: {{ listen: 0, {upstream}, protocol: tcp, proxy_protocol: {{ send: v1 }} }}\n"
    );
    let server = serve("unix-up", &text);
    let answer = talk(server.proxy("shop"), GET, "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(talk(server.proxy("db"), b"hello", "hello"), "hello");
    let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    let text: Vec<_> =
        heard.iter().map(|bytes| String::from_utf8_lossy(bytes).to_lowercase()).collect();
    assert!(text.iter().any(|text| text.contains("\r\nhost: localhost\r\n")), "{text:?}");
    assert!(text.iter().any(|text| text.starts_with("proxy tcp4 127.0.0.1 ")), "{text:?}");
}

#[test]
fn bytes_and_their_ends_pass_from_one_socket_to_another() {
    let room = Room::new("both");
    let (front, back) = (room.path("front.sock"), room.path("back.sock"));
    let heard = unix_service(&back);
    let text = format!(
        "  db: {{ listen: \"unix:{}\", upstream: \"unix:{}\", protocol: tcp, \
         proxy_protocol: {{ send: v2 }} }}\n",
        front.display(),
        back.display()
    );
    let server = serve("unix-both", &text);
    listens(&server);
    let mut stream = connect(&front);
    stream.write_all(b"hello").expect("written");
    until("it is told that nobody is known", || {
        let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().any(|bytes| bytes == b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0hello")
    });
    stream.shutdown(std::net::Shutdown::Write).expect("half-closed");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("an end");
}

#[test]
fn a_refusal_and_a_silence_are_the_kernels_own() {
    let (room, service) = (Room::new("gates"), Service::start());
    let path = room.path("shop.sock");
    let server = serve("unix-gates", &shop(&path, &service, ""));
    listens(&server);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).expect("changed");

    fault(&server, &["add", "shop", "refuse: {}", "--name", "gate"]);
    until("it refuses", || {
        UnixStream::connect(&path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    fault(&server, &["remove", "shop", "gate"]);
    until("it listens again", || UnixStream::connect(&path).is_ok());
    assert!(ask(&path).starts_with("HTTP/1.1 200"));
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o660);

    fault(&server, &["add", "shop", "unreachable: {}", "--name", "gate"]);
    until("nobody gets in", || would_wait(&path));
    // Somebody waits, and is served when the fault is over.
    let waiting = {
        let path = path.clone();
        thread::spawn(move || ask(&path))
    };
    thread::sleep(std::time::Duration::from_millis(300));
    assert!(!waiting.is_finished());
    fault(&server, &["remove", "shop", "gate"]);
    assert!(waiting.join().expect("an answer").starts_with("HTTP/1.1 200"));

    fault(&server, &["add", "shop", "reset: { at: request }"]);
    assert_eq!(ask(&path), "");
    server.signal(Signal::TERM);
    server.finish();
    assert!(!path.exists());
}

/// Whether a client that does not wait is told to come again, as the kernel does with a full queue.
fn would_wait(path: &Path) -> bool {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
    socket.set_nonblocking(true).expect("a socket");
    let address = SockAddr::unix(path).expect("a path");
    socket.connect(&address).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn everything_that_shows_an_address_shows_the_path() {
    let (room, service) = (Room::new("shown"), Service::start());
    let path = room.path("shop.sock");
    let (folder, at) = (folder("unix-shown"), format!("unix:{}", path.display()));
    let drill = folder.join("drill.yaml");
    let record = folder.join("record.jsonl");
    let text = format!(
        "name: seen\nphases: [{{ name: seen, for: 10m, faults: [{{ respond: 418, target: us }}] }}]\n\
         targets: {{ us: {{ client: 127.0.0.1 }} }}\nproxies:\n{}",
        shop(&path, &service, "")
    );
    fs::write(&drill, text).expect("a file");
    let (drill, record) = (drill.to_str().expect("UTF-8"), record.to_str().expect("UTF-8"));
    let script = "echo $FIREDRILL_URL $FIREDRILL_URL_SHOP $FIREDRILL_ADDR_SHOP; \
         curl -s -o /dev/null -w '%{http_code}\\n' --unix-socket ${FIREDRILL_URL#unix:} http://shop/";
    let command = firedrill(["run", drill, "--record", record, "--", "sh", "-c", script]);
    let ended = done(command);
    assert!(
        ended.out.starts_with(&format!("{at} {at} {at}\n418\n")),
        "{}\n{}",
        ended.out,
        ended.err
    );
    let record = fs::read_to_string(record).expect("a record");
    assert!(record.contains("\"127.0.0.1:0\""), "{record}");
}

#[test]
fn the_api_and_the_metrics_show_it_and_take_it() {
    let (room, service) = (Room::new("api"), Service::start());
    let (path, other) = (room.path("shop.sock"), room.path("other.sock"));
    let server = serve("unix-api", &shop(&path, &service, ""));
    let admin = format!("http://{}", server.admin());
    let ctl = |args: &[&str]| done(firedrill([&["ctl", "--admin", &admin], args].concat()));
    let at = |path: &Path| format!("unix:{}", path.display());
    let list = ctl(&["--json", "proxies"]);
    assert!(list.out.contains(&format!("\"listen\":\"{}\"", at(&path))), "{}", list.out);
    let set = ctl(&["proxy", "set", "shop", "--listen", &at(&other)]);
    assert_eq!(set.code, Some(0), "{}", set.err);
    assert!(ask(&other).starts_with("HTTP/1.1 200"));
    assert!(!path.exists());
    let upstream = format!("http://{}", service.address);
    let add = ctl(&["proxy", "add", "two", "--listen", &at(&path), "--upstream", &upstream]);
    assert_eq!(add.code, Some(0), "{}", add.err);
    assert!(ask(&path).starts_with("HTTP/1.1 200"));
    let metrics = talk(
        server.admin(),
        b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        "",
    );
    assert!(metrics.contains(&format!("listener=\"{}\"", at(&path))), "{metrics}");
    let toxiproxy = talk(
        server.admin(),
        b"GET /proxies HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        "",
    );
    assert!(toxiproxy.contains(&format!("\"listen\":\"{}\"", at(&path))), "{toxiproxy}");
    assert_eq!(ctl(&["proxy", "remove", "two"]).code, Some(0));
    assert!(!path.exists());
}

#[test]
fn a_proxy_header_may_come_over_a_unix_socket() {
    let (room, service) = (Room::new("header"), Service::start());
    let path = room.path("shop.sock");
    let keys = ", proxy_protocol: { accept: 127.0.0.1 }, forwarded: both";
    let server = serve("unix-header", &shop(&path, &service, keys));
    listens(&server);
    let mut stream = connect(&path);
    let bytes = [b"PROXY TCP4 203.0.113.9 192.0.2.2 4711 443\r\n", GET].concat();
    stream.write_all(&bytes).expect("written");
    assert!(hear(&mut stream, "").starts_with("HTTP/1.1 200"));
    assert_eq!(service.times("x-forwarded-for: 203.0.113.9\r\n"), 1);
    let mut stream = connect(&path);
    stream.write_all(&[b"PROXY UNKNOWN\r\n", GET].concat()).expect("written");
    assert!(hear(&mut stream, "").starts_with("HTTP/1.1 200"));
    assert_eq!(service.times("forwarded: for=unknown;host=shop;proto=http\r\n"), 1);
}
