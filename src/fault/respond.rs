//! `respond`: an answer without the upstream.
//!
//! ```yaml
//! - respond: 503
//! - respond: { status: 429, retry_after: 30s, headers: { x-reason: sale }, body: '{"error":"busy"}' }
//! - respond: { status: 502, file: pages/bad-gateway.html }
//! ```
//!
//! The request is read and answered here; the upstream never sees it, so repeating it is safe. The
//! body defaults to the name of the status, its `content-type` to what it looks like. For an answer
//! that replaces one the upstream did the work for, use `lose_response: 503`.

use crate::{
    fault::{
        Canned, Cx, Denial, Effect, Fault, Stage,
        canned::{bare, read_canned, read_status},
        catalog::{Entry, Layer, Protocol, Traffic},
    },
    read::{Field, Kind, Reader, Shape},
    yaml::{Node, Spanned},
};
use http::header;
use std::sync::Arc;

/// The row of the catalogue.
pub(super) const ENTRY: Entry = Entry {
    name: "respond",
    layer: Layer::Message,
    protocols: Protocol::HTTP,
    traffic: Traffic::Http,
    summary: "an answer without the upstream: status, headers, body, `retry_after`",
    about: "The request is answered here; the upstream never sees it. `status` is from 200 to 599.
`retry_after` becomes a `retry-after` field of whole seconds, rounded up. `headers` maps names to a
value or a list of values. The body is `body`, or the content of `file` (in the folder of the
scenario, at most 1 MiB), or else the name of the status; JSON and text are labelled as such unless
`headers` has a `content-type`. A delay on the same exchange is served first: a slow failure is what
outages are.",
    examples: &[
        "respond: 503",
        r#"respond: { status: 429, retry_after: 30s, headers: { x-reason: sale }, body: '{"error":"busy"}' }"#,
    ],
    kind: Kind::Any(&[Kind::Map(&SHAPE), Kind::Integer(200, 599)]),
    read,
};

static SHAPE: Shape = Shape {
    what: "`respond`",
    fields: &[
        Field::required("status", Kind::Integer(200, 599), "the status, from 200 to 599"),
        Field::optional(
            "retry_after",
            Kind::Duration,
            "when the client may come again, sent as `retry-after` in whole seconds, rounded up",
        ),
        Field::optional(
            "headers",
            Kind::Names(&Kind::Any(&[Kind::Text, Kind::List(&Kind::Text)])),
            "header fields: a name and its value, or a list of values",
        ),
        Field::optional("body", Kind::Text, "the body; by default the name of the status"),
        Field::optional(
            "file",
            Kind::Text,
            "a file with the body, relative to the scenario's folder and not outside of it",
        ),
    ],
};

/// Answers in the upstream's place.
#[derive(Clone, Debug)]
struct Respond {
    canned: Arc<Canned>,
}

fn read(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Arc<dyn Fault>> {
    let canned = match &node.value {
        Node::Map(_) => {
            let fields = reader.fields(node, &SHAPE)?;
            read_canned(fields, reader)?
        }
        _ => bare(read_status(node, reader)?),
    };
    Some(Arc::new(Respond { canned: Arc::new(canned) }))
}

impl Fault for Respond {
    fn stages(&self) -> &'static [Stage] {
        &[Stage::End]
    }

    fn decide(&self, _stage: Stage, _cx: &Cx) -> Effect {
        Effect::Respond(Arc::clone(&self.canned))
    }

    fn denies(&self) -> Denial {
        self.canned.denies()
    }

    fn describe(&self) -> String {
        let status = self.canned.status.as_u16();
        match self.canned.headers.get(header::RETRY_AFTER).map(|value| value.to_str()) {
            Some(Ok(after)) if after.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("{status}, retry after {after}s")
            }
            _ => status.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diag::Code,
        fault::support::{codes, effect, fault, read_in},
    };
    use std::{env::temp_dir, fs, path::PathBuf};

    fn canned(entry: &str) -> Arc<Canned> {
        match effect(entry, Stage::End) {
            Effect::Respond(canned) => canned,
            other => panic!("{entry}: {other:?}"),
        }
    }

    fn field<'c>(canned: &'c Canned, name: &str) -> Option<&'c str> {
        canned.headers.get(name).and_then(|value| value.to_str().ok())
    }

    #[test]
    fn a_bare_status_is_answered_by_its_name() {
        let canned = canned("respond: 503");
        assert_eq!(canned.status, 503);
        assert_eq!(canned.body, "Service Unavailable\n");
        assert_eq!(field(&canned, "content-type"), Some("text/plain; charset=utf-8"));
        assert!(canned_is_empty("respond: 204"));
    }

    fn canned_is_empty(entry: &str) -> bool {
        let canned = canned(entry);
        canned.body.is_empty() && canned.headers.is_empty()
    }

    #[test]
    fn json_is_told_from_text_and_the_author_wins() {
        let json = canned(r#"respond: { status: 429, body: '{"error":"busy"}' }"#);
        assert_eq!(field(&json, "content-type"), Some("application/json"));
        for body in ["{busy}", "503", "busy"] {
            let text = canned(&format!("respond: {{ status: 429, body: '{body}' }}"));
            assert_eq!(field(&text, "content-type"), Some("text/plain; charset=utf-8"), "{body}");
        }
        let own = canned("respond: { status: 500, headers: { Content-Type: x/y }, body: '[]' }");
        assert_eq!(field(&own, "content-type"), Some("x/y"));
        let own = canned("respond: { status: 500, headers: { content-type: x/y } }");
        assert_eq!(own.headers.get_all("content-type").iter().count(), 1);
    }

    #[test]
    fn retry_after_is_whole_seconds_and_never_too_early() {
        let soon = canned("respond: { status: 503, retry_after: 1500ms }");
        assert_eq!(field(&soon, "retry-after"), Some("2"));
        let entry = "respond: { status: 503, retry_after: 30s }";
        assert_eq!(fault(entry).describe(), "503, retry after 30s");
    }

    #[test]
    fn a_list_sends_a_field_more_than_once() {
        let canned = canned("respond: { status: 200, headers: { set-cookie: [a=1, b=2], n: 5 } }");
        let all: Vec<_> = canned.headers.get_all("set-cookie").iter().collect();
        assert_eq!(all, ["a=1", "b=2"]);
        assert_eq!(field(&canned, "n"), Some("5"));
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for (entry, code) in [
            ("respond: 101", Code::E0415),
            ("respond: 199", Code::E0415),
            ("respond: 600", Code::E0415),
            ("respond: -1", Code::E0415),
            ("respond: busy", Code::E0003),
            ("respond: {}", Code::E0103),
            ("respond: { status: 500, headers: { 'x y': a } }", Code::E0416),
            ("respond: { status: 500, headers: { x: \"a\\r\\nb: c\" } }", Code::E0416),
            ("respond: { status: 500, headers: { Content-Length: 3 } }", Code::E0417),
            ("respond: { status: 500, headers: { transfer-encoding: chunked } }", Code::E0417),
            ("respond: { status: 204, body: x }", Code::E0419),
            ("respond: { status: 500, body: a, file: b }", Code::E0414),
            ("respond: { status: 500, retry_after: 1s, headers: { retry-after: 2 } }", Code::E0414),
            ("respond: { status: 500, file: a.html }", Code::E0418),
        ] {
            assert_eq!(codes(entry), [code], "{entry}");
        }
    }

    /// A folder that is gone with its test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = temp_dir().join(format!("firedrill-{name}-{}", std::process::id()));
            fs::create_dir_all(path.join("pages")).expect("a folder");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn a_file_is_read_from_the_scenarios_folder_and_not_from_outside() {
        let folder = Folder::new("respond");
        fs::write(folder.0.join("secret"), "s").expect("written");
        fs::write(folder.0.join("pages/502.html"), "<h1>502</h1>").expect("written");
        fs::write(folder.0.join("pages/large"), vec![0; 1_048_577]).expect("written");
        let pages = folder.0.join("pages");
        let read = |file: &str| {
            read_in(Some(pages.clone()), &format!("respond: {{ status: 502, file: '{file}' }}"))
        };

        let (fault, problems) = read("502.html");
        assert!(problems.is_empty(), "{problems:?}");
        assert!(fault.is_some());
        let absolute = folder.0.join("secret");
        let absolute = absolute.to_str().expect("a plain path");
        for file in ["../secret", absolute, "large", "missing", ".", "502.html/../../secret"] {
            let codes: Vec<_> = read(file).1.sorted().iter().map(|problem| problem.code).collect();
            assert_eq!(codes, [Code::E0418], "{file}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_does_not_lead_out_of_the_folder() {
        let folder = Folder::new("respond-link");
        fs::write(folder.0.join("secret"), "s").expect("written");
        let pages = folder.0.join("pages");
        std::os::unix::fs::symlink("../secret", pages.join("link")).expect("linked");

        let (fault, problems) = read_in(Some(pages), "respond: { status: 502, file: link }");

        assert!(fault.is_none() && problems.has_errors());
    }
}
