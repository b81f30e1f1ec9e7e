//! Gets a page, whether its host is a key or a domain.
//! Separate from `http-serve`, the other half, so that each can run on a machine of its own.
//!
//! ```sh
//! cargo run -p mainstay --features reqwest-builder --example http-get -- https://<key>/
//! cargo run -p mainstay --features reqwest-builder --example http-get -- https://example.com/
//! ```
//!
//! Addresses after the URL are nodes to join the DHT through, in place of the public ones.

#![allow(clippy::print_stdout, reason = "it talks to a person")]

use mainstay::Client;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("name the URL of the page")?;
    let bootstrap: Vec<String> = arguments.collect();
    let client = match bootstrap.as_slice() {
        [] => Client::builder().build()?,
        nodes => Client::builder().no_default_network().bootstrap(nodes).build()?,
    };

    let http = reqwest::ClientBuilder::from(client).build()?;
    let answer = http.get(url).send().await?;
    println!("{}", answer.status());
    println!("{}", answer.text().await?);
    Ok(())
}
