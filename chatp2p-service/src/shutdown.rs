//! When to stop: SIGTERM from whoever runs the program, or Ctrl-C from whoever sits before it.

/// Completes at the first SIGTERM or SIGINT.
///
/// Where the system refuses to report one of them, that one never comes and the log says so.
pub async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::SignalKind;
        tokio::select! {
            () = unix(SignalKind::terminate()) => {}
            () = unix(SignalKind::interrupt()) => {}
        }
    }
    #[cfg(not(unix))]
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "cannot wait for Ctrl-C");
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn unix(kind: tokio::signal::unix::SignalKind) {
    match tokio::signal::unix::signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(error) => {
            tracing::error!(%error, "cannot wait for a signal");
            std::future::pending::<()>().await;
        }
    }
}
