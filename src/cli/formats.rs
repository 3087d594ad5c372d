//! Where a summary goes beside the terminal: a flag for each format, the same for a drill and for the
//! report on its record.

use crate::{
    cli::{run::Refusal, terminal},
    report::{self, summary::Summary},
    scenario::OnInconclusive,
    verdict::Grade,
};
use clap::Args as ClapArgs;
use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// How wide a summary is where nothing tells, in columns.
const WIDTH: usize = 100;
/// Stands for standard output.
const STDOUT: &str = "-";

/// The flags.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(super) struct Formats {
    /// Write the summary as JSON to a file, or to standard output with `-`
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the report as one HTML page, with plots
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write the verdict as JUnit XML, for a CI
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Write the verdict as Markdown, for a pull request
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,

    /// Count an expectation that was never put to the test as one that was not met
    #[arg(long)]
    pub strict: bool,
}

/// How a format is written.
type Write = fn(&Summary<'_>, &Formats) -> Result<String, String>;

/// A format that was asked for.
struct Wanted<'f> {
    path: &'f Path,
    write: Write,
}

impl Formats {
    /// The formats, each with how it is written: the one place that lists them.
    fn wanted(&self) -> Vec<Wanted<'_>> {
        let all: [(&Option<PathBuf>, Write); 4] = [
            (&self.json, json),
            (&self.html, |summary, _| Ok(report::html(summary))),
            (&self.junit, |summary, formats| {
                report::junit(summary, formats.strict).map_err(|error| error.to_string())
            }),
            (&self.markdown, |summary, _| Ok(report::markdown(summary))),
        ];
        let wanted = all
            .into_iter()
            .filter_map(|(path, write)| Some(Wanted { path: path.as_deref()?, write }));
        wanted.collect()
    }

    /// Whether standard output is for data, and nothing else may be said there.
    pub(super) fn is_data_alone(&self) -> bool {
        self.wanted().iter().any(|wanted| wanted.path == Path::new(STDOUT))
    }

    /// Makes sure that all can be written, before anything is done that cannot be done again.
    pub(super) fn prepare(&self) -> Result<(), Refusal> {
        let wanted = self.wanted();
        for (at, wanted) in wanted.iter().enumerate() {
            if self.wanted()[..at].iter().any(|other| other.path == wanted.path) {
                let why = format!("two formats cannot both go to `{}`", wanted.path.display());
                return Err(Refusal::usage(why));
            }
            if wanted.path != Path::new(STDOUT) {
                let what = format!("cannot write the summary `{}`", wanted.path.display());
                let file = OpenOptions::new().create(true).append(true).open(wanted.path);
                file.map_err(|error| Refusal::environment(&what, &error))?;
            }
        }
        Ok(())
    }

    /// Writes the summary: text to standard output, unless data goes there.
    pub(super) fn write(&self, summary: &Summary<'_>) -> io::Result<()> {
        let text = summary.text(terminal::look_out(), terminal::columns().unwrap_or(WIDTH));
        let mut written = if self.is_data_alone() {
            crate::cli::say(text.trim_end());
            Ok(())
        } else {
            terminal::out(&text)
        };
        // All are tried: what cannot be written to the one place is still read at another.
        for Wanted { path, write } in self.wanted() {
            let data = write(summary, self).map_err(io::Error::other);
            written = written.and(data.and_then(|data| {
                let is_stdout = path == Path::new(STDOUT);
                if is_stdout { terminal::out(&data) } else { fs::write(path, data) }
            }));
        }
        written
    }

    /// Says which expectations fail for want of a test alone.
    pub(super) fn say_strict(&self, summary: &Summary<'_>) {
        let verdict = summary.verdict;
        if verdict.on_inconclusive == OnInconclusive::Fail {
            let open = verdict.expectations.iter().filter(|j| j.grade == Grade::Inconclusive);
            let open: Vec<&str> = open.map(|judged| judged.name).collect();
            if !open.is_empty() {
                let names = open.join(", ");
                crate::cli::error(&format!("inconclusive, and `on_inconclusive: fail`: {names}"));
            }
        }
        if !self.strict || verdict.has_failed(false) || !verdict.has_failed(true) {
            return;
        }
        let names = verdict.expectations.iter();
        let untested = names.filter(|judged| judged.grade == Grade::NotApplicable);
        let names: Vec<&str> = untested.map(|judged| judged.name).collect();
        crate::cli::error(&format!("never put to the test, and `--strict`: {}", names.join(", ")));
    }
}

#[expect(clippy::unnecessary_wraps, reason = "other formats may fail")]
fn json(summary: &Summary<'_>, _formats: &Formats) -> Result<String, String> {
    Ok(format!("{:#}\n", summary.json()))
}
