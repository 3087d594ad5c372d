//! Each fault as a client meets it, over real sockets.

mod answers;
mod bodies;
mod bytes;
mod counts;
mod delays;
mod edges;
mod ends;
mod hangs;
mod heads;
mod listener;
mod loss;
mod losses;
mod nonsense;
mod over;
mod patience;
mod silences;
