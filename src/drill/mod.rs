//! A drill in somebody else's program: the library's own door.
//!
//! What `firedrill run` does on a command line, a test does here, on its own runtime and as often as it
//! likes. Nothing of it is global: several drills in one process know nothing of each other, and signals,
//! files and the terminal are left to whose they are.

mod again;
mod bind;
mod builder;
mod error;
mod judge;
mod report;
pub mod source;

pub use again::{Again, AgainError};
pub use bind::{BindError, bind};
pub use builder::Builder;
pub use error::DrillError;
pub use judge::judge;
pub use report::Report;

use crate::{
    ca::Authority,
    control::{Registry, Spec},
    engine::{Controls, Play, Run},
    event::Recorder,
    fault::catalog::Protocol,
    observe::{Collector, End, Ending},
    report::summary::Origin,
    scenario::Scenario,
    verdict::Judge,
};
use builder::Plan;
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// Events kept between two visits of the collector; more are dropped and counted.
const EVENT_LIMIT: usize = 1 << 18;
/// How long exchanges under way may take to finish when a drill is over.
const PATIENCE: Duration = Duration::from_secs(5);

/// A scenario being played in front of a service, while the client under test talks through it.
///
/// It plays until its timeline is over, and lets traffic pass then; [`finish`](Self::finish) ends it
/// before that, and says what it came to. Dropped, it ends at once: nothing is injected any more, its
/// ports are given back and its connections closed.
///
/// ```
/// use firedrill::{Drill, demo::Shop};
/// # use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::TcpStream};
///
/// # async fn browse(address: std::net::SocketAddr) -> std::io::Result<String> {
/// #     let mut client = TcpStream::connect(address).await?;
/// #     client.write_all(b"GET /items HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").await?;
/// #     let mut answer = String::new();
/// #     client.read_to_string(&mut answer).await?;
/// #     Ok(answer.lines().next().unwrap_or_default().to_owned())
/// # }
/// #
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let service = Shop::start().await?; // your service
///     let drill = Drill::builder()
///         .scenario(
///             "name: checkout
/// phases:
///   - { name: calm, for: 10s }
///   - { name: outage, for: 10s, faults: [{ respond: 503 }] }
///   - { name: after, for: 10s }",
///         )
///         .upstream(service.address())
///         .seed(7)
///         .start()
///         .await?;
///
///     // Whatever your client does, through `drill.url()`.
///     assert_eq!(browse(drill.address()).await?, "HTTP/1.1 200 OK");
///     drill.skip_to("outage").await?;
///     assert_eq!(browse(drill.address()).await?, "HTTP/1.1 503 Service Unavailable");
///     drill.skip_to("after").await?;
///     assert_eq!(browse(drill.address()).await?, "HTTP/1.1 200 OK");
///
///     let report = drill.finish().await?;
///     assert_eq!((report.observations.exchanges, report.hits("respond")), (3, 1));
///     println!("{report}");
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Drill {
    scenario: Arc<Scenario>,
    play: Play,
    /// Before the proxies: nothing is injected while they go.
    run: Run,
    registry: Arc<Registry>,
    /// Where clients connect: the first that speaks HTTP, if one does.
    place: Spec,
    /// Signs for the proxies that make certificates up, if any does.
    authority: Option<Authority>,
    collector: Collector<Judge>,
}

impl Drill {
    /// Says what a drill is to be.
    pub fn builder() -> Builder {
        Builder::default()
    }

    async fn play(plan: Plan) -> Result<Self, DrillError> {
        let Plan { scenario, play, specs, users } = plan;
        let recorder = Arc::new(Recorder::new(EVENT_LIMIT, true));
        let run = Run::start(Arc::clone(&scenario), &play, Arc::clone(&recorder));
        let proxies: Vec<_> = specs.iter().map(|spec| (spec.name.clone(), spec.protocol)).collect();
        let judge = judge(&scenario, &play, &users, &proxies);
        let registry = Arc::new(Registry::new(&run, Arc::clone(&recorder), users));
        let makes_up = specs.iter().any(Spec::makes_certificates_up);
        let authority = makes_up.then(Authority::own).transpose()?;
        let mut places: Vec<Spec> = Vec::new();
        for spec in specs {
            let name = spec.name.clone();
            let added = registry.add(spec).await;
            places.push(added.map_err(|source| DrillError::Proxy { name, source })?.spec());
        }
        let http = places.iter().position(|spec| spec.protocol == Protocol::Http);
        let none = DrillError::Missing("the scenario's file has `proxies`, but none in it");
        let place = places.into_iter().nth(http.unwrap_or(0)).ok_or(none)?;
        let collector = Collector::start(recorder, None, judge)
            .map_err(|source| DrillError::System { what: "cannot start a thread", source })?;
        Ok(Self { scenario, play, run, registry, place, authority, collector })
    }

    /// Where clients connect, as a URL: the HTTP proxy's, if there are several.
    pub fn url(&self) -> String {
        self.place.url()
    }

    /// Where clients connect: as [`url`](Self::url). A Unix socket has no address; port 0 stands for it,
    /// and its URL is `unix:` with its path.
    pub fn address(&self) -> SocketAddr {
        let none = SocketAddr::from(([127, 0, 0, 1], 0));
        self.place.reached_at().tcp().unwrap_or(none)
    }

    /// The URL of a proxy of the scenario's file, by its name.
    pub fn url_of(&self, proxy: &str) -> Option<String> {
        self.registry.find(proxy).map(|proxied| proxied.spec().url())
    }

    /// Whom clients have to trust if a proxy makes certificates up, for
    /// [`terminate`](Builder::terminate) or [`intercept`](Builder::intercept): its certificate is
    /// [there as PEM](Authority::certificate), and [in a file](Authority::path) for programs that want
    /// one. It is the user's own, of `firedrill ca`; the variable `FIREDRILL_CA_DIR` says where it is
    /// kept.
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// What all random choices follow from.
    pub fn seed(&self) -> u64 {
        self.play.seed.0
    }

    /// The phase that plays; `None` when the timeline is over.
    pub fn phase(&self) -> Option<&str> {
        let status = self.run.controls().status();
        let position = status.position.filter(|_| !status.over)?;
        self.scenario.phases.get(position.phase).map(|phase| phase.name.as_str())
    }

    /// The clock, and all that can be commanded of it.
    pub fn controls(&self) -> Controls {
        self.run.controls()
    }

    /// Goes to the start of a phase. When this returns, its faults are in force, and no others.
    ///
    /// # Errors
    ///
    /// Fails if there is no such phase, or the drill is over.
    pub async fn skip_to(&self, phase: &str) -> Result<(), DrillError> {
        let at = builder::phase(&self.scenario, phase)?;
        let controls = self.run.controls();
        if controls.status().over {
            return Err(DrillError::Phase(format!("the drill is over, `{phase}` comes no more")));
        }
        controls.seek(self.run.timeline().start_of(at));
        controls.settled().await;
        Ok(())
    }

    /// Stops injecting, and lets go of whatever is held; traffic passes from now on.
    pub fn stop(&self) {
        self.run.controls().stop();
    }

    /// Waits for the end of the timeline, or for [`stop`](Self::stop).
    pub async fn played(&mut self) {
        self.run.finished().await;
    }

    /// Ends it: injection stops, what is under way has a few seconds to finish, and the ports are given
    /// back. Says what it came to.
    ///
    /// # Errors
    ///
    /// Fails if what was seen is lost.
    pub async fn finish(self) -> Result<Report, DrillError> {
        let controls = self.run.controls();
        let status = controls.status();
        let took = controls.tick();
        controls.stop();
        let cut = self.registry.drain(PATIENCE).await;
        if cut > 0 {
            tracing::warn!(connections = cut, "did not finish in time and were closed");
        }
        let end = match (status.aborted, status.position) {
            (true, _) => End::Aborted,
            (false, None) => End::Finished,
            (false, Some(_)) => End::CommandEnded,
        };
        let collector = self.collector;
        // It joins a thread.
        let collected =
            tokio::task::spawn_blocking(move || collector.finish(Ending::of(end))).await;
        let lost = |source| DrillError::System { what: "what was seen is lost", source };
        let collected = collected.map_err(|error| lost(error.into()))?;
        collected.record.map_err(lost)?;
        Ok(Report {
            timeline: self.run.timeline().clone(),
            run: self.run.id().to_owned(),
            end,
            took,
            verdict: collected
                .listener
                .map(|judge| judge.finish(collected.observations.dropped))
                .unwrap_or_default(),
            observations: collected.observations,
            tallies: self.run.tallies(),
            scenario: self.scenario,
            play: self.play,
            origin: Origin::default(),
        })
    }
}
