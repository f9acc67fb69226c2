//! The accept loop: bounded connections, a deadline for every request's head, and a drain that loses no request.
//! hyper itself rather than `axum::serve`, which cannot bound the time of a head.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use doorbuster_core::gate::Gate;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::hashing::Hasher;
use crate::accounts::turns::Turns;
use crate::accounts::visit::Peer;
use crate::accounts::{People, sweep};
use crate::app::{self, App, Parts};
use crate::config::{self, ConfigError, Serve};
use crate::coupons::redeem;
use crate::limits::{
    ACCEPT_PAUSE, DRAIN_TIMEOUT, HEAD_BYTES_MAX, HEAD_TIMEOUT, TASKS_DRAIN_TIMEOUT,
};
use crate::mail::sender::Sender;
use crate::orders::deliveries;
use crate::payments::Payments;
use crate::payments::webhooks::inbox;
use crate::reconcile::money;
use crate::shop::{cache, fast, popular};
use crate::{ack, ledger, metrics, orders, points, revocations, route, sales};

/// Serves until SIGTERM or SIGINT, then finishes what is under way within 10 s.
///
/// # Errors
/// Bad configuration, a port that is taken, a REDIS_URL that cannot be one.
pub async fn serve(config: &Serve) -> Result<()> {
    let (tokens, draws) = (config::token_keys()?, config::draw_keys()?);
    let books = app::connect_books(config.database.options()?);
    let gate = Gate::connect_at(config.ack_level, config.redis.url()?).await;
    let gate = gate.map_err(|_| ConfigError::Redis)?;
    let sender = sender(config)?;
    let parts = Parts {
        gate,
        ack_level: config.ack_level,
        books,
        tokens,
        draws,
        people: people(config)?,
        payments: Payments::new(&config.payments)?,
        hosts: config.allowed_hosts.clone(),
        engine_public_url: config.pages.engine_public_url.clone(),
        metrics: metrics::install()?,
    };
    let app = App::new(parts);
    let listener = TcpListener::bind(config.backoffice_listen)
        .await
        .with_context(|| {
            format!(
                "BACKOFFICE_LISTEN={} cannot be bound",
                config.backoffice_listen
            )
        })?;
    tracing::info!(address = %listener.local_addr()?, "serving the back-office on {}", config.backoffice_listen);
    let changes = doorbuster_core::gate::cache::listen(config.redis.url()?)
        .await
        .map_err(|_| ConfigError::Redis)?;
    let stop = stop_signal()?;
    let (tasks, stop_tasks) = (TaskTracker::new(), CancellationToken::new());
    tasks.spawn(revocations::run(app.clone(), stop_tasks.clone()));
    tasks.spawn(ack::keep(app.clone(), stop_tasks.clone()));
    tasks.spawn(sweep::run(app.clone(), stop_tasks.clone()));
    tasks.spawn(sales::schedule::run(app.clone(), stop_tasks.clone()));
    tasks.spawn(points::job::run(app.clone(), stop_tasks.clone()));
    tasks.spawn(orders::saga::run(app.clone(), stop_tasks.clone()));
    tasks.spawn(orders::settled::run(app.clone(), stop_tasks.clone()));
    tasks.spawn(deliveries::job::run(app.clone(), stop_tasks.clone()));
    tasks.spawn(ledger::job::run(app.clone(), stop_tasks.clone()));
    tasks.spawn(redeem::expire(app.clone(), stop_tasks.clone()));
    let every = Duration::from_secs(config.reconcile_seconds);
    tasks.spawn(money::job::run(app.clone(), every, stop_tasks.clone()));
    if let Some(sender) = sender {
        tasks.spawn(sender.run(app.clone(), stop_tasks.clone()));
    }
    if app.payments.is_on() {
        tasks.spawn(inbox::run(app.clone(), stop_tasks.clone()));
    }
    let every = Duration::from_secs(config.statistics_seconds);
    let until_stop = || stop_tasks.clone();
    tasks.spawn(until_stop().run_until_cancelled_owned(popular::keep(app.clone(), every)));
    tasks.spawn(until_stop().run_until_cancelled_owned(cache::tend::listen(app.clone(), changes)));
    tasks.spawn(until_stop().run_until_cancelled_owned(cache::tend::tell_again(app.clone())));
    tasks.spawn(until_stop().run_until_cancelled_owned(cache::tend::keep_warm(app.clone())));
    accept_until(stop, &listener, &app, config.max_connections.get()).await;
    stop_tasks.cancel();
    tasks.close();
    if timeout(TASKS_DRAIN_TIMEOUT, tasks.wait()).await.is_err() {
        tracing::warn!("a task did not end in time; what it left undone, another back-office does");
    }
    app.books.close().await;
    Ok(())
}

fn people(config: &Serve) -> Result<People> {
    Ok(People {
        hasher: Hasher::start()?,
        turns: Turns::default(),
        keys: config::account_keys()?,
        proxies: config.people.trusted_proxies.clone(),
        public_url: config.people.public_url.clone(),
        mail_written: Notify::new(),
    })
}

/// The way out for mails; without one they wait.
fn sender(config: &Serve) -> Result<Option<Sender>, ConfigError> {
    let (smtp_url, mail_from) = (&config.people.smtp_url, &config.people.mail_from);
    if smtp_url.is_empty() {
        tracing::warn!(
            "SMTP_URL is not set: mails, by which people sign up and set passwords, wait in the books"
        );
        return Ok(None);
    }
    let sender = Sender::new(smtp_url, mail_from.clone());
    sender.map(Some).ok_or(ConfigError::Smtp)
}

fn stop_signal() -> Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}

async fn accept_until(
    stop: impl Future<Output = ()>,
    listener: &TcpListener,
    app: &App,
    connections_max: usize,
) {
    let router = TowerToHyperService::new(route::router(app));
    let app_of_connections = Arc::new(app.clone());
    let connections = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(connections_max));
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => match Arc::clone(&room).try_acquire_owned() {
                    Ok(place) => serve_connection(
                        Accepted { stream, from: from.ip(), place },
                        (Arc::clone(&app_of_connections), router.clone()),
                        &connections,
                    ),
                    Err(_full) => metrics::turned_away(),
                },
                // A client that is gone already, or no descriptors left: both pass, and the loop must not spin meanwhile.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    app.start_draining();
    drain(app, connections).await;
}

/// A connection and its place among those allowed.
struct Accepted {
    stream: TcpStream,
    from: IpAddr,
    place: OwnedSemaphorePermit,
}

fn serve_connection(
    accepted: Accepted,
    (app, router): (Arc<App>, TowerToHyperService<Router>),
    connections: &GracefulShutdown,
) {
    let Accepted {
        stream,
        from,
        place,
    } = accepted;
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(from));
        let (app, router) = (Arc::clone(&app), router.clone());
        let asked = fast::asked(&app, &request);
        async move {
            if let Some(asked) = asked
                && let Some(page) = asked.answer(&app).await
            {
                return Ok(page);
            }
            router.call(request).await
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        // Errors here are clients that went away or spoke no HTTP; there is nobody to answer.
        let _ = connection.await;
        drop(place);
    });
}

async fn drain(app: &App, connections: GracefulShutdown) {
    tracing::info!("draining: no new connections; finishing what is under way");
    app.work.close();
    let finished = timeout(DRAIN_TIMEOUT, async {
        connections.shutdown().await;
        app.work.wait().await;
    });
    match finished.await {
        Ok(()) => tracing::info!("drained"),
        Err(_) => tracing::warn!("requests were still under way after {DRAIN_TIMEOUT:?}"),
    }
}
