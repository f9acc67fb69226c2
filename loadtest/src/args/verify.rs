//! Options of `verify-draw`.

use std::path::PathBuf;

use clap::Args;
use doorbuster_core::ids::SaleId;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorbuster-loadtest verify-draw --backoffice-url http://127.0.0.1:8081 --sale drop-1
  doorbuster-loadtest verify-draw --backoffice-url http://127.0.0.1:8081 --sale drop-1 --commitment cc07a935… --number 17 --entry 38aa07ca…
  doorbuster-loadtest verify-draw --draw draw.json --entries entries.csv
";

#[derive(Debug, Clone, Args)]
pub struct VerifyDrawArgs {
    /// The back-office that publishes the draw, as http://127.0.0.1:8081.
    #[arg(long, value_name = "URL", requires = "sale", conflicts_with_all = ["draw", "entries"])]
    pub backoffice_url: Option<String>,
    /// The sale that was drawn.
    #[arg(long, requires = "backoffice_url")]
    pub sale: Option<SaleId>,
    /// The draw as it was published, in a file: GET /v1/sales/{sale}/draw.
    #[arg(long, value_name = "FILE", requires = "entries")]
    pub draw: Option<PathBuf>,
    /// The list likewise, all of it: GET /v1/sales/{sale}/draw/entries.
    #[arg(long, value_name = "FILE", requires = "draw")]
    pub entries: Option<PathBuf>,
    /// The commitment as it was before the sale.
    #[arg(long, value_name = "HEX")]
    pub commitment: Option<String>,
    /// A ticket's number, to see that it is in the list.
    #[arg(long, requires = "entry")]
    pub number: Option<u32>,
    /// Its draw_entry.
    #[arg(long, value_name = "HEX", requires = "number")]
    pub entry: Option<String>,
    /// Ends with one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}
