//! Who a credential names, where it is made anew for each request.
//!
//! A signature over the request and its time differs from one attempt to the next. Taken whole, each
//! attempt would be a user of its own: nobody would be seen to try again, and a share of users would be
//! one of requests. What lasts is the name of the key that signs, so of such schemes only that counts.
//!
//! Sources: AWS Signature Version 4 and 2; RFC 7616 (Digest); RFC 5849 (OAuth 1.0); Hawk; Azure Shared
//! Key; draft-cavage-http-signatures.

use std::borrow::Cow;

/// Schemes whose parameters hold the name, and those parameters.
const NAMED: &[(&str, &[&str])] = &[
    ("digest", &["username", "realm"]),
    ("oauth", &["oauth_consumer_key", "oauth_token"]),
    ("hawk", &["id"]),
    ("signature", &["keyid"]),
];

/// Schemes of `NAME:SIGNATURE`.
const BEFORE_COLON: &[&str] = &["aws", "sharedkey", "sharedkeylite"];

/// Of the value of an `Authorization` field, what stays the same from request to request.
pub(crate) fn lasting(value: &[u8]) -> Cow<'_, [u8]> {
    signer(value).map_or(Cow::Borrowed(value), |signer| Cow::Owned(signer.into_bytes()))
}

/// Who signed, and by what scheme; `None` if the value is no signature.
fn signer(value: &[u8]) -> Option<String> {
    let (scheme, rest) = std::str::from_utf8(value).ok()?.trim().split_once(' ')?;
    let scheme = scheme.to_ascii_lowercase();
    if BEFORE_COLON.contains(&scheme.as_str()) {
        return Some(format!("{scheme} {}", rest.rsplit_once(':')?.0));
    }
    if scheme.starts_with("aws4-") {
        // The key, and then the date, the region and the service it signed for.
        let scope = parameter(rest, "credential")?;
        return Some(format!("{scheme} {}", scope.split('/').next()?));
    }
    let (_, names) = NAMED.iter().find(|(name, _)| *name == scheme)?;
    let found: Vec<&str> = names.iter().filter_map(|name| parameter(rest, name)).collect();
    (!found.is_empty()).then(|| format!("{scheme} {}", found.join(" ")))
}

/// The value of a parameter, without its quotes. The names that are looked for come before any value
/// that may hold a comma of its own.
fn parameter<'p>(parameters: &'p str, name: &str) -> Option<&'p str> {
    let pairs = parameters.split(',').filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    Some(found.next()?.1.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        lasting(one.as_bytes()) == lasting(other.as_bytes())
    }

    #[test]
    fn who_signs_anew_is_the_same_and_who_signs_otherwise_is_not() {
        let schemes: [fn(&str, &str) -> String; 7] = [
            |who, sign| {
                format!(
                    "AWS4-HMAC-SHA256 Credential={who}/20260101/us-east-1/s3/aws4_request, \
                     SignedHeaders=host;x-amz-date, Signature={sign}"
                )
            },
            |who, sign| format!("AWS {who}:{sign}"),
            |who, sign| format!("SharedKey {who}:{sign}"),
            |who, sign| format!("Digest username=\"{who}\", realm=\"a, b\", response=\"{sign}\""),
            |who, sign| {
                format!("OAuth realm=\"\", oauth_token=\"{who}\", oauth_signature=\"{sign}\"")
            },
            |who, sign| format!("Hawk id=\"{who}\", ts=\"1\", mac=\"{sign}\""),
            |who, sign| format!("Signature keyId=\"{who}\",signature=\"{sign}\""),
        ];
        for scheme in schemes {
            assert!(same(&scheme("ann", "f00d"), &scheme("ann", "beef")), "{}", scheme("ann", "x"));
            assert!(
                !same(&scheme("ann", "f00d"), &scheme("bob", "f00d")),
                "{}",
                scheme("ann", "x")
            );
        }
    }

    #[test]
    fn what_is_no_signature_counts_whole() {
        for value in ["Bearer a:b", "Basic YTpi", "s3cr3t", "AWS nothing", "Digest nonce=1", ""] {
            assert_eq!(&*lasting(value.as_bytes()), value.as_bytes());
        }
    }
}
