//! What a command is as a request.

use crate::cli::ctl::{
    args::{self, Fault, Protocol, Proxy},
    entry,
};
use http::Method;
use serde_json::{Value, json};

/// A request.
#[derive(Debug)]
pub(super) struct Command {
    pub method: Method,
    pub path: String,
    pub body: String,
}

/// The request that a command is.
pub(super) fn of(command: &args::Command) -> Command {
    use args::Command as C;
    match command {
        C::Status => get("status"),
        C::Proxies => get("proxies"),
        C::Proxy(command) => proxy(command),
        C::Faults => get("faults"),
        C::Fault(command) => fault(command),
        C::Pause => post("drill/pause", ""),
        C::Resume => post("drill/resume", ""),
        C::Skip => post("drill/skip", ""),
        C::Abort => post("drill/abort", ""),
        C::Seek { to } => post("drill/seek", json!({ "to": to }).to_string()),
        C::Speed { speed } => post("drill/speed", json!({ "speed": speed }).to_string()),
        // Toxiproxy's, which does it all.
        C::Reset => Command { method: Method::POST, path: "/reset".into(), body: String::new() },
    }
}

fn proxy(command: &Proxy) -> Command {
    match command {
        Proxy::Show { name } => get(&format!("proxies/{}", segment(name))),
        Proxy::Add { name, listen, upstream, allow, intercept, protocol, disabled } => {
            let protocol = match protocol {
                Protocol::Http => "http",
                Protocol::Tcp => "tcp",
                Protocol::Forward => "forward",
            };
            let mut body = json!({
                "name": name, "listen": listen, "protocol": protocol, "enabled": !disabled,
            });
            if let Some(upstream) = upstream {
                body["upstream"] = Value::from(upstream.as_str());
            }
            if !allow.is_empty() {
                body["allow"] = json!(allow);
            }
            if *intercept {
                body["intercept"] = true.into();
            }
            post("proxies", body.to_string())
        }
        Proxy::Set { name, listen, upstream, allow } => {
            let mut body = json!({});
            for (key, value) in [("listen", listen), ("upstream", upstream)] {
                if let Some(value) = value {
                    body[key] = Value::from(value.as_str());
                }
            }
            if !allow.is_empty() {
                body["allow"] = json!(allow);
            }
            patch(name, &body)
        }
        Proxy::Remove { name } => {
            request(Method::DELETE, &format!("proxies/{}", segment(name)), "")
        }
        Proxy::Enable { name } => patch(name, &json!({ "enabled": true })),
        Proxy::Disable { name } => patch(name, &json!({ "enabled": false })),
    }
}

fn fault(command: &Fault) -> Command {
    let place = |proxy: &str, name: &str| format!("faults/{}/{}", segment(proxy), segment(name));
    match command {
        Fault::Add { proxy, fault, name, ttl } => {
            let proxy = Some(proxy.as_str()).filter(|proxy| *proxy != "*");
            let keys = [("proxy", proxy), ("name", name.as_deref()), ("ttl", ttl.as_deref())];
            post("faults", entry::with(fault, &keys))
        }
        Fault::Change { proxy, name, fault, ttl } => {
            let body = entry::with(fault, &[("ttl", ttl.as_deref())]);
            request(Method::PUT, &place(proxy, name), body)
        }
        Fault::Remove { proxy, name } => request(Method::DELETE, &place(proxy, name), ""),
        Fault::Clear => request(Method::DELETE, "faults", ""),
    }
}

fn get(path: &str) -> Command {
    request(Method::GET, path, "")
}

fn post(path: &str, body: impl Into<String>) -> Command {
    request(Method::POST, path, body)
}

fn patch(name: &str, body: &Value) -> Command {
    request(Method::PATCH, &format!("proxies/{}", segment(name)), body.to_string())
}

fn request(method: Method, path: &str, body: impl Into<String>) -> Command {
    Command { method, path: format!("/api/v1/{path}"), body: body.into() }
}

/// A name as a part of a path.
fn segment(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_it_is() {
        assert_eq!(segment("latency#2"), "latency%232");
        assert_eq!(segment("a/b ü?"), "a%2Fb%20%C3%BC%3F");
    }
}
