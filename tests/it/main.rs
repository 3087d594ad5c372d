//! The data plane on the wire: what the client and the upstream see, byte by byte.

mod by_hand;
mod choice;
mod failures;
mod faults;
mod hostile;
mod http2;
mod storm;
mod support;
mod tcp;
mod tls;
mod transparency;
mod virtual_time;
