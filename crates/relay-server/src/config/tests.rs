//! Tests of the configuration file.
//! Separate to keep the settings on one page.

use super::unknown::{fields, tables};
use super::{Config, ConfigError, Engine, LogFormat, Quota};

#[test]
fn the_sample_says_what_the_defaults_are() {
    assert_eq!(Config::parse(Config::SAMPLE).unwrap(), Config::default());
    assert_eq!(Config::parse("").unwrap(), Config::default());
}

/// The sample with the keys that have no default set.
fn sample_in_full() -> String {
    let in_full = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest.to_owned(),
        _ => line.to_owned(),
    };
    Config::SAMPLE.lines().map(in_full).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_shows_every_key_and_no_other() {
    let text = sample_in_full();
    let shown: toml::Table = text.parse().unwrap();
    assert_eq!(shown.len(), fields::<Config>().len());
    for (table, keys) in tables() {
        let shown = shown[table].as_table().unwrap();
        let missing: Vec<_> = keys.iter().filter(|key| !shown.contains_key(**key)).collect();
        assert!(missing.is_empty(), "[{table}] of the sample lacks {missing:?}");
        assert_eq!(shown.len(), keys.len());
        assert!(fields::<Config>().contains(&table));
    }
    let config = Config::parse(&text).unwrap();
    assert!(config.tls.key.is_some() && config.mainline.bootstrap.is_some());
}

#[test]
fn a_file_of_pkarr_relay_means_what_it_meant() {
    let config = Config::parse(
        "[http]\nport = 7000\nmax_connections = 10\nmax_connection_age_seconds = 60\n\
         [mainline]\nport = 6882\npublic_ip = '192.0.2.1'\nrequest_timeout_seconds = 3\n\
         [cache]\npath = './cache'\nsize = 1_000_000\nminimum_ttl = 10\nmaximum_ttl = 20\n\
         [rate_limiter]\nbehind_proxy = true\nquota = '2r/s'\nburst = 10\ndht_quota = '3r/m'\n\
         dht_burst = 4\nuser_dht_quota = '5r/h'\nuser_dht_burst = 6\n",
    )
    .unwrap();
    assert_eq!((config.http.port, config.http.max_connections), (7000, 10));
    assert_eq!((config.mainline.port, config.cache.size), (Some(6882), 1_000_000));
    assert_eq!(config.rate_limiter.proxies(), 1);
    assert_eq!(config.rate_limiter.quota, Quota::per_second(2));
    assert_eq!(config.rate_limiter.user_dht_quota.to_string(), "5r/h");
    assert_eq!((config.cache.engine, config.log.format), (Engine::Auto, LogFormat::Text));
}

#[test]
fn an_unknown_key_is_answered_with_its_line_and_what_was_meant() {
    for (text, answer) in [
        ("[http]\nprot = 1", "line 2: [http] has no key \"prot\"; did you mean \"port\"?"),
        ("\n\n[htpp]\n", "line 3: there is no table [htpp]; did you mean \"http\"?"),
        ("port = 1", "line 1: there is no table [port]"),
        (
            "[cache]\nminimum-ttl = 3",
            "line 2: [cache] has no key \"minimum-ttl\"; did you mean \"minimum_ttl\"?",
        ),
        ("[log]\nx = 1", "line 2: [log] has no key \"x\""),
    ] {
        let error = Config::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(answer), "{text:?} is answered with {error}");
    }
}

#[test]
fn a_wrong_value_is_answered_with_its_line() {
    for (text, line) in [
        ("[http]\nport = 70000", 2),
        ("[http]\nport = 'x'", 2),
        ("[rate_limiter]\n\nquota = '2 a second'", 3),
        ("[rate_limiter]\nexempt = ['10.0.0.0/99']", 2),
        ("[log]\nformat = 'xml'", 2),
        ("[http\n", 1),
        ("http = 3", 1),
    ] {
        let error = Config::parse(text).unwrap_err();
        assert!(
            matches!(error, ConfigError::Value { line: found, .. } if found == line),
            "{text:?} is answered with {error}"
        );
    }
}

#[test]
fn settings_that_do_not_fit_together_are_refused() {
    for text in [
        "[cache]\nminimum_ttl = 9\nmaximum_ttl = 8",
        "[cache]\nengine = 'lmdb'",
        "[tls]\nkey = 'k.pem'",
        "[http]\nbind = []",
        "[http]\nmax_connections = 0",
        "[http]\nmax_batch = 10_001",
        "[watch]\nrefresh_seconds = 0",
        "[watch]\nheartbeat_seconds = 9223372036854775807",
        "[http]\nhead_timeout_seconds = 31_536_001",
        "[rate_limiter]\nremembered = 9223372036854775807",
    ] {
        let error = Config::parse(text).unwrap_err();
        assert!(matches!(error, ConfigError::Rule { .. }), "{text:?} is answered with {error}");
    }
}

#[test]
fn paths_are_taken_from_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    std::fs::write(&file, "[cache]\npath = 'store'\n[http]\nunix_socket = '/run/x'\n").unwrap();
    let config = Config::load(&file).unwrap();
    assert_eq!(config.cache.path.unwrap(), folder.path().join("store"));
    assert_eq!(config.http.unix_socket.unwrap().to_str(), Some("/run/x"));
    let missing = Config::load(&folder.path().join("none.toml")).unwrap_err();
    assert!(matches!(missing, ConfigError::Read { .. }));
}

#[test]
fn what_no_relay_could_start_or_work_with_is_refused_before_it_starts() {
    for (text, part) in [
        ("[mainline]\nbootstrap = ['node.example']", "[mainline]"),
        ("[mainline]\nbootstrap = ['node.example:6881', '[::1]']", "[mainline]"),
        ("[mainline]\nrequest_timeout_seconds = 0", "request_timeout_seconds"),
        ("[cache]\nsize = 0\npath = 'store'", "size is 0"),
        ("[cache]\nengine = 'disk'", "needs a path"),
    ] {
        let error = Config::parse(text).unwrap_err();
        assert!(error.to_string().contains(part), "{text:?} is answered with {error}");
    }
    for text in [
        "[mainline]\nbootstrap = ['node.example:6881', '[::1]:1', '192.0.2.1:1']",
        "[mainline]\nbootstrap = []",
        "[cache]\nsize = 0",
        "[cache]\nsize = 0\npath = 'store'\nengine = 'memory'",
    ] {
        assert!(!Config::parse(text).unwrap().is_durable(), "{text:?}");
    }
}
