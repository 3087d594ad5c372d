//! A record, read back into the events it was written from: line by line, never as a whole.
//!
//! What is not known is passed over (fields, types of lines), what is wrong is refused with the
//! number of its line, and what only casts doubt is noted: see [`Soundness`].

mod error;
mod event;
mod merge;
mod sound;
mod tail;
mod words;

pub use error::ReadError;
pub use merge::{Merged, ReadRecord, merge};
pub use sound::{Cut, Noted, Soundness};
pub use tail::ending;

use crate::{
    event::Event,
    observe::{
        Ending, Preface, RECORD_FORMAT,
        line::{ConnectionLine, DuplicateLine, ExchangeLine, TunnelPart},
    },
};
use event::Back;
use serde::Deserialize;
use sound::Watch;
use std::io::{BufRead, Read};

/// No line but the first is longer, in bytes.
const LONGEST: u64 = 1 << 20;
/// The first one holds a scenario's text, of at most a mebibyte before it was escaped.
const LONGEST_HEAD: u64 = 7 << 20;
/// No time lies beyond this, in microseconds: a year.
const LATEST: u64 = 366 * 24 * 3_600 * 1_000_000;

/// Reads a record.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    preface: Preface,
    back: Back,
    watch: Watch,
    ending: Option<Ending>,
    buffer: Vec<u8>,
    line: u64,
}

/// What every line says of itself.
#[derive(Deserialize)]
struct Kind<'l> {
    #[serde(borrow, rename = "type")]
    kind: std::borrow::Cow<'l, str>,
}

/// What the first line says of itself.
#[derive(Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: Option<String>,
    format: Option<u64>,
}

impl<R: BufRead> Reader<R> {
    /// Begins to read: takes the first line in.
    ///
    /// # Errors
    ///
    /// Fails if it is no record that this version knows.
    pub fn new(mut input: R) -> Result<Self, ReadError> {
        let mut buffer = Vec::new();
        (&mut input).take(LONGEST_HEAD).read_until(b'\n', &mut buffer)?;
        if buffer.is_empty() {
            return Err(ReadError::Empty);
        }
        let preface = preface(&buffer)?;
        let back = Back::new(&preface);
        Ok(Self { input, back, watch: Watch::default(), ending: None, buffer, line: 1, preface })
    }

    /// What the first line says of the drill.
    pub fn preface(&self) -> &Preface {
        &self.preface
    }

    /// The next event; `None` at the end.
    ///
    /// # Errors
    ///
    /// Fails if a line is not what it should be. Nothing more can be read then.
    pub fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        loop {
            self.buffer.clear();
            self.line += 1;
            let read = (&mut self.input).take(LONGEST).read_until(b'\n', &mut self.buffer)?;
            if read == 0 {
                return Ok(None);
            }
            let is_whole = self.buffer.last() == Some(&b'\n');
            if !is_whole && read as u64 == LONGEST {
                return Err(self.wrong("is longer than a mebibyte"));
            }
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            if self.ending.is_some() {
                return Err(self.wrong("comes after the end: is this more than one record?"));
            }
            match self.take() {
                Ok(Some(event)) => {
                    self.watch.see(&event, self.line);
                    if self.watch.is_again() {
                        continue;
                    }
                    return Ok(Some(event));
                }
                Ok(None) => {}
                Err(Bad::Json(error)) if !is_whole && error.is_eof() => {
                    self.watch.sound.cut = Some(Cut::Line(self.line));
                    return Ok(None);
                }
                Err(Bad::Json(error)) => {
                    let what =
                        if error.is_data() { "is not as it should be" } else { "is no JSON" };
                    let why = format!("{what}: {error}");
                    // It is always the first line of what the parser was given.
                    return Err(self.wrong(&why.replace(" at line 1 column", " at column")));
                }
                Err(Bad::Meaning(what)) => return Err(self.wrong(&what)),
            }
        }
    }

    /// Exchanges so far.
    pub fn exchanges(&self) -> u64 {
        self.watch.exchanges
    }

    /// What was read, after its last event.
    pub fn finish(mut self) -> (Preface, Option<Ending>, Soundness) {
        let read = self.watch.exchanges;
        if let Some(ending) = &self.ending {
            let missing = ending.exchanges != read + self.watch.sound.repeated.count;
            self.watch.sound.miscounted = missing.then_some((ending.exchanges, read));
        } else {
            self.watch.sound.cut.get_or_insert(Cut::NoEnd);
        }
        (self.preface, self.ending, self.watch.sound)
    }

    /// The number of the line that was read last.
    pub fn line(&self) -> u64 {
        self.line
    }

    fn wrong(&self, what: &str) -> ReadError {
        ReadError::Line { line: self.line, what: what.to_owned() }
    }

    fn take(&mut self) -> Result<Option<Event>, Bad> {
        let line = &self.buffer[..];
        let probed;
        let kind = if let Some(kind) = written_kind(line) {
            kind
        } else {
            probed = serde_json::from_slice::<Kind<'_>>(line)?.kind;
            probed.as_bytes()
        };
        let back = &mut self.back;
        let event = match kind {
            b"exchange" => Event::Exchange(Box::new(back.exchange(exchange(line)?)?)),
            b"tunnel" => {
                let own = serde_json::from_slice::<TunnelPart<'_>>(line)?.tunnel;
                back.tunnel(exchange(line)?, &own)?
            }
            b"connection" => {
                back.connection(&serde_json::from_slice::<ConnectionLine<'_>>(line)?)?
            }
            b"duplicate" => back.duplicate(&serde_json::from_slice::<DuplicateLine<'_>>(line)?)?,
            b"phase" => back.edge(&serde_json::from_slice(line)?)?,
            b"proxy" => back.proxy_line(&serde_json::from_slice(line)?),
            b"by_hand" => back.by_hand(&serde_json::from_slice(line)?)?,
            b"end" => {
                self.ending = Some(serde_json::from_slice(line)?);
                return Ok(None);
            }
            b"run" => {
                let what = "begins another record: give each a file of its own";
                return Err(Bad::Meaning(what.to_owned()));
            }
            _ => {
                serde_json::from_slice::<serde::de::IgnoredAny>(line)?;
                self.watch.sound.unknown += 1;
                return Ok(None);
            }
        };
        if time_of(&event) > LATEST {
            return Err(Bad::Meaning("tells of a time beyond a year".to_owned()));
        }
        Ok(Some(event))
    }
}

/// The exchange of a line, at a time that can be.
fn exchange(line: &[u8]) -> Result<ExchangeLine<'_>, Bad> {
    let line: ExchangeLine<'_> = serde_json::from_slice(line)?;
    if line.t.latest().max(line.conn.accepted) > LATEST {
        return Err(Bad::Meaning("tells of a time beyond a year".to_owned()));
    }
    Ok(line)
}

/// Why a line gives no event.
enum Bad {
    Json(serde_json::Error),
    Meaning(String),
}

impl From<serde_json::Error> for Bad {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl From<String> for Bad {
    fn from(what: String) -> Self {
        Self::Meaning(what)
    }
}

/// The type of a line, where it is written first, as we write it.
fn written_kind(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"{\"type\":\"")?;
    let end = rest.iter().position(|byte| !byte.is_ascii_lowercase() && *byte != b'_')?;
    (rest.get(end) == Some(&b'"')).then(|| &rest[..end])
}

/// When an event was told, in microseconds since the drill's start.
pub fn time_of(event: &Event) -> u64 {
    match event {
        Event::Exchange(exchange) => exchange.t_end,
        Event::Tunnel(tunnel) => tunnel.exchange.t_end,
        Event::Connection(connection) => connection.ended,
        Event::Duplicate(duplicate) => duplicate.t_end,
        Event::Edge(edge) => u64::try_from(edge.actual.as_micros()).unwrap_or(u64::MAX),
        Event::Proxy { .. } => 0,
        Event::ByHand(by_hand) => by_hand.at,
    }
}

fn preface(line: &[u8]) -> Result<Preface, ReadError> {
    let foreign = |why: &str| ReadError::Foreign(why.to_owned());
    let format: Format = serde_json::from_slice(line).map_err(|error| {
        let is_object = line.trim_ascii_start().first() == Some(&b'{');
        foreign(match (error.is_eof(), is_object) {
            (true, true) => "its first line is cut off",
            (false, true) if error.is_data() => "its first line has another meaning",
            _ => "its first line is no JSON object",
        })
    })?;
    match (format.kind.as_deref(), format.format) {
        (Some("run"), Some(format)) if format == u64::from(RECORD_FORMAT) => {}
        (Some("run"), Some(format)) => return Err(ReadError::Format(format)),
        (Some("run"), None) => return Err(foreign("its first line does not tell its `format`")),
        _ => return Err(foreign("its first line is not of the type `run`")),
    }
    serde_json::from_slice(line).map_err(|error| {
        let why = error.to_string().replace(" at line 1 column", " at column");
        ReadError::Line { line: 1, what: format!("is not as it should be: {why}") }
    })
}

#[cfg(test)]
pub(super) mod tests;
