//! Names that attempts go by as small numbers: client programs, test cases, routes.

use crate::event::{Dealt, EndedBy};
use std::collections::HashMap;

/// Programs told apart; all others are one.
const PROGRAMS: usize = 32;
/// Test cases told apart; all others are one.
const CASES: usize = 1_000;
/// Routes told apart; all others are one.
const ROUTES: usize = 500;
/// Sets of faults that may hit one attempt told apart; all others are one.
const DEALT: usize = 500;
/// What stands for all that came after the limit.
const OTHER: &str = "(others)";

/// The names.
#[derive(Clone, Debug)]
pub struct Labels {
    programs: Table,
    cases: Table,
    routes: Table,
    dealt: Table,
    user_sources: usize,
}

#[derive(Clone, Debug)]
struct Table {
    names: Vec<String>,
    places: HashMap<String, u16>,
    limit: usize,
}

impl Labels {
    /// No names yet. `user_sources` is how many ways there are to tell a user before its address.
    pub fn new(user_sources: usize) -> Self {
        Self {
            programs: Table::new(PROGRAMS),
            cases: Table::starting_with("", CASES),
            routes: Table::new(ROUTES),
            dealt: Table::starting_with("", DEALT),
            user_sources,
        }
    }

    /// How many ways there are to tell a user before its address.
    pub fn user_sources(&self) -> usize {
        self.user_sources
    }

    /// The program that a client says it is, else the product of its user agent.
    pub(super) fn program(&mut self, declared: Option<&str>, agent: &str) -> u16 {
        let product = agent.split(['/', ' ', '(']).next().unwrap_or_default();
        let name = declared.unwrap_or(if product.is_empty() { "(no user agent)" } else { product });
        self.programs.place(name)
    }

    pub(super) fn case(&mut self, name: &str) -> u16 {
        self.cases.place(name)
    }

    pub(super) fn route(&mut self, method: &str, path: &str) -> u16 {
        self.routes.place(&template(method, path))
    }

    /// What was dealt to an attempt: the names of the faults.
    pub(super) fn dealt(&mut self, dealt: &[Dealt], ended_by: EndedBy) -> u16 {
        if ended_by == EndedBy::PhaseEdge {
            return self.dealt.place("reset by a phase's edge");
        }
        if ended_by == EndedBy::Stale {
            return self.dealt.place("sent on a connection that was closed");
        }
        match dealt {
            [] => 0,
            [one] => self.dealt.place(&one.fault),
            several => {
                let names: Vec<&str> = several.iter().map(|dealt| &*dealt.fault).collect();
                self.dealt.place(&names.join(", "))
            }
        }
    }

    /// The program of this number.
    pub fn program_name(&self, at: u16) -> &str {
        self.programs.name(at)
    }

    /// All programs.
    pub fn programs(&self) -> impl Iterator<Item = (u16, &str)> {
        self.programs.all()
    }

    /// All cases; the one of number 0, which is none, left out.
    pub fn cases(&self) -> impl Iterator<Item = (u16, &str)> {
        self.cases.all().skip(1)
    }

    /// The faults of this number, by name; empty for none.
    pub fn dealt_name(&self, at: u16) -> &str {
        self.dealt.name(at)
    }

    /// The route of this number.
    pub fn route_name(&self, at: u16) -> &str {
        self.routes.name(at)
    }
}

impl Table {
    fn new(limit: usize) -> Self {
        Self { names: Vec::new(), places: HashMap::new(), limit }
    }

    fn starting_with(name: &str, limit: usize) -> Self {
        let mut table = Self::new(limit);
        table.place(name);
        table
    }

    fn place(&mut self, name: &str) -> u16 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let name = if self.names.len() + 1 < self.limit { name } else { OTHER };
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        self.names.push(name.to_owned());
        self.places.insert(name.to_owned(), place);
        place
    }

    fn name(&self, at: u16) -> &str {
        self.names.get(usize::from(at)).map_or(OTHER, String::as_str)
    }

    fn all(&self) -> impl Iterator<Item = (u16, &str)> {
        self.names
            .iter()
            .enumerate()
            .map(|(at, name)| (u16::try_from(at).unwrap_or(u16::MAX), name.as_str()))
    }
}

/// Method and path, with `*` for every part that looks like an identifier.
fn template(method: &str, path: &str) -> String {
    let mut route = String::with_capacity(method.len() + 1 + path.len());
    route.push_str(method);
    route.push(' ');
    let path = path.strip_prefix('/').unwrap_or(path);
    for (nth, part) in path.split('/').enumerate() {
        // Deep paths end somewhere, or every file would be a route of its own.
        if nth == 6 {
            route.push_str("/**");
            break;
        }
        route.push('/');
        route.push_str(if is_identifier(part) { "*" } else { part });
    }
    route
}

/// Digits, or long and mixed, as identifiers are and words are not.
fn is_identifier(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    // A version, not a thing.
    if part.starts_with('v') && digits + 1 == part.len() && digits < 3 {
        return false;
    }
    part.len() > 32 || digits > 0 && (digits * 2 >= part.len() || part.len() >= 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_blind_to_identifiers_and_keeps_words() {
        assert_eq!(template("GET", "/items/42"), "GET /items/*");
        assert_eq!(template("GET", "/v1/orders/9f3c2a7e-11aa/lines"), "GET /v1/orders/*/lines");
        assert_eq!(template("POST", "/purchase"), "POST /purchase");
        assert_eq!(template("GET", "/"), "GET /");
        assert_eq!(template("GET", "/a/b/c/d/e/f/g/h"), "GET /a/b/c/d/e/f/**");
    }

    #[test]
    fn names_beyond_the_limit_are_one() {
        let mut table = Table::new(3);
        let places: Vec<u16> = ["a", "b", "c", "d", "a"].map(|name| table.place(name)).into();

        assert_eq!(places, [0, 1, 2, 2, 0]);
        assert_eq!(table.name(2), OTHER);
    }
}
