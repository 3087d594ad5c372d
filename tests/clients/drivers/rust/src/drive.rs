//! What every driver here does with its client; `drive.py` says it in words.

use std::{env, error::Error, pin::Pin, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, sleep_until};

pub type Failure = Box<dyn Error + Send + Sync>;
type Asked = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// Takes a method, a URL and a JSON body.
pub type Operation = Arc<dyn Fn(&'static str, String, String) -> Asked + Send + Sync>;

pub async fn drive(operation: Operation) -> Result<(), Failure> {
    let url = env::var("FIREDRILL_URL")?;
    let class = env::var("CLIENTS_CLASS")?;
    let calm = Duration::from_secs_f64(env::var("CLIENTS_CALM")?.parse()?);
    let operations: u32 = env::var("CLIENTS_OPERATIONS")?.parse()?;
    let ask = |method, class: &str, number: u32| {
        operation(
            method,
            format!("{url}/op/{class}/{number}"),
            format!("{{\"operation\":{number}}}"),
        )
    };

    let (mut begun, mut number) = (None, 0);
    while begun.is_none_or(|begun| Instant::now() + Duration::from_millis(1500) < begun + calm) {
        number += 1;
        ask(if number % 4 == 0 { "POST" } else { "GET" }, "calm", number).await?;
        begun.get_or_insert_with(Instant::now);
        sleep(Duration::from_millis(80)).await;
    }
    let begun = begun.ok_or("nothing was asked")?;
    sleep_until(begun + calm + Duration::from_millis(200)).await;

    let asked = (1..=2 * operations).map(|number| {
        let method = if number <= operations { "GET" } else { "POST" };
        let asked = ask(method, &class, number);
        tokio::spawn(async move {
            match asked.await {
                Ok(()) => println!("{method} {number}: done"),
                Err(error) => println!("{method} {number}: {error}"),
            }
        })
    });
    for asked in asked.collect::<Vec<_>>() {
        asked.await?;
    }
    sleep(Duration::from_millis(1200)).await;
    Ok(())
}
