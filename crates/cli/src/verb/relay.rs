//! `mainstay relay`: an HTTP relay in front of a DHT node of its own.
//!
//! Separate as every verb is.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;

use mainstay::BuildError;
use mainstay_relay_server::{Config, ConfigError, RelayServer};
use serde::Serialize;

use crate::args::{Options, Relay};
use crate::failure::Failure;
use crate::interrupt::{Hangup, Interrupt};
use crate::log::LogLevel;
use crate::{log, network, notify, output};

/// Where HTTP is served unless somebody says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 6881);

/// What `relay` prints first with `--json`.
#[derive(Debug, Serialize)]
struct Started {
    url: String,
    dht: Option<String>,
}

pub(crate) async fn run(common: &Options, relay: &Relay) -> Result<(), Failure> {
    if relay.print_config {
        return output::text(Config::SAMPLE.trim_end());
    }
    if common.no_dht {
        let what = "a relay serves what is in the DHT; leave --no-dht out".to_owned();
        return Err(Failure::BadInput { what, source: None });
    }
    let config = configuration(common, relay)?;
    if relay.check_config {
        log::check(&config.log)?;
        return config
            .check_certificate()
            .map_err(|error| Failure::input("HTTPS cannot be served", error));
    }
    let level = match relay.config {
        Some(_) => log::start_service(common.verbose, &config.log)?,
        None => log::start(common.verbose),
    };
    let (interrupt, mut hangup) = (Interrupt::listen()?, Hangup::listen()?);
    let server = start(config).await?;
    announce(common, &server)?;
    notify::ready();
    let mut interrupted = pin!(interrupt.wait());
    loop {
        tokio::select! {
            () = &mut interrupted => break,
            () = hangup.next() => reload(common, relay, &server.server, level.as_ref()),
        }
    }
    notify::stopping();
    tracing::info!("ending");
    server.server.shutdown().await;
    if let Some(dht) = server.dht {
        dht.shutdown().await;
    }
    Ok(())
}

/// A relay and its DHT node.
struct Running {
    server: RelayServer,
    dht: Option<mainstay::dht::Dht>,
}

async fn start(config: Config) -> Result<Running, Failure> {
    let client = config.client().map_err(unusable)?.build().map_err(|error| match error {
        BuildError::Dht(error) => network::no_node("cannot start the DHT node", error),
        other => Failure::local("cannot start the relay", other),
    })?;
    let dht = client.dht();
    let durable = config.is_durable();
    let server = RelayServer::builder(client)
        .config(config)
        .durable_cache(durable)
        .start()
        .await
        .map_err(|error| Failure::local("cannot serve HTTP", error))?;
    Ok(Running { server, dht })
}

fn announce(common: &Options, running: &Running) -> Result<(), Failure> {
    let dht = running.dht.as_ref().map(|dht| dht.local_addr().to_string());
    let started = Started { url: running.server.url().to_string(), dht };
    if common.json {
        return output::json(&started);
    }
    let dht = started.dht.as_deref().unwrap_or("off");
    output::text(&format!("relay at {}, its DHT node on {dht}", started.url))
}

/// The configuration file, if there is one, and on top of it what the command line says.
fn configuration(common: &Options, relay: &Relay) -> Result<Config, Failure> {
    let mut config = match &relay.config {
        Some(path) => Config::load(path).map_err(|error| wrong_file(path, error))?,
        None => Config::default(),
    };
    if let Some(listen) = relay.listen.or(relay.config.is_none().then_some(LISTEN)) {
        config.http.bind = vec![listen.ip()];
        config.http.port = listen.port();
        if relay.config.is_none() {
            config.mainline.bind = Some(listen.ip());
            config.mainline.port = Some(0);
        }
    }
    if let Some(address) = relay.dht_listen {
        config.mainline.bind = Some(address.ip());
        config.mainline.port = Some(address.port());
    }
    if relay.no_bootstrap {
        config.mainline.bootstrap = Some(Vec::new());
    } else if !common.bootstrap.is_empty() {
        config.mainline.bootstrap = Some(common.bootstrap.clone());
    }
    if let Some(connections) = relay.max_connections {
        config.http.max_connections = connections.max(1);
    }
    if let Some(packets) = relay.cache_size {
        config.cache.size = packets;
    }
    Ok(config)
}

fn wrong_file(path: &std::path::Path, error: ConfigError) -> Failure {
    Failure::input(format!("{} cannot be used", path.display()), error)
}

fn unusable(error: ConfigError) -> Failure {
    Failure::input("the configuration cannot be used", error)
}

/// Takes over what may change; a file that cannot be used changes nothing. Says in the log what came of it.
fn reload(common: &Options, relay: &Relay, server: &RelayServer, level: Option<&LogLevel>) {
    notify::reloading();
    match configuration(common, relay) {
        Ok(config) => take_over(config, server, level),
        Err(failure) => {
            tracing::error!(reason = %failure.text().trim_end(), "the configuration stays as it was");
        }
    }
    notify::ready();
}

fn take_over(config: Config, server: &RelayServer, level: Option<&LogLevel>) {
    let wanted = config.log.level.clone();
    match server.reload(config) {
        Ok(reloaded) => {
            for key in &reloaded.needs_restart {
                tracing::warn!(key, "this key has changed and needs a restart");
            }
            if let Some(level) = level
                && let Err(error) = level.set(&wanted)
            {
                tracing::error!(%error, level = wanted, "the log level stays as it was");
            }
            tracing::info!("configuration reloaded");
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, "the configuration stays as it was");
        }
    }
}
