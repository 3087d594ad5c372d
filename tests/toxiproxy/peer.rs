//! The two ends of a proxied connection, both in the test's hand.

use crate::server::PATIENCE;
use socket2::SockRef;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

/// A service whose connections are accepted by hand.
pub(crate) struct Service(TcpListener);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Rst,
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Peer(pub(crate) TcpStream);

impl Service {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        // On Linux this bounds `accept`.
        SockRef::from(&listener).set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self(listener)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    pub(crate) fn accept(&self) -> Peer {
        Peer::over(self.0.accept().expect("a connection").0)
    }

    /// A connection through the proxy at `address`: the client's end and the service's.
    pub(crate) fn pair(&self, address: SocketAddr) -> (Peer, Peer) {
        let client = Peer::to(address);
        (client, self.accept())
    }

    /// So many connections, one after the other.
    pub(crate) fn pairs(&self, address: SocketAddr, count: usize) -> Vec<(Peer, Peer)> {
        (0..count).map(|_| self.pair(address)).collect()
    }
}

/// A service that sends back what it gets.
pub(crate) fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _best_effort = stream.set_nodelay(true);
            thread::spawn(move || io::copy(&mut &stream, &mut &stream));
        }
    });
    address
}

impl Peer {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&address, PATIENCE).expect("a connection"))
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("no delay");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self(stream)
    }

    pub(crate) fn send(&self, bytes: &[u8]) {
        (&self.0).write_all(bytes).expect("it takes them");
    }

    /// Waits for exactly these bytes.
    #[track_caller]
    pub(crate) fn gets(&self, expected: &[u8]) {
        let mut got = vec![0; expected.len()];
        (&self.0).read_exact(&mut got).expect("the bytes");
        assert!(got == expected, "other bytes came");
    }

    /// How long it takes from now until these bytes are there.
    #[track_caller]
    pub(crate) fn time_to_get(&self, expected: &[u8]) -> Duration {
        let begun = Instant::now();
        self.gets(expected);
        begun.elapsed()
    }

    /// Sends, and says how long it takes until the other end has it.
    #[track_caller]
    pub(crate) fn time_to(&self, other: &Self, bytes: &[u8]) -> Duration {
        let begun = Instant::now();
        self.send(bytes);
        other.gets(bytes);
        begun.elapsed()
    }

    /// No more will be sent from here. A connection that was reset meanwhile is at its end already.
    pub(crate) fn finish(&self) {
        if let Err(error) = self.0.shutdown(Shutdown::Write) {
            assert_eq!(error.kind(), io::ErrorKind::NotConnected, "{error}");
        }
    }

    /// Waits for the end, which comes with no byte before it.
    #[track_caller]
    pub(crate) fn ends(&self) -> End {
        let (rest, end) = self.rest();
        assert_eq!(rest, b"", "bytes before the end");
        end
    }

    /// What comes until the end, and the end.
    #[track_caller]
    pub(crate) fn rest(&self) -> (Vec<u8>, End) {
        let mut rest = Vec::new();
        let end = match (&self.0).read_to_end(&mut rest) {
            Ok(_) => End::Fin,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => End::Rst,
            Err(error) => panic!("it does not end: {error}"),
        };
        (rest, end)
    }

    /// Sees that neither bytes nor an end come for so long.
    #[track_caller]
    pub(crate) fn stays_silent_for(&self, time: Duration) {
        assert!(!self.hears_within(time), "a byte came");
    }

    /// Whether a byte comes in time; the end of the connection must not.
    #[track_caller]
    pub(crate) fn hears_within(&self, time: Duration) -> bool {
        let time = time.max(Duration::from_millis(1));
        self.0.set_read_timeout(Some(time)).expect("a timeout");
        let heard = (&self.0).read(&mut [0]);
        self.0.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        match heard {
            Ok(0) => panic!("the connection ended"),
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) => panic!("the connection broke: {error}"),
        }
    }

    /// Sends until nobody takes any more, for `pause`: everything between the ends is full.
    pub(crate) fn fill(&self, pause: Duration) {
        self.0.set_write_timeout(Some(pause)).expect("a timeout");
        let chunk = vec![7; 64 * 1024];
        while (&self.0).write(&chunk).is_ok() {}
        self.0.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    }
}

/// Which of the connections pass a byte from their second end to their first; all are asked at once.
pub(crate) fn passing(pairs: &[(Peer, Peer)]) -> Vec<bool> {
    for (_, service) in pairs {
        service.send(b"?");
    }
    // Those that pass need a moment of it, the others share the rest.
    let until = Instant::now() + Duration::from_millis(1500);
    let left = || until.saturating_duration_since(Instant::now());
    pairs.iter().map(|(client, _)| client.hears_within(left())).collect()
}

/// Bytes that tell their place.
pub(crate) fn numbered(length: usize) -> Vec<u8> {
    let numbers = (0_u32..).flat_map(u32::to_le_bytes);
    numbers.take(length).collect()
}
