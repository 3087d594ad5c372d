//! The proxies of a run, by name: made, changed, switched off and on, and taken away while others
//! carry traffic.
//!
//! One change at a time; looking never waits for one. A change waits for no peer: what is switched
//! off gives its port back and closes its connections by itself.

use super::spec::{Change, Speakers, Spec};
use crate::{
    config::AllowError,
    engine::{Hand, HandError, HandFault, Injector, Run, Site, Stations},
    event::Recorder,
    proxy::{Door, Meters, Proxy, Settings, TlsError},
    select::Users,
    units::{Place, UpstreamUrlError},
};
use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Why a proxy cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is one of that name.
    #[error("there is a proxy `{0}` already")]
    Exists(String),
    /// There is none of that name.
    #[error("there is no proxy `{0}`")]
    Unknown(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: Place,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The upstream is no URL.
    #[error(transparent)]
    Upstream(#[from] UpstreamUrlError),
    /// What it may reach is no list of hosts.
    #[error(transparent)]
    Allow(#[from] AllowError),
    /// The variables that lead clients to a forward proxy hold URLs.
    #[error(
        "no client can be told of a forward proxy on a Unix socket; listen on an address and a port, such \
         as `127.0.0.1:3128`"
    )]
    Untold,
    /// TLS cannot be spoken as asked.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A fault cannot be put on it.
    #[error(transparent)]
    Fault(#[from] HandError),
}

/// A proxy of the registry. It stays the same while it is switched off and on.
#[derive(Debug)]
pub struct Proxied {
    /// Its name.
    pub name: String,
    /// Puts faults on it.
    pub hand: Hand,
    /// What goes through it, counted over all its lives.
    pub meters: Arc<Meters>,
    injector: Injector,
    state: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    spec: Spec,
    running: Option<Proxy>,
    /// Those of the one that runs, or ran last.
    speakers: Speakers,
}

impl Proxied {
    /// How it stands: as it was asked for, and once it listened, where.
    pub fn spec(&self) -> Spec {
        lock(&self.state).spec.clone()
    }

    /// Ends it; says when its port is free.
    async fn stop(&self) {
        let running = {
            let mut inner = lock(&self.state);
            inner.spec.enabled = false;
            inner.running.take()
        };
        if let Some(proxy) = running {
            proxy.close().await;
        }
    }
}

/// The proxies of a run.
#[derive(Debug)]
pub struct Registry {
    stations: Stations,
    recorder: Arc<Recorder>,
    users: Arc<Users>,
    proxies: Mutex<BTreeMap<String, Arc<Proxied>>>,
    /// Held while something is changed.
    changing: tokio::sync::Mutex<()>,
}

impl Registry {
    /// No proxies yet. Those that do not say who is one user take the run's.
    pub fn new(run: &Run, recorder: Arc<Recorder>, users: Users) -> Self {
        Self {
            stations: run.stations(),
            recorder,
            users: Arc::new(users),
            proxies: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<Arc<Proxied>> {
        lock(&self.proxies).values().cloned().collect()
    }

    /// The proxy of this name.
    pub fn find(&self, name: &str) -> Option<Arc<Proxied>> {
        lock(&self.proxies).get(name).cloned()
    }

    /// Makes a proxy, which listens at once if it is enabled.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`]; then nothing was made.
    pub async fn add(&self, spec: Spec) -> Result<Arc<Proxied>, RegistryError> {
        self.add_with(spec, Vec::new()).await
    }

    /// Makes a proxy with faults on it, which are there before anybody is let in.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`]; then nothing was made.
    pub async fn add_with(
        &self,
        spec: Spec,
        faults: Vec<HandFault>,
    ) -> Result<Arc<Proxied>, RegistryError> {
        let _one = self.changing.lock().await;
        self.make(spec, None, faults)
    }

    /// Changes a proxy. A new address or upstream ends its connections, as switching it off does.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`]. If it cannot listen on its new address it is left switched off, with
    /// that address; otherwise nothing was changed.
    pub async fn change(&self, name: &str, change: Change) -> Result<Arc<Proxied>, RegistryError> {
        let _one = self.changing.lock().await;
        let proxied = self.find(name).ok_or_else(|| RegistryError::Unknown(name.to_owned()))?;
        let before = proxied.spec();
        let mut spec = before.clone();
        if let Some((listen, written)) = change.listen.filter(|(new, _)| *new != before.listen) {
            (spec.listen, spec.written) = (listen, written);
        }
        spec.upstream = change.upstream.unwrap_or(spec.upstream);
        spec.enabled = change.enabled.unwrap_or(spec.enabled);
        if spec == before {
            return Ok(proxied);
        }
        spec.check()?;
        let moves = spec.listen != before.listen || spec.upstream != before.upstream;
        if moves || !spec.enabled {
            proxied.stop().await;
        }
        {
            let mut inner = lock(&proxied.state);
            inner.spec = Spec { enabled: inner.running.is_some(), ..spec.clone() };
        }
        if spec.enabled {
            self.start(&proxied, None)?;
        }
        Ok(proxied)
    }

    /// Takes a proxy away with all that is on it, and ends its connections.
    ///
    /// # Errors
    ///
    /// Fails if there is none of that name.
    pub async fn remove(&self, name: &str) -> Result<(), RegistryError> {
        let _one = self.changing.lock().await;
        self.take(name).await
    }

    /// Puts a fresh proxy with these faults into the place of the one of its name, if there is none
    /// or one that differs.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`]; then nothing was changed, unless it was to listen anew where the old one
    /// did, and could not: then the old one is gone.
    pub async fn put(
        &self,
        spec: Spec,
        faults: Vec<HandFault>,
    ) -> Result<Arc<Proxied>, RegistryError> {
        let _one = self.changing.lock().await;
        let mut door = None;
        if let Some(proxied) = self.find(&spec.name) {
            let old = proxied.spec();
            if old.listen == spec.listen && old.upstream == spec.upstream {
                return Ok(proxied);
            }
            spec.check()?;
            // A new address is listened on, and what is to be on the proxy is on it, before the old one
            // is given up.
            if spec.enabled && !gives_up(&old, &spec.listen) {
                door = Some(open(&spec.listen)?);
            }
            let place = self.place(&spec, faults)?;
            if let Err(error) = self.take(&spec.name).await {
                self.stations.close(&place.1);
                return Err(error);
            }
            return self.settle(spec, door, place);
        }
        self.make(spec, door, faults)
    }

    /// Switches everything on and takes every fault by hand away. Connections stay.
    ///
    /// # Errors
    ///
    /// Fails at the first proxy that cannot listen; those after it are not touched.
    pub async fn reset(&self) -> Result<(), RegistryError> {
        let _one = self.changing.lock().await;
        for proxied in self.list() {
            self.start(&proxied, None)?;
            proxied.hand.clear();
        }
        Ok(())
    }

    /// Goes over to other proxies: those of `specs` are made, changed or left alone, those of `gone`
    /// taken away, and those of `stay` read their certificates anew. All new addresses are listened on
    /// before anything is changed, so that a port that is taken changes nothing. Says whose
    /// certificates are others now.
    ///
    /// # Errors
    ///
    /// See [`RegistryError`]; then nothing was changed.
    pub async fn go_over(
        &self,
        specs: &[Spec],
        gone: &[String],
        stay: &[String],
    ) -> Result<Vec<String>, RegistryError> {
        let _one = self.changing.lock().await;
        let mut changed = Vec::new();
        for spec in specs {
            spec.check()?;
            if lock(&self.proxies).contains_key(&spec.name) && gone.contains(&spec.name) {
                continue;
            }
            let old = self.find(&spec.name).map(|proxied| proxied.spec());
            if !old.is_some_and(|old| old.is_like(spec)) {
                changed.push(spec);
            }
        }
        let goes = |other: &Proxied| {
            gone.contains(&other.name) || changed.iter().any(|spec| spec.name == other.name)
        };
        let mut plan = Vec::new();
        for spec in &changed {
            // A port that one of our own gives up is free only then.
            let mut ours = self.list().into_iter().filter(|other| goes(other));
            let later = ours.any(|other| gives_up(&other.spec(), &spec.listen));
            let door = if spec.enabled && !later { Some(open(&spec.listen)?) } else { None };
            plan.push(((*spec).clone(), door));
        }
        let mut fresh = Vec::new();
        let stays = |name: &String| stay.contains(name) || specs.iter().any(|s| s.name == *name);
        for proxied in self.list().into_iter().filter(|own| stays(&own.name) && !goes(own)) {
            let spec = proxied.spec();
            if spec.enabled {
                fresh.push((proxied, spec.ways()?.1));
            }
        }
        let renews = |(proxied, fresh): (Arc<Proxied>, Speakers)| {
            let renewed = lock(&proxied.state).speakers.renew(&fresh);
            renewed.then(|| proxied.name.clone())
        };
        let renewed = fresh.into_iter().filter_map(renews).collect();
        for name in gone {
            // Somebody may have taken it away by hand.
            let _gone = self.take(name).await;
        }
        for (spec, _) in &plan {
            if self.find(&spec.name).is_some() {
                self.take(&spec.name).await?;
            }
        }
        for (spec, door) in plan {
            self.make(spec, door, Vec::new())?;
        }
        Ok(renewed)
    }

    /// Takes no new connections, waits for what is under way for at most `patience`, then ends it.
    /// Says how many connections had to be ended.
    pub async fn drain(&self, patience: Duration) -> usize {
        let running: Vec<Proxy> = {
            let all = self.list();
            all.iter().filter_map(|proxied| lock(&proxied.state).running.take()).collect()
        };
        let drained = running.iter().map(|proxy| proxy.drain(patience));
        futures_util::future::join_all(drained).await.into_iter().sum()
    }

    async fn take(&self, name: &str) -> Result<(), RegistryError> {
        let gone = lock(&self.proxies).remove(name);
        let proxied = gone.ok_or_else(|| RegistryError::Unknown(name.to_owned()))?;
        proxied.stop().await;
        self.stations.close(&proxied.hand);
        Ok(())
    }

    fn make(
        &self,
        spec: Spec,
        door: Option<Door>,
        faults: Vec<HandFault>,
    ) -> Result<Arc<Proxied>, RegistryError> {
        if self.find(&spec.name).is_some() {
            return Err(RegistryError::Exists(spec.name));
        }
        spec.check()?;
        // Before it is known to anybody, so that one that cannot listen never was.
        let door = match door {
            None if spec.enabled => Some(open(&spec.listen)?),
            door => door,
        };
        let place = self.place(&spec, faults)?;
        self.settle(spec, door, place)
    }

    /// The place of a proxy in the run, with faults on it.
    fn place(
        &self,
        spec: &Spec,
        faults: Vec<HandFault>,
    ) -> Result<(Injector, Hand), RegistryError> {
        let users = spec.users.clone().unwrap_or_else(|| Arc::clone(&self.users));
        let site = Site {
            name: spec.name.as_str().into(),
            protocol: spec.protocol,
            tls: spec.ground().speaks_tls(),
            users,
        };
        let (injector, hand) = self.stations.open(site);
        if let Err(error) = hand.add_all(faults) {
            self.stations.close(&hand);
            return Err(error.into());
        }
        Ok((injector, hand))
    }

    /// Has a proxy take its place.
    fn settle(
        &self,
        spec: Spec,
        door: Option<Door>,
        (injector, hand): (Injector, Hand),
    ) -> Result<Arc<Proxied>, RegistryError> {
        let starts = spec.enabled;
        let proxied = Arc::new(Proxied {
            name: spec.name.clone(),
            hand,
            meters: Arc::default(),
            injector,
            state: Mutex::new(Inner {
                spec: Spec { enabled: false, ..spec },
                running: None,
                speakers: Speakers::default(),
            }),
        });
        if starts && let Err(error) = self.start(&proxied, door) {
            self.stations.close(&proxied.hand);
            return Err(error);
        }
        lock(&self.proxies).insert(proxied.name.clone(), Arc::clone(&proxied));
        Ok(proxied)
    }

    /// Has a proxy listen, if it does not.
    fn start(&self, proxied: &Proxied, door: Option<Door>) -> Result<(), RegistryError> {
        let mut inner = lock(&proxied.state);
        if inner.running.is_some() {
            return Ok(());
        }
        let door = match door {
            Some(door) => door,
            None => open(&inner.spec.listen)?,
        };
        let address = door.place();
        let (connector, speakers) = inner.spec.ways()?;
        let settings = Settings {
            mark: inner.spec.mark,
            host: inner.spec.host,
            terminator: speakers.terminator.clone(),
            intercept: speakers.intercept.clone(),
            http: inner.spec.http,
            accept: inner.spec.proxy_protocol.accept.clone(),
            forwarded: inner.spec.forwarded,
            sni: inner.spec.routes(),
            meters: Arc::clone(&proxied.meters),
        };
        let injector = proxied.injector.clone();
        let recorder = Arc::clone(&self.recorder);
        inner.running = Some(Proxy::behind(door, connector, settings, injector, recorder));
        inner.speakers = speakers;
        inner.spec.written = address.to_string();
        inner.spec.listen = address;
        inner.spec.enabled = true;
        Ok(())
    }
}

fn open(place: &Place) -> Result<Door, RegistryError> {
    let door = match (Door::open(place), place) {
        // All addresses of both kinds are those of one where there is no other.
        (Err(_), Place::Tcp(address)) if address.ip() == Ipv6Addr::UNSPECIFIED && !has_ipv6() => {
            Door::open(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())).into())
        }
        (door, _) => door,
    };
    door.map_err(|source| RegistryError::Listen { address: place.clone(), source })
}

/// Whether a place is free only once a proxy that listens is gone.
fn gives_up(old: &Spec, place: &Place) -> bool {
    let taken = match (&old.listen, place) {
        (Place::Tcp(own), Place::Tcp(address)) => {
            let all = own.ip().is_unspecified() || address.ip().is_unspecified();
            own.port() == address.port() && (all || own.ip() == address.ip())
        }
        (own, place) => own == place,
    };
    old.enabled && taken
}

fn has_ipv6() -> bool {
    Door::open(&SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into()).is_ok()
}

/// Locks what no panic can leave half-changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
