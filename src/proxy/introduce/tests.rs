use super::{
    hear::{LONGEST, PATIENCE, Unheard},
    speech::header,
    *,
};
use crate::config::ProxyVersion;
use proptest::prelude::*;
use std::{net::IpAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
    time::Instant,
};

const VERSIONS: [ProxyVersion; 2] = [ProxyVersion::V1, ProxyVersion::V2];

/// What is heard of these bytes and then nothing, and what is left of them.
fn heard(bytes: &[u8], piece: usize) -> (Result<Option<Ends>, Unheard>, Vec<u8>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("a runtime").block_on(async {
        let (mut near, mut far) = duplex(piece);
        let bytes = bytes.to_vec();
        let write = tokio::spawn(async move {
            // Fails if nothing is read any more.
            let _gone = near.write_all(&bytes).await;
        });
        let heard = hear(&mut far).await;
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).await.expect("in memory");
        write.await.expect("it ends");
        (heard, rest)
    })
}

fn ends(client: &str, server: &str) -> Ends {
    Ends { client: client.parse().expect("an address"), server: server.parse().expect("one") }
}

#[test]
fn what_is_said_is_what_the_specification_writes() {
    let v4 = Who::Client(Some(ends("192.0.2.1:56324", "192.0.2.2:443")));
    let v6 = Who::Client(Some(ends("[2001:db8::1]:56324", "[2001:db8::2]:443")));
    let line = |who| String::from_utf8(header(ProxyVersion::V1, who).expect("one")).expect("text");
    assert_eq!(line(v4), "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n");
    assert_eq!(line(v6), "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n");
    assert_eq!(line(Who::Client(None)), "PROXY UNKNOWN\r\n");
    assert_eq!(line(Who::Nobody), "PROXY UNKNOWN\r\n");
    let bytes = |who| header(ProxyVersion::V2, who).expect("one");
    let sign = b"\r\n\r\n\0\r\nQUIT\n";
    let expected =
        [&sign[..], b"\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\xdc\x04\x01\xbb"].concat();
    assert_eq!(bytes(v4), expected);
    assert_eq!(bytes(Who::Client(None)), [&sign[..], b"\x21\0\0\0"].concat());
    assert_eq!(bytes(Who::Nobody), [&sign[..], b"\x20\0\0\0"].concat());
}

#[test]
fn ends_of_two_families_are_told_in_the_wider_one() {
    let mixed = Who::Client(Some(ends("192.0.2.1:1", "[2001:db8::2]:2")));
    let line = header(ProxyVersion::V1, mixed).expect("one");
    assert_eq!(line, b"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n");
    let mapped = Who::Client(Some(ends("[::ffff:192.0.2.1]:1", "192.0.2.2:2")));
    let line = header(ProxyVersion::V1, mapped).expect("one");
    assert_eq!(line, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
}

#[test]
fn whoever_speaks_for_itself_is_itself() {
    let sign = b"\r\n\r\n\0\r\nQUIT\n";
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(),
        [&sign[..], b"\x20\0\0\0"].concat(),
        // LOCAL, whatever it says of addresses.
        [&sign[..], b"\x20\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\xdc\x04\x01\xbb"].concat(),
        // Datagrams, a Unix socket, and a family that nobody knows the length of.
        [&sign[..], b"\x21\x12\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\xdc\x04\x01\xbb"].concat(),
        [&sign[..], b"\x21\x31\0\xd8", &[7; 216]].concat(),
        [&sign[..], b"\x21\0\0\x05hello"].concat(),
    ] {
        let (said, rest) = heard(&[&header[..], b"GET /"].concat(), 64);
        assert_eq!((said.expect("heard"), &rest[..]), (None, &b"GET /"[..]), "{header:?}");
    }
}

#[test]
fn what_is_no_header_is_refused() {
    let sign = b"\r\n\r\n\0\r\nQUIT\n";
    for (bytes, why) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "no PROXY header"),
        (b"P".to_vec(), "ended"),
        (b"PRAX".to_vec(), "no PROXY header"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2".to_vec(), "ended"),
        (b"PROXYxTCP4 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(), "no PROXY header"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n".to_vec(), "cannot be read"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rx\r\n".to_vec(), "cannot be read"),
        (b"PROXY TCP4 1.2.3.4 ::1 1 2\r\n".to_vec(), "cannot be read"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n".to_vec(), "cannot be read"),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n".to_vec(), "cannot be read"),
        (b"PROXY \xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\r\n".to_vec(), "cannot be read"),
        ([&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat(), "longer than 107"),
        ([&sign[..], b"\x11\x11\0\x0c"].concat(), "ended"),
        ([&sign[..], b"\x11\x11\0\0"].concat(), "cannot be read"),
        ([&sign[..], b"\x21\x11\0\x04abcd"].concat(), "cannot be read"),
        ([&sign[..], b"\x21\x11\xff\xff"].concat(), "longer than 4096"),
        ([&sign[..], b"\x21\x11\0\x0cshort"].concat(), "ended"),
    ] {
        let (said, _) = heard(&bytes, 4096);
        let said = said.expect_err("refused").to_string();
        assert!(said.contains(why), "{said}: {:?}", bytes.escape_ascii().to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_has_its_time_as_a_whole() {
    for version in VERSIONS {
        let (mut near, mut far) = duplex(4096);
        let header = header(version, Who::Client(Some(ends("1.2.3.4:1", "5.6.7.8:2"))));
        let start = Instant::now();
        let drip = tokio::spawn(async move {
            for byte in header.expect("one") {
                let _gone = near.write_all(&[byte]).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let late = hear(&mut far).await;
        assert!(matches!(late, Err(Unheard::Late(_))), "{late:?}");
        assert_eq!(start.elapsed(), PATIENCE);
        drip.abort();
    }
}

fn end(v6: bool) -> impl Strategy<Value = SocketAddr> {
    let v6 = if v6 {
        any::<[u8; 16]>().prop_map(IpAddr::from).boxed()
    } else {
        any::<[u8; 4]>().prop_map(IpAddr::from).boxed()
    };
    // A mapped address is told as what it is.
    (v6, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip.to_canonical(), port))
}

proptest! {
    #[test]
    fn what_is_said_is_heard_and_nothing_after_it(
        ends in any::<bool>().prop_flat_map(|v6| (end(v6), end(v6))),
        extra in prop::collection::vec(any::<u8>(), 0..64),
        piece in 1..200_usize,
        v2 in any::<bool>(),
    ) {
        prop_assume!(ends.0.is_ipv4() == ends.1.is_ipv4());
        let ends = Ends { client: ends.0, server: ends.1 };
        let mut bytes = header(VERSIONS[usize::from(v2)], Who::Client(Some(ends))).expect("one");
        if v2 {
            // TLVs, whatever is in them.
            let tlvs = [&[0xEE, 0, 9], &b"made up: "[..]].concat();
            let length = u16::from_be_bytes([bytes[14], bytes[15]]) + 12;
            bytes[14..16].copy_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&tlvs);
        }
        bytes.extend_from_slice(&extra);
        let (said, rest) = heard(&bytes, piece);
        prop_assert_eq!(said.expect("heard"), Some(ends));
        prop_assert_eq!(rest, extra);
    }

    #[test]
    fn nothing_panics_and_nothing_is_read_beyond_the_bound(
        v2 in any::<bool>(),
        mut bytes in prop::collection::vec(any::<u8>(), 0..6000),
    ) {
        let how: &[u8] = if v2 { b"\r\n\r\n\0\r\nQUIT\n\x21" } else { b"PROXY TCP6 " };
        let many = how.len().min(bytes.len());
        bytes[..many].copy_from_slice(&how[..many]);
        let (_, rest) = heard(&bytes, 8192);
        prop_assert!(bytes.len() - rest.len() <= LONGEST);
        prop_assert!(bytes.ends_with(&rest));
    }
}
