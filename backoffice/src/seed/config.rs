//! What the command line says about the catalog that `seed` makes.

use clap::Args;

use crate::config::{Database, Output};
use crate::limits::SEED_PRODUCTS_MAX;

/// Fills an empty shop.
#[derive(Args)]
pub struct Seed {
    #[command(flatten)]
    pub database: Database,
    /// How many products there are to be
    #[arg(long, default_value = "60", value_parser = clap::value_parser!(u32).range(..=i64::from(SEED_PRODUCTS_MAX)))]
    pub products: u32,
    #[command(flatten)]
    pub output: Output,
}
