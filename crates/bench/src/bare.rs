//! The least it can cost: a loop that sends the same requests with reqwest and does nothing else.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::setup;

/// `bench bare BASE_URL COUNT ACCOUNTS CONCURRENCY`, in a process of its own.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [base_url, count, accounts, concurrency] = arguments else {
        anyhow::bail!("bench bare BASE_URL COUNT ACCOUNTS CONCURRENCY");
    };
    let (count, accounts) = (count.parse::<usize>()?, accounts.parse::<usize>()?);
    let base_url: Arc<str> = Arc::from(base_url.as_str());
    let next = Arc::new(AtomicUsize::new(0));
    let concurrency: usize = concurrency.parse()?;
    setup::runtime()?.block_on(async {
        let client = setup::client()?;
        let mut tasks = Vec::new();
        for _ in 0..concurrency {
            let (client, base_url, next) =
                (client.clone(), Arc::clone(&base_url), Arc::clone(&next));
            tasks.push(tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return Ok::<(), anyhow::Error>(());
                    }
                    onboard(&client, &base_url, n, accounts).await?;
                }
            }));
        }
        for task in tasks {
            task.await??;
        }
        Ok(())
    })
}

/// The four requests of one onboarding, one after the other, their answers read as JSON.
async fn onboard(
    client: &reqwest::Client,
    base_url: &str,
    n: usize,
    accounts: usize,
) -> Result<()> {
    let account = format!("bench{}", n % accounts);
    let trunks = format!("{base_url}/v2/accounts/{account}/trunks");
    let body = json!({
        "trunk_name": format!("re_{n:013}"),
        "nso_code": "ANY-ANY",
        "domain_name": format!("{account}.pstn.exotel.com"),
    });
    let answer = post(client, &trunks, &body).await?;
    let sid = answer["response"]["data"]["trunk_sid"]
        .as_str()
        .context("the trunk's SID")?;
    let trunk = format!("{trunks}/{sid}");
    let number = json!({ "phone_number": format!("+9180{n:08}") });
    post(client, &format!("{trunk}/phone-numbers"), &number).await?;
    let credentials = json!({
        "user_name": format!("re_{n:013}"),
        "password": "abcdefghijklmnopqrstuvwx",
        "friendly_name": "Retell",
    });
    post(client, &format!("{trunk}/credentials"), &credentials).await?;
    let destinations =
        json!({ "destinations": [{ "destination": "sip.retellai.com:5060;transport=tcp" }] });
    post(client, &format!("{trunk}/destination-uris"), &destinations).await?;
    Ok(())
}

async fn post(client: &reqwest::Client, url: &str, body: &Value) -> Result<Value> {
    let bytes = client
        .post(url)
        .basic_auth("key", Some("token"))
        .header("Content-Type", "application/json")
        .body(serde_json::to_vec(body)?)
        .send()
        .await?
        .error_for_status()?
        .bytes()
        .await?;
    Ok(serde_json::from_slice(&bytes)?)
}
