//! What really goes wrong, and who hears of it.

mod clients;
mod dialling;
mod pooled;
mod tls;
mod upstreams;
