//! Nothing in force, nothing in the way: what passes through, byte for byte.

mod bodies;
mod closing;
mod expect;
mod heads;
mod interim;
mod reuse;
mod upgrade;
