//! The page in a real browser: its script runs under its own policy, and it can be drawn.
//! Separate, because it needs Chromium, and is skipped where there is none.

use std::process::{Command, Output};

use mainstay::{Keypair, Timestamp};

use super::{Relay, packet};

/// Runs Chromium without a window and without a word to anybody but the relay.
fn chromium(profile: &std::path::Path, arguments: &[String]) -> Output {
    let quiet = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1100,900",
    ];
    Command::new("timeout")
        .args(["60", "chromium"])
        .args(quiet)
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .output()
        .unwrap()
}

#[tokio::test]
async fn a_browser_draws_the_page_and_its_script_runs() {
    if !Command::new("chromium").arg("--version").output().is_ok_and(|it| it.status.success()) {
        assert!(
            std::env::var_os("MAINSTAY_REQUIRE_ALL").is_none(),
            "there is no chromium; Debian's package of that name brings it"
        );
        eprintln!("skipped: there is no chromium");
        return;
    }
    let relay = Relay::start().await;
    let keypair = Keypair::random();
    relay.put(&packet(&keypair, Timestamp::now().as_u64(), 600), None).await;
    let url = relay.url(&format!("?key={}", keypair.to_z32()));
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("page.png");
    let profile = folder.path().join("profile");
    let shot = format!("--screenshot={}", image.display());
    let drawn = tokio::task::spawn_blocking(move || {
        let dumped = chromium(&profile, &["--dump-dom".to_owned(), url.clone()]);
        chromium(&profile, &[shot, url]);
        dumped
    });
    let page = String::from_utf8(drawn.await.unwrap().stdout).unwrap();
    assert!(page.contains("192.0.2.7") && page.contains(&keypair.to_z32()), "{page}");
    // The script gives each time a title; without it there is none.
    let times: Vec<_> = page.split("<time ").skip(1).collect();
    let told = |time: &&str| time.split('>').next().is_some_and(|tag| tag.contains("title="));
    assert!(times.len() == 2 && times.iter().all(told), "the script has not run:\n{page}");
    let size = std::fs::metadata(&image).unwrap().len();
    assert!(size > 10_000, "an image of {size} bytes shows nothing");
}
