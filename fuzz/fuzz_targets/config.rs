//! A configuration file is understood or refused in words that name it.
#![no_main]

use std::path::Path;

use ipcd::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Config::parse(text, Path::new("/home/ann/.config/ipcd/config.toml")) {
        Ok(config) => drop(config.limits()),
        Err(refusal) => assert!(refusal.message.contains("config.toml"), "{refusal}"),
    }
});
