//! No core dumps: what a program held in memory when it fell over, keys and texts among it, is not written to a disk or given
//! to whoever collects crashes.

/// Switches them off for this process, for good. What it starts afterwards inherits the limit.
///
/// # Errors
/// When the system refuses; nothing else is changed then.
#[cfg(unix)]
pub fn switch_off() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // Where Linux hands dumps to a program (`core_pattern` with a pipe), it does not ask for the limit, but for this. It also
    // keeps programs of the same account from looking into the memory.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Switches them off for this process; nothing to do here, where there are none unless somebody asks for them.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn switch_off() -> std::io::Result<()> {
    Ok(())
}
