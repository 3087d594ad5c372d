//! Both ends of a proxy, to the byte, and proxies from a config.

use crate::firedrill::{Running, firedrill, folder, start};
use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Nothing here takes so long, unless it hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The PROXY header of version 2 before its command.
pub(crate) const SIGN: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A service that keeps what each of its connections was sent, and answers every request head with its
/// own text. What is no HTTP is sent back as it came.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    heard: Heard,
}

/// What every connection was sent so far.
pub(crate) type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

impl Service {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let heard = Heard::default();
        let kept = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                // A peer that breaks off is what a drill is about.
                thread::spawn(move || answer(stream, &kept).ok());
            }
        });
        Self { address, heard }
    }

    /// What its connections were sent, those without a byte left out: a look whether it is there.
    pub(crate) fn heard(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        heard.iter().filter(|bytes| !bytes.is_empty()).map(text).collect()
    }

    /// How often it was sent this.
    pub(crate) fn times(&self, what: &str) -> usize {
        self.heard().iter().map(|text| text.matches(what).count()).sum()
    }

    /// Its connections that were sent something with this in it.
    pub(crate) fn with(&self, what: &str) -> Vec<String> {
        self.heard().into_iter().filter(|text| text.contains(what)).collect()
    }
}

/// Answers on one connection, and keeps what comes.
pub(crate) fn answer<S: Read + Write>(mut stream: S, heard: &Heard) -> io::Result<()> {
    let at = {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(Vec::new());
        heard.len() - 1
    };
    let (mut bytes, mut seen) = ([0; 4096], 0);
    loop {
        let count = stream.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        let all = {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard[at].extend_from_slice(&bytes[..count]);
            heard[at].clone()
        };
        let text = String::from_utf8_lossy(&all);
        let requests = text.matches(" HTTP/1.1\r\n").count();
        let is_whole = text.ends_with("\r\n\r\n");
        if requests == 0 && !all.starts_with(SIGN) {
            let header =
                if all.starts_with(b"PROXY ") { text.find('\n').map(|at| at + 1) } else { Some(0) };
            let new = header.map_or(all.len(), |header| header.max(all.len() - count));
            stream.write_all(&all[new..])?;
        }
        if !is_whole {
            continue;
        }
        for _ in seen..requests {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
        }
        seen = requests;
    }
}

/// Serves proxies, commanded on a free port.
pub(crate) fn serve(name: &str, proxies: &str) -> Running {
    start(serving(name, proxies))
}

pub(crate) fn serving(name: &str, proxies: &str) -> Command {
    let path = folder(name).join("config.yaml");
    fs::write(&path, format!("proxies:\n{proxies}")).expect("a file");
    let path = path.to_str().expect("UTF-8").to_owned();
    firedrill(["serve", "--admin", "127.0.0.1:0", "--config", &path])
}

/// Sends bytes, and gives out what comes back until `enough` of it did or the other side ended it.
pub(crate) fn talk(to: SocketAddr, bytes: &[u8], enough: &str) -> String {
    let mut stream = TcpStream::connect(to).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("set");
    // Fails if the other side has ended it already.
    let _gone = stream.write_all(bytes);
    hear(&mut stream, enough)
}

/// What comes until there is enough of it or the other side ended it.
pub(crate) fn hear<S: Read>(stream: &mut S, enough: &str) -> String {
    let (mut heard, mut bytes) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&heard).into_owned();
        if !enough.is_empty() && text.contains(enough) {
            return text;
        }
        match stream.read(&mut bytes) {
            Ok(0) => return text,
            Ok(count) => heard.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                panic!("nothing more came, and no end: {text}")
            }
            Err(_) => return text,
        }
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < LIMIT, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A request whose connection ends with it.
pub(crate) const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";
