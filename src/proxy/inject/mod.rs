//! Middleware that carries out what the scenario deals to a request.
//!
//! The stages of an exchange in order: delay, admission, answer or end, what the request says, its body,
//! where that breaks off, upstream, response delay, what the response says, body, cut. Each is asked for at its own moment,
//! so that a failure after a delay is decided when the delay is over. Nothing in force costs one load and a branch, and no allocation.

mod changes;
mod ends;
mod holds;

use crate::{
    engine::{Dealing, Ticket},
    fault::{Close, Effect, Stage},
    grpc::is_grpc,
    proxy::{
        ask::Ask,
        conn::Shared,
        ctl::{ConnCtl, lock},
        edit,
        error::Aborted,
        http::{is_tunnel, path_of},
        http2::Switch,
        record::Draft,
        reply::Reply,
        second::Second,
    },
    select::{RequestView, User},
};
use http::{Request, Response};
use std::{
    future::{Future, pending},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::timeout;
use tower::{Layer, Service};

/// Wraps services in [`Inject`].
#[derive(Clone, Debug)]
pub(crate) struct InjectLayer(Arc<Shared>);

/// See the module's documentation. Cloned for every request, so what all share is one pointer.
#[derive(Clone, Debug)]
pub(crate) struct Inject<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl InjectLayer {
    /// For the requests of a proxy.
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }
}

impl<S> Layer<S> for InjectLayer {
    type Service = Inject<S>;

    fn layer(&self, inner: S) -> Inject<S> {
        Inject { inner, shared: Arc::clone(&self.0) }
    }
}

/// How long the body of a request that came too late is read.
const HEARD_OUT: Duration = Duration::from_secs(1);

type Answer = Pin<Box<dyn Future<Output = Result<Response<Reply>, Aborted>> + Send>>;

impl<S> Service<Request<Ask>> for Inject<S>
where
    S: Service<Request<Ask>, Response = Response<Reply>, Error = Aborted, Future = Answer>
        + Clone
        + Send
        + 'static,
{
    type Response = Response<Reply>;
    type Error = Aborted;
    type Future = Answer;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Aborted>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Ask>) -> Answer {
        let draft = request.body().draft();
        if draft.ctl.is_drained() {
            return Box::pin(too_late(request));
        }
        // Where requests inside tunnels are read, it is those that faults are meant for.
        let is_wrapping = self.shared.intercept.is_some() && is_tunnel(&request);
        if is_wrapping || !draft.ctl.injector().has_message_faults() {
            return self.inner.call(request);
        }
        let (draft, inner, shared) = (draft.clone(), self.inner.clone(), Arc::clone(&self.shared));
        Box::pin(async move {
            let (injection, request) = Injection::open(draft, shared, request).await;
            injection.carry_out(inner, request).await
        })
    }
}

/// Deals with a request that came on a connection that was closed before: as the kernel does for a
/// server that is gone, but having heard what was asked for.
async fn too_late(mut request: Request<Ask>) -> Result<Response<Reply>, Aborted> {
    let ctl = Arc::clone(&request.body().draft().ctl);
    let _whole_or_not = timeout(HEARD_OUT, request.body_mut().fill()).await;
    ctl.kill(Close::Reset);
    pending().await
}

/// The dealings with one exchange.
struct Injection {
    draft: Draft,
    ctl: Arc<ConnCtl>,
    ticket: Ticket,
    shared: Arc<Shared>,
    /// Whether it asks for a WebSocket on a stream, where any success grants one.
    is_socket_on_stream: bool,
}

/// How an injected end ended.
enum Ended {
    /// With an answer.
    Answered(Box<Response<Reply>>),
    /// With the connection.
    Closed,
    /// It did not: the fault let go.
    LetGo,
}

impl Injection {
    async fn open(
        draft: Draft,
        shared: Arc<Shared>,
        mut request: Request<Ask>,
    ) -> (Self, Request<Ask>) {
        let ctl = Arc::clone(&draft.ctl);
        let injector = ctl.injector();
        let mut body = None;
        if injector.needs_body() {
            // A target looks into small bodies; a larger one is not among them.
            request.body_mut().fill().await;
            body = request.body().whole();
        }
        let view = RequestView {
            method: request.method(),
            path: path_of(request.uri()),
            query: request.uri().query(),
            headers: request.headers(),
            version: request.version(),
            peer: ctl.peer.ip(),
            body: body.as_deref(),
        };
        let mut exchange = lock(&draft.exchange);
        if body.is_some() {
            exchange.targets = injector.targets(&view);
        }
        let user = User { key: exchange.user, source: exchange.user_source };
        let operation = operation(&view, exchange.user);
        let ticket = injector
            .open(user, exchange.nth, exchange.targets, operation, ctl.key)
            .of_grpc(is_grpc(request.headers()));
        drop(exchange);
        let is_socket_on_stream =
            !is_tunnel(&request) && request.extensions().get::<Switch>().is_some();
        (Self { draft, ctl, ticket, shared, is_socket_on_stream }, request)
    }

    async fn carry_out<S>(
        mut self,
        mut inner: S,
        mut request: Request<Ask>,
    ) -> Result<Response<Reply>, Aborted>
    where
        S: Service<Request<Ask>, Response = Response<Reply>, Error = Aborted, Future = Answer>
            + Clone
            + Send
            + 'static,
    {
        let delays = self.ask(Stage::RequestDelay);
        if !delays.is_empty() {
            let hold = self.delay(&delays);
            request.body_mut().held_until(hold).await;
        }
        match self.admit(request.body_mut()).await {
            Ended::Answered(response) => return Ok(*response),
            Ended::Closed => return pending().await,
            Ended::LetGo => {}
        }
        while let Some(end) = self.ask(Stage::End).pop() {
            match self.end(&end, request.body_mut()).await {
                Ended::Answered(response) => return Ok(*response),
                Ended::Closed => return pending().await,
                // Whatever else is in force by now has its say before it goes on; and others have
                // theirs, if that should be the same again.
                Ended::LetGo => tokio::task::yield_now().await,
            }
        }
        for dealing in self.ask(Stage::Request) {
            let changed = match &dealing.effect {
                Effect::EditHead(head) => head.apply(request.headers_mut()),
                Effect::EditBody(body) => {
                    edit::request(&mut request, body, self.ticket.over()).await
                }
                Effect::GoAway(error) => {
                    self.ctl.connection().send_away(*error);
                    continue;
                }
                _ => false,
            };
            self.edited(&dealing, changed);
        }
        let mut loss = None;
        for dealing in self.ask(Stage::Upstream) {
            if let Effect::Duplicate { delay } = dealing.effect {
                let second = Second::of(&mut request, dealing, delay, self.shared.timer.clone());
                if let Some(second) = second {
                    second.spawn(inner.clone(), &self.shared.ending);
                }
            } else {
                loss.get_or_insert(dealing);
            }
        }
        let request_is_tunnel = is_tunnel(&request);
        let midway = self.upload(&mut request);
        let mut response = match &midway {
            None => inner.call(request).await?,
            Some(midway) => {
                let answer = tokio::select! {
                    biased;
                    () = midway.brink.told() => None,
                    answer = inner.call(request) => Some(answer),
                };
                match answer {
                    Some(answer) if !midway.brink.is_reached() => answer?,
                    answer => return Ok(self.end_midway(midway, answer).await),
                }
            }
        };
        if let Some(loss) = loss {
            response = self.lose(&loss, response).await;
        }
        let delays = self.ask(Stage::ResponseDelay);
        if !delays.is_empty() {
            self.delay(&delays).await;
        }
        if request_is_tunnel {
            // It says nothing that could be changed, and what follows it is the tunnel's.
            self.ticket.goes_on_in(&self.ctl.welcome.counted);
            return Ok(response);
        }
        let (response, announced) = self.edit(response).await;
        Ok(self.shape(response, announced, midway))
    }

    /// What is dealt at a stage, noted.
    fn ask(&mut self, stage: Stage) -> Vec<Dealing> {
        let dealings = self.ticket.ask(stage);
        for dealing in dealings.iter().filter(|dealing| dealing.is_certain()) {
            self.draft.dealt(dealing.dealt.clone());
        }
        dealings
    }
}

/// What a request's head tells of the operation it is an attempt at.
fn operation(request: &RequestView<'_>, user: u64) -> u64 {
    const KEYS: [&str; 4] =
        ["idempotency-key", "x-idempotency-key", "x-firedrill-operation", "x-chaos-op"];
    if let Some(value) = KEYS.iter().find_map(|name| request.headers.get(*name)) {
        return crate::dice::key(value.as_bytes());
    }
    let method = crate::dice::key(request.method.as_str().as_bytes());
    let path = crate::dice::key(request.path.as_bytes());
    let query = request.query.map_or(0, |query| crate::dice::key(query.as_bytes()));
    user ^ method.rotate_left(1) ^ path.rotate_left(2) ^ query.rotate_left(3)
}
