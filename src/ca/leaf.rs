//! Certificates for servers, and what can be wrong with one.

use crate::ca::{Authority, CaError};
use jiff::{ToSpan as _, Zoned, civil::Date};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// How long one lasts. Nobody keeps it longer than a drill.
const DAYS: i64 = 30;
/// The longest name that a certificate's subject may have; longer ones are only where clients look.
const LONGEST_SUBJECT: usize = 64;
/// The name of a certificate that is for somebody else.
const SOMEBODY_ELSE: &str = "wrong-name.firedrill.invalid";

/// A server's certificate and its key.
#[derive(Debug)]
pub struct Leaf {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It was good until yesterday.
    Expired,
    /// It is good from tomorrow on.
    NotYetValid,
    /// It is for somebody else.
    WrongName,
}

impl Authority {
    /// A certificate for a server of these names, which may be addresses.
    ///
    /// # Errors
    ///
    /// Fails if a name is none that a certificate can be for.
    pub fn sign(&self, names: &[String], flaw: Option<Flaw>) -> Result<Leaf, CaError> {
        let other = [SOMEBODY_ELSE.to_owned()];
        let names = if flaw == Some(Flaw::WrongName) { &other[..] } else { names };
        // A key of its own, from which its serial number follows: two of one number are refused.
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = DistinguishedName::new();
        let subject = names.first().filter(|name| name.len() <= LONGEST_SUBJECT);
        params.distinguished_name.push(DnType::OrganizationName, "Firedrill");
        params
            .distinguished_name
            .push(DnType::CommonName, subject.map_or("a service", |name| name.as_str()));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // Strict clients want it.
        params.use_authority_key_identifier_extension = true;
        let (from, until) = match flaw {
            Some(Flaw::Expired) => (-DAYS, -1),
            Some(Flaw::NotYetValid) => (2, DAYS),
            Some(Flaw::WrongName) | None => (-1, DAYS),
        };
        set_days(&mut params, from, until);
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Leaf { certificate, key })
    }
}

pub(super) fn today() -> Date {
    Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date()
}

/// Sets from when until when a certificate is good, in days from now.
pub(super) fn set_days(params: &mut CertificateParams, from: i64, until: i64) {
    let day = |from_now: i64| {
        let date = today().saturating_add(from_now.days());
        let part = |part: i8| u8::try_from(part).unwrap_or(1);
        date_time_ymd(i32::from(date.year()), part(date.month()), part(date.day()))
    };
    (params.not_before, params.not_after) = (day(from), day(until));
}
