//! How the goods of orders come to their buyers: prepared when they are paid, sent and delivered by the hand of staff, or by themselves at the
//! times that staff has set. `job` moves those that are due; `desk::delivery` is what staff does.

pub(crate) mod job;
pub(crate) mod step;
pub(crate) mod store;
