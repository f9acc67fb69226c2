//! Tests of what people do, and of the judgement.

mod judge;
mod person;
