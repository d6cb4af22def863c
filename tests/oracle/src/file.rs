//! Reading and writing model files and recordings (`.safetensors`).

mod read;

pub use read::{Case, load};
