//! How long the pure parts of the purchase path take: `cargo bench --bench path`. Compare two builds on one quiet machine.

mod parts;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parts::Parts;

fn path(criterion: &mut Criterion) {
    let parts = Parts::new();
    let mut group = criterion.benchmark_group("path");
    for (name, requests, part) in Parts::ALL {
        group.throughput(Throughput::Elements(requests));
        group.bench_function(name, |bencher| bencher.iter(|| part(&parts)));
    }
    group.finish();
}

criterion_group!(benches, path);
criterion_main!(benches);
