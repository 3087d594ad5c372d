//! HTTP/2: what passes, what is translated, and how faults hurt streams.

mod faults;
mod hostile;
mod passes;
mod peer;
mod rules;
mod upstreams;
