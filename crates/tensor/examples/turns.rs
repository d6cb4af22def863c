//! Measures the benchmark's cases when asked, so that another library can take turns with it: for
//! `benches/compare_numpy.py`.
//!
//! Reads a request a line and answers a line of JSON: `case NUMBER THREADS` makes a case ready and answers
//! its row, or null after the last; `time MILLISECONDS` answers the seconds of its fastest call in that time.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::Duration;

use populace_pool::{HostHeap, Pool, SharedResource};
use populace_tensor::workload::{Measurement, cases};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let memory: SharedResource = Arc::new(Pool::new(HostHeap));
    let cases = cases();
    let mut current = None;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["case", number, threads] => {
                // The last one's memory first.
                drop(current.take());
                match cases.get(number.parse::<usize>()?) {
                    Some(case) => {
                        let measurement = Measurement::new(case, &memory, threads.parse()?)?;
                        let row = serde_json::to_string(&measurement.row()?)?;
                        current = Some(measurement);
                        row
                    }
                    None => "null".to_owned(),
                }
            }
            ["time", milliseconds] => {
                let measurement = current.as_mut().ok_or("time: no case was chosen")?;
                measurement.time(Duration::from_millis(milliseconds.parse()?))?.to_string()
            }
            _ => {
                return Err(format!(
                    "{line}: neither `case NUMBER THREADS` nor `time MILLISECONDS`"
                )
                .into());
            }
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
