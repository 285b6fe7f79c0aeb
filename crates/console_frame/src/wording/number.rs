//! Numbers with thousands separators, and numbers of things.

/// Returns the number with a comma between each three digits.
pub fn grouped(number: usize) -> String {
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

/// Returns a number of bytes in the largest binary unit that it has one of, rounded down.
pub fn bytes(number: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = units.into_iter().find(|(_, size)| number >= *size);
    let (unit, size) = unit.unwrap_or(("bytes", 1));
    let count = usize::try_from(number / size).unwrap_or(usize::MAX);
    format!("{} {unit}", grouped(count))
}

/// Returns the number with the word for one thing or for several.
pub fn counted(number: usize, one: &str, several: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_three_digits_are_a_group() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345, "12,345"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn bytes_have_their_largest_unit() {
        for (number, text) in [
            (0, "0 bytes"),
            (1_023, "1,023 bytes"),
            (4_096, "4 KiB"),
            (150 << 20, "150 MiB"),
            (3 << 30, "3 GiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn one_thing_has_another_word_than_several() {
        assert_eq!(counted(1, "person", "people"), "1 person");
        assert_eq!(counted(0, "person", "people"), "0 people");
        assert_eq!(counted(8_214, "person", "people"), "8,214 people");
    }
}
