//! Whatever bytes come as a block of history: rows, or one line; never a panic, and no more memory than
//! its reader was made with.
#![no_main]

use std::cell::RefCell;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use populace_pool::{Limit, Pages, SharedResource};
use populace_population::Past;
use populace_population::history::{Block, HEADER_BYTES, Reader, Row};
use twox_hash::XxHash3_64;

const BODY_BYTES: usize = 1 << 16;

thread_local! {
    static READER: RefCell<Reader> = {
        let memory: SharedResource = Arc::new(Limit::new(Pages, 1 << 20, 4096));
        RefCell::new(Reader::new(BODY_BYTES, &memory).expect("a megabyte is enough"))
    };
}

/// Puts the right checksum into a block, as `history/block.rs` has it: without it nothing would ever
/// get past the first check.
fn seal(bytes: &mut [u8]) {
    let seed = XxHash3_64::oneshot(&bytes[..32]);
    let checksum = XxHash3_64::oneshot_with_seed(seed, &bytes[HEADER_BYTES..]);
    bytes[32..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    let sealed = bytes.len() >= HEADER_BYTES && bytes[32] & 1 == 0;
    if sealed {
        seal(&mut bytes);
    }
    let block = match Block::parse(&bytes) {
        Ok(block) => block,
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            return;
        }
    };
    let ticks = block.ticks();
    let first = u64::from_le_bytes(bytes[24..32].try_into().expect("eight bytes"));
    let rows = [
        Row::new(&[400], &[5], None).expect("12 bits"),
        Row::new(&[5, 3, 3], &[4, 1], Some(&[8, 2])).expect("80 bits"),
    ];
    for row in rows {
        for agent in [first, first.saturating_add(u64::from(block.agents()) - 1)] {
            let mut past = Past::default();
            READER.with_borrow_mut(|reader| {
                if reader.append(&block, &row, agent, ticks.clone(), &mut past).is_ok() {
                    assert!(past.ticks.len() as u64 <= ticks.end - ticks.start);
                    assert!(past.ticks.iter().all(|tick| ticks.contains(tick)));
                }
            });
        }
    }
});
