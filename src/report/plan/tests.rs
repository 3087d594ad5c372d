use super::*;
use crate::{
    dice::Seed,
    fault::Fault,
    scenario::{FaultEntry, OpenConnections, Phase, Places, Share, Target},
    select::{Unit, Users},
    timeline::{Moment, Moving, Pattern},
    units::{Percent, Quantity},
};
use std::sync::Arc;

#[derive(Debug)]
struct Described(&'static str);

/// Slow at first and then twice as slow.
#[derive(Debug)]
struct Slowing;

impl Fault for Slowing {
    fn moves(&self) -> bool {
        true
    }

    fn strength(&self, moment: &Moment) -> f64 {
        if moment.elapsed < moment.length / 2 { 1.0 } else { 2.0 }
    }

    fn describe(&self) -> String {
        "+1s, then 2s".to_owned()
    }
}

impl Fault for Described {
    fn describe(&self) -> String {
        self.0.to_owned()
    }
}

fn percent(text: &str) -> Percent {
    Percent::parse(text).expect("a share")
}

fn entry(name: &str, amount: Moving<Percent>, unit: Unit) -> FaultEntry {
    FaultEntry {
        name: name.to_owned(),
        kind: "respond",
        fault: Arc::new(Described("503")),
        targets: vec![0],
        proxy: None,
        share: Share { amount, unit },
        pattern: None,
        times: None,
        cohort: None,
        group: None,
        places: Places::default(),
    }
}

fn phase(name: &str, seconds: u64, faults: Vec<FaultEntry>) -> Phase {
    Phase {
        name: name.to_owned(),
        about: None,
        length: Duration::from_secs(seconds),
        compress: true,
        connections: OpenConnections::Keep,
        faults,
    }
}

fn scenario(phases: Vec<Phase>) -> Scenario {
    Scenario {
        name: "sale".to_owned(),
        title: Some("Doors open, and the till jams".to_owned()),
        about: None,
        sources: Vec::new(),
        seed: Some(Seed(7)),
        targets: vec![Target { name: "purchase".to_owned(), matchers: Vec::new() }],
        users: Users::default(),
        phases,
        expect: Vec::new(),
        confidence: None,
        stop_when: Vec::new(),
        impact: None,
    }
}

fn till() -> Scenario {
    let ramp = Moving::Line { from: percent("0%"), to: percent("17%") };
    let flap = FaultEntry {
        pattern: Pattern::new(Duration::from_secs(20), Duration::from_secs(10)),
        ..entry("flap", Moving::Fixed(percent("100%")), Unit::Requests)
    };
    let outage = Phase {
        about: Some("Always the same users, and now and then everybody.".to_owned()),
        ..phase(
            "outage",
            120,
            vec![entry("till", Moving::Fixed(percent("17%")), Unit::Users), flap],
        )
    };
    scenario(vec![
        phase("before", 30, vec![]),
        phase("onset", 60, vec![entry("till", ramp, Unit::Users)]),
        outage,
        Phase { compress: false, ..phase("after", 30, vec![]) },
    ])
}

#[test]
fn a_ramp_climbs_and_a_flap_is_striped() {
    let options = Options { speed: Speed::new(10.0).expect("a speed"), ..Options::default() };

    let picture = picture(&till(), 60, &options);

    let expected = "\
Doors open, and the till jams
sale · 4m · 51s at ×10 · seed 7

        before  onset       outage                  after
        30s     1m          2m                      30s
        ├───────┼───────────┼───────────────────────┼───────
        0s      30s         1m30s                   3m30s
till            ▁▁▂▃▃▄▅▅▆▇▇█████████████████████████
  respond on purchase, up to 17% of users: 503
flap                        ██  ██  ██  ██  ██  ██
  respond on purchase, 10s of every 20s: 503
Not to scale: short phases are widened.

at     ×10
0s     0s   before, 30s
              nothing is wrong
30s    3s   onset, 1m
              till: respond on purchase, 0% -> 17% of users:
                503
              altogether on purchase: 0.0 to 17.0 % of users
                touched
1m30s  9s   outage, 2m: Always the same users, and now and
            then everybody.
              till: respond on purchase, 17% of users: 503
              flap: respond on purchase, 10s of every 20s:
                503
              altogether on purchase: 100.0 % of requests
                touched, 17.0 % twice, while its pattern is
                on
3m30s  21s  after, 30s in real time
              nothing is wrong
4m     51s  end
";
    assert_eq!(picture, expected, "\n{picture}");
}

#[test]
fn a_fault_that_grows_in_itself_climbs_though_its_share_does_not() {
    let all = Moving::Fixed(percent("100%"));
    let slow = FaultEntry { fault: Arc::new(Slowing), ..entry("slow", all, Unit::Requests) };

    let picture = picture(&scenario(vec![phase("p", 60, vec![slow])]), 40, &Options::default());

    let bar = picture.lines().find(|line| line.starts_with("slow"));
    assert_eq!(bar, Some("slow    ▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄████████████████"));
}

#[test]
fn ascii_stands_where_the_blocks_stood() {
    let blocks = picture(&till(), 80, &Options::default());
    let ascii = picture(&till(), 80, &Options { glyphs: Glyphs::Ascii, ..Options::default() });

    assert!(ascii.is_ascii(), "{ascii}");
    let lengths = |text: &str| text.lines().map(|l| l.chars().count()).collect::<Vec<_>>();
    assert_eq!(lengths(&blocks), lengths(&ascii));
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    let plain = picture(&till(), 80, &Options::default());
    let look = Look::Coloured;
    let coloured = picture(&till(), 80, &Options { look, ..Options::default() });

    assert!(!plain.contains('\u{1b}'));
    assert!(coloured.contains("\u{1b}[31m"), "a fault that answers is red");
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}

#[test]
fn no_line_is_wider_than_asked_for() {
    for width in [0, 40, 60, 61, 80, 100, 200] {
        let picture = picture(&till(), width, &Options::default());
        let widest = picture.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width.max(NARROWEST)), "{width}:\n{picture}");
    }
}

#[test]
fn more_phases_than_columns_can_still_be_drawn() {
    let phases = (0..300).map(|n| phase(&format!("p{n}"), 1 + n, vec![])).collect();
    let picture = picture(&scenario(phases), 60, &Options::default());
    assert!(picture.contains("p299, 5m\n"), "{picture}");
}

#[test]
fn a_shortened_plateau_says_what_it_was() {
    let longest = Some(Duration::from_secs(10));
    let picture = picture(&till(), 80, &Options { longest, ..Options::default() });

    let header = picture.lines().nth(1);
    // 10 + 60 + 10 + 30: the ramp is no plateau, and the last phase may not be compressed.
    assert_eq!(header, Some("sale · 1m50s · shortened from 4m · seed 7"));
}
