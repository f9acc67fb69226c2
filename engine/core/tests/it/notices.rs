//! Listens to restock notices for one test. Notices of other tests arrive on the same channel and are passed over.

use std::time::Duration;

use doorbuster_core::gate::notices::{Restocked, listen};
use doorbuster_core::ids::LiveId;
use doorbuster_core::keys::Keys;
use doorbuster_core::limits::NOTICES_CHANNEL;
use tokio::sync::mpsc::Receiver;

use crate::harness::{Scene, random_sale, redis_url};

pub(crate) struct Notices {
    receiver: Receiver<Restocked>,
}

impl Notices {
    /// Returns once notices arrive here.
    pub(crate) async fn of(scene: &Scene) -> Self {
        let mut notices = Self {
            receiver: listen(redis_url()).await.unwrap(),
        };
        while tokio::time::timeout(Duration::from_millis(20), notices.until_marker(scene))
            .await
            .is_err()
        {}
        notices
    }

    /// Sku and seq of what was published for the sale since the last look: a server delivers in the order of publishing, so all of
    /// it arrives before a marker that is published now.
    pub(crate) async fn since(&mut self, scene: &Scene) -> Vec<(String, u64)> {
        let seen = tokio::time::timeout(Duration::from_secs(10), self.until_marker(scene)).await;
        seen.expect("the marker arrives")
            .into_iter()
            .map(|notice| (notice.sku.to_string(), notice.seq))
            .collect()
    }

    async fn until_marker(&mut self, scene: &Scene) -> Vec<Restocked> {
        let marker = random_sale();
        publish(scene, &marker).await;
        let mut seen = Vec::new();
        loop {
            let notice = self
                .receiver
                .recv()
                .await
                .expect("listening never ends by itself");
            if notice.live == marker {
                return seen;
            }
            if notice.live == scene.live {
                seen.push(notice);
            }
        }
    }
}

async fn publish(scene: &Scene, marker: &LiveId) {
    let text = format!("{} marker 0", Keys::of(marker).sale);
    scene
        .raw("PUBLISH", vec![NOTICES_CHANNEL.to_string(), text])
        .await
        .unwrap();
}
