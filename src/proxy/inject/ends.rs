//! What ends an exchange: an answer without the upstream, a loss, a closed connection.

use crate::{
    engine::Dealing,
    event::Upstream,
    fault::{Canned, Close, Effect, H2Error, Loss, Raw},
    grpc::CONTENT_TYPE,
    proxy::{
        ask::Ask,
        ctl::lock,
        error::Aborted,
        inject::{Ended, Injection},
        reply::{Reply, read_out},
        rescue::MARK,
        upload::Brink,
    },
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use std::{future::pending, sync::Arc};

/// What ends an exchange in the middle of its request.
pub(super) struct Midway {
    pub(super) brink: Arc<Brink>,
    pub(super) by: Dealing,
}

impl Injection {
    /// Ends the exchange in the middle of its request. An answer that was faster than the word that it
    /// has come to that is not passed on.
    pub(super) async fn end_midway(
        &self,
        Midway { brink, by }: &Midway,
        answer: Option<Result<Response<Reply>, Aborted>>,
    ) -> Response<Reply> {
        match answer {
            // What sends the request, and will say so, is in there.
            Some(Ok(_answer)) => brink.told().await,
            _ => self.draft.no_reply(),
        }
        by.came_about();
        self.draft.dealt(by.dealt.clone());
        if let Effect::Finish { trailers, .. } = &by.effect {
            // All that there is of an answer, in its head.
            let mut headers = HeaderMap::clone(trailers);
            headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
            let canned = Canned { status: StatusCode::OK, headers, body: Bytes::new() };
            return self.answer(&canned, by);
        }
        if let Effect::Cut { close: Some(close), .. } = by.effect {
            self.ctl.kill(close);
        }
        pending().await
    }

    pub(super) async fn end(&mut self, end: &Dealing, body: &mut Ask) -> Ended {
        match &end.effect {
            Effect::Respond(canned) => {
                if self.is_let_go_while_read(end, body).await {
                    return Ended::LetGo;
                }
                Ended::Answered(Box::new(self.answer(canned, end)))
            }
            Effect::Close(close) => {
                // The request is read first: a reset before that would say "not processed".
                if self.is_let_go_while_read(end, body).await {
                    return Ended::LetGo;
                }
                self.ctl.kill(*close);
                Ended::Closed
            }
            Effect::GoAway(error) => {
                if self.is_let_go_while_read(end, body).await {
                    return Ended::LetGo;
                }
                self.send_away(*error, end);
                Ended::Closed
            }
            Effect::Say(raw) => {
                if self.is_let_go_while_read(end, body).await {
                    return Ended::LetGo;
                }
                self.say(raw);
                Ended::Closed
            }
            Effect::Hang { limit } => {
                let let_go = body.held_until(self.hang(end, *limit)).await;
                if let_go {
                    return Ended::LetGo;
                }
                self.ctl.kill(Close::Fin);
                Ended::Closed
            }
            _ => Ended::LetGo,
        }
    }

    /// Sends the connection away. Whoever shares it meets that, too.
    pub(super) fn send_away(&self, error: H2Error, by: &Dealing) {
        let connection = self.ctl.connection();
        if self.ctl.is_stream() {
            lock(&connection.wire).push(by.dealt.clone());
        }
        connection.send_away(error);
    }

    /// Loses the upstream's answer, once the upstream is done with it.
    pub(super) async fn lose(
        &mut self,
        loss: &Dealing,
        response: Response<Reply>,
    ) -> Response<Reply> {
        let Effect::Lose(how) = &loss.effect else {
            return response;
        };
        if !matches!(lock(&self.draft.exchange).upstream, Upstream::Status(_)) {
            // There was no answer to lose: what the client hears of is genuine.
            return response;
        }
        if self.ctl.injector().is_over() {
            return response;
        }
        loss.came_about();
        self.draft.dealt(loss.dealt.clone());
        if *how == Loss::Hang {
            // A line that comes back brings the answer after all, late.
            self.hang(loss, None).await;
            return response;
        }
        if let Some(response) = read_out(response, self.ticket.over()).await {
            self.withdraw(loss);
            return response;
        }
        match how {
            Loss::Close(close) => {
                self.ctl.kill(*close);
                pending().await
            }
            Loss::Respond(canned) => self.answer(canned, loss),
            Loss::Say(raw) => {
                self.say(raw);
                pending().await
            }
            Loss::Hang => pending().await,
        }
    }

    /// Writes bytes in place of an answer, and ends the connection.
    pub(super) fn say(&self, raw: &Raw) {
        if let Some(status) = raw.status {
            let now = self.ctl.injector().micros();
            let mut exchange = lock(&self.draft.exchange);
            exchange.t_sent_first = now;
            exchange.status = status.as_u16();
        }
        self.ctl.say_last(raw.bytes.clone());
    }

    /// Takes back what was noted of a dealing that the drill's end let go.
    pub(super) fn withdraw(&self, dealing: &Dealing) {
        lock(&self.draft.exchange).dealt.retain(|dealt| *dealt != dealing.dealt);
    }

    /// An injected answer, which says that it is one.
    pub(super) fn answer(&self, canned: &Canned, by: &Dealing) -> Response<Reply> {
        let opens = self.is_socket_on_stream && canned.status.is_success();
        let instead = opens.then(|| no_grant(canned.status));
        let canned = instead.as_ref().unwrap_or(canned);
        let body = canned.body.clone();
        let mut response = Response::new(Reply::Whole((!body.is_empty()).then_some(body)));
        *response.status_mut() = canned.status;
        response.headers_mut().clone_from(&canned.headers);
        if self.shared.mark {
            let injector = self.ctl.injector();
            let phase = by.phase.map_or("-", |at| &injector.scenario().phases[at].name);
            let run = injector.run_id();
            let text = format!("run={run}; phase={phase}; fault={}", by.dealt.fault);
            // Names may hold what a header may not.
            let text: String = text
                .chars()
                .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
                .collect();
            if let Ok(mark) = HeaderValue::try_from(text) {
                response.headers_mut().insert(MARK, mark);
            }
        }
        response
    }
}

/// What stands in for an answer to the handshake of a WebSocket that grants none over HTTP/1, and would on
/// a stream.
fn no_grant(status: StatusCode) -> Canned {
    let text = format!(
        "firedrill: the fault answers with {status}, which grants no WebSocket over HTTP/1, but would over \
         HTTP/2\n"
    );
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Canned { status: StatusCode::BAD_GATEWAY, headers, body: text.into() }
}
