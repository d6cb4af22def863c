//! Whatever bytes come as the image of agents: a chunk, or one line; never a panic, and no more memory
//! than twice what came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use populace_population::ErrorKind;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = populace_population::fuzzing::read_image(bytes) {
        assert!(!error.to_string().contains('\n'), "{error}");
        assert_ne!(error.kind(), ErrorKind::Budget, "{error}");
    }
});
