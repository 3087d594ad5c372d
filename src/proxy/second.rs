//! A request that is sent to the upstream a second time, with nobody waiting for the answer.

use crate::{
    engine::Dealing,
    event::{Duplicate, Event},
    proxy::{
        ask::Ask,
        ctl::lock,
        drain::Ending,
        error::Aborted,
        record::Draft,
        reply::{Reply, read_out},
        tee::Kept,
        timer::Timer,
    },
};
use http::{Method, Request, Response, header};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::Instant};
use tower::Service;

/// A copy of a request, to be sent once all of the request was.
#[derive(Debug)]
pub(super) struct Second {
    head: Request<()>,
    body: oneshot::Receiver<Kept>,
    delay: Duration,
    by: Dealing,
    /// The exchange that the first request is a part of.
    first: Draft,
    timer: Timer,
}

impl Second {
    /// A copy of a request, unless it is one that is not sent twice.
    pub(super) fn of(
        request: &mut Request<Ask>,
        by: Dealing,
        delay: Duration,
        timer: Timer,
    ) -> Option<Self> {
        // What is not passed on, or becomes something else than a request.
        if request.method() == Method::CONNECT || request.headers().contains_key(header::UPGRADE) {
            return None;
        }
        let mut head = Request::new(());
        head.method_mut().clone_from(request.method());
        head.uri_mut().clone_from(request.uri());
        *head.version_mut() = request.version();
        head.headers_mut().clone_from(request.headers());
        // The spelling of the fields is in there.
        head.extensions_mut().clone_from(request.extensions());
        let first = request.body().draft().clone();
        let body = request.body_mut().tee(by.dealt.clone());
        Some(Self { head, body, delay, by, first, timer })
    }

    /// Sends it in a task of its own, which ends with the proxy.
    pub(super) fn spawn<S>(self, inner: S, ending: &Ending)
    where
        S: Service<Request<Ask>, Response = Response<Reply>, Error = Aborted> + Send + 'static,
        S::Future: Future + Send,
    {
        let stopping = ending.stopping.clone();
        ending.tasks.spawn(async move {
            tokio::select! {
                () = self.send(inner) => {}
                () = stopping.cancelled() => {}
            }
        });
    }

    async fn send<S>(self, mut inner: S)
    where
        S: Service<Request<Ask>, Response = Response<Reply>, Error = Aborted>,
    {
        let Self { head, body, delay, by, first, timer } = self;
        let Ok(mut body) = body.await else {
            return;
        };
        let _room = body.take_room();
        let second = first.second();
        if is_let_go(&first, delay, &timer).await {
            lock(&first.exchange).dealt.retain(|dealt| *dealt != by.dealt);
        } else {
            by.came_about();
            let request = head.map(|()| Ask::again(body, second.clone()));
            // Also what a failure is made into.
            if let Ok(response) = inner.call(request).await {
                let mut changes = first.ctl.injector().changes();
                let over = async {
                    let _over = changes.wait_for(|change| change.over).await;
                };
                let _nobody_wants_it = read_out(response, over).await;
            }
        }
        tell(&second, &by);
    }
}

/// Waits for the time to send it; true if the drill ends before.
async fn is_let_go(first: &Draft, delay: Duration, timer: &Timer) -> bool {
    let injector = first.ctl.injector();
    if !delay.is_zero() {
        let until = Instant::now() + delay;
        let mut changes = injector.changes();
        tokio::select! {
            biased;
            _over = changes.wait_for(|change| change.over) => {}
            () = timer.until(until) => {}
        }
    }
    injector.is_over()
}

/// Hands in what became of it.
fn tell(second: &Draft, by: &Dealing) {
    let exchange = lock(&second.exchange);
    let duplicate = Duplicate {
        proxy: exchange.proxy,
        conn: exchange.conn,
        seq: exchange.seq,
        fault: Arc::clone(&by.dealt.fault),
        upstream: exchange.upstream,
        upstream_error: exchange.upstream_error,
        t_forwarded: exchange.t_forwarded,
        t_answered: exchange.t_answered,
        t_end: second.ctl.injector().micros(),
    };
    drop(exchange);
    second.ctl.recorder().say(Event::Duplicate(duplicate));
}
