//! Whatever bytes come as a model file: a model that round-trips, or one line; never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use populace_agent::ModelFile;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut file) = ModelFile::from_bytes("fuzz", bytes.to_vec()) else { return };
    let names: Vec<String> = file.names().map(str::to_owned).collect();
    for name in names {
        let _ = file.tensor(&name);
    }
    let model = match file.model() {
        Ok(model) => model,
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            return;
        }
    };
    model.check().expect("what was read is checked");
    let _ = file.recording(&model);
    if model.policy_count().is_ok_and(|count| count < 10_000) {
        model.all_policies().expect("their number was found possible");
    }
});
