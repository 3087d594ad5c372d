//! Each fault as a client meets it, over real sockets.

mod answers;
mod bodies;
mod bytes;
mod closes;
mod corruption;
mod counts;
mod delays;
mod doubles;
mod dribbles;
mod edges;
mod ends;
mod hangs;
mod heads;
mod honest;
mod limits;
mod listener;
mod loss;
mod losses;
mod nonsense;
mod over;
mod patience;
mod queues;
mod rates;
mod silences;
mod slices;
