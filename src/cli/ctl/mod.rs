//! `firedrill ctl`: commands to a drill that runs.

mod args;
mod command;
mod entry;
mod problem;
mod table;

pub(super) use args::Args;

use crate::{
    cli::{Exit, error, print, run::Refusal, say},
    config::Secret,
    control::{Answer, Client, ClientError},
};
use args::{ADMIN, Command, Proxy};
use serde_json::Value;
use std::env;

/// The variable that holds the token.
const TOKEN: &str = "FIREDRILL_TOKEN";

/// Gives a command and shows what is answered.
pub(super) fn run(args: &Args) -> Exit {
    let client = match client(args) {
        Ok(client) => client,
        Err(why) => {
            error(&why);
            return Exit::Usage;
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Refusal::environment("cannot start", &error).say(),
    };
    let command::Command { method, path, body } = command::of(&args.command);
    let exit = match runtime.block_on(client.send(method, &path, body.clone())) {
        Ok(answer) if answer.status.is_success() => show(args, &answer),
        Ok(answer) => problem::say_why(&answer, &body),
        Err(why @ ClientError::Address(_)) => {
            error(&why.to_string());
            Exit::Usage
        }
        Err(why) => Refusal::environment("no answer", &why).say(),
    };
    // A name that is still being resolved is not waited for.
    runtime.shutdown_background();
    exit
}

fn client(args: &Args) -> Result<Client, String> {
    let token = match env::var(TOKEN) {
        Ok(text) if !text.is_empty() => {
            let token = Secret::new(&text);
            Some(token.ok_or_else(|| format!("`{TOKEN}` holds no token: it is one word"))?)
        }
        _ => None,
    };
    // A variable that is set to nothing is not set.
    let admin = if args.admin.is_empty() { ADMIN } else { &args.admin };
    Client::new(admin, token).map_err(|why| why.to_string())
}

fn show(args: &Args, answer: &Answer) -> Exit {
    if args.json {
        return print(&answer.body);
    }
    let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    match &args.command {
        Command::Status => print(&table::status(&json)),
        Command::Proxies => print(&table::proxies(&json["proxies"])),
        Command::Proxy(Proxy::Show { .. }) => print(&table::proxy_alone(&json)),
        Command::Faults => print(&table::faults(&json["faults"])),
        other => {
            say(&table::done(other, &json));
            Exit::Passed
        }
    }
}
