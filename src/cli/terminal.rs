//! What standard output and standard error can show.

use crate::diag::Look;
use anstream::ColorChoice;
use std::io::{self, Write};

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

fn look(choice: ColorChoice) -> Look {
    if choice == ColorChoice::Never { Look::Plain } else { Look::Coloured }
}
