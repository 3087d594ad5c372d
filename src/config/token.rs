//! The token that commands carry: where it is kept, and how it is compared.
//!
//! Config files are committed, and the terminal shows the lines that are wrong, so a token in a
//! file's own text would not stay one.

use crate::{
    diag::{Code, Diagnostic},
    read::{Field, Kind, Reader, Shape},
    yaml::{Node, Spanned},
};
use std::{
    env, fmt,
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

/// More than this is no token but some other file.
const MOST_BYTES: u64 = 4096;

/// Where a token is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// In a variable of the environment.
    Env(String),
    /// In a file, spaces and line ends around it cut off.
    File(PathBuf),
}

/// A token itself. It is never shown.
#[derive(Clone)]
pub struct Secret(String);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The variable is not there.
    #[error("the variable `{0}`, which holds the token, is not set")]
    Unset(String),
    /// The file cannot be read.
    #[error("cannot read the token from `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is there is no token.
    #[error("{0} holds no token: it is one word of visible ASCII characters, at most 4096")]
    Malformed(String),
}

/// The keys of `token`.
pub(super) static TOKEN: Shape = Shape {
    what: "`token`",
    fields: &[
        Field::optional("env", Kind::Text, "the variable that holds the token"),
        Field::optional("file", Kind::Text, "the file that holds the token and nothing else"),
    ],
};

impl Token {
    /// Fetches the token itself. A file is read anew each time.
    ///
    /// # Errors
    ///
    /// Fails if it is not where it should be, or cannot be sent in a header.
    pub fn fetch(&self) -> Result<Secret, TokenError> {
        let text = match self {
            Self::Env(name) => env::var_os(name)
                .ok_or_else(|| TokenError::Unset(name.clone()))?
                .into_string()
                .unwrap_or_default(),
            Self::File(path) => {
                let mut bytes = Vec::new();
                let read = File::open(path)
                    .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes));
                read.map_err(|source| TokenError::Io { path: path.clone(), source })?;
                String::from_utf8(bytes).unwrap_or_default()
            }
        };
        Secret::new(&text).ok_or_else(|| TokenError::Malformed(self.to_string()))
    }

    pub(super) fn read_from(node: &Spanned<Node>, reader: &mut Reader<'_>) -> Option<Self> {
        if let Node::Text(_) | Node::Int(_) | Node::Float(_) = node.value {
            let title = "a token does not stand in the file itself";
            let problem = Diagnostic::new(Code::E0704, title, node.span);
            reader.problem(problem.help(
                "say where it is kept: `token: { env: FIREDRILL_TOKEN }`, or `{ file: token.txt }`",
            ));
            return None;
        }
        let fields = reader.fields(node, &TOKEN)?;
        let [(key, value)] = fields.entries() else {
            let title = "a token is kept in one place: `env` or `file`";
            reader.problem(Diagnostic::new(Code::E0106, title, node.span));
            return None;
        };
        let name = reader.name(value)?;
        match &*key.value {
            "env" => Some(Self::Env(name)),
            "file" => Some(Self::File(beside(&name, reader))),
            _ => None,
        }
    }
}

/// The path of a file that a config names: from the folder of the config, not from where the
/// command runs.
pub(super) fn beside(name: &str, reader: &Reader<'_>) -> PathBuf {
    reader.folder().map_or_else(|| PathBuf::from(name), |folder| folder.join(name))
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the variable `{name}`"),
            Self::File(path) => write!(f, "the file `{}`", path.display()),
        }
    }
}

impl Secret {
    /// A token, unless a header cannot carry it.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.len() as u64 <= MOST_BYTES;
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// As a command carries it in `authorization`.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether this is it. The time it takes tells nothing of where they differ.
    pub fn is(&self, offered: &[u8]) -> bool {
        let token = self.0.as_bytes();
        let differ = token.iter().zip(offered).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(differ) == 0 && token.len() == offered.len()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
