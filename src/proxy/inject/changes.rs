//! What changes an answer: edits of its head and body, shapes, cuts.

use crate::{
    engine::Dealing,
    fault::{Effect, Offset, Stage},
    proxy::{
        calls::Calls,
        ctl::lock,
        cut::{Cutting, End, Place},
        edit,
        events::Events,
        inject::Injection,
        reply::Reply,
    },
};
use http::{Response, header};
use http_body::Body as _;
use std::sync::Arc;
use tokio::time::Instant;

/// What a fraction of a body of unknown length is taken of.
const UNKNOWN_LENGTH: u64 = 64 * 1024;

impl Injection {
    /// What the response says after all edits, and the length that its head announces if that is
    /// more than there is.
    pub(super) async fn edit(
        &mut self,
        mut response: Response<Reply>,
    ) -> (Response<Reply>, Option<u64>) {
        let mut length = None;
        for dealing in self.ask(Stage::Response) {
            let changed = match &dealing.effect {
                Effect::EditHead(head) => head.apply(response.headers_mut()),
                Effect::EditBody(body) => {
                    let method = lock(&self.draft.exchange).method.clone();
                    let outcome;
                    (response, outcome) =
                        edit::response(response, &method, body, self.ticket.over()).await;
                    match outcome {
                        edit::Outcome::Untouched => false,
                        edit::Outcome::Edited { announced } => {
                            length = announced;
                            true
                        }
                    }
                }
                _ => false,
            };
            self.edited(&dealing, changed);
        }
        (response, length)
    }

    /// Notes an edit, if it changed anything.
    pub(super) fn edited(&self, edit: &Dealing, changed: bool) {
        if changed {
            edit.came_about();
            self.draft.dealt(edit.dealt.clone());
        }
    }

    /// What is done to the response's body.
    pub(super) fn shape(
        &mut self,
        mut response: Response<Reply>,
        announced_length: Option<u64>,
    ) -> Response<Reply> {
        for mut dealing in self.ask(Stage::Body) {
            let hold = self.ticket.hold(&dealing);
            if let Effect::Shape(filter) = std::mem::replace(&mut dealing.effect, Effect::Pass) {
                let draft = self.draft.clone();
                response = response.map(|body| body.shaped(filter, hold, dealing, draft));
            }
        }
        if let Some(length) = announced_length {
            response = response.map(|body| body.short(length, Arc::clone(&self.ctl)));
        }
        for dealing in self.ask(Stage::Cut) {
            let (after, end) = match &dealing.effect {
                Effect::Cut { after, close } => (*after, close.map_or(End::Stall, End::Close)),
                Effect::Finish { after, trailers } => (*after, End::Trailers(Arc::clone(trailers))),
                _ => continue,
            };
            let place = match after {
                Offset::Bytes(bytes) => Place::Bytes(bytes),
                Offset::Fraction(part) => Place::Bytes(part_of(part, announced(&response))),
                Offset::Events(events) => match Events::of(response.headers(), events) {
                    Some(events) => Place::Events(events),
                    None => continue,
                },
                Offset::Messages(most) => match Calls::of(response.headers(), most) {
                    Some(calls) => Place::Messages(calls),
                    None => continue,
                },
                Offset::Time(time) => Place::Time(Instant::now() + time),
            };
            if let End::Trailers(_) = end {
                // It may be shorter than that, and whole.
                response.headers_mut().remove(header::CONTENT_LENGTH);
            }
            let hold = self.ticket.hold(&dealing);
            let cut = Cutting { place, end, hold };
            response = response.map(|body| body.cut(cut, dealing, self.draft.clone()));
        }
        response
    }
}

/// The length that a response's head announces, or a stand-in.
fn announced(response: &Response<Reply>) -> u64 {
    let exact = response.body().size_hint().exact();
    let header = || response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    exact.or_else(header).unwrap_or(UNKNOWN_LENGTH)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the part is within 0 ..= 1, so the result is within 0 ..= whole"
)]
fn part_of(part: f64, whole: u64) -> u64 {
    (whole as f64 * part.clamp(0.0, 1.0)) as u64
}
