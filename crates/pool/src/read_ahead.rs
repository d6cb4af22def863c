//! A file that will be read soon.

use std::fs::File;

use crate::prim;

/// Asks the system to have a range of a file in memory soon. Where it cannot be asked, nothing happens:
/// reading is then as slow as it is.
pub fn read_ahead(file: &File, offset: u64, bytes: u64) {
    prim::read_ahead(file, offset, bytes);
}
