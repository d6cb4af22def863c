//! The binary, run as a user runs it; a file a subject.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod budget;
mod checkpoint;
mod choices;
mod commands;
mod golden;
mod governor;
mod history;
mod interrupt;
mod kill;
mod mistakes;
mod outputs;
mod populace;
mod scenario;
mod tensors;
mod trajectory;
