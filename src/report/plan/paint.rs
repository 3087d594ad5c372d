//! Colour for a plan, and what its lines are made of.

use crate::{
    diag::Look,
    fault::{Fault, Stage},
};
use anstyle::{AnsiColor, Style};

/// What bars and lines are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// Block characters; needs a font and a locale that have them.
    Blocks,
    /// ASCII alone.
    Ascii,
}

/// Each glyph of a plan and its stand-in. One character for one, so that columns stay where they
/// are.
const STAND_INS: &[(char, char)] = &[
    ('▁', '.'),
    ('▂', ':'),
    ('▃', '-'),
    ('▄', '='),
    ('▅', '+'),
    ('▆', '*'),
    ('▇', '#'),
    ('█', '@'),
    ('├', '|'),
    ('┼', '|'),
    ('┬', '+'),
    ('─', '-'),
    ('·', '-'),
    ('×', 'x'),
    ('…', '~'),
];

impl Glyphs {
    /// The text in these glyphs.
    pub(super) fn spell(self, text: &str) -> String {
        let stand_in = |c: char| STAND_INS.iter().find(|(from, _)| *from == c).map_or(c, |s| s.1);
        match self {
            Self::Blocks => text.to_owned(),
            Self::Ascii => text.chars().map(stand_in).collect(),
        }
    }
}

/// Paints, or leaves plain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    look: Look,
}

impl Paint {
    pub(super) const fn new(look: Look) -> Self {
        Self { look }
    }

    /// For the title and the names of phases.
    pub(super) fn strong(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    /// For what is said in passing.
    pub(super) fn faint(self, text: &str) -> String {
        self.styled(Style::new().dimmed(), text)
    }

    /// For a bar: what slows down is yellow, what takes a connection is magenta, what makes a
    /// request fail is red.
    pub(super) fn bar(self, fault: &dyn Fault, text: &str) -> String {
        let delays = |stage: &Stage| matches!(stage, Stage::RequestDelay | Stage::ResponseDelay);
        let color = if fault.shapes_connections() || fault.stages().iter().any(delays) {
            AnsiColor::Yellow
        } else if fault.gate().is_some() || fault.stages().contains(&Stage::Connect) {
            AnsiColor::Magenta
        } else {
            AnsiColor::Red
        };
        self.styled(color.on_default(), text)
    }

    fn styled(self, style: Style, text: &str) -> String {
        // Inside the escapes a blank at the end would outlive the trimming of lines.
        let text = text.trim_end();
        match self.look {
            Look::Plain => text.to_owned(),
            Look::Coloured => format!("{style}{text}{style:#}"),
        }
    }
}
