//! The stage's promises, held against real servers: it starts and breaks them, and nothing stays behind, whatever happens
//! to its owner. A test whose owner has to die, or that brings a program of its own, runs this very
//! executable in another process (see `owner`, `hosting`).

mod breaking;
mod hosting;
mod leaving;
mod owner;
mod starting;
mod talk;
