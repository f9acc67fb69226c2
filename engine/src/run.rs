//! Starts the tasks of a role, waits for the signal, and drains: readiness first, then requests, then books.

use std::sync::Arc;

use anyhow::Context as _;
use doorbuster_core::ack::AckLevel;
use doorbuster_core::gate::{Gate, notices};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::books::{self, Books};
use crate::config::{Config, Role};
use crate::limits::{DRAIN_NOTICE, DRAIN_TASKS, UPKEEP_EVERY};
use crate::threads::{self, Threads};
use crate::writer::Writer;
use crate::{front, metrics, revoked, sweeper, tallies, witness};

/// Serves until SIGTERM or SIGINT, on threads of its own and the one that calls it, which talks to Redis.
///
/// # Errors
/// Where a thread cannot be started, the address cannot be bound, or the books have another schema than this program's.
pub fn run(config: Config) -> anyhow::Result<()> {
    let gate = threads::runtime().context("starting a runtime")?;
    let (threads, _running) =
        Threads::start(gate.handle().clone()).context("starting the threads")?;
    let serving = threads
        .background()
        .spawn(serve(config, Arc::clone(&threads)));
    gate.block_on(serving).context("serving")?
}

async fn serve(config: Config, threads: Arc<Threads>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let recorder = metrics::install().context("installing the metrics recorder")?;
    let listeners = front::server::bind(config.engine_listen, &threads)
        .with_context(|| format!("ENGINE_LISTEN={}", config.engine_listen))?;
    let books = Books::new(config.database_url.expose()).context("DATABASE_URL")?;
    check_schema(&books).await?;
    let redis_url = config.redis_url.expose().to_owned();
    let level = config.ack_level;
    let connecting = threads
        .gate()
        .spawn(async move { Gate::connect_at(level, &redis_url).await });
    let gate = connecting
        .await
        .context("connecting")?
        .context("REDIS_URL")?;
    gate.set_backlog_max(config.backlog_max);
    // Lives as long as the process: no request counts who else uses it.
    let app: &'static App = Box::leak(Box::new(App::new(
        &config,
        gate,
        books,
        recorder,
        Arc::clone(&threads),
    )));

    let (requests, tasks) = (TaskTracker::new(), TaskTracker::new());
    let (stop_front, stop_tasks) = (CancellationToken::new(), CancellationToken::new());
    start_tasks(app, &config, &threads, &tasks, &stop_tasks).await?;
    let address = listeners
        .first()
        .context("no listener")?
        .local_addr()
        .context("the bound address")?;
    let most = front::server::Most {
        connections: config.max_connections,
        per_address: config.max_connections_per_address,
    };
    let server = front::server::serve(app, threads, listeners, most, stop_front.clone());
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
    threads: &Arc<Threads>,
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
        let (token, watched) = (stop.clone(), Arc::clone(threads));
        tasks.spawn_on(
            async move {
                let watching = app.pressure.load.watch(&watched);
                token.run_until_cancelled(watching).await.unwrap_or(())
            },
            threads.front(0),
        );
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
