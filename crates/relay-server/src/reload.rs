//! What of a new configuration a running relay takes over, and what it cannot.
//!
//! Separate because a key that is in neither list would be forgotten in silence: a test goes through all of them.

use crate::config::Config;

/// What came of a new configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// The keys that differ and need a restart, as `[table] key`. They stay as they were.
    pub needs_restart: Vec<&'static str>,
}

/// The running configuration with what may change of the new one.
pub(crate) fn merge(running: &Config, new: Config) -> (Config, Reloaded) {
    let mut merged = new;
    let mut needs_restart = Vec::new();
    macro_rules! keep {
        ($($name:literal $table:ident . $key:ident,)*) => {$(
            if merged.$table.$key != running.$table.$key {
                needs_restart.push($name);
                merged.$table.$key = running.$table.$key.clone();
            }
        )*};
    }
    keep! {
        "[http] port" http.port,
        "[http] bind" http.bind,
        "[http] unix_socket" http.unix_socket,
        "[http] max_connections" http.max_connections,
        "[http] max_connection_age_seconds" http.max_connection_age_seconds,
        "[http] head_timeout_seconds" http.head_timeout_seconds,
        "[http] write_timeout_seconds" http.write_timeout_seconds,
        "[http] drain_seconds" http.drain_seconds,
        "[tls] port" tls.port,
        "[mainline] port" mainline.port,
        "[mainline] bind" mainline.bind,
        "[mainline] ipv6" mainline.ipv6,
        "[mainline] public_ip" mainline.public_ip,
        "[mainline] bootstrap" mainline.bootstrap,
        "[mainline] request_timeout_seconds" mainline.request_timeout_seconds,
        "[cache] path" cache.path,
        "[cache] engine" cache.engine,
        "[cache] size" cache.size,
        "[cache] minimum_ttl" cache.minimum_ttl,
        "[cache] maximum_ttl" cache.maximum_ttl,
        "[cache] negative_ttl" cache.negative_ttl,
        "[rate_limiter] remembered" rate_limiter.remembered,
        "[metrics] bind" metrics.bind,
        "[log] format" log.format,
    }
    // HTTPS can be renewed, but neither begun nor ended.
    if merged.tls.certificate.is_some() != running.tls.certificate.is_some() {
        needs_restart.push("[tls] certificate");
        merged.tls = running.tls.clone();
    }
    (merged, Reloaded { needs_restart })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value for each key that is not its default.
    const OTHERS: &str = "
        [http]\nport = 1\nbind = ['127.0.0.1']\nunix_socket = 's'\nmax_connections = 1
        max_connections_per_source = 1\nmax_connection_age_seconds = 1\nhead_timeout_seconds = 1
        body_timeout_seconds = 1\nwrite_timeout_seconds = 1\ndrain_seconds = 1\nmax_lookups = 1
        max_batch = 1
        [tls]\nport = 1\ncertificate = 'c'\nkey = 'k'
        [mainline]\nport = 1\nbind = '127.0.0.1'\nipv6 = false\npublic_ip = '192.0.2.1'
        bootstrap = []\nrequest_timeout_seconds = 1
        [cache]\npath = 'p'\nengine = 'memory'\nsize = 1\nminimum_ttl = 1\nmaximum_ttl = 1
        negative_ttl = 1
        [rate_limiter]\nenabled = false\nbehind_proxy = true\ntrusted_proxies = 1
        proxy_header = 'forwarded'\nproxy_networks = []\nexempt = ['::1']\nquota = '1r/m'\nburst = 1
        user_dht_quota = '1r/m'\nuser_dht_burst = 1\ndht_quota = '1r/m'\ndht_burst = 1\nremembered = 1
        [watch]\nmax_watches = 1\nmax_watches_per_source = 1\nmax_keys = 1\nmax_keys_per_watch = 1
        heartbeat_seconds = 1\nrefresh_seconds = 1
        [metrics]\nenabled = false\nbind = '127.0.0.1:1'
        [log]\nlevel = 'debug'\nformat = 'json'";

    /// The keys of the sample, each with whether it says that it may change while the relay runs.
    ///
    /// A comment speaks of all keys up to the next comment.
    fn keys() -> Vec<(String, String, bool)> {
        let (mut table, mut marked, mut after_key, mut keys) = ("", false, false, Vec::new());
        for line in Config::SAMPLE.lines() {
            let bare = line.strip_prefix('#').unwrap_or(line);
            if let Some(name) = line.strip_prefix('[') {
                (table, marked) = (name.trim_end_matches(']'), false);
            } else if line.starts_with("# ") {
                marked = line.contains("(reload)") || (marked && !after_key);
                after_key = false;
            } else if let Some((key, rest)) = bare.split_once(" = ") {
                let may_change = marked || rest.contains("(reload)");
                keys.push((table.to_owned(), key.to_owned(), may_change));
                after_key = true;
            }
        }
        keys
    }

    #[test]
    fn every_key_changes_or_needs_a_restart_as_the_sample_says() {
        let others: toml::Table = OTHERS.parse().unwrap();
        for (table, key, may_change) in keys() {
            let mut running = Config::default();
            if table == "tls" {
                running.tls.certificate = Some("old".into());
                running.tls.key = Some("old".into());
            }
            let one = toml::Table::from_iter([(key.clone(), others[&table][&key].clone())]);
            let text = toml::Table::from_iter([(table.clone(), one.into())]);
            let mut new: Config = text.try_into().unwrap();
            if table == "tls" {
                new.tls.certificate = new.tls.certificate.or(running.tls.certificate.clone());
                new.tls.key = new.tls.key.or(running.tls.key.clone());
            }
            assert_ne!(new, running, "[{table}] {key} is the same in both");
            let (merged, reloaded) = merge(&running, new.clone());
            let name = format!("[{table}] {key}");
            let expected = if may_change { vec![] } else { vec![name.as_str()] };
            assert_eq!(reloaded.needs_restart, expected, "{name}");
            let unchanged = format!("{merged:?}") == format!("{running:?}");
            assert_eq!(unchanged, !may_change, "{name}");
        }
        let all: usize = others.values().map(|table| table.as_table().unwrap().len()).sum();
        assert_eq!(keys().len(), all, "a key is missing in this test");
    }

    #[test]
    fn https_is_neither_begun_nor_ended_while_the_relay_runs() {
        let mut with = Config::default();
        with.tls.certificate = Some("c".into());
        with.tls.key = Some("k".into());
        for (running, new) in [(Config::default(), with.clone()), (with, Config::default())] {
            let (merged, reloaded) = merge(&running, new);
            assert_eq!(merged, running);
            assert_eq!(reloaded.needs_restart, ["[tls] certificate"]);
        }
    }
}
