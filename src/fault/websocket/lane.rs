//! One direction of a WebSocket, frame by frame.
//!
//! Decisions are made at the head of a frame and hold for its message, whatever its length and
//! however many frames it is cut into; payloads stream through. Control frames may stand between the
//! frames of a message, are never dropped, and otherwise share its lot.

use crate::{
    dice::{Dice, Purpose, Seed},
    fault::{
        ByteFilter, Close, Lanes, Out, Tick, Way,
        budget::{self, Account},
        frames::{Head, Kind, Parser, Step, close_frame},
        websocket::{After, End, Spec},
    },
    timeline::Moment,
    units::Percent,
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long the closing handshake may take, from when the close was decided on.
pub(super) const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// Both directions of one socket.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) spec: Arc<Spec>,
    pub(super) dice: Dice,
    pub(super) both: Arc<Both>,
}

impl Lanes for Pair {
    fn lane(&self, way: Way, at: Parser) -> Box<dyn ByteFilter> {
        Box::new(Lane::new(Arc::clone(&self.spec), way, self.dice, Arc::clone(&self.both), at))
    }
}

/// What the two directions of a socket know of each other.
#[derive(Debug, Default)]
pub(super) struct Both(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the fault was first in force for the socket.
    since: Option<Tick>,
    /// Messages that went by since, on the sides that the fault is on.
    messages: u64,
    /// The socket is being closed: when the wait for the client's answer is over.
    closing: Option<Tick>,
    /// The client answered the close, or left.
    answered: bool,
    /// One side closed the socket by itself.
    over: bool,
    /// The client left: nothing is held for it any more.
    left: bool,
}

impl Both {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of the message under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Pass,
    Drop,
}

/// Until when something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// This time.
    Tick(Tick),
    /// The end of the silence.
    Silence,
}

/// How far the direction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It carries messages.
    Open,
    /// One side closed the socket by itself: nothing may follow that, nor is anything to be done.
    Closed,
    /// It was closed by us; what comes is thrown away.
    Cut,
    /// The end has left.
    Ended,
}

/// A part of a chunk that has one lot, however many frames it is.
struct Run {
    chunk: Bytes,
    from: usize,
    to: usize,
    lot: Option<Until>,
}

/// See the module's documentation.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Lane {
    spec: Arc<Spec>,
    way: Way,
    key: u64,
    both: Arc<Both>,
    parser: Parser,
    /// The beginning of a head whose rest has not come.
    stub: Vec<u8>,
    /// A part of the unfinished head has left already, so its frame has to pass.
    begun: bool,
    /// The frame under way.
    head: Option<Head>,
    fate: Fate,
    /// How long the frames of the message under way are held.
    message_lag: Duration,
    /// How long the frame under way is held.
    lag: Duration,
    /// Where in its phase the fault is, while it is in force.
    moment: Option<Moment>,
    gone: bool,
    /// Messages that began.
    number: u64,
    /// No earlier than what came before.
    due: Tick,
    held: VecDeque<(Until, Bytes)>,
    account: Account,
    ending: bool,
    stage: Stage,
    acted: bool,
}

impl Lane {
    fn new(spec: Arc<Spec>, way: Way, dice: Dice, both: Arc<Both>, parser: Parser) -> Self {
        let name = if way == Way::Up { "up" } else { "down" };
        let dice = Dice::new(Seed(dice.point(Purpose::Direction)), name);
        Self {
            spec,
            way,
            key: dice.point(Purpose::Messages),
            both,
            parser,
            stub: Vec::new(),
            begun: parser.in_head() > 0,
            head: None,
            fate: Fate::Pass,
            message_lag: Duration::ZERO,
            lag: Duration::ZERO,
            moment: None,
            gone: false,
            number: 0,
            due: Tick::ZERO,
            held: VecDeque::new(),
            account: Account::new(&budget::SHARED),
            ending: false,
            stage: Stage::Open,
            acted: false,
        }
    }

    /// Whether the fault acts now on what goes this way.
    fn acts(&self, now: Tick) -> bool {
        self.moment.is_some() && self.spec.side.includes(self.way) && self.has_begun(now)
    }

    /// Whether the fault is in force and what is spared at first has gone by.
    fn has_begun(&self, now: Tick) -> bool {
        if self.moment.is_none() {
            return false;
        }
        let state = self.both.state();
        match (self.spec.after, state.since) {
            (_, None) => false,
            (After::Messages(spared), Some(_)) => state.messages >= spared,
            (After::Time(spared), Some(since)) => now >= since.saturating_add(spared),
        }
    }

    /// Whether nothing may leave.
    fn is_silent(&self, now: Tick) -> bool {
        self.spec.stall && !self.parser.is_lost() && self.acts(now) && !self.both.state().left
    }

    /// What was drawn for a message: the mixer of SplitMix64, which is made for counters.
    fn point(&self, number: u64) -> u64 {
        let x = self.key.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A frame begins: what becomes of it.
    fn decide(&mut self, now: Tick, head: Head) {
        let moment = self.moment.filter(|_| self.acts(now));
        let lag = moment.map_or(Duration::ZERO, |moment| self.spec.delay.at(&moment));
        match head.kind {
            Kind::First => {
                let share = moment.map_or(Percent::NONE, |moment| self.spec.drop.at(&moment));
                let point = self.point(self.number);
                self.number += 1;
                let is_hit = share.includes(point) && !self.begun && !head.needed;
                self.fate = if is_hit { Fate::Drop } else { Fate::Pass };
                (self.message_lag, self.lag) = (lag, lag);
            }
            Kind::Continuation => self.lag = self.message_lag,
            Kind::Close | Kind::Control => self.lag = lag,
        }
    }

    /// Whether bytes of the frame under way are thrown away.
    fn is_dropped(&self) -> bool {
        let of_message =
            self.head.is_some_and(|head| matches!(head.kind, Kind::First | Kind::Continuation));
        self.fate == Fate::Drop && of_message
    }

    /// A frame came to its end.
    fn frame_ended(&mut self, now: Tick, head: Head) {
        if head.kind == Kind::Close {
            let mut state = self.both.state();
            if self.stage == Stage::Open {
                self.stage = Stage::Closed;
                state.over |= state.closing.is_none();
            }
            state.answered |= self.way == Way::Up;
        }
        if head.ends_message() {
            self.fate = Fate::Pass;
            if self.moment.is_some() && self.spec.side.includes(self.way) {
                self.both.state().messages += 1;
            }
        }
        self.close_if_due(now);
    }

    /// Closes the socket if it is to be closed, and a frame may stand here.
    fn close_if_due(&mut self, now: Tick) {
        let Some(end) = &self.spec.close else { return };
        if self.stage != Stage::Open {
            return;
        }
        let begins = self.has_begun(now);
        let mut state = self.both.state();
        if begins && state.closing.is_none() && !state.over {
            let wait = if matches!(end, End::Reset) { Duration::ZERO } else { CLOSE_WAIT };
            state.closing = Some(now.saturating_add(wait));
        }
        if state.closing.is_none() {
            return;
        }
        drop(state);
        match end {
            End::Reset => {
                self.stage = Stage::Cut;
                self.acted = true;
            }
            End::Close { code, reason } if self.parser.is_between_frames() => {
                let mask = self.point(u64::MAX).to_le_bytes();
                let mask = [mask[0], mask[1], mask[2], mask[3]];
                let mask = (self.way == Way::Up).then_some(mask);
                let frame = Bytes::from(close_frame(*code, reason, mask));
                self.stage = Stage::Cut;
                self.acted = true;
                // Behind what is held, and no later.
                self.hold(Until::Tick(self.due.max(now)), frame);
            }
            End::Close { .. } => {}
        }
    }

    fn hold(&mut self, until: Until, bytes: Bytes) {
        if !bytes.is_empty() {
            self.account.take(bytes.len());
            self.held.push_back((until, bytes));
        }
    }

    /// Until when bytes of the frame under way are held; `None` if they are thrown away.
    fn lot(&mut self, now: Tick) -> Option<Until> {
        if matches!(self.stage, Stage::Cut | Stage::Ended) {
            return None;
        }
        if self.is_dropped() {
            self.acted = true;
            return None;
        }
        if self.is_silent(now) {
            self.acted = true;
            return Some(Until::Silence);
        }
        let is_free = self.parser.is_lost() || self.moment.is_none();
        let lag = if is_free { Duration::ZERO } else { self.lag };
        self.acted |= !lag.is_zero();
        self.due = self.due.max(now.saturating_add(lag));
        Some(Until::Tick(self.due))
    }

    /// What of a head was kept back for its rest goes on.
    fn pass_stub(&mut self, now: Tick) {
        if !self.stub.is_empty() {
            let stub = std::mem::take(&mut self.stub);
            if let Some(until) = self.lot(now) {
                self.hold(until, stub.into());
            }
        }
    }

    /// Bytes of a chunk go on, as soon as they may; what has the same lot as one piece.
    fn pass(&mut self, now: Tick, run: &mut Run, to: usize) {
        let lot = self.lot(now);
        if lot != run.lot {
            self.end_run(run);
            run.lot = lot;
        }
        run.to = to;
    }

    fn end_run(&mut self, run: &mut Run) {
        if let Some(until) = run.lot {
            self.hold(until, run.chunk.slice(run.from..run.to));
        }
        run.from = run.to;
    }

    /// When the fault closes the socket by the clock, while that is still to come.
    fn closes_by_clock(&self) -> Option<Tick> {
        let After::Time(spared) = self.spec.after else { return None };
        if self.spec.close.is_none() || self.stage != Stage::Open || self.moment.is_none() {
            return None;
        }
        let state = self.both.state();
        state.since.filter(|_| state.closing.is_none()).map(|since| since.saturating_add(spared))
    }

    /// When the connection ends, if the socket is being closed: what is still to leave before the
    /// client's answer has all of the wait.
    fn end_at(&self) -> Option<Tick> {
        if self.stage == Stage::Ended {
            return None;
        }
        let state = self.both.state();
        let is_done = state.answered && self.held.is_empty();
        state.closing.map(|end| if is_done { Tick::ZERO } else { end })
    }

    fn by(&self) -> Close {
        if matches!(self.spec.close, Some(End::Reset)) { Close::Reset } else { Close::Fin }
    }
}

impl ByteFilter for Lane {
    fn tune(&mut self, now: Tick, moment: Option<&Moment>) {
        self.moment = moment.copied().filter(|_| !self.gone);
        self.account.make_room();
        if self.moment.is_some() {
            self.both.state().since.get_or_insert(now);
        }
        self.close_if_due(now);
    }

    fn room(&self) -> usize {
        if self.ending || self.stage == Stage::Ended { 0 } else { self.account.room() }
    }

    fn push(&mut self, now: Tick, bytes: Bytes) {
        let mut run = Run { chunk: bytes.clone(), from: 0, to: 0, lot: None };
        while run.to < bytes.len() {
            let (used, step) = self.parser.step(&bytes[run.to..]);
            let to = run.to + used;
            match step {
                Step::Partial => {
                    self.end_run(&mut run);
                    self.stub.extend_from_slice(&bytes[run.to..to]);
                    (run.from, run.to, run.lot) = (to, to, None);
                    continue;
                }
                Step::Head(head) => {
                    self.decide(now, head);
                    (self.head, self.begun) = (Some(head), false);
                }
                Step::Payload => {}
                Step::Lost => (self.head, self.fate) = (None, Fate::Pass),
            }
            // Only the first head of a chunk can have begun before it.
            self.pass_stub(now);
            self.pass(now, &mut run, to);
            if self.parser.is_between_frames()
                && let Some(head) = self.head.take()
            {
                if self.spec.close.is_some() {
                    // A close may come to stand behind it.
                    self.end_run(&mut run);
                }
                self.frame_ended(now, head);
            }
        }
        self.end_run(&mut run);
        if self.moment.is_none() {
            self.begun |= !self.stub.is_empty();
            self.pass_stub(now);
        }
    }

    fn finish(&mut self, now: Tick) {
        if self.stage == Stage::Ended {
            return;
        }
        self.pass_stub(now);
        self.ending = true;
        if self.way == Way::Up {
            let mut state = self.both.state();
            (state.answered, state.left) = (true, true);
        }
    }

    fn pull(&mut self, now: Tick) -> Option<Out> {
        let may_leave = match self.held.front() {
            Some((Until::Tick(due), _)) => *due <= now || self.gone,
            Some((Until::Silence, _)) => !self.is_silent(now),
            None => false,
        };
        if may_leave {
            let (_, bytes) = self.held.pop_front()?;
            self.account.release(bytes.len());
            return Some(Out::Bytes(bytes));
        }
        if self.end_at().is_some_and(|end| end <= now) {
            self.stage = Stage::Ended;
            self.held.clear();
            self.stub.clear();
            self.account = Account::new(&budget::SHARED);
            self.ending = false;
            return Some(Out::Close(self.by()));
        }
        if !self.held.is_empty() || self.stage == Stage::Cut {
            return None;
        }
        // The silence covers an end of the upstream's: the socket stays up.
        if self.ending && !self.is_silent(now) {
            self.ending = false;
            self.stage = Stage::Ended;
            return Some(Out::End);
        }
        None
    }

    fn wake_at(&self) -> Option<Tick> {
        let held = self.held.front().and_then(|(until, _)| match until {
            Until::Tick(due) => Some(*due),
            Until::Silence => None,
        });
        let end = self.end_at().or_else(|| self.closes_by_clock());
        [held, end].into_iter().flatten().min()
    }

    fn has_acted(&self) -> Option<bool> {
        Some(self.acted)
    }

    fn closes_at(&self, now: Tick) -> Option<(Tick, Close)> {
        self.end_at().map(|end| (end.max(now), self.by()))
    }

    fn is_empty(&self) -> bool {
        let waits = self.end_at().is_some() || self.closes_by_clock().is_some();
        self.held.is_empty() && self.stub.is_empty() && !self.ending && !waits
    }

    fn let_go(&mut self, _now: Tick) {
        self.gone = true;
        self.moment = None;
        self.begun |= !self.stub.is_empty();
        self.pass_stub(Tick::ZERO);
        // A socket that is being closed cannot be taken up again.
        let mut state = self.both.state();
        state.answered |= state.closing.is_some();
    }
}
