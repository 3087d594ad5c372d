//! Reports, made from drills that are told event by event: nothing is played, so that each is told
//! in full, and the same each time.

mod ci;
mod drill;
mod html;
mod json;
mod junit;
mod markdown;
mod pictures;
mod text;
