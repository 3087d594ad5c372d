//! How many streams a client is told that it may have open, which may change while it is connected.
//!
//! The `h2` crate says it once, when the connection opens. So it is written into the frames of
//! SETTINGS as they leave: into the first, which says it anyway, and later into one that says again
//! what the window of a stream is, which is no news. Each frame keeps its length.

use crate::proxy::http2::{MAX_STREAMS, STREAM_WINDOW};
use std::sync::atomic::{AtomicU32, Ordering};

const HEAD: usize = 9;
const SETTINGS: u8 = 4;
const ACK: u8 = 1;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// What is to be said. Shared by whoever finds out and whoever writes.
#[derive(Debug)]
pub(super) struct Limit(AtomicU32);

impl Default for Limit {
    fn default() -> Self {
        Self(AtomicU32::new(MAX_STREAMS))
    }
}

impl Limit {
    /// Sets it; says whether it is news.
    pub(super) fn set(&self, most: u32) -> bool {
        self.0.swap(most, Ordering::AcqRel) != most
    }

    /// It could not be said: whatever comes next is news.
    pub(super) fn forget(&self) {
        self.0.store(u32::MAX, Ordering::Release);
    }

    /// Whether it is this one that is said.
    pub(super) fn says(&self, most: u32) -> bool {
        self.get() == most
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::Acquire).min(MAX_STREAMS)
    }
}

/// Where in its frames what is written stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    /// The head of the present frame, as far as it was written.
    head: [u8; HEAD],
    have: usize,
    /// What is left of its payload.
    left: usize,
    /// The setting that is being written, of a frame of SETTINGS.
    setting: [u8; 6],
    at: usize,
    /// What is said in the present frame.
    most: u32,
}

impl Frames {
    /// Goes on by what is written next, and writes the limit into it where it belongs. Returns what is
    /// to be written in its place, if it is something else.
    pub(super) fn pass(&mut self, bytes: &[u8], limit: &Limit) -> Option<Vec<u8>> {
        let mut changed: Option<Vec<u8>> = None;
        let mut at = 0;
        while at < bytes.len() {
            if self.have < HEAD {
                let take = (HEAD - self.have).min(bytes.len() - at);
                self.head[self.have..self.have + take].copy_from_slice(&bytes[at..at + take]);
                self.have += take;
                at += take;
                if self.have == HEAD {
                    self.left = usize::from(self.head[0]) << 16
                        | usize::from(self.head[1]) << 8
                        | usize::from(self.head[2]);
                    (self.at, self.most) = (0, limit.get());
                }
            } else if self.says_settings() {
                let byte = self.setting(bytes[at]);
                if byte != bytes[at] {
                    changed.get_or_insert_with(|| bytes.to_vec())[at] = byte;
                }
                at += 1;
                self.left -= 1;
            } else {
                let take = self.left.min(bytes.len() - at);
                at += take;
                self.left -= take;
            }
            if self.have == HEAD && self.left == 0 {
                self.have = 0;
            }
        }
        changed
    }

    fn says_settings(&self) -> bool {
        self.left > 0 && self.head[3] == SETTINGS && self.head[4] & ACK == 0
    }

    /// The next byte of a frame of SETTINGS, as it is to be written.
    fn setting(&mut self, byte: u8) -> u8 {
        self.setting[self.at] = byte;
        let at = self.at;
        self.at = (at + 1) % self.setting.len();
        // One that says nothing but a window is ours, and only there for this.
        let lone = self.head[..3] == [0, 0, 6];
        let id = u16::from_be_bytes([self.setting[0], self.setting[1]]);
        match at {
            1 if lone && id == INITIAL_WINDOW_SIZE => MAX_CONCURRENT_STREAMS.to_be_bytes()[1],
            2.. if id == MAX_CONCURRENT_STREAMS || lone && id == INITIAL_WINDOW_SIZE => {
                self.most.to_be_bytes()[at - 2]
            }
            _ => byte,
        }
    }
}

/// What is asked of the `h2` crate to have it write a frame that can say something else.
pub(super) const NO_NEWS: u32 = STREAM_WINDOW;

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[u8] =
        &[0, 0, 12, 4, 0, 0, 0, 0, 0, /**/ 0, 3, 0, 0, 0, 200, /**/ 0, 4, 0, 1, 0, 0];
    const LONE: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, /**/ 0, 4, 0, 1, 0, 0];
    const DATA: &[u8] = &[0, 0, 7, 0, 1, 0, 0, 0, 1, /**/ 0, 4, 0, 1, 0, 0, 9];
    const ACKED: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];

    #[test]
    fn settings_say_the_limit_however_the_bytes_are_cut() {
        let all = [FIRST, ACKED, DATA, LONE, DATA].concat();
        let limit = Limit::default();
        assert!(limit.set(7) && !limit.set(7));
        let mut wanted = all.clone();
        wanted[14] = 7;
        let lone = FIRST.len() + ACKED.len() + DATA.len();
        wanted[lone + 9..lone + 15].copy_from_slice(&[0, 3, 0, 0, 0, 7]);
        for cut in 1..all.len() {
            let mut frames = Frames::default();
            let pass = |part: &[u8]| frames.pass(part, &limit).unwrap_or_else(|| part.to_vec());
            let written: Vec<u8> = all.chunks(cut).flat_map(pass).collect();
            assert_eq!(written, wanted, "cut at {cut}");
        }
    }

    #[test]
    fn what_says_no_limit_passes_as_it_is() {
        let limit = Limit::default();
        let all = [ACKED, DATA, DATA].concat();
        assert_eq!(Frames::default().pass(&all, &limit), None);
    }
}
