//! Numbers as people read them: ages, sizes, counts, and columns that stand under each other.

use std::time::Duration;

/// One unit, rounded down: `59 s`, `3 min`, `2 h`, `5 days`.
pub fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => count(seconds / 86_400, "day"),
    }
}

/// An [`age`] that lies in the past.
pub fn ago(seconds: u64) -> String {
    if seconds == 0 { "just now".to_owned() } else { format!("{} ago", age(seconds)) }
}

/// Two units, for times that are watched: `3 h 12 min`.
pub fn span(seconds: u64) -> String {
    let smaller = match seconds {
        0..60 => 0,
        60..3600 => seconds % 60,
        3600..86_400 => seconds % 3600 / 60 * 60,
        _ => seconds % 86_400 / 3600 * 3600,
    };
    if smaller == 0 { age(seconds) } else { format!("{} {}", age(seconds), age(smaller)) }
}

/// Bytes, in the largest unit that leaves one or more: `512 bytes`, `1.2 KiB`, `52 KiB`.
pub fn size(bytes: u64) -> String {
    let mut rest = bytes;
    let mut unit = "bytes";
    let mut tenths = 0;
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if rest < 1024 {
            break;
        }
        (rest, tenths, unit) = (rest / 1024, rest % 1024 * 10 / 1024, next);
    }
    match (unit, rest) {
        ("bytes", _) => count(rest, "byte"),
        (_, 0..10) => format!("{rest}.{tenths} {unit}"),
        _ => format!("{rest} {unit}"),
    }
}

/// `1 message`, `2 messages`.
pub fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The end of a list that is not whole, or nothing.
pub fn omitted(number: u64) -> String {
    if number == 0 { String::new() } else { format!("  and {number} more\n") }
}

/// Milliseconds with as many digits as tell something: `0.8 ms`, `41 ms`.
pub fn millis(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// Rows of cells, each column as wide as its widest cell, two spaces before and between.
pub fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths).filter(|(_, width)| *width > 0) {
            line.push_str(&format!("  {cell:width$}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit_and_spans_two() {
        for (seconds, short, long) in [
            (0, "0 s", "0 s"),
            (59, "59 s", "59 s"),
            (60, "1 min", "1 min"),
            (125, "2 min", "2 min 5 s"),
            (3 * 3600 + 12 * 60 + 9, "3 h", "3 h 12 min"),
            (3 * 3600 + 9, "3 h", "3 h"),
            (86_400, "1 day", "1 day"),
            (2 * 86_400 + 3 * 3600, "2 days", "2 days 3 h"),
        ] {
            assert_eq!((age(seconds).as_str(), span(seconds).as_str()), (short, long));
        }
    }

    #[test]
    fn sizes_keep_two_digits_or_more() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1300, "1.2 KiB"),
            (53_248, "52 KiB"),
            (16 << 20, "16 MiB"),
            (u64::MAX, "16777215 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn columns_stand_under_each_other_and_empty_ones_take_no_room() {
        let row = |cells: [&str; 4]| cells.map(str::to_owned);
        let text = columns(&[row(["alice", "", "live", "x"]), row(["bob", "", "offline", ""])]);
        assert_eq!(text, "  alice  live     x\n  bob    offline\n");
    }
}
