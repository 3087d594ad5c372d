//! Clients from crates.io: `rust-clients CLIENT`, or `rust-clients PACKAGE version`.

mod drive;

use drive::{Failure, Operation, drive};
use reqwest_middleware::ClientBuilder;
use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};
use std::sync::Arc;

/// With as many retries, or without the layer that makes them.
fn reqwest(retries: Option<u32>) -> Operation {
    let mut client = ClientBuilder::new(reqwest::Client::new());
    if let Some(retries) = retries {
        let policy = ExponentialBackoff::builder().build_with_max_retries(retries);
        client = client.with(RetryTransientMiddleware::new_with_policy(policy));
    }
    let client = client.build();
    Arc::new(move |method, url, body| {
        let asked = if method == "POST" { client.post(url).body(body) } else { client.get(url) };
        Box::pin(async move {
            asked.send().await?.error_for_status()?.bytes().await?;
            Ok(())
        })
    })
}

fn ureq() -> Operation {
    let agent = ureq::Agent::new_with_defaults();
    Arc::new(move |method, url, body| {
        let agent = agent.clone();
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || {
                let answer = match method {
                    "POST" => agent.post(url).send(body),
                    _ => agent.get(url).call(),
                };
                answer?.body_mut().read_to_string()
            });
            asked.await??;
            Ok(())
        })
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["reqwest"] => drive(reqwest(None)).await,
        ["reqwest-retry"] => drive(reqwest(Some(3))).await,
        ["ureq"] => drive(ureq()).await,
        [package, "version"] => {
            println!("{}", locked(package).ok_or("no such package")?);
            Ok(())
        }
        _ => Err("what client?".into()),
    }
}

/// The version of a package that this was built with.
fn locked(package: &str) -> Option<&'static str> {
    let name = format!("name = \"{package}\"\nversion = \"");
    include_str!("../Cargo.lock").split_once(&name)?.1.split('"').next()
}
