//! What changes an answer: edits of its head and body, shapes, cuts.

use crate::{
    engine::Dealing,
    fault::{Effect, Offset, Stage},
    proxy::{
        ask::Ask,
        calls::Calls,
        ctl::lock,
        cut::{Cutting, End, Place},
        edit,
        events::Events,
        inject::{Injection, ends::Midway},
        reply::Reply,
        shaper::Shaper,
        upload::Upload,
    },
};
use http::{Request, Response, header};
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

    /// Has what is dealt done to the request's body on its way. Gives what ends the exchange in the middle
    /// of that, if something is to.
    pub(super) fn upload(&mut self, request: &mut Request<Ask>) -> Option<Midway> {
        let left = request.body().size_hint().exact();
        let mut upload: Option<Upload> = None;
        for mut dealing in self.ask(Stage::RequestBody) {
            let hold = self.ticket.hold(&dealing);
            if let Effect::Shape(filter) = std::mem::replace(&mut dealing.effect, Effect::Pass) {
                let shaper = Shaper::new(filter, hold, dealing, self.draft.clone(), left);
                upload.get_or_insert_default().shape(shaper);
            }
        }
        let mut midway = None;
        for dealing in self.ask(Stage::RequestCut) {
            let (Effect::Cut { after, .. } | Effect::Finish { after, .. }) = &dealing.effect else {
                continue;
            };
            // Of a request nothing else is counted.
            let Offset::Messages(most) = *after else { continue };
            let Some(calls) = Calls::of(request.headers(), most) else { continue };
            let hold = self.ticket.hold(&dealing);
            let upload = upload.get_or_insert_default();
            if matches!(dealing.effect, Effect::Cut { close: None, .. }) {
                upload.stall(calls, hold, dealing, self.draft.clone());
            } else {
                let brink = upload.end(calls, hold, Arc::clone(&self.ctl));
                midway = Some(Midway { brink, by: dealing });
            }
        }
        if let Some(upload) = upload {
            request.body_mut().put_through(upload);
        }
        midway
    }

    /// What is done to the response's body.
    pub(super) fn shape(
        &mut self,
        mut response: Response<Reply>,
        announced_length: Option<u64>,
        midway: Option<Midway>,
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
            let Some((after, end)) = cut_of(&dealing.effect) else { continue };
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
            response = self.cut(response, place, end, dealing);
        }
        if let Some(Midway { brink, by }) = midway
            && let Some((_, end)) = cut_of(&by.effect)
        {
            response = self.cut(response, Place::Upload(brink), end, by);
        }
        response
    }

    fn cut(
        &self,
        mut response: Response<Reply>,
        place: Place,
        end: End,
        by: Dealing,
    ) -> Response<Reply> {
        if let End::Trailers(_) = end {
            // It may be shorter than that, and whole.
            response.headers_mut().remove(header::CONTENT_LENGTH);
        }
        let hold = self.ticket.hold(&by);
        let cut = Cutting { place, end, hold };
        response.map(|body| body.cut(cut, by, self.draft.clone()))
    }
}

/// Where an effect breaks a body off, and what comes after that, if it does.
fn cut_of(effect: &Effect) -> Option<(Offset, End)> {
    match effect {
        Effect::Cut { after, close } => Some((*after, close.map_or(End::Stall, End::Close))),
        Effect::Finish { after, trailers } => Some((*after, End::Trailers(Arc::clone(trailers)))),
        _ => None,
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
