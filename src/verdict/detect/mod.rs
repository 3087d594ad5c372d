//! The detectors: one file each, with its formula, source, thresholds and least sample.
//!
//! A detector takes in attempts and operations as they come, keeps little of them, and says at the
//! end what it found. What several of them need is gathered once, in [`Cx`].

pub mod amplification;
pub mod backoff;
pub mod breaker;
pub mod connections;
pub mod deadline;
pub mod duplicates;
pub mod fallback;
pub mod final_errors;
pub mod give_up;
pub mod handshakes;
pub mod hedging;
pub mod jitter;
pub mod layers;
pub mod recovery;
pub mod retries;
pub mod retry_after;
pub mod saturation;
pub mod service;
pub mod storm;
pub mod timeout;

use crate::{
    event::Connection,
    verdict::{
        attempt::Attempt,
        baseline::Baseline,
        course::{Course, Stage},
        finding::{Finding, Measured, Weight},
        flow::Flow,
        gates::Gates,
        label::Labels,
        operation::Operation,
        tracks::Tracks,
    },
};
use std::fmt::Debug;

/// What is known when something comes.
#[derive(Clone, Copy, Debug)]
pub struct Now<'n> {
    /// What played when, as far as it has.
    pub course: &'n Course,
    /// Where in the drill it falls.
    pub stage: Stage,
    /// The client, by its number; with very many clients several share one.
    pub client: usize,
    /// Of an operation: the probability that a patient client would have been served; `None` if that
    /// is not known.
    pub recoverable: Option<f64>,
}

/// What is known at the end.
#[derive(Clone, Copy, Debug)]
pub struct Cx<'c> {
    /// What played when.
    pub course: &'c Course,
    /// The traffic by time.
    pub flow: &'c Flow,
    /// The calm that everything is compared with.
    pub base: &'c Baseline,
    /// Some clients, each for itself.
    pub tracks: &'c Tracks,
    /// The names of routes.
    pub labels: &'c Labels,
    /// How sure a claim has to be: 0.95.
    pub level: f64,
    /// The least number of operations that a quantitative claim may rest on.
    pub min_operations: u64,
    /// What resampling follows from.
    pub seed: crate::dice::Seed,
    /// The time after which the client gives an attempt up, in seconds, if it was found out.
    pub timeout: Option<f64>,
    /// ρ: the probability that a link by content joins what does not belong together, as measured
    /// in calm. Subtract it from shares that rest on links.
    pub rho: f64,
    /// What has to hold before anything is concluded.
    pub gates: &'c Gates,
}

/// One respect in which a client is judged.
pub trait Detector: Debug + Send {
    /// Its name: stable, for scripts.
    fn name(&self) -> &'static str;

    /// Its number in the literature's list.
    fn code(&self) -> &'static str;

    /// How much its finding weighs.
    fn weight(&self) -> Weight;

    /// An attempt ended.
    fn attempt(&mut self, attempt: &Attempt, now: Now<'_>) {
        let _ = (attempt, now);
    }

    /// A connection ended that carried no request, whoever's it was.
    fn connection(&mut self, connection: &Connection, course: &Course) {
        let _ = (connection, course);
    }

    /// An operation is over, with all its attempts. `now` is of its first attempt.
    fn operation(&mut self, operation: &Operation, now: Now<'_>) {
        let _ = (operation, now);
    }

    /// Whether what it says of a term, or as a finding, is a comparison with the calm, so that
    /// without a calm it says nothing.
    fn leans_on_calm(&self, term: Option<&str>) -> bool {
        let _ = term;
        false
    }

    /// Whether what it says follows from which attempts belong together.
    fn leans_on_links(&self) -> bool {
        true
    }

    /// The time after which the client gives an attempt up, in seconds, if this detector knows it.
    fn timeout(&self) -> Option<f64> {
        None
    }

    /// What was found.
    fn finding(&self, cx: &Cx<'_>) -> Finding;

    /// What is known of a term of `expect`, in one phase or in all with faults; `None` if the term
    /// is not this detector's.
    fn measure(&self, term: &str, phase: Option<usize>, cx: &Cx<'_>) -> Option<Measured>;
}

/// All detectors, in the order of the literature's list.
pub fn all() -> Vec<Box<dyn Detector>> {
    vec![
        Box::<retries::Retries>::default(),
        Box::<amplification::Amplification>::default(),
        Box::<saturation::Saturation>::default(),
        Box::<give_up::GiveUp>::default(),
        Box::<layers::Layers>::default(),
        Box::<timeout::Timeout>::default(),
        Box::<backoff::Backoff>::default(),
        Box::<jitter::Jitter>::default(),
        Box::<retry_after::RetryAfter>::default(),
        Box::<final_errors::FinalErrors>::default(),
        Box::<duplicates::Duplicates>::default(),
        Box::new(breaker::Breaker),
        Box::new(recovery::Recovery),
        Box::new(storm::Storm),
        Box::<connections::Connections>::default(),
        Box::<fallback::Fallback>::default(),
        Box::<hedging::Hedging>::default(),
        Box::<deadline::Deadline>::default(),
        Box::<service::Service>::default(),
        Box::<handshakes::Handshakes>::default(),
    ]
}
