//! The clients: they speak plain HTTP/1.1, as light as can be, because they share the machine with what they measure.
//!
//! [`connection`] puts bytes on a wire and reads answers, [`pool`] keeps connections, [`request`] builds bytes,
//! and [`in_line`] those of a waiting room; [`answer`] understands answers, [`retry`] decides about trying again, and [`course`] is what one user does.

pub mod connection;
pub mod endpoint;
pub mod pool;

pub mod answer;
pub mod in_line;
pub mod request;

pub mod course;
pub mod retry;
