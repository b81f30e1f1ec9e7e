//! What is shipped beside the binary: the steps of the image that need no image, and the unit of systemd.
//!
//! Separate because these files are run by other programs, so a mistake in them is found by nobody else here.

use std::path::{Path, PathBuf};
use std::process::Command;

use mainstay_tests::command::{Running, binary, run};

fn packaging(file: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../packaging").join(file);
    std::fs::read_to_string(path).unwrap()
}

/// The instructions of the Dockerfile, each on one line.
fn instructions() -> Vec<String> {
    let text = packaging("Dockerfile");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    joined.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Runs a line of shell in which `mainstay` is the binary under test.
fn shell(program: &[&str], line: &str) -> bool {
    let folder = binary().parent().unwrap().to_path_buf();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    Command::new(program[0])
        .args(&program[1..])
        .arg(line)
        .env("PATH", path)
        .status()
        .unwrap()
        .success()
}

#[test]
fn the_configuration_of_the_image_is_right_and_keeps_what_it_stores() {
    let step = instructions().into_iter().find(|line| line.contains("--print-config")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("relay.toml");
    let file = file.to_str().unwrap();
    let step = step.strip_prefix("RUN ").unwrap().replace("/etc/mainstay/relay.toml", file);
    assert!(shell(&["sh", "-c"], &step), "{step}");
    let config = std::fs::read_to_string(file).unwrap();
    let path = config.lines().filter(|line| line.starts_with("path = "));
    assert_eq!(path.collect::<Vec<_>>(), ["path = \"/var/lib/mainstay-relay\""]);
    let plain = run(&["relay", "--print-config"], b"").stdout;
    let plain = String::from_utf8(plain).unwrap();
    let changed = plain.lines().zip(config.lines()).filter(|(before, after)| before != after);
    assert_eq!((changed.count(), plain.lines().count()), (1, config.lines().count()));
}

#[test]
fn the_image_is_well_while_its_relay_serves_and_not_when_it_has_ended() {
    let step = instructions().into_iter().find(|line| line.starts_with("HEALTHCHECK ")).unwrap();
    let words: Vec<String> = serde_json::from_str(step.split_once("CMD ").unwrap().1).unwrap();
    let [shell_name, option, script] = &words[..] else { panic!("{words:?}") };
    let (relay, started) = Running::start(&["relay", "--listen", "127.0.0.1:0", "--no-bootstrap"]);
    let url = started["url"].as_str().unwrap();
    let port = url.trim_end_matches('/').rsplit(':').next().unwrap();
    let script = script.replace("127.0.0.1/6881", &format!("127.0.0.1/{port}"));
    let is_well = || shell(&[shell_name, option], &script);
    assert!(is_well(), "{script}");
    relay.end("TERM");
    assert!(!is_well(), "{script}");
}

#[test]
fn the_image_copies_what_is_there_and_starts_what_it_copies() {
    let instructions = instructions();
    let has = |start: &str| instructions.iter().any(|line| line.starts_with(start));
    for line in [
        "FROM rust:",
        "COPY . .",
        "RUN cargo build --release --locked -p mainstay-cli",
        "USER mainstay",
    ] {
        assert!(has(line), "no {line}");
    }
    let copied = "COPY --from=build /src/target/release/mainstay /usr/local/bin/mainstay";
    assert!(has(copied), "no {copied}");
    assert!(has(
        "ENTRYPOINT [\"mainstay\", \"relay\", \"--config\", \"/etc/mainstay/relay.toml\"]"
    ));
    // What was built outside would only be in the way, and is large.
    let ignored =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.dockerignore"));
    assert!(ignored.unwrap().lines().any(|line| line == "target"));
}

#[test]
fn systemd_takes_the_unit_as_it_is() {
    let text = packaging("mainstay-relay.service");
    // It looks whether the program is there.
    let text =
        text.replace("/usr/bin/mainstay", binary().canonicalize().unwrap().to_str().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("mainstay-relay.service");
    std::fs::write(&unit, text).unwrap();
    let Ok(verified) = Command::new("systemd-analyze").arg("verify").arg(&unit).output() else {
        assert!(std::env::var_os("MAINSTAY_REQUIRE_ALL").is_none(), "there is no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    let about_it = said.lines().filter(|line| line.contains("mainstay"));
    assert_eq!(about_it.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(verified.status.success(), "{said}");
}
