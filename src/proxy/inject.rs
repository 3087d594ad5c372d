//! Middleware that carries out what the scenario deals to a request.
//!
//! The stages of an exchange in order: delay, admission, answer or end, what the request says,
//! upstream, response delay, what the response says, body, cut. Each is asked for at its own moment,
//! so that a failure after a delay is decided when the delay
//! is over. Nothing in force costs one load and a branch, and no allocation.

use crate::{
    engine::{Dealing, Ticket},
    event::Upstream,
    fault::{Canned, Close, Effect, Loss, Offset, Raw, Stage},
    proxy::{
        ask::Ask,
        ctl::{ConnCtl, lock},
        drain::Ending,
        edit,
        error::Aborted,
        record::Draft,
        reply::{Reply, read_out},
        rescue::MARK,
        second::Second,
        timer::Timer,
    },
    select::{RequestView, User},
};
use http::{HeaderValue, Request, Response, header};
use http_body::Body as _;
use std::{
    future::{Future, pending},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, timeout};
use tower::{Layer, Service};

/// What a fraction of a body of unknown length is taken of.
const UNKNOWN_LENGTH: u64 = 64 * 1024;

/// Wraps services in [`Inject`].
#[derive(Clone, Debug)]
pub(crate) struct InjectLayer {
    mark: bool,
    timer: Timer,
    ending: Ending,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Inject<S> {
    inner: S,
    mark: bool,
    timer: Timer,
    ending: Ending,
}

impl InjectLayer {
    /// With `mark`, injected answers say by a header that they are.
    pub(crate) const fn new(mark: bool, timer: Timer, ending: Ending) -> Self {
        Self { mark, timer, ending }
    }
}

impl<S> Layer<S> for InjectLayer {
    type Service = Inject<S>;

    fn layer(&self, inner: S) -> Inject<S> {
        Inject { inner, mark: self.mark, timer: self.timer.clone(), ending: self.ending.clone() }
    }
}

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
        if !draft.ctl.injector().has_message_faults() {
            return self.inner.call(request);
        }
        let draft = draft.clone();
        let (inner, mark, timer) = (self.inner.clone(), self.mark, self.timer.clone());
        let ending = self.ending.clone();
        Box::pin(async move {
            let (injection, request) = Injection::open(draft, mark, timer, request).await;
            injection.carry_out(inner, request, &ending).await
        })
    }
}

/// The dealings with one exchange.
struct Injection {
    draft: Draft,
    ctl: Arc<ConnCtl>,
    ticket: Ticket,
    mark: bool,
    timer: Timer,
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
        mark: bool,
        timer: Timer,
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
            path: request.uri().path(),
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
        let ticket = injector.open(user, exchange.nth, exchange.targets, operation, ctl.key);
        drop(exchange);
        (Self { draft, ctl, ticket, mark, timer }, request)
    }

    async fn carry_out<S>(
        mut self,
        mut inner: S,
        mut request: Request<Ask>,
        ending: &Ending,
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
                // Whatever else is in force by now has its say before it goes on.
                Ended::LetGo => {}
            }
        }
        for dealing in self.ask(Stage::Request) {
            let changed = match &dealing.effect {
                Effect::EditHead(head) => head.apply(request.headers_mut()),
                Effect::EditBody(body) => {
                    edit::request(&mut request, body, self.ticket.over()).await
                }
                _ => false,
            };
            self.edited(&dealing, changed);
        }
        let mut loss = None;
        for dealing in self.ask(Stage::Upstream) {
            if let Effect::Duplicate { delay } = dealing.effect {
                let second = Second::of(&mut request, dealing, delay, self.timer.clone());
                if let Some(second) = second {
                    second.spawn(inner.clone(), ending);
                }
            } else {
                loss.get_or_insert(dealing);
            }
        }
        let mut response = inner.call(request).await?;
        if let Some(loss) = loss {
            response = self.lose(&loss, response).await;
        }
        let delays = self.ask(Stage::ResponseDelay);
        if !delays.is_empty() {
            self.delay(&delays).await;
        }
        let (response, announced) = self.edit(response).await;
        Ok(self.shape(response, announced))
    }

    /// What the response says after all edits, and the length that its head announces if that is
    /// more than there is.
    async fn edit(&mut self, mut response: Response<Reply>) -> (Response<Reply>, Option<u64>) {
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
    fn edited(&self, edit: &Dealing, changed: bool) {
        if changed {
            edit.came_about();
            self.draft.dealt(edit.dealt.clone());
        }
    }

    /// What is dealt at a stage, noted.
    fn ask(&mut self, stage: Stage) -> Vec<Dealing> {
        let dealings = self.ticket.ask(stage);
        for dealing in dealings.iter().filter(|dealing| dealing.is_certain()) {
            self.draft.dealt(dealing.dealt.clone());
        }
        dealings
    }

    /// Holds for as long as all delays together say, unless the drill ends before.
    async fn delay(&mut self, delays: &[Dealing]) {
        let asked = Instant::now();
        let time = |dealing: &Dealing| match dealing.effect {
            Effect::Delay(time) => time,
            _ => Duration::ZERO,
        };
        let total: Duration = delays.iter().map(time).sum();
        tokio::select! {
            () = self.timer.until(asked + total) => {}
            () = self.ticket.over() => {}
        }
        // One after the other, as far as it came to them.
        let mut left = asked.elapsed();
        for dealing in delays {
            let own = time(dealing).min(left);
            dealing.held(own);
            left -= own;
        }
    }

    /// Lets it in, perhaps after a while, or turns it away.
    async fn admit(&mut self, body: &mut Ask) -> Ended {
        for dealing in self.ask(Stage::Admission) {
            if let Effect::Queue(wait) = dealing.effect {
                body.held_until(self.queue(&dealing, wait)).await;
                continue;
            }
            let ended = self.end(&dealing, body).await;
            if !matches!(ended, Ended::LetGo) {
                return ended;
            }
        }
        Ended::LetGo
    }

    async fn end(&mut self, end: &Dealing, body: &mut Ask) -> Ended {
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

    /// Reads the request first. If the drill ends before it did, nothing is done to it.
    async fn is_let_go_while_read(&mut self, end: &Dealing, body: &mut Ask) -> bool {
        tokio::select! {
            biased;
            () = body.take_in() => {}
            () = self.ticket.over() => {}
        }
        let over = self.ctl.injector().is_over();
        if over {
            self.withdraw(end);
        }
        over
    }

    /// Waits for its turn, or until the fault lets go.
    async fn queue(&mut self, by: &Dealing, wait: Duration) {
        let held = Held { by, since: Instant::now() };
        let ticket = &mut self.ticket;
        let let_go = async {
            while ticket.is_still_held(by) {
                ticket.next_change(by).await;
            }
        };
        tokio::select! {
            biased;
            () = self.timer.until(held.since + wait) => {}
            () = let_go => {}
        }
    }

    /// Says nothing until the fault lets go (true) or the limit is reached (false).
    async fn hang(&mut self, by: &Dealing, limit: Option<Duration>) -> bool {
        let _held = Held { by, since: Instant::now() };
        let ticket = &mut self.ticket;
        let held = async {
            while ticket.is_still_held(by) {
                ticket.next_change(by).await;
            }
        };
        let Some(limit) = limit else {
            held.await;
            return true;
        };
        timeout(limit, held).await.is_ok()
    }

    /// Loses the upstream's answer, once the upstream is done with it.
    async fn lose(&mut self, loss: &Dealing, response: Response<Reply>) -> Response<Reply> {
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
    fn say(&self, raw: &Raw) {
        if let Some(status) = raw.status {
            let now = self.ctl.injector().micros();
            let mut exchange = lock(&self.draft.exchange);
            exchange.t_sent_first = now;
            exchange.status = status.as_u16();
        }
        self.ctl.say_last(raw.bytes.clone());
    }

    /// Takes back what was noted of a dealing that the drill's end let go.
    fn withdraw(&self, dealing: &Dealing) {
        lock(&self.draft.exchange).dealt.retain(|dealt| *dealt != dealing.dealt);
    }

    /// An injected answer, which says that it is one.
    fn answer(&self, canned: &Arc<Canned>, by: &Dealing) -> Response<Reply> {
        let body = canned.body.clone();
        let mut response = Response::new(Reply::Whole((!body.is_empty()).then_some(body)));
        *response.status_mut() = canned.status;
        response.headers_mut().clone_from(&canned.headers);
        if self.mark {
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

    /// What is done to the response's body.
    fn shape(
        &mut self,
        mut response: Response<Reply>,
        announced_length: Option<u64>,
    ) -> Response<Reply> {
        for dealing in self.ask(Stage::Body) {
            let hold = self.ticket.hold(&dealing);
            if let Effect::Shape(filter) = dealing.effect {
                response = response.map(|body| body.shaped(filter, hold, Arc::clone(&self.ctl)));
            }
        }
        if let Some(length) = announced_length {
            response = response.map(|body| body.short(length, Arc::clone(&self.ctl)));
        }
        for dealing in self.ask(Stage::Cut) {
            if let Effect::Cut { after, close } = dealing.effect {
                let left = match after {
                    Offset::Bytes(bytes) => bytes,
                    Offset::Fraction(part) => part_of(part, announced(&response)),
                };
                response = response.map(|body| body.cut(left, close, dealing, self.draft.clone()));
            }
        }
        response
    }
}

/// Credits a fault with the time it held somebody, also if they gave up waiting.
struct Held<'d> {
    by: &'d Dealing,
    since: Instant,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.by.held(self.since.elapsed());
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
