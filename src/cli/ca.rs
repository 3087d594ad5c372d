//! `firedrill ca`: the certificate authority that clients of a proxy with TLS have to trust.

use crate::{
    ca::{self, Authority, CaError},
    cli::{exit::Exit, place::causes, print},
};
use clap::Args as ClapArgs;

/// How a client is told.
const HOW: &str =
    "A proxy with `terminate: yes` speaks TLS with a certificate that this authority has signed.
Tell the client under test to trust it, and nobody else:

  curl      curl --cacert \"$(firedrill ca --path)\" https://127.0.0.1:8443/
  Node      NODE_EXTRA_CA_CERTS=\"$(firedrill ca --path)\" node app.js
  Python    requests, pip:  REQUESTS_CA_BUNDLE=\"$(firedrill ca --path)\"
            ssl, httpx:     SSL_CERT_FILE=\"$(firedrill ca --path)\"
  Go, Ruby  SSL_CERT_FILE=\"$(firedrill ca --path)\"
  Java      keytool -importcert -noprompt -alias firedrill -file \"$(firedrill ca --path)\" \\
              -keystore firedrill.p12 -storetype PKCS12 -storepass changeit
            java -Djavax.net.ssl.trustStore=firedrill.p12 \\
              -Djavax.net.ssl.trustStorePassword=changeit …
  .NET      SSL_CERT_FILE=\"$(firedrill ca --path)\"  (on Linux)

A command beside a drill (`firedrill run … -- CMD`) finds the path in FIREDRILL_CA.

The authority is made when it is first needed. It is kept in $FIREDRILL_CA_DIR, else in
$XDG_DATA_HOME/firedrill/ca, else in ~/.local/share/firedrill/ca; only its owner can read its key.
It signs for servers and for nothing else, and lasts for 825 days. Whoever has the key can pass for
any server with clients that trust it: leave it out of the trust store of a whole machine, and out
of images that go to production.";

/// Print the certificate of Firedrill's own authority, for clients to trust
#[derive(Clone, Debug, ClapArgs)]
#[command(after_long_help = HOW)]
pub(super) struct Args {
    /// Print the path of the file that holds it
    #[arg(long)]
    pub path: bool,

    /// Make another authority in place of the one there is; clients have to be told again
    #[arg(long)]
    pub renew: bool,
}

/// Prints it.
pub(super) fn run(args: &Args) -> Exit {
    let authority = ca::folder().and_then(|folder| {
        if args.renew { Authority::renew(&folder) } else { Authority::open(&folder) }
    });
    match authority {
        Ok(authority) if args.path => print(&format!("{}\n", authority.path().display())),
        Ok(authority) => print(authority.certificate()),
        Err(error) => {
            crate::cli::error(&causes(&error));
            if matches!(error, CaError::NoFolder) { Exit::Usage } else { Exit::Environment }
        }
    }
}
