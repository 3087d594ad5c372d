//! `firedrill explain`: the long text of a diagnostic.

use crate::{
    cli::{Exit, error, print},
    diag::{Code, closest},
};
use clap::Args as ClapArgs;

/// Explain a diagnostic: why it is told, a wrong example and a right one
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Args {
    /// Its code, such as E0201; without one, all codes are listed
    pub code: Option<String>,
}

/// Explains it.
pub(super) fn run(args: &Args) -> Exit {
    let Some(text) = &args.code else {
        let lines = Code::ALL.iter().map(|code| format!("{code}  {}\n", code.explanation().title));
        return print(&lines.collect::<String>());
    };
    if let Ok(code) = text.parse::<Code>() {
        let page = code.explanation();
        return print(&format!("{code}: {}\n\n{}", page.title, page.text));
    }
    let codes: Vec<String> = Code::ALL.iter().map(Code::to_string).collect();
    let hint = match closest(text, codes.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`firedrill explain` lists them".to_owned(),
    };
    error(&format!("there is no code `{text}`; {hint}"));
    Exit::Usage
}
