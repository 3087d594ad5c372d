//! `firedrill plan`: a scenario's timeline as a picture.

use crate::{
    cli::{Exit, print, run, scenario_file, terminal},
    report::plan::{Options, picture},
    timeline::Speed,
};
use clap::Args as ClapArgs;
use std::time::Duration;

/// Columns of a terminal that does not say how many it has.
const WIDTH: usize = 80;

/// See what a scenario does: when, what, to whom.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// A scenario: the path of a file, or the name of a bundled one (see `firedrill list`)
    pub scenario: String,

    /// How many times faster than life the drill is to be played; tells when each phase begins
    #[arg(long, value_name = "FACTOR", default_value = "1")]
    pub speed: Speed,

    /// Cut plateaus (phases in which nothing moves) down to this
    #[arg(long, value_name = "TIME", value_parser = run::duration)]
    pub longest_phase: Option<Duration>,

    /// How many columns to draw in; by default as many as the terminal has, or 80
    #[arg(long, value_name = "COLUMNS")]
    pub width: Option<usize>,
}

/// Draws it.
pub(super) fn run(args: &Args) -> Exit {
    let scenario = match scenario_file::read(&args.scenario, None) {
        Ok((scenario, ..)) => scenario,
        Err(exit) => return exit,
    };
    let options = Options {
        speed: args.speed,
        longest: args.longest_phase,
        look: terminal::look_out(),
        glyphs: terminal::glyphs(),
    };
    let width = args.width.or_else(terminal::columns).unwrap_or(WIDTH);
    print(&picture(&scenario, width, &options))
}
