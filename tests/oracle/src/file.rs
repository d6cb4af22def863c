//! Model files and recordings (`.safetensors`): reading them, and writing random ones.

mod read;
mod write;

pub use read::{Case, load};
pub use write::{Precision, write_case, write_model_file};
