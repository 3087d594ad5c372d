//! The files that reports are written to.

use crate::report::{self, summary::Summary};
use clap::Args as ClapArgs;
use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// Reports for others than the terminal.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(in crate::cli) struct Files {
    /// Write the report as one HTML page, with plots
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write the verdict as JUnit XML, for a CI
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Write the verdict as Markdown, for a pull request
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

impl Files {
    /// Whether all can be written, before a drill is played for nothing. None loses what is in it.
    pub(in crate::cli) fn try_out(&self) -> Result<(), (&Path, io::Error)> {
        for path in [&self.html, &self.junit, &self.markdown].into_iter().flatten() {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.map_err(|error| (path.as_path(), error))?;
        }
        Ok(())
    }

    /// Writes those that are wanted: all are tried.
    pub(in crate::cli) fn write(&self, summary: &Summary<'_>) -> io::Result<()> {
        let html = self.html.as_ref().map(|path| fs::write(path, report::html(summary)));
        let junit = self.junit.as_ref().map(|path| {
            let xml = report::junit(summary, false).map_err(io::Error::other)?;
            fs::write(path, xml)
        });
        let markdown = self.markdown.as_ref();
        let markdown = markdown.map(|path| fs::write(path, report::markdown(summary)));
        [html, junit, markdown].into_iter().flatten().collect()
    }
}
