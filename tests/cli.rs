//! The commands that need no proxy, through the built binary: exit codes, what goes to standard
//! output and what to standard error, colour.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

/// What a command did.
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

fn command(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.args(args).stdin(Stdio::null());
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
        command.env_remove(variable);
    }
    command
}

fn done(output: Output) -> Done {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Done { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

fn firedrill<const N: usize>(args: [&str; N]) -> Done {
    done(command(args).output().expect("it starts"))
}

/// A folder of one test alone, empty at its start.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("an old folder goes");
    }
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn file(folder: &str, text: impl AsRef<[u8]>) -> String {
    let path = self::folder(folder).join("slow-db.yaml");
    fs::write(&path, text).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

const GOOD: &str = "name: slow-db
targets: { buy: { path: /buy } }
phases:
  - { name: calm, for: 1m }
  - name: slow
    for: 5m
    faults:
      - { latency: 2s, share: 20% }
      - { respond: 503, share: 5%, target: buy }
";

#[test]
fn a_good_scenario_is_ok_with_its_effective_rates() {
    let path = file("good", GOOD);
    let done = firedrill(["check", &path]);

    let expected = format!(
        "ok: {path}: a scenario of 2 phases, 6m
  slow: buy: 24.0 % of requests touched, 1.0 % twice
  slow: everything else: 20.0 % of requests touched
"
    );
    assert_eq!((done.code, &*done.out, &*done.err), (Some(0), &*expected, ""));
}

#[test]
fn a_warning_is_told_and_passes() {
    let path = file("warning", GOOD.replace(", target: buy", ""));
    let done = firedrill(["check", &path]);

    assert_eq!(done.code, Some(0));
    assert!(done.out.starts_with("ok: "), "{}", done.out);
    assert!(done.err.contains("warning[W0301]: nothing uses the target `buy`"), "{}", done.err);
    assert!(done.err.ends_with(&format!("1 warning in {path}\n")), "{}", done.err);
}

#[test]
fn all_problems_of_all_files_are_told_on_standard_error() {
    let first = file("first", GOOD.replace("5m", "5"));
    let second = file("second", GOOD.replace("latency", "latecny"));
    let done = firedrill(["check", &first, "demo", &second]);

    assert_eq!(done.code, Some(2));
    assert!(done.out.starts_with("ok: demo: "), "{}", done.out);
    assert_eq!(done.out.matches("ok: ").count(), 1);
    for part in [
        "error[E0201]: `5` has no unit",
        &format!("--> {first}:6:10"),
        &format!("1 error in {first}\n"),
        "error[E0104]: there is no fault `latecny`",
        &format!("1 error in {second}\n"),
    ] {
        assert!(done.err.contains(part), "no {part:?} in {}", done.err);
    }
}

const MISFITS: &str = "name: misfits
phases:
  - name: outage
    for: 5m
    faults:
      - { tls: expired }
      - { respond: 503, proxy: db }
      - { hang: {}, proxy: queue }
      - { latency: 1s, proxy: shop }
";

const PROXIES: &str = "proxies:
  db: { listen: 0, upstream: 127.0.0.1:9, protocol: tcp }
  shop: { listen: 0, upstream: 'http://127.0.0.1:9' }
";

#[test]
fn a_scenario_is_fitted_to_the_config_that_it_is_to_be_played_with() {
    let (scenario, config) = (file("misfits", MISFITS), file("misfits-config", PROXIES));
    let done = firedrill(["check", &scenario, "--config", &config]);

    assert_eq!(done.code, Some(2), "{}", done.err);
    assert!(done.out.starts_with(&format!("ok: {config}: a config of 2 proxies")), "{}", done.out);
    let places = |line: &str| line.contains("--> ") || line.contains("::: ");
    let places: Vec<&str> = done.err.lines().filter(|line| places(line)).map(str::trim).collect();
    let (here, there) =
        (|at: &str| format!("--> {scenario}:{at}"), |at: &str| format!("::: {config}:{at}"));
    let expected =
        [here("6:11"), there("2:3"), here("7:11"), there("2:3"), here("8:28"), there("2:3")];
    assert_eq!(places, expected, "{}", done.err);
    for part in ["a proxy for http, without `terminate`", "nothing defines the proxy `queue`"] {
        assert!(done.err.contains(part), "no {part:?} in {}", done.err);
    }

    let run = firedrill(["run", &scenario, "--config", &config]);
    assert_eq!(run.code, Some(2));
    assert!(done.err.starts_with(run.err.trim_end()), "`run` says the same: {}", run.err);
    let aside = firedrill(["check", &scenario, &config]);
    assert_eq!(
        (aside.code, &*aside.err),
        (Some(0), ""),
        "they may have nothing to do with each other"
    );
}

#[test]
fn places_in_the_other_file_are_data_too() {
    let (scenario, config) = (file("misfits-json", MISFITS), file("misfits-json-config", PROXIES));
    let done = firedrill(["check", "--format", "json", &scenario, "--config", &config]);

    assert_eq!((done.code, &*done.err), (Some(2), ""));
    let problems: Vec<serde_json::Value> =
        done.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((&problems[1]["file"], &problems[1]["line"]), (&(*scenario).into(), &7.into()));
    let elsewhere = problems[1]["elsewhere"].as_array().expect("places");
    assert_eq!(elsewhere.len(), 1);
    assert_eq!((&elsewhere[0]["file"], &elsewhere[0]["line"]), (&(*config).into(), &2.into()));
    assert_eq!(elsewhere[0]["message"], "a proxy for tcp");
}

#[test]
fn what_is_wrong_with_a_scenario_and_with_its_config_is_told_at_once() {
    let scenario = file("both-wrong", GOOD.replace("5m", "5"));
    let config = file("both-wrong-config", PROXIES.replace("upstream: 127.0.0.1:9, ", ""));
    for command in ["check", "run"] {
        let done = firedrill([command, &scenario, "--config", &config]);
        assert_eq!(done.code, Some(2));
        for code in ["E0201", "E0103"] {
            assert!(done.err.contains(code), "{command}: {}", done.err);
        }
    }
    let whole = file("with-proxies", format!("{GOOD}{PROXIES}"));
    for command in ["check", "run"] {
        let done = firedrill([command, &whole, "--config", &whole]);
        assert_eq!(done.code, Some(2));
        assert!(done.err.contains("leave `--config` out"), "{command}: {}", done.err);
    }
    let alone = firedrill(["check", "--config", &file("alone", PROXIES)]);
    assert_eq!((alone.code, &*alone.err), (Some(0), ""));
}

#[test]
fn problems_as_json_are_data() {
    let path = file("json", GOOD.replace("5m", "5").replace("20%", "120%"));
    let done = firedrill(["check", "--format", "json", &path]);

    assert_eq!((done.code, &*done.err), (Some(2), ""));
    let problems: Vec<serde_json::Value> =
        done.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let codes: Vec<_> = problems.iter().map(|problem| problem["code"].as_str()).collect();
    assert_eq!(codes, [Some("E0201"), Some("E0203")]);
    assert_eq!(problems[0]["file"], *path);
    assert_eq!((&problems[0]["line"], &problems[0]["column"]), (&6.into(), &10.into()));

    let good = firedrill(["check", "--format", "json", "demo"]);
    assert_eq!((good.code, &*good.out, &*good.err), (Some(0), "", ""));
}

#[test]
fn standard_input_is_a_file_too() {
    let mut child = command(["check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(GOOD.as_bytes()).expect("it reads");
    drop(stdin);
    let done = done(child.wait_with_output().expect("it ends"));

    assert_eq!((done.code, &*done.err), (Some(0), ""));
    assert!(done.out.starts_with("ok: <stdin>: a scenario of 2 phases"), "{}", done.out);
}

#[test]
fn what_cannot_be_read_is_said_clearly_and_exits_with_2() {
    let empty = folder("empty");
    let directory = empty.to_str().expect("UTF-8");
    for (name, said) in [
        ("nowhere.yaml", "there is no file `nowhere.yaml` and no bundled scenario of that name"),
        ("dmeo", "did you mean the bundled `demo`?"),
        (directory, "is a directory"),
    ] {
        let done = firedrill(["check", name]);
        assert_eq!((done.code, &*done.out), (Some(2), ""), "{name}");
        assert!(done.err.starts_with("error: ") && done.err.contains(said), "{}", done.err);
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    }
}

#[test]
fn the_clients_of_the_demonstration_are_listed_and_a_slip_is_understood() {
    let list = firedrill(["demo", "--list-clients"]);
    assert_eq!((list.code, &*list.err), (Some(0), ""));
    for name in ["hasty", "careful", "oneshot", "human-reload"] {
        assert!(list.out.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
    }
    for (name, said) in [
        ("doubelbuy", "there is no client `doubelbuy`: did you mean `doublebuy`?"),
        ("nobody-like-this", "`firedrill demo --list-clients` lists them"),
    ] {
        let done = firedrill(["demo", "--client", &format!("careful,{name}")]);
        assert_eq!((done.code, &*done.out), (Some(2), ""), "{name}");
        assert!(done.err.starts_with("error: ") && done.err.contains(said), "{}", done.err);
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    }
}

#[test]
#[cfg(unix)]
fn a_file_one_may_not_read_is_said_so() {
    use std::os::unix::fs::PermissionsExt;
    let path = file("unreadable", GOOD);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("a mode");
    if fs::read(&path).is_ok() {
        // The superuser reads everything.
        return;
    }
    let done = firedrill(["check", &path]);
    assert_eq!(done.code, Some(2));
    assert!(
        done.err.contains("cannot read") && done.err.contains("ermission denied"),
        "{}",
        done.err
    );
}

#[test]
#[cfg(unix)]
fn a_device_without_an_end_is_refused_for_its_size() {
    let done = firedrill(["check", "/dev/zero"]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("larger than 1 MiB"), "{}", done.err);
}

#[test]
fn another_encoding_is_an_error_with_a_place() {
    let path = file("latin1", b"name: caf\xe9\nphases: []\n");
    let done = firedrill(["check", &path]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("error[E0004]: the byte 0xe9 is not UTF-8"), "{}", done.err);
    assert!(done.err.contains(&format!("{path}:1:10")), "{}", done.err);
}

#[test]
fn colour_is_for_terminals_and_those_who_ask() {
    let path = file("colour", GOOD.replace("5m", "5"));
    let err = |variables: &[(&str, &str)]| {
        let output = command(["check", &path]).envs(variables.iter().copied()).output();
        done(output.expect("it starts")).err
    };
    assert!(!err(&[]).contains('\u{1b}'), "a pipe is no terminal");
    assert!(err(&[("CLICOLOR_FORCE", "1")]).contains('\u{1b}'));
    let both = err(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]);
    assert_eq!(both, err(&[("NO_COLOR", "1")]));
    assert!(!err(&[("NO_COLOR", "1")]).contains('\u{1b}'));
}

#[test]
fn explain_knows_every_code_and_minds_no_case() {
    let done = firedrill(["explain", "e0201"]);
    assert_eq!((done.code, &*done.err), (Some(0), ""));
    assert!(done.out.starts_with("E0201: the quantity has no unit\n\n"), "{}", done.out);
    assert!(done.out.contains("Wrong:") && done.out.contains("Right:"));

    let unknown = firedrill(["explain", "E0299"]);
    assert_eq!((unknown.code, &*unknown.out), (Some(2), ""));
    assert!(unknown.err.contains("there is no code `E0299`"), "{}", unknown.err);

    let all = firedrill(["explain"]);
    assert_eq!(all.code, Some(0));
    assert!(all.out.lines().count() > 50 && all.out.starts_with("E0001  the file is not YAML\n"));
}

#[test]
fn faults_lists_the_catalogue_and_shows_a_page() {
    let list = firedrill(["faults"]);
    assert_eq!((list.code, &*list.err), (Some(0), ""));
    assert!(list.out.lines().any(|line| line.starts_with("respond ")), "{}", list.out);

    let page = firedrill(["faults", "respond"]);
    assert_eq!(page.code, Some(0));
    assert!(page.out.contains("    - respond: 503\n"), "{}", page.out);
    assert!(page.out.contains("retry_after"), "{}", page.out);
    let protocols =
        "It can hurt: HTTP/1, HTTP/2, gRPC\nOn proxies with `protocol`: http, forward\n";
    assert!(page.out.contains(protocols), "{}", page.out);

    let unknown = firedrill(["faults", "respnod"]);
    assert_eq!((unknown.code, &*unknown.out), (Some(2), ""));
    assert!(unknown.err.contains("did you mean `respond`?"), "{}", unknown.err);

    let table = firedrill(["faults", "--markdown"]);
    assert!(
        table.out.starts_with(
            "| fault | on | traffic | what the client meets |\n|---|---|---|---|\n| `"
        )
    );
    assert_eq!(table.out.lines().count(), list.out.lines().count() + 2);
}

#[test]
fn a_file_may_hold_a_scenario_or_a_config_or_both() {
    let proxies = "proxies:
  shop: { listen: 8080, upstream: 'http://127.0.0.1:3000' }
  db: { listen: 15432, upstream: 127.0.0.1:5432, protocol: tcp, enabled: no }
";
    let config = file("a_file_may_hold_1", proxies);
    let both = format!("{proxies}name: x\nphases: [{{ name: calm, for: 1m }}]\n");
    let both = file("a_file_may_hold_2", &both);
    let done = firedrill(["check", &config, &both]);

    assert_eq!(done.code, Some(0), "{}", done.err);
    let rows = "  shop: http, 127.0.0.1:8080 -> http://127.0.0.1:3000
  db: tcp, 127.0.0.1:15432 -> 127.0.0.1:5432, not enabled
";
    let first = format!("ok: {config}: a config of 2 proxies\n{rows}");
    let second = format!("ok: {both}: a scenario of 1 phase, 1m; a config of 2 proxies\n{rows}");
    assert_eq!(done.out, first + &second);
}

#[test]
fn what_show_prints_can_be_checked() {
    let list = firedrill(["list"]);
    assert_eq!((list.code, &*list.err), (Some(0), ""));
    let names: Vec<&str> = list.out.lines().filter_map(|l| l.split_whitespace().next()).collect();
    assert!(names.len() >= 9 && names[0] == "demo", "{}", list.out);
    for name in names {
        let shown = firedrill(["show", name]);
        let path = file(&format!("show-{name}"), shown.out);
        assert_eq!(firedrill(["check", &path]).code, Some(0), "{name}");
    }
    let unknown = firedrill(["show", "gogle-2013"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("did you mean `google-2013`?"), "{}", unknown.err);
}

#[test]
fn the_schema_is_json_and_completions_name_the_commands() {
    let schema = firedrill(["schema"]);
    assert_eq!((schema.code, &*schema.err), (Some(0), ""));
    let schema: serde_json::Value = serde_json::from_str(&schema.out).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");

    for shell in ["bash", "zsh", "fish"] {
        let script = firedrill(["completions", shell]);
        assert_eq!(script.code, Some(0));
        assert!(script.out.contains("explain"), "{shell}");
    }
}

#[test]
fn a_wrong_command_line_exits_with_2_and_help_with_0() {
    let wrong = firedrill(["chekc"]);
    assert_eq!((wrong.code, &*wrong.out), (Some(2), ""));
    assert!(wrong.err.contains("check"), "{}", wrong.err);
    let help = firedrill(["--help"]);
    assert_eq!((help.code, &*help.err), (Some(0), ""));
    assert!(help.out.contains("explain"));
}

/// `firedrill faults | head -1` is no failure.
#[test]
fn a_reader_that_has_gone_is_no_error() {
    let mut child = command(["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().expect("it starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}
