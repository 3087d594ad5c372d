//! What `ctl` takes.

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  firedrill ctl status
  firedrill ctl proxy add db --listen 127.0.0.1:15432 --upstream 127.0.0.1:5432 --protocol tcp
  firedrill ctl fault add shop 'latency: 300ms, share: 17% of users' --ttl 2m
  firedrill ctl seek outage

FIREDRILL_TOKEN holds the token, if the listener asks for one.";

/// Where one is commanded that nobody put elsewhere.
pub(in crate::cli) const ADMIN: &str = "http://127.0.0.1:8474";

/// Command a drill that runs: its clock, its proxies, and faults by hand
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Args {
    /// Where it is commanded
    #[arg(
        long,
        global = true,
        env = "FIREDRILL_ADMIN",
        value_name = "URL",
        default_value = ADMIN
    )]
    pub admin: String,

    /// Print the answer as it came, in JSON
    #[arg(long, global = true)]
    pub json: bool,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Show the drill, the proxies and all faults in force
    Status,
    /// List the proxies
    Proxies,
    /// Show, make, change, switch or take away a proxy
    #[command(subcommand)]
    Proxy(Proxy),
    /// List the faults in force: the scenario's and those by hand
    Faults,
    /// Put a fault on a proxy by hand, change it or take it away
    #[command(subcommand)]
    Fault(Fault),
    /// Let the scenario stand still; its faults stay in force
    Pause,
    /// Let it go on
    Resume,
    /// Go on to the next phase
    Skip,
    /// Go to a phase, or to a time of the scenario
    Seek {
        /// The name of a phase, or a scenario time such as `2m30s`
        to: String,
    },
    /// Change how fast the phases go by
    Speed {
        /// How many times faster than life
        speed: String,
    },
    /// End the drill: nothing is injected any more
    Abort,
    /// Switch every proxy on, and take every fault by hand away
    Reset,
}

#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum Proxy {
    /// Show one, with the faults on it
    Show {
        /// Its name
        name: String,
    },
    /// Make one
    Add {
        /// What commands and reports call it
        name: String,
        /// Where clients connect; port 0 takes a free one
        #[arg(long, value_name = "ADDR")]
        listen: String,
        /// The service behind it; needed, but for a forward proxy
        #[arg(long, value_name = "URL", required_unless_present = "allow")]
        upstream: Option<String>,
        /// The hosts that a forward proxy reaches
        #[arg(long, value_name = "HOST", value_delimiter = ',', conflicts_with = "upstream")]
        allow: Vec<String>,
        /// Read what is inside TLS inside the tunnels of a forward proxy
        #[arg(long, requires = "allow")]
        intercept: bool,
        /// What it understands of its traffic
        #[arg(long, value_enum, default_value_t = Protocol::Http, default_value_if("allow", clap::builder::ArgPredicate::IsPresent, "forward"))]
        protocol: Protocol,
        /// Do not let it listen yet
        #[arg(long)]
        disabled: bool,
    },
    /// Let one listen elsewhere, or stand before another service
    #[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
    Set {
        /// Its name
        name: String,
        /// Where clients connect
        #[arg(long, value_name = "ADDR", group = "what")]
        listen: Option<String>,
        /// The service behind it
        #[arg(long, value_name = "URL", group = "what")]
        upstream: Option<String>,
        /// The hosts that a forward proxy reaches
        #[arg(long, value_name = "HOST", value_delimiter = ',', group = "what")]
        allow: Vec<String>,
    },
    /// Take one away, with all that is on it
    Remove {
        /// Its name
        name: String,
    },
    /// Let one listen
    Enable {
        /// Its name
        name: String,
    },
    /// Close one and its connections; what is on it stays
    Disable {
        /// Its name
        name: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Protocol {
    /// Requests and answers
    Http,
    /// Bytes
    Tcp,
    /// Requests to whatever host they name
    Forward,
}

#[derive(Clone, Debug, Subcommand)]
pub(in crate::cli) enum Fault {
    /// Put one on a proxy
    Add {
        /// The proxy, or `*` for all that it works on
        proxy: String,
        /// The fault and the keys beside it, as in a scenario: `latency: 300ms, share: 10%`
        #[arg(allow_hyphen_values = true)]
        fault: String,
        /// What to call it; its kind if left out
        #[arg(long)]
        name: Option<String>,
        /// Take it away by itself after this time
        #[arg(long, value_name = "TIME")]
        ttl: Option<String>,
    },
    /// Put another fault into its place
    Change {
        /// The proxy
        proxy: String,
        /// Its name
        name: String,
        /// The fault and the keys beside it, as in a scenario
        #[arg(allow_hyphen_values = true)]
        fault: String,
        /// Take it away by itself after this time from now
        #[arg(long, value_name = "TIME")]
        ttl: Option<String>,
    },
    /// Take one away
    Remove {
        /// The proxy
        proxy: String,
        /// Its name
        name: String,
    },
    /// Take all of them away
    Clear,
}
