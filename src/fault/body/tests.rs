use super::*;
use crate::fault::support::{codes, effect, fault};
use http::HeaderMap;
use std::fmt::Write as _;

/// What becomes of a body under an entry, and of the fields of its head.
fn edited(entry: &str, fields: &[(&'static str, &str)], old: &str) -> (Option<String>, HeaderMap) {
    let Effect::EditBody(edit) = effect(entry, Stage::Response) else {
        panic!("`{entry}` is no edit")
    };
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_str(value).expect("a value"));
    }
    if edit.leaves(&headers) {
        return (None, headers);
    }
    let new = edit.apply(&mut headers, old.as_bytes());
    (new.map(|new| String::from_utf8_lossy(&new).into_owned()), headers)
}

fn plain(entry: &str, old: &str) -> Option<String> {
    edited(entry, &[], old).0
}

#[test]
fn a_body_is_replaced_whatever_it_was() {
    let entry = "body: { replace: sorry }";
    for old in ["{}", "", "\u{fe}"] {
        assert_eq!(plain(entry, old).as_deref(), Some("sorry"));
    }
    assert_eq!(plain("body: { replace: '' }", "x").as_deref(), Some(""));
}

#[test]
fn operations_are_carried_out_in_order_and_the_rest_of_the_document_stays() {
    let entry = "body: { patch: [
        { op: test, path: /id, value: 7 },
        { op: replace, path: /total, value: 0 },
        { op: add, path: /items/-, value: { sku: B } },
        { op: move, from: /a~1b, path: /c },
        { op: copy, from: /id, path: /copy },
        { op: remove, path: /items/0 },
    ] }";
    let old = r#"{"id":7,"total":3.5,"items":["x",null],"a/b":true}"#;
    let new = r#"{"c":true,"copy":7,"id":7,"items":[null,{"sku":"B"}],"total":0}"#;
    assert_eq!(plain(entry, old).as_deref(), Some(new));
}

#[test]
fn a_patch_is_carried_out_whole_or_not_at_all() {
    for operation in [
        "{ op: test, path: /id, value: 8 }",
        "{ op: replace, path: /absent, value: 1 }",
        "{ op: remove, path: /items/9 }",
        "{ op: move, from: /absent, path: /b }",
        "{ op: add, path: /id/deeper, value: 1 }",
    ] {
        let entry = format!("body: {{ patch: [{{ op: add, path: /a, value: 1 }}, {operation}] }}");
        assert_eq!(plain(&entry, r#"{"id":7,"items":[]}"#), None, "{operation}");
    }
}

#[test]
fn a_merge_adds_replaces_and_takes_out() {
    let entry = "body: { merge: { total: 0, note: null, cart: { sku: B } } }";
    let old = r#"{"total":3,"note":"x","cart":{"sku":"A","n":1},"k":[1]}"#;
    let new = r#"{"cart":{"n":1,"sku":"B"},"k":[1],"total":0}"#;
    assert_eq!(plain(entry, old).as_deref(), Some(new));
}

#[test]
fn what_is_no_json_or_says_the_same_already_stays_as_it_is() {
    for entry in [
        "body: { patch: [{ op: replace, path: /total, value: 0 }] }",
        "body: { merge: { total: 0 } }",
    ] {
        for old in ["", "<html>", r#"{"total":"#, r#"{ "total" : 0 }"#] {
            assert_eq!(plain(entry, old), None, "{entry}: {old}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(plain(entry, &deep), None);
    }
    assert_eq!(plain("body: { replace: same }", "same"), None);
}

#[test]
fn a_compressed_body_is_replaced_but_never_patched() {
    let gzip = [("content-encoding", "gzip"), ("content-type", "application/json")];
    let (new, head) = edited("body: { merge: { total: 0 } }", &gzip, r#"{"total":1}"#);
    assert_eq!((new, head.len()), (None, 2));
    let (new, head) = edited("body: { replace: '{}' }", &gzip, "\u{1f}");
    assert_eq!(new.as_deref(), Some("{}"));
    assert_eq!(head.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["content-type"]);
    let identity = [("content-encoding", "identity")];
    let (new, head) = edited("body: { merge: { total: 0 } }", &identity, "{}");
    assert_eq!((new.as_deref(), head.len()), (Some(r#"{"total":0}"#), 1));
}

#[test]
fn an_event_stream_is_left_alone() {
    for kind in ["text/event-stream", "Text/Event-Stream; charset=utf-8"] {
        assert_eq!(edited("body: { replace: x }", &[("content-type", kind)], "data: 1").0, None);
    }
}

#[test]
fn the_content_type_changes_only_if_it_is_given() {
    let html = [("content-type", "text/html")];
    let (_, head) = edited("body: { replace: '{}' }", &html, "x");
    assert_eq!(head["content-type"], "text/html");
    let (new, head) = edited("body: { replace: x, content_type: a/b }", &html, "x");
    assert_eq!((new.as_deref(), head["content-type"].as_bytes()), (Some("x"), &b"a/b"[..]));
    let (new, head) = edited("body: { merge: { a: 1 }, content_type: a/b }", &html, "<");
    assert_eq!((new, head["content-type"].as_bytes()), (None, &b"text/html"[..]));
}

#[test]
fn a_patch_cannot_grow_a_document_without_end() {
    let mut copies = String::new();
    for nth in 0..60 {
        write!(copies, "{{ op: copy, from: '', path: /{nth} }}, ").expect("a string takes it");
    }
    assert_eq!(plain(&format!("body: {{ patch: [{copies}] }}"), r#"{"a":"x"}"#), None);
    let mut deeper = String::new();
    for depth in 1..400 {
        let path = "/a".repeat(depth);
        write!(deeper, "{{ op: add, path: {path}, value: {{}} }}, ").expect("a string takes it");
    }
    assert_eq!(plain(&format!("body: {{ patch: [{deeper}] }}"), "{}"), None);
}

#[test]
fn it_describes_itself_by_what_changes() {
    for (entry, words) in [
        ("body: { replace: 0123456789 }", "replaced by 10B"),
        ("body: { replace: '', length: keep }", "emptied, old length announced"),
        ("body: { patch: [{ op: remove, path: /a/b }] }", "/a/b changed"),
        ("body: { side: request, merge: { a: 1, b: 2 } }", "request: 2 keys changed"),
    ] {
        assert_eq!(fault(entry).describe(), words, "{entry}");
    }
    assert_eq!(fault("body: { side: request, replace: x }").stages(), [Stage::Request]);
}

#[test]
fn what_cannot_be_done_is_refused() {
    for (entry, code) in [
        ("body: {}", Code::E0106),
        ("body: { replace: a, merge: { b: 1 } }", Code::E0106),
        ("body: { replace: a, file: b }", Code::E0106),
        ("body: { file: a.json }", Code::E0418),
        ("body: { patch: [] }", Code::E0107),
        ("body: { patch: { op: remove, path: /a } }", Code::E0003),
        ("body: { patch: [{ op: drop, path: /a }] }", Code::E0205),
        ("body: { patch: [{ op: remove }] }", Code::E0103),
        ("body: { patch: [{ op: replace, path: /a }] }", Code::E0103),
        ("body: { patch: [{ op: move, path: /a }] }", Code::E0103),
        ("body: { patch: [{ op: remove, path: /a, value: 1 }] }", Code::E0414),
        ("body: { patch: [{ op: remove, path: a }] }", Code::E0303),
        ("body: { patch: [{ op: remove, path: /a~2 }] }", Code::E0303),
        ("body: { patch: [{ op: add, path: /a, value: { b: 1, b: 2 } }] }", Code::E0102),
        ("body: { merge: {} }", Code::E0413),
        ("body: { merge: [1] }", Code::E0003),
        ("body: { replace: a, content_type: \"a\\nb\" }", Code::E0416),
        ("body: { replace: a, length: wrong }", Code::E0205),
        ("body: { replace: a, side: request, length: keep }", Code::E0414),
        ("body: nothing", Code::E0003),
    ] {
        assert_eq!(codes(entry), [code], "{entry}");
    }
}
