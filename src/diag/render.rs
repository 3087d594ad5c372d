//! Draws problems the way rustc does: place, gutter, carets, help.

use crate::diag::{Diagnostic, Problems, Severity, Source};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// With or without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// For pipes and files.
    Plain,
    /// For terminals.
    Coloured,
}

/// All problems of a file, in the order of their places.
pub fn render(source: &Source, problems: &Problems, look: Look) -> String {
    let renderer = match look {
        Look::Plain => Renderer::plain(),
        Look::Coloured => Renderer::styled(),
    };
    let mut out = String::new();
    for problem in problems.sorted() {
        out.push_str(&one(&renderer, source, problem));
        out.push_str("\n\n");
    }
    out
}

fn one(renderer: &Renderer, source: &Source, problem: &Diagnostic) -> String {
    let code = problem.code.to_string();
    let level = match problem.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut snippet = Snippet::source(&source.text).path(&source.name).annotation(
        AnnotationKind::Primary.span(problem.primary.span.range()).label(&*problem.primary.text),
    );
    for other in &problem.others {
        snippet = snippet
            .annotation(AnnotationKind::Context.span(other.span.range()).label(&*other.text));
    }
    let mut group = level.primary_title(problem.title.as_str()).id(code.as_str()).element(snippet);
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let more = format!("for more, run `firedrill explain {code}`");
    group = group.element(Level::NOTE.message(more.as_str()));
    renderer.render(&[group]).clone()
}
