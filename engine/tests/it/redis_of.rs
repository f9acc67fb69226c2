//! A shop's Redis past the engine: any command, and the file that it comes back from.

use std::path::PathBuf;

use fred::interfaces::ClientLike;
use fred::prelude::{Builder, Config};
use fred::types::{ClusterHash, CustomCommand, Value};

use super::harness::Shop;

pub(crate) async fn raw(shop: &Shop, command: &'static str, args: &[&str]) -> Value {
    let client = Builder::from_config(Config::from_url(shop.stage.redis_url()).unwrap())
        .build()
        .unwrap();
    client.init().await.unwrap();
    let command = CustomCommand::new_static(command, ClusterHash::Random, false);
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    let reply = client.custom(command, args).await.unwrap();
    client.quit().await.unwrap();
    reply
}

/// The growing part of Redis's append-only file.
pub(crate) fn append_only_file(shop: &Shop) -> PathBuf {
    let mut found = Vec::new();
    let mut folders = vec![shop.stage.dir().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(".incr.aof") {
                found.push(path);
            }
        }
    }
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}
