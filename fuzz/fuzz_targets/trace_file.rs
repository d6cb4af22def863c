//! Whatever bytes come as a trace: one that round-trips and can be learned from, or one line; never a
//! panic. They are read as they are, and with the checksum that they should have.
#![no_main]

use libfuzzer_sys::fuzz_target;
use populace_pool::{SizeClasses, Trace};

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    if let Some((body, _)) = bytes.split_last_chunk::<8>() {
        let sum = body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, &byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        check(&[body, &sum.to_le_bytes()].concat());
    }
});

fn check(bytes: &[u8]) {
    let trace = match Trace::from_bytes(bytes) {
        Ok(trace) => trace,
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            return;
        }
    };
    let again = Trace::from_bytes(&trace.to_bytes()).expect("what was written can be read");
    assert_eq!(again, trace);
    let _ = trace.peak_requested_bytes();
    if let Ok(learned) = trace.learn(0.05) {
        assert_eq!(trace.waste(&learned.classes), learned.learned_waste);
    }
    assert!(trace.waste(&SizeClasses::geometric()) < 1.0);
}
