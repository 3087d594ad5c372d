//! Fields that belong to one connection and must not travel on (RFC 9110 §7.6.1).

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Hop-by-hop whatever `connection` says. `transfer-encoding` is hop-by-hop as well, but hyper
/// frames each hop's body itself and keeps the field's spelling if it is left in place.
const ALWAYS: [HeaderName; 4] = [
    header::CONNECTION,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Takes hop-by-hop fields out, the order of the others kept.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named = named_by_connection(headers);
    let te = headers.contains_key(header::TE);
    let any = te || !named.is_empty() || ALWAYS.iter().any(|name| headers.contains_key(name));
    if !any {
        return;
    }
    let keeps_trailers = says_trailers(headers);
    // Not `remove`, which would move the last field into the gap.
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in &*headers {
        let goes = ALWAYS.contains(name) || named.contains(name) || *name == header::TE;
        if !goes {
            kept.append(name, value.clone());
        }
    }
    if keeps_trailers {
        // The one thing `te` may say to the next hop: without it no trailers come back.
        kept.append(header::TE, HeaderValue::from_static("trailers"));
    }
    *headers = kept;
}

/// The protocol that an upgrade is asked for or granted to, if one is.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = headers.get_all(header::CONNECTION).iter().any(|value| {
        value.to_str().is_ok_and(|list| {
            list.split(',').any(|token| token.trim().eq_ignore_ascii_case("upgrade"))
        })
    });
    headers.get(header::UPGRADE).filter(|_| asked).cloned()
}

/// Puts an upgrade back after [`strip`].
pub(super) fn restore_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.append(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.append(header::UPGRADE, protocol);
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|token| HeaderName::try_from(token.trim()).ok())
        // A client may not have these taken from its own message.
        .filter(|name| {
            ![header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(name)
        })
        .collect()
}

fn says_trailers(headers: &HeaderMap) -> bool {
    headers.get_all(header::TE).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|list| list.split(',').any(|t| t.trim().eq_ignore_ascii_case("trailers")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn what_connection_names_goes_and_the_order_of_the_rest_stays() {
        let mut headers = headers(&[
            ("b", "1"),
            ("connection", "close, X-Secret"),
            ("a", "2"),
            ("x-secret", "3"),
            ("keep-alive", "timeout=5"),
            ("z", "4"),
        ]);

        strip(&mut headers);

        assert_eq!(names(&headers), ["b", "a", "z"]);
    }

    #[test]
    fn only_trailers_survive_of_te() {
        let mut headers = headers(&[("te", "trailers, deflate")]);
        strip(&mut headers);
        assert_eq!(headers.get("te").map(HeaderValue::as_bytes), Some(&b"trailers"[..]));
    }

    #[test]
    fn connection_cannot_take_the_framing_away() {
        let mut headers = headers(&[
            ("connection", "content-length, host"),
            ("content-length", "3"),
            ("host", "a"),
        ]);
        strip(&mut headers);
        assert_eq!(names(&headers), ["content-length", "host"]);
    }

    #[test]
    fn an_upgrade_has_to_be_named_by_connection() {
        let plain = headers(&[("upgrade", "websocket")]);
        let asked = headers(&[("upgrade", "websocket"), ("connection", "keep-alive, Upgrade")]);
        assert_eq!(upgrade(&plain), None);
        assert_eq!(upgrade(&asked), Some(HeaderValue::from_static("websocket")));
    }
}
