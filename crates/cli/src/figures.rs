//! Numbers as a person reads them.

/// With commas between thousands: `1234567` reads `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Three figures and a prefix: `4670000.0` reads `4.67 M`.
pub(crate) fn rate(per_second: f64) -> String {
    let (scaled, prefix) = match per_second {
        x if x >= 999.5e6 => (x / 1e9, " G"),
        x if x >= 999.5e3 => (x / 1e6, " M"),
        x if x >= 999.5 => (x / 1e3, " k"),
        x => (x, ""),
    };
    format!("{}{prefix}", three_figures(scaled))
}

/// Three figures and a unit: `0.0123` reads `12.3 ms`.
pub(crate) fn seconds(seconds: f64) -> String {
    let (scaled, unit) = match seconds {
        x if x >= 0.9995 => (x, "s"),
        x if x >= 0.9995e-3 => (x * 1e3, "ms"),
        x => (x * 1e6, "µs"),
    };
    format!("{} {unit}", three_figures(scaled))
}

fn three_figures(number: f64) -> String {
    let decimals = match number {
        x if x >= 99.95 => 0,
        x if x >= 9.995 => 1,
        _ => 2,
    };
    format!("{number:.decimals$}")
}

/// A part of a whole in percent, one decimal; of nothing, nothing.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    let fraction = if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    format!("{:.1} %", 100.0 * fraction)
}

/// A bar of at most `width` characters, drawn in eighths, for a part of a whole.
pub(crate) fn bar(part: u64, whole: u64, width: usize) -> String {
    const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let fraction = if whole == 0 { 0.0 } else { (part as f64 / whole as f64).clamp(0.0, 1.0) };
    // What is there at all is seen.
    let eighths = (fraction * (width * 8) as f64).ceil() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::{bar, grouped, percent, rate, seconds};

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn three_figures_are_kept() {
        assert_eq!(rate(4_670_000.0), "4.67 M");
        assert_eq!(rate(999_600.0), "1.00 M");
        assert_eq!(rate(12.34), "12.3");
        assert_eq!(seconds(1.0), "1.00 s");
        assert_eq!(seconds(0.0123), "12.3 ms");
        assert_eq!(seconds(0.000_004), "4.00 µs");
    }

    #[test]
    fn parts_of_nothing_are_nothing() {
        assert_eq!(percent(1, 0), "0.0 %");
        assert_eq!(percent(1, 8), "12.5 %");
        assert_eq!(bar(1, 0, 4), "");
        assert_eq!(bar(1, 1, 4), "████");
        assert_eq!(bar(5, 32, 4), "▋");
        assert_eq!(bar(1, 1_000_000, 4), "▏");
    }
}
