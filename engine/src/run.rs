//! Starts the tasks of a role, waits for the signal, and drains: readiness first, then requests, then books.

use std::sync::Arc;

use anyhow::Context as _;
use doorbuster_core::ack::AckLevel;
use doorbuster_core::gate::{Gate, notices};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::books::{self, Books};
use crate::config::{Config, Role};
use crate::limits::{DRAIN_NOTICE, DRAIN_TASKS, UPKEEP_EVERY};
use crate::writer::Writer;
use crate::{front, metrics, revoked, sweeper, tallies, witness};

/// Serves until SIGTERM or SIGINT, on a runtime of its own.
///
/// # Errors
/// Where the address cannot be bound, or the books have another schema than this program's.
pub fn run(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    // What talks to Redis has a thread of its own, which is this one: every batch's answers make hundreds of connections ready at
    // once, and in one queue with those the next batch would leave only after all of them (PERFORMANCE.md).
    let beside = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime beside it")?;
    let serving = runtime.spawn(serve(config, beside.handle().clone()));
    beside.block_on(serving).context("serving")?
}

async fn serve(config: Config, beside: Handle) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let recorder = metrics::install().context("installing the metrics recorder")?;
    let listeners = front::server::bind(config.engine_listen)
        .with_context(|| format!("ENGINE_LISTEN={}", config.engine_listen))?;
    let books = Books::new(config.database_url.expose()).context("DATABASE_URL")?;
    check_schema(&books).await?;
    let redis_url = config.redis_url.expose().to_owned();
    let level = config.ack_level;
    let connecting = beside.spawn(async move { Gate::connect_at(level, &redis_url).await });
    let gate = connecting
        .await
        .context("connecting")?
        .context("REDIS_URL")?;
    gate.set_backlog_max(config.backlog_max);
    // Lives as long as the process: no request counts who else uses it.
    let app: &'static App = Box::leak(Box::new(App::new(&config, gate, books, recorder, beside)));

    let (requests, tasks) = (TaskTracker::new(), TaskTracker::new());
    let (stop_front, stop_tasks) = (CancellationToken::new(), CancellationToken::new());
    start_tasks(app, &config, &tasks, &stop_tasks).await?;
    let address = listeners
        .first()
        .context("no listener")?
        .local_addr()
        .context("the bound address")?;
    let most = front::server::Most {
        connections: config.max_connections,
        per_address: config.max_connections_per_address,
    };
    let server = front::server::serve(app, listeners, most, stop_front.clone());
    let server = requests.spawn(server);
    tracing::info!(%address, role = ?config.role, ack_level = config.ack_level.as_str(), "serving");

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("draining");
    app.start_draining();
    tokio::time::sleep(DRAIN_NOTICE).await;
    stop_front.cancel();
    let _ = server.await;
    stop_tasks.cancel();
    tasks.close();
    if tokio::time::timeout(DRAIN_TASKS, tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("a task did not end in time; what it left undone, the next writer does");
    }
    tracing::info!("stopped");
    Ok(())
}

/// A schema of another version is refused; a MySQL that is away is not: the front sells without it.
async fn check_schema(books: &Books) -> anyhow::Result<()> {
    match books.is_migrated().await {
        Ok(true) => Ok(()),
        Ok(false) => anyhow::bail!(
            "DATABASE_URL: the schema is older than this program; run `doorbuster-backoffice migrate`"
        ),
        Err(sqlx::Error::Database(e)) if books::is_missing(&*e) => anyhow::bail!(
            "DATABASE_URL: no schema of ours ({e}); run `doorbuster-backoffice migrate`"
        ),
        Err(e) => {
            tracing::warn!(error = %e, "mysql is away; the books wait for it");
            Ok(())
        }
    }
}

async fn start_tasks(
    app: &'static App,
    config: &Config,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let token = stop.clone();
    tasks.spawn(async move { app.ack.watch(&app.gate, &app.books, &token).await });
    let token = stop.clone();
    tasks.spawn(async move { witness::watch(app, &token).await });
    let token = stop.clone();
    tasks.spawn(async move { upkeep(app, &token).await });
    if matches!(config.role, Role::All | Role::Front) {
        let token = stop.clone();
        tasks.spawn(async move { tallies::run(app, &token).await });
        let token = stop.clone();
        tasks.spawn(async move {
            token
                .run_until_cancelled(app.pressure.load.watch())
                .await
                .unwrap_or(())
        });
        let token = stop.clone();
        tasks.spawn(async move { revoked::follow(app, &token).await });
        let mut restocked = notices::listen(config.redis_url.expose())
            .await
            .context("REDIS_URL")?;
        let token = stop.clone();
        tasks.spawn(async move {
            while let Some(Some(notice)) = token.run_until_cancelled(restocked.recv()).await {
                app.registry.restocked(&notice).await;
            }
        });
        if config.ack_level == AckLevel::Mysql {
            let mut flushed = notices::listen_to_books(config.redis_url.expose())
                .await
                .context("REDIS_URL")?;
            let token = stop.clone();
            tasks.spawn(async move {
                while let Some(Some(notice)) = token.run_until_cancelled(flushed.recv()).await {
                    app.registry.flushed(&notice).await;
                }
            });
        }
    }
    if matches!(config.role, Role::All | Role::Writer) {
        let writer = Writer::new(
            config.database_url.expose(),
            app.gate.clone(),
            Arc::clone(&app.pressure),
            config.writer_pace(),
        );
        let writer = Arc::new(writer.context("DATABASE_URL")?);
        let roster = writer.roster();
        let token = stop.clone();
        tasks.spawn(async move { writer.run(&token).await });
        let (gate, token, sales) = (app.gate.clone(), stop.clone(), roster.clone());
        tasks.spawn(async move { sweeper::run(&gate, sales, &token).await });
        let (gate, token) = (app.gate.clone(), stop.clone());
        tasks.spawn(async move { crate::writer::gauges::run(&gate, roster, &token).await });
    }
    Ok(())
}

/// Keeps the metrics' histograms small.
async fn upkeep(app: &App, stop: &CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(UPKEEP_EVERY))
        .await
        .is_some()
    {
        app.metrics.run_upkeep();
    }
}
