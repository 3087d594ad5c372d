//! The statistics a verdict stands on: pure functions, numbers in and numbers out.
//!
//! None of them panics or hangs, whatever it is given; a question that its data cannot answer gets
//! `None` (or [`Quantile::NotEstimable`], [`Shape::Ambiguous`]), never a number made up.
//!
//! A **level** is that of a one-sided statement: at 0.95 the truth lies below the upper bound in
//! 95 % of runs, and above the lower bound in 95 % of runs. A verdict asks one of the two: it
//! passes if the upper bound keeps the limit, and fails if the lower bound breaks it.

mod bootstrap;
mod clusters;
mod dispersion;
mod distribution;
mod fisher;
mod holm;
mod interval;
mod order;
mod overshoot;
mod proportion;
mod rates;
mod shape;
mod survival;
mod variation;

pub use bootstrap::{Cluster, RESAMPLES, ratio, ratio_interval};
pub use clusters::{Clusters, Count, MAX_CLUSTERS, MAX_COUNTED};
pub use dispersion::{Dispersion, Rayleigh, dispersion, dispersion_about, rayleigh};
pub(crate) use distribution::{normal_cdf, normal_quantile};
pub use fisher::fisher_exact;
pub use holm::holm;
pub use interval::Interval;
pub use order::{Quantile, needed_for_quantile, quantile, quantile_by_rank};
pub use overshoot::steady_peak;
pub use proportion::{needed_for_unseen, unseen_upper, wilson, wilson_at};
pub use rates::{Observed, rate_ratio};
pub use shape::{Backoff, IMMEDIATE, Index, Shape, classify};
pub use survival::{Lifetime, Survival, survival};
pub use variation::variation_interval;
