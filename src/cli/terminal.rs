//! What standard output and standard error can show.

use crate::{diag::Look, report::plan::Glyphs};
use anstream::ColorChoice;
use std::{
    env,
    io::{self, Write},
};

/// How to write to standard output: coloured on terminals, plain in pipes and under `NO_COLOR`.
pub(super) fn look_out() -> Look {
    look(anstream::AutoStream::choice(&io::stdout()))
}

/// How to write to standard error.
pub(super) fn look_err() -> Look {
    look(anstream::AutoStream::choice(&io::stderr()))
}

/// Whether standard error shows colour.
pub(super) fn is_coloured_err() -> bool {
    look_err() == Look::Coloured
}

/// Writes data to standard output. A reader that has gone, as `head` does, is no error.
pub(super) fn out(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// What drawings can be made of in the locale of the environment.
pub(super) fn glyphs() -> Glyphs {
    // The first that is set counts, as in setlocale(3); an empty one is as good as none.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| env::var(name).ok());
    glyphs_of(locale.into_iter().find(|value| !value.is_empty()).as_deref())
}

/// Without a locale blocks are safe: containers and Windows set none, and show them.
fn glyphs_of(locale: Option<&str>) -> Glyphs {
    let Some(locale) = locale else { return Glyphs::Blocks };
    let charset = locale.to_ascii_lowercase().replace('-', "");
    if charset.contains("utf8") { Glyphs::Blocks } else { Glyphs::Ascii }
}

/// How many columns the terminal has; in a pipe, what `COLUMNS` says.
pub(super) fn columns() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size().or_else(|| {
        Some((
            terminal_size::Width(env::var("COLUMNS").ok()?.parse().ok()?),
            terminal_size::Height(0),
        ))
    })?;
    Some(usize::from(columns))
}

fn look(choice: ColorChoice) -> Look {
    if choice == ColorChoice::Never { Look::Plain } else { Look::Coloured }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_of_another_charset_gets_ascii() {
        for locale in ["C", "POSIX", "de_DE.ISO-8859-1", "zh_CN.GB18030"] {
            assert_eq!(glyphs_of(Some(locale)), Glyphs::Ascii, "{locale}");
        }
        for locale in [None, Some("C.UTF-8"), Some("en_GB.utf8")] {
            assert_eq!(glyphs_of(locale), Glyphs::Blocks, "{locale:?}");
        }
    }
}
