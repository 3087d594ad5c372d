//! `firedrill compare`: two drills side by side.

use crate::{
    cli::{Exit, error, print, terminal},
    drill::Again,
    report::compare::{Change, Comparison, Ran},
};
use clap::Args as ClapArgs;
use std::path::{Path, PathBuf};

/// How wide a table is where nothing tells, in columns.
const WIDTH: usize = 100;

/// Compare two drills by their records: before and after a change, or two clients
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// The record of the first
    #[arg(value_name = "A")]
    pub first: PathBuf,

    /// The record of the second, which is better or worse
    #[arg(value_name = "B")]
    pub second: PathBuf,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// End with 1 if anything is worse
    #[arg(long)]
    pub fail_on_worse: bool,

    /// Compare drills of different scenarios, too
    #[arg(long)]
    pub force: bool,
}

/// Compares them.
pub(super) fn run(args: &Args) -> Exit {
    let (first, second) = match (read(&args.first), read(&args.second)) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(exit), _) | (_, Err(exit)) => return exit,
    };
    let mut notes = Vec::new();
    if first.scenario_hash != second.scenario_hash {
        let names = [&first, &second].map(|again| again.report.scenario.name.clone());
        let what = format!(
            "`{}` and `{}` are records of two different scenarios, `{}` and `{}`",
            args.first.display(),
            args.second.display(),
            names[0],
            names[1]
        );
        if !args.force {
            error(&format!("{what}; `--force` compares them all the same"));
            return Exit::Usage;
        }
        notes.push(what);
    }
    notes.extend(differences(&first, &second));
    let mut is_doubtful = false;
    for (label, again) in [("A", &first), ("B", &second)] {
        let doubts = &again.report.origin.doubts;
        is_doubtful |= !doubts.is_empty();
        notes.extend(doubts.iter().map(|doubt| format!("{label}: {doubt}")));
    }
    let level = first.level().max(second.level());
    let comparison = Comparison::of(
        [ran(&args.first, &first), ran(&args.second, &second)],
        level,
        |level| first.measures(level),
        |level| second.measures(level),
        notes,
    );
    let printed = print(&if args.json {
        format!("{:#}\n", comparison.json())
    } else {
        comparison.text(terminal::look_out(), terminal::columns().unwrap_or(WIDTH))
    });
    let found = if args.fail_on_worse && is_doubtful {
        // Neither better nor worse can be said of what may not be all.
        Exit::Inconclusive
    } else if args.fail_on_worse && comparison.count(Change::Worse) > 0 {
        Exit::Failed
    } else {
        Exit::Passed
    };
    printed.worst(found)
}

fn read(path: &Path) -> Result<Again, Exit> {
    Again::read(&[path.to_path_buf()]).map_err(|why| {
        error(&why.to_string());
        Exit::Usage
    })
}

fn ran(path: &Path, again: &Again) -> Ran {
    Ran {
        file: path.display().to_string(),
        run: again.report.run.clone(),
        seed: again.report.play.seed.0,
        requests: again.report.observations.exchanges,
    }
}

/// In what else the two differ.
fn differences(first: &Again, second: &Again) -> Vec<String> {
    let (one, two) = (&first.report.play, &second.report.play);
    let ways = [
        ("at different speeds", one.speed != two.speed),
        ("from different points on", one.start_at != two.start_at),
        ("with plateaus of different lengths", one.longest_phase != two.longest_phase),
        ("to different ends", first.report.end != second.report.end),
    ];
    let ways = ways.iter().filter(|(_, differs)| *differs);
    ways.map(|(way, _)| format!("they were played {way}")).collect()
}
