//! Colours, by day and by night.
//!
//! Plots are drawn once, in the colours of the day. At night a style sheet gives each of them its
//! other colour, by the attribute that it was drawn with: so each may stand for one thing only.

use plotters::style::RGBColor;
use std::fmt::Write as _;

/// A colour and what it is at night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ink {
    /// Its name in the style sheet.
    pub name: &'static str,
    day: u32,
    night: u32,
}

const fn ink(name: &'static str, day: u32, night: u32) -> Ink {
    Ink { name, day, night }
}

pub(super) const TEXT: Ink = ink("text", 0x1F_2933, 0xE4_E9EE);
pub(super) const QUIET: Ink = ink("quiet", 0x5B_6773, 0xA3_AFBA);
pub(super) const GRID: Ink = ink("grid", 0xDF_E4E9, 0x34_3D46);
pub(super) const AXIS: Ink = ink("axis", 0x9A_A5B0, 0x6B_7783);
pub(super) const PAPER: Ink = ink("paper", 0xFF_FFFE, 0x18_1D22);
/// Behind a phase with faults.
pub(super) const FAULTY: Ink = ink("faulty", 0xFB_EDE3, 0x3A_2A22);
/// The edge of a phase.
pub(super) const EDGE: Ink = ink("edge", 0xD9_A98A, 0x8A_5F45);
pub(super) const MARK: Ink = ink("mark", 0xB8_4A14, 0xF0_935E);

/// How attempts went, in the order of `Outcome::ALL`.
pub(super) const OUTCOMES: [Ink; 5] = [
    ink("ok", 0x4F_A97F, 0x3E_9470),
    ink("client-error", 0xE3_B341, 0xD1_A032),
    ink("server-error", 0xD4_5D5D, 0xDB_6A6A),
    ink("broken", 0x8A_5BC2, 0xA6_7FDB),
    ink("gone", 0x6C_8CA8, 0x83_A3C0),
];

/// TLS handshakes that failed.
pub(super) const HANDS: Ink = ink("hands", 0x3D_3F46, 0xB9_BDC7);

/// Client programs. None of them is a colour of an outcome.
pub(super) const CLIENTS: [Ink; 6] = [
    ink("client-1", 0x1F_77B4, 0x5C_AEE6),
    ink("client-2", 0xE6_7E22, 0xF0_9A4B),
    ink("client-3", 0x16_8F8B, 0x3F_BDB8),
    ink("client-4", 0xB0_3A7C, 0xDE_76B0),
    ink("client-5", 0x7A_6A1E, 0xBF_AE56),
    ink("client-6", 0x50_5A9E, 0x93_9DE0),
];

/// From few to many.
pub(super) const HEAT: [Ink; 7] = [
    ink("heat-1", 0xE3_EEF8, 0x1D_2F40),
    ink("heat-2", 0xC4_DCF0, 0x23_4460),
    ink("heat-3", 0x9A_C4E4, 0x2B_5C82),
    ink("heat-4", 0x67_A6D2, 0x3A_7DAE),
    ink("heat-5", 0x3B_84BC, 0x5C_A2D3),
    ink("heat-6", 0x1D_629F, 0x8F_C6EC),
    ink("heat-7", 0x0B_3F74, 0xD3_EAFB),
];

fn all() -> impl Iterator<Item = Ink> {
    let some = [TEXT, QUIET, GRID, AXIS, PAPER, FAULTY, EDGE, MARK, HANDS];
    some.into_iter().chain(OUTCOMES).chain(CLIENTS).chain(HEAT)
}

impl Ink {
    /// As a plot is drawn with it.
    pub(super) const fn day(self) -> RGBColor {
        let [_, red, green, blue] = self.day.to_be_bytes();
        RGBColor(red, green, blue)
    }
}

/// The rules that colour legends, and plots at night.
pub(super) fn rules() -> String {
    let mut day = String::new();
    let mut night = String::new();
    for Ink { name, day: bright, night: dark } in all() {
        // Writing to a string cannot fail.
        let _ = writeln!(day, ".ink-{name}{{background:#{bright:06X}}}");
        let _ = writeln!(
            night,
            ".ink-{name}{{background:#{dark:06X}}}\n.plot [fill=\"#{bright:06X}\"]{{fill:#{dark:06X}}}\n\
             .plot [stroke=\"#{bright:06X}\"]{{stroke:#{dark:06X}}}"
        );
    }
    format!("{day}@media screen and (prefers-color-scheme: dark){{\n{night}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_colour_stands_for_one_thing() {
        let days: BTreeSet<u32> = all().map(|ink| ink.day).collect();
        let names: BTreeSet<&str> = all().map(|ink| ink.name).collect();

        assert_eq!(days.len(), all().count());
        assert_eq!(names.len(), all().count());
    }
}
