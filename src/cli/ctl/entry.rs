//! A fault as it is written on a command line, made whole.

use serde_json::Value;

/// The text with more keys in it, as YAML. It comes first, so that its places are those of the
/// command line.
pub(super) fn with(text: &str, keys: &[(&str, Option<&str>)]) -> String {
    let text = &undashed(text);
    let given = keys.iter().filter_map(|(key, value)| Some((key, (*value)?)));
    // JSON's texts are YAML's.
    let given: Vec<String> =
        given.map(|(key, value)| format!("{key}: {}", Value::from(value))).collect();
    if text.trim().contains('\n') && !text.trim_start().starts_with('{') {
        return format!("{}\n{}\n", text.trim_end(), given.join("\n"));
    }
    let text = text.trim();
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let inner = inner.trim().trim_end_matches(',');
    let all: Vec<&str> = [inner].into_iter().chain(given.iter().map(String::as_str)).collect();
    format!("{{ {} }}", all.join(", "))
}

/// The entry of a list, as pages and scenarios show it, without its dash.
fn undashed(text: &str) -> String {
    let Some(entry) = text.trim_start().strip_prefix("- ") else {
        return text.to_owned();
    };
    let lines = entry.lines().map(|line| line.strip_prefix("  ").unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_join_a_fault_however_it_is_written() {
        let keys = [("proxy", Some("sh\"op")), ("name", None), ("ttl", Some("30s"))];
        let whole = r#"{ latency: 300ms, proxy: "sh\"op", ttl: "30s" }"#;
        for text in
            ["latency: 300ms", " {latency: 300ms} ", "{ latency: 300ms, }", "- latency: 300ms"]
        {
            assert_eq!(with(text, &keys), whole, "{text}");
        }
        let nested = with("respond: { status: 503 }", &keys[..1]);
        assert_eq!(nested, r#"{ respond: { status: 503 }, proxy: "sh\"op" }"#);
        let block = with("latency: 1s\nshare: 10%\n", &keys[..1]);
        assert_eq!(block, "latency: 1s\nshare: 10%\nproxy: \"sh\\\"op\"\n");
        assert_eq!(with("- latency: 1s\n  share: 10%\n", &keys[..1]), block);
    }
}
