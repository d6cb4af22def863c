//! Writes random problems with the oracle's answers, in the form of the golden runs:
//!
//! `cargo run -p populace-oracle --example record -- DIRECTORY [COUNT [FIRST_SEED [base]]]`
//!
//! `base` keeps to pymdp-1's filtering and planning; without it both dialects get all they have.
//!
//! `compare_pymdp.py` then checks them against the real libraries.

use std::error::Error;
use std::path::Path;

use populace_oracle::random::{Features, case};
use populace_oracle::{Dialect, Precision, answers, replay, write_case};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let directory = Path::new(arguments.first().ok_or("which directory?")?);
    let number = |i: usize, default: u64| arguments.get(i).map_or(Ok(default), |text| text.parse());
    let (count, first) = (number(1, 40)?, number(2, 0)?);
    std::fs::create_dir_all(directory)?;
    let all =
        [("pymdp-1", Features::all(Dialect::Pymdp1)), ("pymdp-0", Features::all(Dialect::Pymdp0))];
    let base = [("pymdp-1", Features::base())];
    let chosen = if arguments.iter().any(|text| text == "base") { &base[..] } else { &all[..] };
    for (name, features) in chosen {
        for seed in first..first + count {
            let mut case = case(seed, features, 6);
            let steps = replay(&case.problem, &case.observations, case.actions.as_deref());
            case.expect = answers(&steps);
            let path = directory.join(format!("{name}-{seed}.safetensors"));
            write_case(&case, &path, Precision::F64, seed % 4 == 0)?;
        }
    }
    Ok(())
}
