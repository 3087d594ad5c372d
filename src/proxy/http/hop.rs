//! Fields that belong to one connection and must not travel on (RFC 9110 §7.6.1).

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Hop-by-hop whatever `connection` says. `transfer-encoding` is hop-by-hop as well, but hyper
/// frames each hop's body itself and keeps the field's spelling if it is left in place.
///
/// `alt-svc` names another way to the service, which leads past the proxy and all its faults.
const ALWAYS: [HeaderName; 5] = [
    header::CONNECTION,
    header::UPGRADE,
    header::ALT_SVC,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Takes hop-by-hop fields out, the order of the others kept. What asks for an upgrade, or grants
/// it, stays if `upgrade` says so; and of `te` the one thing that it may say to the next hop: without
/// it no trailers come back. A length beside chunks goes as well: the chunks overrule it (RFC 9112
/// §6.3), and whoever comes next might think otherwise.
pub(super) fn strip(headers: &mut HeaderMap, upgrade: bool) {
    let named = named_by_connection(headers);
    let te = headers.contains_key(header::TE);
    let lies = headers.contains_key(header::TRANSFER_ENCODING)
        && headers.contains_key(header::CONTENT_LENGTH);
    let any =
        te || lies || !named.is_empty() || ALWAYS.iter().any(|name| headers.contains_key(name));
    if !any {
        return;
    }
    let trailers = says_trailers(headers);
    // Not `remove`, which would move the last field into the gap.
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in &*headers {
        let value = match *name {
            header::CONNECTION if upgrade => HeaderValue::from_static("Upgrade"),
            header::UPGRADE if upgrade => value.clone(),
            header::TE if trailers => HeaderValue::from_static("trailers"),
            header::TE => continue,
            header::CONTENT_LENGTH if lies => continue,
            _ if ALWAYS.contains(name) || named.contains(name) => continue,
            _ => {
                kept.append(name, value.clone());
                continue;
            }
        };
        // Once, however many lines there were.
        kept.entry(name).or_insert(value);
    }
    *headers = kept;
}

/// Takes out what a client says to its forward proxy alone, the order of the others kept.
pub(super) fn drop_credentials(headers: &mut HeaderMap) {
    if headers.contains_key(header::PROXY_AUTHORIZATION) {
        let all = std::mem::take(headers);
        // Not `remove`, which would move the last field into the gap.
        for (name, value) in &all {
            if name != header::PROXY_AUTHORIZATION {
                headers.append(name, value.clone());
            }
        }
    }
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

        strip(&mut headers, false);

        assert_eq!(names(&headers), ["b", "a", "z"]);
    }

    #[test]
    fn only_trailers_survive_of_te() {
        let mut headers = headers(&[("te", "trailers, deflate")]);
        strip(&mut headers, false);
        assert_eq!(headers.get("te").map(HeaderValue::as_bytes), Some(&b"trailers"[..]));
    }

    #[test]
    fn connection_cannot_take_the_framing_away() {
        let mut headers = headers(&[
            ("connection", "content-length, host"),
            ("content-length", "3"),
            ("host", "a"),
        ]);
        strip(&mut headers, false);
        assert_eq!(names(&headers), ["content-length", "host"]);
    }

    #[test]
    fn a_length_beside_chunks_goes() {
        let mut headers = headers(&[("content-length", "3"), ("transfer-encoding", "chunked")]);
        strip(&mut headers, false);
        assert_eq!(names(&headers), ["transfer-encoding"]);
    }

    #[test]
    fn an_upgrade_stays_where_it_was_and_takes_nothing_else_with_it() {
        let mut headers = headers(&[
            ("connection", "keep-alive, Upgrade"),
            ("a", "1"),
            ("upgrade", "websocket"),
            ("keep-alive", "5"),
        ]);
        strip(&mut headers, true);
        assert_eq!(names(&headers), ["connection", "a", "upgrade"]);
        assert_eq!(headers["connection"], "Upgrade");
    }

    #[test]
    fn an_upgrade_has_to_be_named_by_connection() {
        let plain = headers(&[("upgrade", "websocket")]);
        let asked = headers(&[("upgrade", "websocket"), ("connection", "keep-alive, Upgrade")]);
        assert_eq!(upgrade(&plain), None);
        assert_eq!(upgrade(&asked), Some(HeaderValue::from_static("websocket")));
    }
}
