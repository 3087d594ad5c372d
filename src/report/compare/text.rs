//! A comparison for people.

use crate::{
    diag::Look,
    report::{
        compare::{Change, Comparison, Row},
        wrap,
    },
    scenario::vocabulary::Term,
    verdict::Measured,
};
use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

impl Comparison {
    /// For a terminal or a log, `width` columns wide.
    pub fn text(&self, look: Look, width: usize) -> String {
        let mut out = String::new();
        for (label, ran) in ["A", "B"].iter().zip(&self.ran) {
            out.push_str(&format!(
                "{label}  {}: run {}, seed {}, {} requests\n",
                ran.file, ran.run, ran.seed, ran.requests
            ));
        }
        out.push('\n');
        if self.rows.is_empty() {
            out.push_str("neither measures anything: what clients do under faults was not seen\n");
        } else {
            out.push_str(&self.table(look, width));
            out.push('\n');
            out.push_str(&self.foot(width));
        }
        for note in &self.notes {
            out.push_str(&wrap(&format!("note: {note}"), width, 2).join("\n"));
            out.push('\n');
        }
        out
    }

    fn table(&self, look: Look, width: usize) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(["measure", "A", "B", "B is"]);
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(width).unwrap_or(u16::MAX));
        for row in &self.rows {
            let cells = [&row.first, &row.second].map(|measured| show(row.term, measured.as_ref()));
            let [first, second] = cells;
            table.add_row([row.term.name.to_owned(), first, second, row.change.name().to_owned()]);
        }
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if (1..3).contains(&at) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        // Painted when it is laid out, or the colours would be counted as columns.
        let lines = table.lines().map(|line| paint(look, line.trim_end(), &self.rows));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    }

    fn foot(&self, width: usize) -> String {
        let count = |change| self.count(change);
        let mut text = format!(
            "{} better, {} worse, {} the same within noise",
            count(Change::Better),
            count(Change::Worse),
            count(Change::Same)
        );
        if self.bounded == 1 {
            text.push_str(&format!(" (bounds at {:.0} %)", self.level * 100.0));
        } else if self.bounded > 1 {
            text.push_str(&format!(
                " (bounds at {:.1} % each, so that all {} together hold at {:.0} %)",
                self.each * 100.0,
                self.bounded,
                self.level * 100.0
            ));
        }
        wrap(&text, width, 2).join("\n") + "\n"
    }
}

fn show(term: &Term, measured: Option<&Measured>) -> String {
    match measured {
        None | Some(Measured::NotExercised(_)) => "–".to_owned(),
        Some(Measured::TooFew { .. }) => "too few".to_owned(),
        Some(Measured::Breaker { opens, .. }) => {
            format!("opens in {:.1}s after {} failures", opens.opens, opens.failures)
        }
        Some(Measured::Routes { routes, .. }) if routes.is_empty() => "none".to_owned(),
        Some(Measured::Routes { routes, .. }) => routes.join(", "),
        Some(Measured::Word { word, .. }) => (*word).to_owned(),
        Some(Measured::Flag { is, .. }) => if *is { "yes" } else { "no" }.to_owned(),
        Some(Measured::Number { low, value, high, .. }) => {
            let show = |value: f64| {
                if value.is_finite() { term.measure.show(value) } else { "any".to_owned() }
            };
            if low < high {
                format!("{} ({} to {})", term.measure.show(*value), show(*low), show(*high))
            } else {
                term.measure.show(*value)
            }
        }
    }
}

fn paint(look: Look, line: &str, rows: &[Row]) -> String {
    let name = line.split_whitespace().next().unwrap_or_default();
    let change = rows.iter().find(|row| row.term.name == name).map(|row| row.change);
    let colour = match change {
        Some(Change::Better) => AnsiColor::Green,
        Some(Change::Worse) => AnsiColor::Red,
        _ => return line.to_owned(),
    };
    match look {
        Look::Plain => line.to_owned(),
        Look::Coloured => {
            let style = Style::new().fg_color(Some(colour.into()));
            format!("{style}{line}{style:#}")
        }
    }
}
