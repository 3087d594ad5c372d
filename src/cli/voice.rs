//! What the program says on standard error, to people or to machines.

use crate::cli::{run::LogForm, terminal};
use std::{
    io::{self, Write},
    sync::OnceLock,
};
use tracing_subscriber::EnvFilter;

/// The form that was chosen; people are spoken to until one is.
static FORM: OnceLock<LogForm> = OnceLock::new();

/// What is logged unless `FIREDRILL_LOG` says otherwise. A service that is down would fill the
/// screen with a line for each request; the view tells of it once, and the summary counts.
const QUIET: &str = "warn,firedrill::proxy::rescue=error";

/// Chooses the form. Once: a later choice changes nothing.
pub(super) fn log(form: LogForm) {
    // What a drill has to say is part of the log when machines read it.
    let all = if form == LogForm::Json { "warn,firedrill=info" } else { QUIET };
    let filter = EnvFilter::try_from_env("FIREDRILL_LOG").unwrap_or_else(|_| EnvFilter::new(all));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(terminal::is_coloured_err())
        .with_writer(io::stderr);
    let chosen = match form {
        LogForm::Text => builder.with_target(false).try_init(),
        LogForm::Json => builder.json().try_init(),
    };
    if chosen.is_ok() {
        let _first = FORM.set(form);
    }
}

/// Says something.
pub(super) fn say(line: &str) {
    if is_for_machines() {
        tracing::info!("{}", line.trim());
    } else {
        write(line);
    }
}

/// Says what is wrong.
pub(super) fn error(message: &str) {
    if is_for_machines() {
        tracing::error!("{message}");
        return;
    }
    let style = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
    write(&format!("{style}error{style:#}: {message}"));
}

/// Writes a line in one go: the command beside a drill writes to the same place, and neither is to
/// end up in the middle of what the other says.
fn write(line: &str) {
    let choice = anstream::AutoStream::choice(&io::stderr());
    let mut whole = anstream::AutoStream::new(Vec::new(), choice);
    // A vector takes everything, and there is nobody to tell that standard error does not.
    let _taken = writeln!(whole, "{line}");
    let _told = io::stderr().write_all(&whole.into_inner());
}

/// Whether every line has to be an object.
pub(super) fn is_for_machines() -> bool {
    FORM.get() == Some(&LogForm::Json)
}
