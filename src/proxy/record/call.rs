//! What came of a gRPC call: its status, and how many messages went each way.

use crate::{
    event::{Call, Exchange},
    grpc::{Messages, PUSHBACK, Told, is_grpc},
};
use http::{HeaderMap, Method};

/// What is not known yet of a request with this head, if it is a call.
pub(super) fn open(method: &Method, headers: &HeaderMap) -> Option<Call> {
    (*method == Method::POST && is_grpc(headers)).then(Call::default)
}

/// What counts the messages of a body that comes with these fields.
pub(crate) fn counter(headers: &HeaderMap) -> Option<Messages> {
    is_grpc(headers).then(Messages::default)
}

/// Notes what a head or trailers tell the client of its call.
pub(super) fn told(exchange: &mut Exchange, fields: &HeaderMap) {
    let (Some(call), Some(told)) = (&mut exchange.grpc, Told::of(fields)) else { return };
    call.status = Some(told.code);
    call.never = told.never;
    if let Some(detail) = &mut exchange.detail {
        let pushback = fields.get(PUSHBACK).and_then(|value| value.to_str().ok());
        detail.retry_after = pushback.map(|text| text.chars().take(40).collect());
        detail.retry_wait = told.wait;
    }
}
