//! Draws problems the way rustc does: place, gutter, carets, help.

use crate::diag::{Diagnostic, Elsewhere, Label, Problems, Severity, Source};
use annotate_snippets::{Annotation, AnnotationKind, Level, Renderer, Snippet};
use std::borrow::Cow;

/// With or without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// For pipes and files.
    Plain,
    /// For terminals.
    Coloured,
}

/// Nobody reads more than this; a hostile file can have tens of thousands, each of which costs
/// time in proportion to the file.
const MOST: usize = 100;

/// All problems of a file, in the order of their places.
pub fn render(source: &Source, problems: &Problems, look: Look) -> String {
    let renderer = match look {
        Look::Plain => Renderer::plain(),
        Look::Coloured => Renderer::styled(),
    };
    let sorted = problems.sorted();
    let mut out = String::new();
    for problem in sorted.iter().take(MOST) {
        out.push_str(&one(&renderer, source, problem));
        out.push_str("\n\n");
    }
    if let Some(more @ 1..) = sorted.len().checked_sub(MOST) {
        out.push_str(&format!("… and {more} more\n\n"));
    }
    out
}

/// How many problems a file has, in words: `3 errors, 1 warning in slow-db.yaml`.
pub fn summary(source: &Source, problems: &Problems) -> String {
    let count = |severity, word: &str| match problems.count(severity) {
        0 => None,
        1 => Some(format!("1 {word}")),
        many => Some(format!("{many} {word}s")),
    };
    let counts = [count(Severity::Error, "error"), count(Severity::Warning, "warning")];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    let counts = if counts.is_empty() { "no problems".to_owned() } else { counts.join(", ") };
    format!("{counts} in {}", visible(&source.name))
}

fn one(renderer: &Renderer, source: &Source, problem: &Diagnostic) -> String {
    let code = problem.code.to_string();
    let level = match problem.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let said = visible(&problem.primary.text);
    let primary = AnnotationKind::Primary.span(problem.primary.span.range()).label(&*said);
    let snippet = with(file(source).annotation(primary), &problem.others);
    let title = visible(&problem.title);
    let mut group = level.primary_title(&*title).id(code.as_str()).element(snippet);
    if let Some(Elsewhere { source, labels }) = &problem.elsewhere {
        group = group.element(with(file(source), labels));
    }
    let help = problem.help.as_deref().map(visible);
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(&**help));
    }
    let more = format!("for more, run `firedrill explain {code}`");
    group = group.element(Level::NOTE.message(more.as_str()));
    renderer.render(&[group]).clone()
}

/// A file to point into.
fn file(source: &Source) -> Snippet<'_, Annotation<'_>> {
    Snippet::source(harmless(&source.text)).path(visible(&source.name))
}

fn with<'a>(
    snippet: Snippet<'a, Annotation<'a>>,
    labels: &'a [Label],
) -> Snippet<'a, Annotation<'a>> {
    let annotation = |label: &'a Label| {
        AnnotationKind::Context.span(label.span.range()).label(visible(&label.text))
    };
    snippet.annotations(labels.iter().map(annotation))
}

/// The file's text without the control characters that the renderer would let through, those of
/// two bytes, each exchanged for another of two so that all places stay.
fn harmless(text: &str) -> Cow<'_, str> {
    let lets_through = |c: char| ('\u{80}'..'\u{a0}').contains(&c);
    if text.contains(lets_through) {
        Cow::Owned(text.replace(lets_through, "\u{b7}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The text with control characters shown instead of obeyed: messages quote the file, and the
/// file may be somebody else's.
fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().flat_map(|c| {
        let code = u32::from(c);
        let picture = (c.is_control() && code < 0x20).then(|| char::from_u32(0x2400 + code));
        let picture = picture.flatten().or_else(|| c.is_control().then_some('\u{fffd}'));
        std::iter::once(picture.unwrap_or(c))
    });
    Cow::Owned(shown.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Code, Span};

    fn problems(source: &Source, spans: &[Span]) -> String {
        let mut problems = Problems::default();
        for span in spans {
            problems.push(Diagnostic::new(Code::E0101, "unknown key `x`", *span));
        }
        render(source, &problems, Look::Plain)
    }

    #[test]
    fn a_tab_and_a_wide_character_before_the_place_do_not_move_the_caret_off_it() {
        let source = Source::new("a.yaml", "\t日本: nme\n");
        let text = problems(&source, &[Span::new(9, 12)]);

        let (shown, carets) = text
            .lines()
            .zip(text.lines().skip(1))
            .find(|(line, _)| line.contains("nme"))
            .expect("the line is shown");
        let before = shown.find("nme").expect("the key");
        // Each of the two wide characters takes two columns and three bytes.
        assert_eq!(carets.find("^^^"), Some(before - 2), "{text}");
    }

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        let source = Source::new("a\u{1b}[31m.yaml", "na\u{1b}[2Jme: \u{9b}31m\n");
        let mut problems = Problems::default();
        problems.push(
            Diagnostic::new(Code::E0101, "unknown key `na\u{1b}[2Jme`", Span::new(0, 4))
                .saying("\u{7}")
                .help("write \u{9b}31m"),
        );

        let text = render(&source, &problems, Look::Plain) + &summary(&source, &problems);

        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }

    #[test]
    fn a_thousand_problems_are_counted_and_a_hundred_shown() {
        let source = Source::new("a.yaml", "a: b\n");
        let text = problems(&source, &[Span::new(0, 1); 1_000]);
        assert_eq!(text.matches("error[E0101]").count(), 100);
        assert!(text.ends_with("… and 900 more\n\n"), "{text}");
    }

    #[test]
    fn a_place_at_the_end_of_the_file_is_drawn() {
        let source = Source::new("a.yaml", "a: b");
        assert!(problems(&source, &[Span::new(4, 4)]).contains("a.yaml:1:5"));
        assert!(problems(&Source::new("b.yaml", ""), &[Span::new(0, 0)]).contains("b.yaml"));
    }

    #[test]
    fn the_summary_counts_in_english() {
        let source = Source::new("slow-db.yaml", "");
        let mut problems = Problems::default();
        assert_eq!(summary(&source, &problems), "no problems in slow-db.yaml");
        problems.push(Diagnostic::new(Code::E0101, "x", Span::default()));
        problems.push(Diagnostic::new(Code::E0101, "x", Span::default()));
        problems.push(Diagnostic::new(Code::W0501, "x", Span::default()));
        assert_eq!(summary(&source, &problems), "2 errors, 1 warning in slow-db.yaml");
    }
}
