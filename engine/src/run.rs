//! Starts the tasks of a role, waits for the signal, and drains: readiness first, then requests, then books.

use std::sync::Arc;

use anyhow::Context as _;
use doorbuster_core::ack::AckLevel;
use doorbuster_core::gate::{Gate, notices};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::App;
use crate::books::{self, Books};
use crate::config::{Config, Role};
use crate::limits::{DRAIN_NOTICE, DRAIN_TASKS, UPKEEP_EVERY};
use crate::threads::Threads;
use crate::writer::{self, Writer};
use crate::{front, metrics, revoked, sweeper, tallies, witness};

/// Serves until SIGTERM or SIGINT, on threads of its own and the one that calls it, which talks to Redis.
///
/// # Errors
/// Where a thread cannot be started, the address cannot be bound, or the books have another schema than this program's.
pub fn run(config: Config) -> anyhow::Result<()> {
    let gate = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting a runtime")?;
    let (threads, _running) =
        Threads::start(gate.handle().clone()).context("starting the threads")?;
    gate.block_on(serve(config, threads))
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
    let gate = Gate::connect_at(level, &redis_url)
        .await
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

    let tasks = Tasks {
        app,
        config: &config,
        threads: Arc::clone(&threads),
        tracker: TaskTracker::new(),
        stop: CancellationToken::new(),
    };
    tasks.start().await?;
    let stop_front = CancellationToken::new();
    let address = listeners
        .first()
        .context("no listener")?
        .local_addr()
        .context("the bound address")?;
    let most = front::server::Most {
        connections: config.max_connections,
        per_address: config.max_connections_per_address,
    };
    let server = front::server::serve(
        app,
        Arc::clone(&threads),
        listeners,
        most,
        stop_front.clone(),
    );
    let server = threads.background().spawn(server);
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
    tasks.stop.cancel();
    tasks.tracker.close();
    if tokio::time::timeout(DRAIN_TASKS, tasks.tracker.wait())
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

/// What runs beside the front, each told to stop by a token and waited for.
struct Tasks<'a> {
    app: &'static App,
    config: &'a Config,
    threads: Arc<Threads>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks<'_> {
    async fn start(&self) -> anyhow::Result<()> {
        let (app, prompt) = (self.app, self.threads.gate().clone());
        self.spawn(|stop| async move { app.ack.watch(&app.gate, &app.books, &stop).await });
        self.spawn(|stop| async move { witness::watch(app, &prompt, &stop).await });
        self.spawn(|stop| async move { upkeep(app, &stop).await });
        if matches!(self.config.role, Role::All | Role::Front) {
            self.start_beside_buyers().await?;
        }
        if matches!(self.config.role, Role::All | Role::Writer) {
            self.start_writing()?;
        }
        Ok(())
    }

    async fn start_beside_buyers(&self) -> anyhow::Result<()> {
        let app = self.app;
        let stop = self.stop.clone();
        self.tracker.spawn_on(
            async move { revoked::follow(app, &stop).await },
            self.threads.gate(),
        );
        self.spawn(|stop| async move { tallies::run(app, &stop).await });
        let threads = Arc::clone(&self.threads);
        self.spawn(|stop| async move {
            let watching = app.pressure.load.watch(&threads);
            stop.run_until_cancelled(watching).await.unwrap_or(())
        });
        let redis_url = self.config.redis_url.expose();
        let mut restocked = notices::listen(redis_url).await.context("REDIS_URL")?;
        self.spawn(|stop| async move {
            while let Some(Some(notice)) = stop.run_until_cancelled(restocked.recv()).await {
                app.registry.restocked(&notice).await;
            }
        });
        if self.config.ack_level == AckLevel::Mysql {
            let flushed = notices::listen_to_books(redis_url).await;
            let mut flushed = flushed.context("REDIS_URL")?;
            self.spawn(|stop| async move {
                while let Some(Some(notice)) = stop.run_until_cancelled(flushed.recv()).await {
                    app.registry.flushed(&notice).await;
                }
            });
        }
        Ok(())
    }

    fn start_writing(&self) -> anyhow::Result<()> {
        let app = self.app;
        let writer = Writer::new(
            self.config.database_url.expose(),
            app.gate.clone(),
            Arc::clone(&app.pressure),
            self.config.writer_pace(),
        );
        let writer = Arc::new(writer.context("DATABASE_URL")?);
        let (sales, measured) = (writer.roster(), writer.roster());
        self.spawn(|stop| async move { writer.run(&stop).await });
        self.spawn(|stop| async move { sweeper::run(&app.gate, sales, &stop).await });
        self.spawn(|stop| async move { writer::gauges::run(&app.gate, measured, &stop).await });
        Ok(())
    }

    /// Where things may take long.
    fn spawn<F>(&self, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tracker
            .spawn_on(task(self.stop.clone()), self.threads.background());
    }
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
