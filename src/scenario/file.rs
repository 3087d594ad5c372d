//! The file as a whole.

use crate::{
    diag::{Problems, Source},
    dice::Seed,
    read::{Field, Fields, Kind, Reader, Shape},
    scenario::{
        Scenario, check,
        draft::Draft,
        expect::{self, CONFIDENCE, Known},
        impact::{self, IMPACT},
        phases::{self, PHASE},
        targets::Targets,
    },
    select::Users,
    yaml::{self, Node, Spanned},
};
use std::path::PathBuf;

/// The keys of a scenario.
pub(super) static SCENARIO: Shape = Shape { what: "a scenario", fields: KEYS };

/// The keys of a file that holds a scenario, a config or both.
pub(crate) static KEYS: &[Field] = &[
    Field::required("name", Kind::Text, "a short name, such as `slow-database`"),
    Field::optional("title", Kind::Text, "one line for people"),
    Field::optional("about", Kind::Text, "what happened, to whom, and what clients saw"),
    Field::optional("sources", Kind::List(&Kind::Text), "where that is from"),
    Field::optional(
        "seed",
        Kind::Integer(0, i64::MAX),
        "what random choices follow from; a new one for each run if left out",
    ),
    Field::optional(
        "targets",
        Kind::Names(&Kind::Any(&[MATCHER, Kind::List(&MATCHER)])),
        "what the scenario talks about, by name",
    ),
    Field::optional("users", Kind::Ref("users"), "who is one user"),
    Field::required("phases", Kind::List(&Kind::Map(&PHASE)), "what happens, in order"),
    Field::optional("expect", Kind::List(&Kind::Ref("expectation")), "what a good client does"),
    Field::optional("confidence", Kind::Map(&CONFIDENCE), "how sure a judgement has to be"),
    Field::optional(
        "stop_when",
        Kind::List(&Kind::Ref("stop")),
        "conditions that end the drill by themselves",
    ),
    Field::optional("impact", Kind::Map(&IMPACT), "what the outage costs"),
    // Read by `config`.
    Field::optional("proxies", Kind::Ref("proxies"), "where clients connect, by name"),
    Field::optional("admin", Kind::Ref("admin"), "where a running drill is commanded"),
];

const MATCHER: Kind = Kind::Ref("matcher");

impl Scenario {
    /// Reads a scenario. Files that it names are looked for in `folder`; without one it may name
    /// none. All problems are noted at once, and with an error among them there is no scenario.
    pub fn read(source: &Source, folder: Option<PathBuf>, problems: &mut Problems) -> Option<Self> {
        let tree = yaml::parse(source, problems)?;
        let scenario = Self::of(&tree, &mut Reader::new(problems, folder));
        scenario.filter(|_| !problems.has_errors())
    }

    /// Reads a scenario that was played already, from what a record has of it: the files that it
    /// names are not there any more, and not asked for.
    pub fn read_again(source: &Source, problems: &mut Problems) -> Option<Self> {
        let tree = yaml::parse(source, problems)?;
        let scenario = Self::of(&tree, &mut Reader::without_files(problems));
        scenario.filter(|_| !problems.has_errors())
    }

    /// The scenario in a tree. What is wrong is noted, and something may be given out even so.
    pub(crate) fn of(tree: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        whole(tree, reader)
    }
}

fn whole(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Scenario> {
    let fields = reader.fields_so_far(node, &SCENARIO)?;
    let text = |key: &str, reader: &mut Reader<'_>| fields.get(key).and_then(|n| reader.text(n));
    let name = fields.get("name").and_then(|node| reader.name(node));
    let (title, about) = (text("title", reader), text("about", reader));
    let sources = sources(&fields, reader);
    let seed = fields.get("seed").and_then(|node| reader.integer(node, 0, i64::MAX));
    let users = fields.get("users").and_then(|node| Users::read(node, reader));

    // Names before what refers to them: targets, then phases, then what judges both.
    let mut targets =
        fields.get("targets").map(|node| Targets::read(node, reader)).unwrap_or_default();
    let phases = fields.get("phases").map(|node| phases::read(node, &mut targets, reader));
    let phases = phases.unwrap_or_default();
    let mut known = Known { phases: &phases, targets: &mut targets };
    let expect = fields.get("expect").map(|node| expect::read(node, &mut known, reader));
    let confidence = fields.get("confidence").and_then(|node| expect::confidence(node, reader));
    let stop_when = fields.get("stop_when").map(|node| impact::stop_rules(node, reader));
    let impact = fields.get("impact").and_then(|n| impact::read(n, &mut targets, reader));

    let has_impact = fields.get("impact").is_some();
    let draft = Draft { targets, phases, expect: expect.unwrap_or_default(), has_impact };
    check::all(&draft, reader);
    let Draft { targets, phases, expect, .. } = draft;
    let phases = phases.into_iter().map(|phase| phase.finish(&targets)).collect::<Option<_>>();
    Some(Scenario {
        name: name?,
        title,
        about,
        sources,
        seed: seed.map(|seed| Seed(seed.unsigned_abs())),
        users: users.unwrap_or_default(),
        phases: phases?,
        targets: targets.finish(),
        expect: expect.into_iter().map(|expectation| expectation.value).collect(),
        confidence,
        stop_when: stop_when.unwrap_or_default(),
        impact,
    })
}

fn sources(fields: &Fields<'_>, reader: &mut Reader<'_>) -> Vec<String> {
    let items = fields.get("sources").and_then(|node| reader.list(node)).unwrap_or_default();
    items.iter().filter_map(|item| reader.text(item)).collect()
}
