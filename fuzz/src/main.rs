//! One program for all targets, of which `CHATP2P_FUZZ_TARGET` names one: they share every dependency and flag, and linking
//! each by itself would take longer than most runs. What they do is `chatp2p_core::testing::fuzz`.
#![no_main]

use std::sync::OnceLock;

use chatp2p_core::testing::fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

/// The target that was asked for.
fn target() -> &'static Target {
    static TARGET: OnceLock<&'static Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("CHATP2P_FUZZ_TARGET").unwrap_or_default();
        TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| {
            let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            eprintln!("CHATP2P_FUZZ_TARGET must be one of: {}", names.join(" "));
            std::process::exit(2)
        })
    })
}

fuzz_target!(|data: &[u8]| {
    (target().run)(data);
});
