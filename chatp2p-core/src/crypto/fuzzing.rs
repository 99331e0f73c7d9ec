//! A guard against a build without authentication.

// The ratchet's library leaves out its checks of authenticity in builds for fuzzing, which cargo-fuzz marks for every crate
// at once. Nobody may run such a node; the fuzz targets say that they mean it.
#[cfg(all(fuzzing, not(feature = "fuzz-harness")))]
compile_error!("cfg(fuzzing) switches off the authentication of messages; only the fuzz targets may be built so");
