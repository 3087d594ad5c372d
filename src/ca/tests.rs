use super::*;
use std::{fs, os::unix::fs::PermissionsExt as _, sync::Barrier, thread};

/// A folder that is gone with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("firedrill-ca-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn it_is_made_once_and_stays() {
    let folder = Folder::new("stays");
    let first = Authority::open(&folder.0.join("deep")).expect("made");
    let again = Authority::open(&folder.0.join("deep")).expect("read");

    assert_eq!(first.certificate(), again.certificate());
    assert_eq!(fs::read_to_string(again.path()).expect("public"), first.certificate());
    assert!(!first.certificate().contains("PRIVATE"));
}

#[test]
fn its_key_is_for_its_owner_alone() {
    let folder = Folder::new("mode");
    let authority = Authority::open(&folder.0).expect("made");

    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0.join(store::KEPT)), 0o600);
    assert_eq!(mode(&folder.0), 0o700);
    assert_eq!(mode(authority.path()), 0o644);
    let left = fs::read_dir(&folder.0).expect("a folder").count();
    assert_eq!(left, 2, "nothing else is left behind");
}

#[test]
fn all_who_make_it_at_once_have_the_same() {
    let folder = Folder::new("race");
    let start = Barrier::new(8);
    let made: Vec<String> = thread::scope(|scope| {
        let one = || {
            start.wait();
            Authority::open(&folder.0).expect("one of them made it").certificate().to_owned()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });

    assert!(made.iter().all(|each| *each == made[0]));
}

#[test]
fn another_one_can_take_its_place() {
    let folder = Folder::new("renew");
    let old = Authority::open(&folder.0).expect("made");
    let new = Authority::renew(&folder.0).expect("made anew");

    assert_ne!(old.certificate(), new.certificate());
    assert_eq!(fs::read_to_string(new.path()).expect("public"), new.certificate());
}

#[test]
fn files_of_somebody_else_are_left_as_they_are() {
    let theirs = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Corp Root");
    let signed = params.self_signed(&theirs).expect("signed").pem();
    let whole = format!("{}{signed}", theirs.serialize_pem());
    for (name, text) in [
        (store::PUBLIC, &*signed),
        (store::PUBLIC, "what somebody wrote"),
        (store::PUBLIC, ""),
        (store::KEPT, &*signed),
        (store::KEPT, &*whole),
    ] {
        let folder = Folder::new("theirs");
        fs::create_dir_all(&folder.0).expect("a folder");
        fs::write(folder.0.join(name), text).expect("written");
        for done in [Authority::open(&folder.0), Authority::renew(&folder.0)] {
            let error = done.expect_err("it is theirs");
            assert!(matches!(&error, CaError::Taken(path) if path.ends_with(name)), "{error}");
        }
        assert_eq!(fs::read_to_string(folder.0.join(name)).expect("there"), text);
        assert_eq!(fs::read_dir(&folder.0).expect("a folder").count(), 1, "nothing is put beside");
    }
    let folder = Folder::new("theirs");
    let authority = Authority::open(&folder.0).expect("made");
    let bundle = folder.0.join("bundle.pem");
    fs::write(&bundle, &signed).expect("written");
    assert!(matches!(authority.bundle(), Err(CaError::Taken(_))));
    assert_eq!(fs::read_to_string(&bundle).expect("there"), signed);
    fs::remove_file(&bundle).expect("gone");
    for _ in 0..2 {
        assert!(authority.bundle().is_ok(), "one of ours may be written again");
    }
    fs::remove_file(folder.0.join(store::KEPT)).expect("gone");
    assert!(Authority::open(&folder.0).is_ok(), "our own certificate is no loss");
}

#[test]
fn a_file_with_something_else_is_told() {
    let folder = Folder::new("broken");
    fs::create_dir_all(&folder.0).expect("a folder");
    for text in
        ["", "no authority", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        fs::write(folder.0.join(store::KEPT), text).expect("written");
        let error = Authority::open(&folder.0).expect_err("it is none");
        assert!(matches!(error, CaError::Broken(_)), "{error}");
    }
}

#[test]
fn one_that_has_had_its_time_is_told() {
    let folder = Folder::new("expired");
    let key = KeyPair::generate().expect("a key");
    let mut old = params(&key);
    leaf::set_days(&mut old, -100, -1);
    let kept = format!("{}{}", key.serialize_pem(), old.self_signed(&key).expect("signed").pem());
    store::replace(&folder.0, &kept).expect("kept");

    let error = Authority::open(&folder.0).expect_err("it has expired");
    assert!(matches!(error, CaError::Expired(_)), "{error}");
    assert!(Authority::renew(&folder.0).is_ok());
}

#[test]
fn the_end_of_a_certificate_is_read() {
    let key = KeyPair::generate().expect("a key");
    for from_now in [30, 20_000] {
        let mut params = params(&key);
        leaf::set_days(&mut params, 0, from_now);
        let certificate = params.self_signed(&key).expect("signed");
        let until = der::not_after(certificate.der()).expect("a date");
        let days = (until - leaf::today()).get_days();
        assert_eq!(i64::from(days), from_now);
        for short in 0..certificate.der().len() {
            assert_eq!(der::not_after(&certificate.der()[..short]), None, "cut off at {short}");
        }
    }
}

#[test]
fn certificates_are_for_names_and_addresses() {
    let authority = Authority::unknown().expect("made");
    for name in ["shop.example", "*.shop.example", "127.0.0.1", "::1", &"a".repeat(63)] {
        assert!(authority.sign(&[name.to_owned()], None).is_ok(), "{name}");
    }
    assert!(authority.sign(&["schön".to_owned()], None).is_err());
}
