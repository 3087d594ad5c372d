//! Ratios whose parts come from several clients, such as attempts per operation.

use crate::{
    dice::Seed,
    verdict::stats::{Cluster, Interval, ratio, ratio_interval},
};

/// Groups that the operations of a lone client are dealt into.
const GROUPS: usize = 256;

/// Σ num / Σ den, kept by client; and by groups of operations, for when there is one client only.
#[derive(Clone, Debug, Default)]
pub struct Ratio {
    clients: Vec<Cluster>,
    groups: Vec<Cluster>,
    operations: u64,
}

impl Ratio {
    /// One operation of a client, which goes by its number among all clients.
    pub fn add(&mut self, client: usize, num: f64, den: f64) {
        let group = usize::try_from(self.operations).unwrap_or(0) % GROUPS;
        self.operations += 1;
        put(&mut self.clients, client, Cluster { num, den });
        put(&mut self.groups, group, Cluster { num, den });
    }

    /// What another one saw.
    pub fn merge(&mut self, other: &Self) {
        self.operations += other.operations;
        for (at, cluster) in other.clients.iter().enumerate() {
            put(&mut self.clients, at, *cluster);
        }
        for (at, cluster) in other.groups.iter().enumerate() {
            put(&mut self.groups, at, *cluster);
        }
    }

    /// What is divided, all in all.
    pub fn sum(&self) -> f64 {
        self.clients.iter().map(|cluster| cluster.num).sum()
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// The ratio; `None` of nothing.
    pub fn value(&self) -> Option<f64> {
        ratio(&self.clients)
    }

    /// The ratio with bounds at a one-sided level: by a bootstrap over clients, whose operations go
    /// together; over operations if there is one client only.
    pub fn interval(&self, level: f64, seed: Seed) -> Option<Interval> {
        let seen = |clusters: &[Cluster]| -> Vec<Cluster> {
            clusters.iter().filter(|cluster| cluster.den > 0.0).copied().collect()
        };
        let clients = seen(&self.clients);
        let clusters = if clients.len() > 1 { clients } else { seen(&self.groups) };
        ratio_interval(&clusters, level, seed)
    }

    /// What it rests on, in words.
    pub fn sample(&self) -> String {
        let clients = self.clients.iter().filter(|cluster| cluster.den > 0.0).count();
        let operations = counted(self.operations, "operation");
        match clients {
            1 => format!("{operations} of 1 client"),
            _ => format!("{operations}, {} clients", clients_of(clients)),
        }
    }
}

fn clients_of(clients: usize) -> String {
    use crate::verdict::stats::MAX_CLUSTERS;
    if clients >= MAX_CLUSTERS { format!("{MAX_CLUSTERS} groups of") } else { clients.to_string() }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn put(clusters: &mut Vec<Cluster>, at: usize, add: Cluster) {
    if clusters.len() <= at {
        clusters.resize(at + 1, Cluster::default());
    }
    clusters[at].num += add.num;
    clusters[at].den += add.den;
}
