//! The stage's promises, held against real servers: it starts and breaks them, and nothing stays behind, whatever happens
//! to its owner. A test whose owner has to die runs it in a process of its own: this very executable (see `owner`).

mod breaking;
mod leaving;
mod owner;
mod starting;
mod talk;
