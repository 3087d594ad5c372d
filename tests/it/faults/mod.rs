//! Each fault as a client meets it, over real sockets.

mod answers;
mod bytes;
mod closes;
mod corruption;
mod counts;
mod delays;
mod dribbles;
mod edges;
mod ends;
mod hangs;
mod limits;
mod listener;
mod loss;
mod losses;
mod over;
mod patience;
mod silences;
mod slices;
