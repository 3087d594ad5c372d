//! What is wrong with what the user wrote: what, where, and what to write instead.
//!
//! Readers collect [`Problems`] instead of stopping at the first; [`render`] draws them.

mod code;
mod json;
mod render;
mod source;
mod suggest;

pub use code::{Code, Explanation};
pub use json::json;
pub use render::{Look, render, summary};
pub use source::{Source, Span};
pub use suggest::{closest, list_of};

use std::{borrow::Cow, sync::Arc};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Surprising, but it runs.
    Warning,
    /// The scenario does not run.
    Error,
}

/// A place with a few words about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What to say there; may be empty.
    pub text: Cow<'static, str>,
}

/// Places in another file that has to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The file.
    pub source: Arc<Source>,
    /// Where in it; at least one.
    pub labels: Vec<Label>,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The code that `explain` takes.
    pub code: Code,
    /// One lower-case sentence without a full stop.
    pub title: String,
    /// The place it is about.
    pub primary: Label,
    /// Other places that matter.
    pub others: Vec<Label>,
    /// Places in another file.
    pub elsewhere: Option<Elsewhere>,
    /// What the author can do, as an imperative.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem at a place.
    pub fn new(code: Code, title: impl Into<String>, span: Span) -> Self {
        Self {
            code,
            title: title.into(),
            primary: Label { span, text: Cow::Borrowed("") },
            others: Vec::new(),
            elsewhere: None,
            help: None,
        }
    }

    /// Says something at the place itself.
    #[must_use]
    pub fn saying(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// Points at another place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<Cow<'static, str>>) -> Self {
        self.others.push(Label { span, text: text.into() });
        self
    }

    /// Points at a place in another file. There is one such file at most.
    #[must_use]
    pub fn label_in(
        mut self,
        source: &Arc<Source>,
        span: Span,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        let label = Label { span, text: text.into() };
        let elsewhere = self
            .elsewhere
            .get_or_insert_with(|| Elsewhere { source: Arc::clone(source), labels: Vec::new() });
        elsewhere.labels.push(label);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// How bad it is: a matter of the code alone.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// All problems of a file so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Diagnostic>,
}

impl Problems {
    /// Notes one more.
    pub fn push(&mut self, problem: Diagnostic) {
        self.list.push(problem);
    }

    /// Whether anything keeps the file from running.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|p| p.severity() == severity).count()
    }

    /// In the order of their places in the file.
    pub fn sorted(&self) -> Vec<&Diagnostic> {
        let mut all: Vec<&Diagnostic> = self.list.iter().collect();
        all.sort_by_key(|p| (p.primary.span.start, p.primary.span.end));
        all
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
