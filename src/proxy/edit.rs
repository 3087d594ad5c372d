//! Changes what a message says, and frames it anew.

use crate::{
    fault::{BodyEdit, take_out},
    proxy::{
        ask::Ask,
        reply::{Reply, read_whole},
    },
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use std::{collections::VecDeque, future::Future};

/// What became of an answer.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It says what it said.
    Untouched,
    /// It says something else.
    Edited {
        /// Its head announces so many bytes, which is more than there are.
        announced: Option<u64>,
    },
}

/// Changes a request's body; says whether it did. One that is too long, breaks off, or has not come
/// when `over` does passes as it is.
pub(crate) async fn request(
    request: &mut Request<Ask>,
    edit: &BodyEdit,
    over: impl Future<Output = ()>,
) -> bool {
    let headers = request.headers();
    let has_body = headers.contains_key(header::CONTENT_LENGTH)
        || headers.contains_key(header::TRANSFER_ENCODING)
        // Over HTTP/2 the frames say it.
        || request.version() == Version::HTTP_2 && !request.body().is_end_stream();
    let too_long = request.body().size_hint().lower() > BodyEdit::LIMIT;
    if !has_body || too_long || edit.leaves(headers) {
        return false;
    }
    // One byte more than is allowed tells a body that is too long from one that is not.
    let limit = usize::try_from(BodyEdit::LIMIT + 1).unwrap_or(usize::MAX);
    tokio::select! {
        biased;
        () = request.body_mut().fill_up_to(limit) => {}
        () = over => return false,
    }
    let old = request.body().whole().filter(|old| old.len() < limit);
    let Some(new) = old.and_then(|old| edit.apply(request.headers_mut(), &old)) else {
        return false;
    };
    let length = new.len() as u64;
    let has_trailers = request.body_mut().put(new);
    frame(request.headers_mut(), length, has_trailers);
    true
}

/// Changes the body of an answer to a request of this method. One that has none, is too long,
/// breaks off, or has not come when `over` does passes as it is.
pub(crate) async fn response(
    response: Response<Reply>,
    method: &Method,
    edit: &BodyEdit,
    over: impl Future<Output = ()>,
) -> (Response<Reply>, Outcome) {
    let too_long = response.body().size_hint().lower() > BodyEdit::LIMIT;
    let has_body = *method != Method::HEAD && may_have_body(response.status());
    if !has_body || too_long || edit.leaves(response.headers()) {
        return (response, Outcome::Untouched);
    }
    let (mut parts, body) = response.into_parts();
    let (whole, body) = read_whole(body, BodyEdit::LIMIT, over).await;
    let new = whole.and_then(|old| {
        let new = edit.apply(&mut parts.headers, &old.data)?;
        Some((old, new))
    });
    let Some((old, mut new)) = new else {
        return (Response::from_parts(parts, body), Outcome::Untouched);
    };
    let before = old.data.len();
    let mut frames = VecDeque::new();
    let announced = if edit.keeps_length() {
        // What is longer than announced could not be told from the next answer.
        new.truncate(before);
        frame(&mut parts.headers, before as u64, false);
        (new.len() < before).then_some(before as u64)
    } else {
        frames.extend(old.trailers);
        frame(&mut parts.headers, new.len() as u64, !frames.is_empty());
        None
    };
    if !new.is_empty() {
        frames.push_front(http_body::Frame::data(new));
    }
    let body = Reply::empty().after(frames);
    (Response::from_parts(parts, body), Outcome::Edited { announced })
}

/// Whether anything follows a head with this status (RFC 9110 §6.4.1, §15.3.6).
fn may_have_body(status: StatusCode) -> bool {
    let never = [StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED];
    !status.is_informational() && !never.contains(&status)
}

/// Announces a length. Only chunks can have trailers after them, so they stay for these.
fn frame(headers: &mut HeaderMap, length: u64, has_trailers: bool) {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        if has_trailers {
            return;
        }
        take_out(headers, &[header::TRANSFER_ENCODING]);
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}
