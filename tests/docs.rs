//! What the documentation says, held to what the program does: every YAML block is read, every
//! table that lists something lists all of it.

use firedrill::{
    config::{File, json_schema},
    diag::{Look, Problems, Source, render},
    scenario::{Scenario, bundled::BUNDLED, vocabulary::VOCABULARY},
    units::show_duration,
    verdict::detect,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

/// A page of the documentation.
struct Page {
    name: String,
    text: String,
}

/// A fenced block, and the line on which its text begins.
struct Block {
    place: String,
    text: String,
}

fn page(name: &str) -> Page {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let text = fs::read_to_string(&path).expect("a page");
    Page { name: name.to_owned(), text }
}

fn pages() -> Vec<Page> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the folder of pages")
        .map(|entry| entry.expect("a file").file_name().into_string().expect("UTF-8"))
        .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    names.sort();
    ["README.md", "CHANGELOG.md"]
        .into_iter()
        .map(page)
        .chain(names.iter().map(|n| page(n)))
        .collect()
}

impl Page {
    fn blocks(&self, language: &str) -> Vec<Block> {
        let fence = format!("```{language}");
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().zip(1..);
        while let Some((line, number)) = lines.next() {
            if line == fence {
                let text: Vec<&str> = lines
                    .by_ref()
                    .map(|(line, _)| line)
                    .take_while(|line| *line != "```")
                    .collect();
                let place = format!("{}:{}", self.name, number + 1);
                blocks.push(Block { place, text: text.join("\n") + "\n" });
            }
        }
        blocks
    }

    /// Whether a table has a row that begins with these cells.
    fn has_row(&self, cells: &[&str]) -> bool {
        let row = format!("| {} |", cells.join(" | "));
        self.text.lines().any(|line| line.starts_with(&row))
    }
}

/// A scenario around some of its parts. A config is whole as it is.
fn completed(text: &str) -> String {
    let has = |key: &str| text.lines().any(|line| line.starts_with(key));
    if has("proxies:") || has("admin:") {
        return text.to_owned();
    }
    if text.starts_with("- ") {
        // What the examples speak of.
        let head = "name: x\ntargets: { purchase: { path: /purchase/** }, images: { path: /i } }\n";
        let faults: Vec<&str> = text.lines().collect();
        let faults = faults.join("\n      ");
        return format!(
            "{head}phases:\n  - name: outage\n    for: 10m\n    faults:\n      {faults}\n"
        );
    }
    if has("phases:") {
        return text.to_owned();
    }
    let targets = if text.contains("targets:") {
        ""
    } else {
        "targets: { purchase: { path: /purchase/** }, images: { path: /i } }\n"
    };
    let phases = "phases: [{ name: outage, for: 1m, faults: [{ respond: 503, share: 17% }] }]\n";
    format!("name: x\n{targets}{phases}{text}")
}

/// Certificates and keys by all the names that a text has for such.
fn certificates(text: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs");
    let signed = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).expect("signed");
    let (certificate, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
    for name in text.split([' ', ',', '{', '}', '\n']) {
        let kind = Path::new(name).extension().and_then(|kind| kind.to_str());
        let Some(kind @ ("pem" | "key")) = kind else { continue };
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, if kind == "key" { &key } else { &certificate }).expect("written");
    }
    folder
}

/// Reads a scenario, a config or both; says what is wrong with it, warnings included only if it is `whole`.
fn problems(place: &str, text: &str, whole: bool) -> Option<String> {
    let source = Source::new(place, text);
    let mut problems = Problems::default();
    let file = File::read(&source, Some(certificates(text)), &mut problems);
    let wrong = file.is_none() || (whole && !problems.is_empty());
    wrong.then(|| render(&source, &problems, Look::Plain))
}

#[test]
fn every_yaml_block_is_right() {
    let (mut seen, mut configs) = (0, 0);
    for block in pages().iter().flat_map(|page| page.blocks("yaml")) {
        let whole = block.text.starts_with("name:");
        let text = completed(&block.text);
        let wrong = problems(&block.place, &text, whole);
        assert_eq!(wrong, None, "{}:\n{}", block.place, wrong.as_deref().unwrap_or_default());
        seen += 1;
        configs += u32::from(text.contains("\nproxies:"));
    }
    assert!(
        seen > 20 && configs > 2,
        "only {seen} blocks, {configs} configs: is the fence still written so?"
    );
}

#[test]
fn a_wrong_block_would_be_seen() {
    for text in ["- latency: 300\n", "targets: { a: {} }\n", "name: x\nphases: []\n", "admin: {}\n"]
    {
        assert!(problems("block", &completed(text), false).is_some(), "{text}");
    }
}

fn firedrill(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_firedrill")).args(args).output();
    String::from_utf8(output.expect("it runs").stdout).expect("UTF-8")
}

#[test]
fn the_readme_has_the_table_of_faults() {
    let table = firedrill(&["faults", "--markdown"]);
    assert!(page("README.md").text.contains(&table), "paste this:\n{table}");
}

#[test]
fn the_readme_has_every_bundled_outage_with_its_title_and_length() {
    let readme = page("README.md");
    for bundled in BUNDLED {
        let scenario = Scenario::read(&bundled.source(), None, &mut Problems::default());
        let scenario = scenario.expect("a bundled scenario");
        let length = show_duration(scenario.timeline(None).length());
        let title = scenario.title.expect("a title");
        let row = [&format!("`{}`", bundled.name), &*title, &length];
        assert!(readme.has_row(&row), "no row for {row:?}");
    }
}

/// All names of properties in a schema.
fn properties(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                if let ("properties", Value::Object(names)) = (key.as_str(), value) {
                    into.extend(names.keys().cloned());
                }
                properties(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, into)),
        _ => {}
    }
}

/// Whether a text names something, in prose or in an example.
fn names(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '-');
        edge(text[..at].chars().next_back()) && edge(text[at + name.len()..].chars().next())
    })
}

#[test]
fn the_guide_names_every_key_of_the_language() {
    let guide = page("docs/guide.md").text;
    let mut keys = BTreeSet::new();
    properties(&json_schema(), &mut keys);
    let missing: Vec<&String> = keys.iter().filter(|key| !names(&guide, key)).collect();
    assert!(keys.len() > 60 && missing.is_empty(), "{missing:?} of {keys:?}");
}

#[test]
fn the_guide_lists_every_expectation_with_what_it_means() {
    let guide = page("docs/guide.md").text;
    for term in VOCABULARY {
        let row = format!("| `{}` |", term.name);
        let line = guide.lines().find(|line| line.starts_with(&row));
        assert!(line.is_some_and(|line| line.contains(term.doc)), "no row for {}", term.name);
    }
}

#[test]
fn the_page_on_the_verdict_lists_every_detector_with_its_weight() {
    let page = page("docs/verdict.md");
    let detectors = detect::all();
    assert!(detectors.len() > 10);
    for detector in detectors {
        let name = format!("`{}`", detector.name());
        let row = format!("| {} | {name} | ", detector.code());
        let line = page.text.lines().find_map(|line| line.strip_prefix(&row));
        let weight = format!("{:?}", detector.weight()).to_lowercase();
        assert!(line.is_some_and(|rest| rest.starts_with(&weight)), "{name}: {weight}");
    }
}

#[test]
fn the_guide_names_every_option_and_command() {
    let guide = page("docs/guide.md").text;
    let help = firedrill(&["run", "--help"]);
    let options: BTreeSet<&str> = help
        .split_whitespace()
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .map(|word| word.trim_end_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| *word != "--help")
        .collect();
    let missing: Vec<&&str> = options.iter().filter(|option| !guide.contains(**option)).collect();
    assert!(options.len() > 10 && missing.is_empty(), "{missing:?} of {options:?}");

    let help = firedrill(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = commands
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    let missing: Vec<&&str> = commands.iter().filter(|command| !names(&guide, command)).collect();
    assert!(commands.len() > 5 && missing.is_empty(), "{missing:?} of {commands:?}");
}

/// An upstream that answers one request per connection.
fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let _request = stream.read(&mut head);
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            let _gone = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}

fn request(address: &str, path: &str) {
    let mut stream = TcpStream::connect(address).expect("the proxy listens");
    let head = format!(
        "POST {path}?page=2 HTTP/1.1\r\nhost: shop\r\nuser-agent: docs\r\nauthorization: secret\r\n\
         idempotency-key: 1\r\nx-firedrill-operation: 1\r\nx-request-id: 1\r\n\
         traceparent: 00-1-2-00\r\namz-sdk-invocation-id: 1\r\nx-stainless-retry-count: 1\r\n\
         x-firedrill-case: 1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
         connection: close\r\n\r\n{{}}"
    );
    // A connection that is reset is an answer as well, even before it has taken the request.
    let _answer =
        stream.write_all(head.as_bytes()).and_then(|()| stream.read_to_end(&mut Vec::new()));
}

/// Every key of a JSON value.
fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                into.insert(key.clone());
                // What is in there is each detector's own.
                if key != "figures" {
                    keys(value, into);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, into)),
        _ => {}
    }
}

/// What a short drill writes: its summary and its record.
fn drill() -> (Value, Vec<Value>) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("docs");
    fs::create_dir_all(&folder).expect("a folder");
    let [scenario, json, record] = ["drill.yaml", "drill.json", "drill.jsonl"]
        .map(|name| folder.join(name).to_str().expect("UTF-8").to_owned());
    let text = "name: drill
targets: { slow: { path: /slow }, busy: { path: /busy } }
phases:
  - name: outage
    for: 30s
    faults:
      - { latency: 1ms, target: slow }
      - { duplicate: {}, target: slow }
      - { respond: { status: 503, retry_after: 1s }, target: busy }
      - { reset: connect, share: 50% of connections }
";
    fs::write(&scenario, text).expect("a scenario");
    let upstream = upstream();
    let mut run = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(["run", &scenario, "--listen", "0", "--upstream", &upstream, "--seed", "1"])
        .args(["--json", &json, "--record", &record])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(run.stderr.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("UTF-8");
    let address = first.strip_prefix("http://").and_then(|rest| rest.split_once(' '));
    let (address, _) = address.expect("where it listens");
    for _ in 0..8 {
        for path in ["/slow", "/busy", "/calm"] {
            request(address, path);
        }
    }
    let interrupted = kill_process(Pid::from_child(&run), Signal::INT);
    assert!(interrupted.is_ok(), "{interrupted:?}");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(run.wait().expect("it ends").code(), Some(130), "{rest:?}");

    let read = |path: &str| fs::read_to_string(path).expect("it was written");
    let summary = serde_json::from_str(&read(&json)).expect("JSON");
    let record = read(&record);
    (summary, record.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

#[test]
fn every_key_of_the_summary_and_of_the_record_is_explained() {
    let (summary, record) = drill();
    let types: BTreeSet<&str> = record.iter().filter_map(|line| line["type"].as_str()).collect();
    let all = ["connection", "duplicate", "end", "exchange", "phase", "proxy", "run"];
    assert_eq!(types, BTreeSet::from(all), "a drill that shows every kind of line");

    let named_by_the_scenario = ["slow", "busy"];
    for (page, values) in [(page("docs/guide.md"), vec![summary]), (page("docs/record.md"), record)]
    {
        let mut found = BTreeSet::new();
        for value in values {
            keys(&value, &mut found);
        }
        let missing: Vec<&String> = found
            .iter()
            .filter(|key| !named_by_the_scenario.contains(&key.as_str()))
            .filter(|key| !page.text.contains(&format!("`{key}`")))
            .collect();
        assert!(found.len() > 20 && missing.is_empty(), "{}: {missing:?}", page.name);
    }
}

/// The toxics that the page about them writes as faults: type, attributes, and the fault.
fn toxics(page: &Page) -> Vec<(String, String, String)> {
    let rows = page.text.lines().skip_while(|line| !line.starts_with("| toxic |")).skip(2);
    let code = |cell: &str| cell.split('`').nth(1).unwrap_or_default().to_owned();
    rows.take_while(|line| line.starts_with('|'))
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split(" | ").map(code).collect::<Vec<_>>())
        .map(|cells| (cells[0].clone(), cells[1].clone(), cells[2].clone()))
        .collect()
}

/// Starts a server with this Toxiproxy config file and ends it; what it says first.
fn served(name: &str, config: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, config).expect("a file");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_firedrill"))
        .args(["serve", "--admin", "0", "--toxiproxy-config"])
        .arg(&path)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(serve.stderr.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("UTF-8");
    let _over_if_refused = kill_process(Pid::from_child(&serve), Signal::TERM);
    serve.wait().expect("it ends");
    first
}

#[test]
fn every_toxic_and_the_fault_in_its_place_are_taken() {
    let page = page("docs/toxiproxy.md");
    let rows = toxics(&page);
    let types: BTreeSet<&str> = rows.iter().map(|(toxic, ..)| &**toxic).collect();
    assert_eq!(types.len(), 8, "all but `noop`: {types:?}");
    let mut list = Vec::new();
    for (toxic, attributes, fault) in &rows {
        let text = format!(
            "name: x\nphases: [{{ name: a, for: 1m, faults: [{{ {fault} }}] }}]\n\
             proxies: {{ db: {{ listen: 0, upstream: \"x:1\", protocol: tcp }} }}\n"
        );
        assert_eq!(problems(toxic, &text, true), None, "{toxic}: {fault}");
        let attributes: Vec<String> = attributes
            .split(", ")
            .filter_map(|attribute| attribute.split_once(": "))
            .map(|(key, value)| format!("\"{key}\":{value}"))
            .collect();
        assert!(!attributes.is_empty(), "{toxic}");
        let (at, attributes) = (list.len(), attributes.join(","));
        list.push(format!(r#"{{"name":"{at}","type":"{toxic}","attributes":{{{attributes}}}}}"#));
    }
    let list = list.join(",");
    let config =
        format!(r#"[{{"name":"p","listen":"127.0.0.1:0","upstream":"x:1","toxics":[{list}]}}]"#);
    let said = served("toxics.json", &config);
    assert!(said.starts_with("admin: http://"), "{said}");
}

#[test]
fn the_config_of_toxiproxy_is_taken() {
    let blocks = page("docs/toxiproxy.md").blocks("json");
    assert!(!blocks.is_empty());
    for Block { place, text } in blocks {
        let free = text.replace("127.0.0.1:26379", "127.0.0.1:0");
        let said = served("toxiproxy.json", &free);
        assert!(said.starts_with("admin: http://"), "{place}: {said}");
    }
}

#[test]
fn links_within_the_documentation_lead_somewhere() {
    let anchor = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in pages() {
        let here = root.join(&page.name);
        for (at, _) in page.text.match_indices("](") {
            let rest = &page.text[at + 2..];
            let link = rest.split(')').next().unwrap_or_default();
            if link.contains("://") {
                continue;
            }
            let (file, section) = link.split_once('#').unwrap_or((link, ""));
            let path = if file.is_empty() {
                here.clone()
            } else {
                here.parent().expect("a folder").join(file)
            };
            let text = fs::read_to_string(&path);
            let text = text.unwrap_or_else(|_| panic!("{}: no file for {link}", page.name));
            let mut headings = text.lines().filter(|line| line.starts_with('#')).map(anchor);
            let found = section.is_empty() || headings.any(|heading| heading == section);
            assert!(found, "{}: no heading for {link}", page.name);
        }
    }
}
