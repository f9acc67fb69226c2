//! What keeps the cache of one back-office new and warm: it hears the changes that others tell, and reads ahead what will be asked
//! for: at the start what is popular, and before a sale opens what it sells. What it tells it tells again.

use doorbuster_core::clock;
use doorbuster_core::gate::cache::Changed;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Name, store};
use crate::app::App;
use crate::catalog::ids::{Named as _, ProductId};
use crate::limits::{CACHE_TELL_AGAIN, CACHE_WARM_AHEAD, CACHE_WARM_EVERY};

/// For as long as the program serves.
pub(crate) async fn listen(app: App, mut changes: mpsc::Receiver<Changed>) {
    while let Some(changed) = changes.recv().await {
        app.shop.heard(&app, &changed).await;
    }
}

/// For as long as the program serves. What is heard twice raises nothing.
pub(crate) async fn tell_again(app: App) {
    loop {
        for changed in app.shop.telling.due().await {
            if !app.shop.far.tell(&changed).await {
                break;
            }
            app.shop.telling.told(&changed);
        }
        sleep(CACHE_TELL_AGAIN).await;
    }
}

/// For as long as the program serves. What cannot be read ahead is read when it is asked for.
pub(crate) async fn keep_warm(app: App) {
    for name in [Name::Categories, Name::Notices] {
        let _ = app.shop.get(&app, &name).await;
    }
    match store::popular(&app.books).await {
        Ok(popular) => warm(&app, popular).await,
        Err(error) => tracing::info!(%error, "the cache starts cold"),
    }
    let mut ticks = interval(CACHE_WARM_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let soon = clock::now() + CACHE_WARM_AHEAD;
        if let Ok(products) = store::on_sale_before(&app.books, soon).await {
            warm(&app, products).await;
        }
    }
}

/// One after the other: it must not be in the way of shoppers.
async fn warm(app: &App, products: Vec<String>) {
    for id in products
        .into_iter()
        .filter_map(|id| ProductId::parse(id).ok())
    {
        let _ = app.shop.get(app, &Name::Product(id)).await;
    }
}
