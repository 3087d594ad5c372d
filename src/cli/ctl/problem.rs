//! Why a command was not carried out, as `check` would say it.

use crate::{
    cli::{Exit, error, say, terminal},
    control::Answer,
    diag::{Code, Diagnostic, Problems, Source, Span, render},
};
use serde_json::Value;

/// Says why.
pub(super) fn say_why(answer: &Answer, body: &str) -> Exit {
    let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let source = Source::new("command", body);
    let mut problems = Problems::default();
    for told in json["problems"].as_array().into_iter().flatten() {
        if let Some(problem) = problem(told, &source) {
            problems.push(problem);
        }
    }
    if problems.is_empty() {
        // Ours, Toxiproxy's, or plain text.
        let said = json["detail"].as_str().or_else(|| json["error"].as_str());
        let said = said.unwrap_or(answer.body.trim());
        let said = if said.is_empty() { answer.status.as_str() } else { said };
        error(&super::table::plain(said));
    } else {
        say(render(&source, &problems, terminal::look_err()).trim_end());
    }
    if answer.status.is_server_error() { Exit::Environment } else { Exit::Usage }
}

/// A problem of the other side's, as one of ours.
fn problem(told: &Value, source: &Source) -> Option<Diagnostic> {
    let code: Code = told["code"].as_str()?.parse().ok()?;
    let at = |line: &str, column: &str| {
        let number = |key: &str| usize::try_from(told[key].as_u64()?).ok();
        offset(&source.text, number(line)?, number(column)?)
    };
    let start = at("line", "column")?;
    let span = Span::new(start, at("end_line", "end_column")?.max(start));
    let problem = Diagnostic::new(code, told["message"].as_str()?, span);
    Some(match told["help"].as_str() {
        Some(help) => problem.help(help),
        None => problem,
    })
}

/// The byte of a place that counts lines and characters from one.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let start = match line.checked_sub(2) {
        None => 0,
        Some(before) => text.match_indices('\n').nth(before)?.0 + 1,
    };
    let rest = text.get(start..)?;
    let places = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    places.take(column).last().map(|at| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_and_one_beyond_the_text_is_its_end() {
        let text = "aé\nbc";
        assert_eq!(offset(text, 1, 1), Some(0));
        assert_eq!(offset(text, 1, 3), Some(3));
        assert_eq!(offset(text, 2, 2), Some(5));
        assert_eq!(offset(text, 2, 99), Some(6));
        assert_eq!(offset(text, 3, 1), None);
    }
}
