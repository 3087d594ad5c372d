//! What a drill is to be.

use crate::{
    config::{self, Allow, Config, Ground, Terminate, UpstreamHttp, UpstreamTls},
    control::Spec,
    diag::{Look, Problems, Source, closest, list_of, render},
    dice::Seed,
    drill::{
        Drill, DrillError, bind,
        source::{self, Loaded},
    },
    engine::{Play, Site},
    fault::catalog::Protocol,
    scenario::Scenario,
    select::Users,
    timeline::Speed,
    units::{Place, bytes_upstream, http_upstream},
};
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

/// Says what a drill is to be, and [starts](Self::start) it.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is played until it is started"]
pub struct Builder {
    scenario: Option<String>,
    upstream: Option<String>,
    listen: Option<String>,
    terminate: bool,
    forward: Option<String>,
    intercept: bool,
    upstream_ca: Option<PathBuf>,
    upstream_http: Option<UpstreamHttp>,
    seed: Option<u64>,
    speed: Option<f64>,
    start_at: Option<String>,
    longest_phase: Option<Duration>,
    wait_for_traffic: bool,
    targets: Vec<(String, String)>,
}

/// All that has been read and checked before anything is done.
#[derive(Debug)]
pub(super) struct Plan {
    pub scenario: Arc<Scenario>,
    pub play: Play,
    pub specs: Vec<Spec>,
    pub users: Users,
}

impl Builder {
    /// What is played: the name of a bundled scenario, the path of a file, or the YAML itself, which is
    /// told by its line breaks or its braces. A file may have proxies of its own.
    pub fn scenario(mut self, scenario: impl Into<String>) -> Self {
        self.scenario = Some(scenario.into());
        self
    }

    /// The service to stand in front of: `127.0.0.1:3000`, an address, or a URL (`http`, `https`); with
    /// `tcp://` before it bytes are passed on, whatever they mean.
    #[expect(clippy::needless_pass_by_value, reason = "it reads as a text or an address does")]
    pub fn upstream(mut self, upstream: impl ToString) -> Self {
        self.upstream = Some(upstream.to_string());
        self
    }

    /// Where clients connect: an address and a port, or a port on loopback. A free port of loopback
    /// unless said.
    #[expect(clippy::needless_pass_by_value, reason = "it reads as a text or an address does")]
    pub fn listen(mut self, listen: impl ToString) -> Self {
        self.listen = Some(listen.to_string());
        self
    }

    /// Speaks TLS with clients, with certificates that are made up for the names that they ask for.
    /// [`Drill::authority`] signs them. One of one's own is for a file with proxies (`terminate`).
    pub fn terminate(mut self) -> Self {
        self.terminate = true;
        self
    }

    /// Instead of [`upstream`](Self::upstream): a forward proxy to these hosts, for clients that are told
    /// of [`Drill::url`] as their proxy. They are written as `--forward` takes them: `api.example.com`,
    /// `*.example.org, 127.0.0.1:8080`. No variable is set in this process.
    pub fn forward(mut self, hosts: impl Into<String>) -> Self {
        self.forward = Some(hosts.into());
        self
    }

    /// Has a [forward](Self::forward) proxy read the requests inside TLS, with certificates that
    /// [`Drill::authority`] signs.
    pub fn intercept(mut self) -> Self {
        self.intercept = true;
        self
    }

    /// Trusts the certificates of this PEM file for upstreams over https, and no others; the system's
    /// unless said.
    pub fn upstream_ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.upstream_ca = Some(file.into());
        self
    }

    /// Which version of HTTP the upstream is spoken to in; the client's unless said.
    pub fn upstream_http(mut self, version: UpstreamHttp) -> Self {
        self.upstream_http = Some(version);
        self
    }

    /// What all random choices follow from; the scenario's own unless said, else a fresh one.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many times faster than life the phases go by, from 0.1 to 100,000; injected latencies stay
    /// real.
    pub fn speed(mut self, factor: f64) -> Self {
        self.speed = Some(factor);
        self
    }

    /// The phase to start with.
    pub fn start_at(mut self, phase: impl Into<String>) -> Self {
        self.start_at = Some(phase.into());
        self
    }

    /// Cuts phases in which nothing moves down to this, in scenario time.
    pub fn longest_phase(mut self, length: Duration) -> Self {
        self.longest_phase = Some(length);
        self
    }

    /// Stands still until the first request.
    pub fn wait_for_traffic(mut self) -> Self {
        self.wait_for_traffic = true;
        self
    }

    /// Has a target of the scenario mean a route of one's own, such as `POST /api/checkout`.
    pub fn target(mut self, name: impl Into<String>, route: impl Into<String>) -> Self {
        self.targets.push((name.into(), route.into()));
        self
    }

    /// Starts it, on the runtime that this is called in. When it returns, clients may connect.
    ///
    /// # Errors
    ///
    /// See [`DrillError`]; then nothing was started.
    pub async fn start(self) -> Result<Drill, DrillError> {
        Drill::play(self.plan()?).await
    }

    fn plan(self) -> Result<Plan, DrillError> {
        let (mut scenario, own, source) = self.read()?;
        for (name, route) in &self.targets {
            bind(&mut scenario, name, route)
                .map_err(|source| DrillError::Target { name: name.clone(), source })?;
        }
        let play = self.how(&scenario)?;
        let (specs, users) = match own {
            Some(_) if self.says_of_a_proxy() => {
                return Err(DrillError::Missing(
                    "the scenario's file has proxies of its own: leave `upstream`, `listen` and all else out \
                     that is said of a proxy",
                ));
            }
            Some(config) => {
                let users = config.users.unwrap_or_else(|| scenario.users.clone());
                (config.proxies.iter().map(Spec::of).collect(), users)
            }
            None => {
                let only = self.only()?;
                let mut problems = Problems::default();
                config::fit(&scenario, &[only.ground()], &mut problems);
                refuse(&source, &problems)?;
                (vec![only], scenario.users.clone())
            }
        };
        Ok(Plan { scenario: Arc::new(scenario), play, specs, users })
    }

    fn read(&self) -> Result<(Scenario, Option<Config>, Source), DrillError> {
        let name = self.scenario.as_deref().ok_or(DrillError::Missing(
            "no scenario: name a bundled one, a file, or write it here, with `scenario(…)`",
        ))?;
        let is_text = name.contains('\n') || name.trim_start().starts_with('{');
        let mut loaded = if is_text {
            Loaded::text("scenario", name)
        } else {
            source::load(name).map_err(DrillError::Source)?
        };
        let file = loaded.read_all();
        refuse(&loaded.source, &loaded.problems)?;
        let (scenario, config) = file.map_or((None, None), |file| (file.scenario, file.config));
        let scenario = scenario.ok_or_else(|| {
            DrillError::Source(format!("`{}` is no scenario: it has no phases", loaded.source.name))
        })?;
        Ok((scenario, config, loaded.source))
    }

    fn says_of_a_proxy(&self) -> bool {
        [&self.upstream, &self.listen, &self.forward].iter().any(|text| text.is_some())
            || self.terminate
            || self.intercept
            || self.upstream_ca.is_some()
            || self.upstream_http.is_some()
    }

    /// The one proxy that no file has.
    fn only(&self) -> Result<Spec, DrillError> {
        let listen = match &self.listen {
            Some(text) => Place::parse(text)
                .map_err(|error| DrillError::Value { what: "listen", why: error.to_string() })?,
            None => SocketAddr::from(([127, 0, 0, 1], 0)).into(),
        };
        let (protocol, upstream) = self.behind()?;
        self.go_together(protocol)?;
        let ca = self.upstream_ca.clone();
        let spec = Spec {
            protocol,
            terminate: self.terminate.then(Terminate::default),
            intercept: self.intercept,
            tls: ca.map(|ca| UpstreamTls { ca: Some(ca), ..UpstreamTls::default() }),
            http: self.upstream_http.unwrap_or_default(),
            ..Spec::tcp(Site::ONLY, listen, &upstream)
        };
        spec.check().map_err(|source| DrillError::Proxy { name: spec.name.clone(), source })?;
        Ok(spec)
    }

    /// What the proxy understands, and what it stands in front of.
    fn behind(&self) -> Result<(Protocol, String), DrillError> {
        let wrong = |what, why| DrillError::Value { what, why };
        match (self.upstream.as_deref(), self.forward.as_deref()) {
            (Some(_), Some(_)) => Err(DrillError::Missing(
                "`upstream` is one service, and with `forward` each request says where it goes: leave one out",
            )),
            (None, None) => Err(DrillError::Missing(
                "no upstream: say where the service is, with `upstream(\"127.0.0.1:3000\")`",
            )),
            (None, Some(hosts)) => {
                let allow = hosts.parse::<Allow>();
                let allow = allow.map_err(|error| wrong("forward", error.to_string()))?;
                Ok((Protocol::Forward, allow.to_string()))
            }
            (Some(text), None) if text.starts_with("tcp://") => {
                let upstream = bytes_upstream(text);
                let upstream = upstream.map_err(|error| wrong("upstream", error.to_string()))?;
                Ok((Protocol::Tcp, upstream))
            }
            (Some(text), None) => {
                let upstream = http_upstream(text);
                let upstream = upstream.map_err(|error| wrong("upstream", error.to_string()))?;
                Ok((Protocol::Http, upstream))
            }
        }
    }

    /// Refuses what means nothing to such a proxy.
    fn go_together(&self, protocol: Protocol) -> Result<(), DrillError> {
        let wrong = |what, why: &str| Err(DrillError::Value { what, why: why.to_owned() });
        let (terminates, intercepts) = (self.terminate, self.intercept);
        if let Some(why) = (Ground { name: "", protocol, terminates, intercepts }).unread() {
            return wrong("intercept", &format!("{why}; leave `terminate` out"));
        }
        let bytes = "bytes are passed on as they come, TLS included; leave it out";
        match protocol {
            Protocol::Tcp if self.terminate => wrong("terminate", bytes),
            Protocol::Tcp if self.upstream_ca.is_some() => wrong("upstream_ca", bytes),
            Protocol::Tcp if self.upstream_http.is_some() => wrong("upstream_http", bytes),
            Protocol::Http | Protocol::Tcp if self.intercept => wrong(
                "intercept",
                "it is for the tunnels of a forward proxy; say `forward`, or `terminate`",
            ),
            _ => Ok(()),
        }
    }

    fn how(&self, scenario: &Scenario) -> Result<Play, DrillError> {
        let speed = self.speed.map_or(Some(Speed::REAL), Speed::new);
        let speed = speed.ok_or_else(|| DrillError::Value {
            what: "speed",
            why: "it is from 0.1 to 100000".to_owned(),
        })?;
        let start_at = match &self.start_at {
            Some(name) => {
                let phase = phase(scenario, name)?;
                scenario.timeline(self.longest_phase).start_of(phase)
            }
            None => Duration::ZERO,
        };
        Ok(Play {
            seed: self.seed.map(Seed).or(scenario.seed).unwrap_or_else(Seed::fresh),
            speed,
            start_at,
            longest_phase: self.longest_phase,
            wait_for_traffic: self.wait_for_traffic,
        })
    }
}

/// The place of a phase.
pub(super) fn phase(scenario: &Scenario, name: &str) -> Result<usize, DrillError> {
    let names = || scenario.phases.iter().map(|phase| phase.name.as_str());
    names().position(|known| known == name).ok_or_else(|| {
        let hint = match closest(name, names()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("it has {}", list_of(names())),
        };
        DrillError::Phase(format!("the scenario has no phase `{name}`; {hint}"))
    })
}

/// Mistakes are an end, warnings are not.
fn refuse(source: &Source, problems: &Problems) -> Result<(), DrillError> {
    if problems.has_errors() {
        let text = render(source, problems, Look::Plain);
        return Err(DrillError::Scenario(text.trim_end().to_owned()));
    }
    Ok(())
}
