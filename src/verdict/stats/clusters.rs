//! Any number of clients, kept apart as long as memory allows.

use crate::dice::key;
use std::collections::{HashMap, HashSet};

/// How many groups of clients are kept apart. More would not make an interval any surer.
pub const MAX_CLUSTERS: usize = 1024;

/// How many clients are counted one by one (some 20 MB, if there are as many).
pub const MAX_COUNTED: usize = 1_000_000;

/// How many there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Exactly so many.
    Exactly(u64),
    /// So many at least; more were not told apart.
    AtLeast(u64),
}

/// Something gathered per client, a `T` each: one of its own for each of the first
/// [`MAX_CLUSTERS`] clients; any further one shares theirs, always the same one, chosen by its key.
///
/// Groups by chance are as independent of one another as clients are, so an interval by
/// [`ratio_interval`](crate::verdict::stats::ratio_interval) over groups remains right.
#[derive(Clone, Debug)]
pub struct Clusters<T> {
    of: HashMap<u64, usize>,
    gathered: Vec<T>,
    further: HashSet<u64>,
    uncounted: bool,
}

impl<T> Default for Clusters<T> {
    fn default() -> Self {
        Self { of: HashMap::new(), gathered: Vec::new(), further: HashSet::new(), uncounted: false }
    }
}

impl<T: Default> Clusters<T> {
    /// Where the client with this key gathers.
    pub fn entry(&mut self, client: u64) -> &mut T {
        let at = self.place(client);
        if at == self.gathered.len() {
            self.gathered.push(T::default());
        }
        &mut self.gathered[at]
    }

    fn place(&mut self, client: u64) -> usize {
        let next = self.gathered.len();
        if next < MAX_CLUSTERS {
            return *self.of.entry(client).or_insert(next);
        }
        if let Some(&own) = self.of.get(&client) {
            return own;
        }
        if self.of.len() + self.further.len() < MAX_COUNTED {
            self.further.insert(client);
        } else if !self.further.contains(&client) {
            self.uncounted = true;
        }
        // Hashed once more: a key may be a mere ordinal.
        usize::try_from(key(&client.to_le_bytes()) % MAX_CLUSTERS as u64).unwrap_or_default()
    }
}

impl<T> Clusters<T> {
    /// What was gathered, group by group, in the order in which they were first seen.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.gathered.iter()
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.gathered.len()
    }

    /// Whether no client was seen.
    pub fn is_empty(&self) -> bool {
        self.gathered.is_empty()
    }

    /// How many clients there were.
    pub fn clients(&self) -> Count {
        let counted = (self.of.len() + self.further.len()) as u64;
        if self.uncounted { Count::AtLeast(counted + 1) } else { Count::Exactly(counted) }
    }
}

impl<'a, T> IntoIterator for &'a Clusters<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `clients` clients with ordinals for keys, each of which adds its key, `times` times over.
    fn gathered(clients: u64, times: u64) -> Clusters<Vec<u64>> {
        let mut clusters = Clusters::<Vec<u64>>::default();
        for client in (0..times).flat_map(|_| 0..clients) {
            clusters.entry(client).push(client);
        }
        clusters
    }

    #[test]
    fn each_client_has_its_own_while_there_is_room() {
        let clusters = gathered(1024, 2);
        assert_eq!((clusters.len(), clusters.clients()), (1024, Count::Exactly(1024)));
        assert!(clusters.iter().zip(0..).all(|(got, client)| *got == [client, client]));
    }

    #[test]
    fn further_clients_share_but_always_with_the_same() {
        let clusters = gathered(20_000, 2);
        assert_eq!((clusters.len(), clusters.clients()), (1024, Count::Exactly(20_000)));
        let sizes: Vec<usize> = clusters.iter().map(Vec::len).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 40_000, "nobody is lost");
        // Some 18.5 further ones in each, to within five deviations of a fair draw.
        assert!(sizes.iter().all(|&size| (2..=82).contains(&size)), "{sizes:?}");
        for group in &clusters {
            let (once, again): (Vec<_>, Vec<_>) =
                group.iter().enumerate().partition(|(at, _)| *at < group.len() / 2);
            let keys = |half: Vec<(usize, &u64)>| half.into_iter().map(|(_, &key)| key).collect();
            let (once, again): (Vec<u64>, Vec<u64>) = (keys(once), keys(again));
            assert_eq!(once, again);
        }
    }

    #[test]
    fn clients_are_counted_to_a_million_and_then_at_least() {
        let mut clusters = Clusters::<()>::default();
        for client in 0..1_000_000 {
            clusters.entry(client);
        }
        assert_eq!(clusters.clients(), Count::Exactly(1_000_000));
        clusters.entry(999_999);
        clusters.entry(3);
        assert_eq!(clusters.clients(), Count::Exactly(1_000_000), "these were counted before");
        clusters.entry(u64::MAX);
        clusters.entry(u64::MAX - 1);
        assert_eq!(clusters.clients(), Count::AtLeast(1_000_001));
    }

    #[test]
    fn nobody_is_nobody() {
        let clusters = Clusters::<u8>::default();
        assert!(clusters.is_empty());
        assert_eq!(clusters.clients(), Count::Exactly(0));
    }
}
