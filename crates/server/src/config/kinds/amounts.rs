//! Numbers: counts, sizes, durations.

use std::marker::PhantomData;

use super::{Given, Kind, Refusal, quoted};

/// A whole number within bounds.
pub(in crate::config) struct Count<T> {
    min: u64,
    max: u64,
    number: PhantomData<fn() -> T>,
}

/// A number of bytes within bounds: `65536` or `"64KiB"`.
pub(in crate::config) struct Bytes {
    min: usize,
    max: usize,
}

/// A duration within bounds, kept in milliseconds: `"1h30m"`, or a number of seconds.
pub(in crate::config) struct Millis<T> {
    min_ms: u64,
    max_ms: u64,
    number: PhantomData<fn() -> T>,
}

/// A duration that may be left out; empty text stands for none.
pub(in crate::config) struct OptionalMillis(pub(in crate::config) Millis<u32>);

impl Kind for OptionalMillis {
    type Value = Option<u32>;

    fn read(&self, given: &Given) -> Result<Option<u32>, Refusal> {
        match given {
            Given::Loose(text) | Given::Text(text) if text.trim().is_empty() => Ok(None),
            given => self.0.read(given).map(Some),
        }
    }

    fn show(&self, value: &Option<u32>) -> String {
        value.as_ref().map_or_else(|| quoted(""), |ms| self.0.show(ms))
    }

    fn describe(&self) -> String {
        format!("{}, or empty", self.0.describe())
    }
}

impl<T> Count<T> {
    pub(in crate::config) const fn new(min: u64, max: u64) -> Self {
        Self { min, max, number: PhantomData }
    }
}

impl Bytes {
    pub(in crate::config) const fn new(min: usize, max: usize) -> Self {
        Self { min, max }
    }
}

impl<T> Millis<T> {
    pub(in crate::config) const fn new(min_ms: u64, max_ms: u64) -> Self {
        Self { min_ms, max_ms, number: PhantomData }
    }
}

impl<T: TryFrom<u64> + Copy + std::fmt::Display> Kind for Count<T> {
    type Value = T;

    fn read(&self, given: &Given) -> Result<T, Refusal> {
        let number = match given {
            Given::Integer(number) => i128::from(*number),
            Given::Loose(text) => whole(text).ok_or_else(|| Refusal::wrong_type("a whole number", given))?,
            other => return Err(Refusal::wrong_type("a whole number", other)),
        };
        u64::try_from(number)
            .ok()
            .filter(|number| (self.min..=self.max).contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| Refusal::new(format!("must be {}", between(self.min, self.max))))
    }

    fn show(&self, value: &T) -> String {
        value.to_string()
    }

    fn describe(&self) -> String {
        format!("a whole number, {}", between(self.min, self.max))
    }
}

impl Kind for Bytes {
    type Value = usize;

    fn read(&self, given: &Given) -> Result<usize, Refusal> {
        let expected = "a number of bytes, such as 65536 or \"64KiB\"";
        let bytes = match given {
            Given::Integer(number) => Some(i128::from(*number)),
            Given::Loose(text) | Given::Text(text) => sized(text),
            other => return Err(Refusal::wrong_type(expected, other)),
        };
        let bytes = bytes.ok_or_else(|| {
            Refusal::new(format!("expected {expected}")).help("units are B, KiB, MiB, GiB, kB, MB and GB")
        })?;
        usize::try_from(bytes).ok().filter(|bytes| (self.min..=self.max).contains(bytes)).ok_or_else(|| {
            Refusal::new(format!("must be from {} to {}", written(self.min), written(self.max)))
        })
    }

    fn show(&self, value: &usize) -> String {
        let text = written(*value);
        if text.bytes().all(|byte| byte.is_ascii_digit()) { text } else { quoted(&text) }
    }

    fn describe(&self) -> String {
        format!("a size, from {} to {}", written(self.min), written(self.max))
    }
}

impl<T: TryFrom<u64> + Copy + Into<u64>> Kind for Millis<T> {
    type Value = T;

    fn read(&self, given: &Given) -> Result<T, Refusal> {
        let expected = "a duration, such as \"25s\", \"500ms\", \"1h\" or a number of seconds";
        let ms = match given {
            Given::Integer(seconds) => Some(*seconds as f64 * 1000.0),
            Given::Float(seconds) => Some(seconds * 1000.0),
            Given::Loose(text) => {
                text.trim().parse::<f64>().ok().map(|s| s * 1000.0).or_else(|| lasting(text))
            }
            Given::Text(text) => lasting(text),
            other => return Err(Refusal::wrong_type(expected, other)),
        };
        let ms = ms.filter(|ms| ms.is_finite()).ok_or_else(|| {
            Refusal::new(format!("expected {expected}")).help("units are ms, s, m, h and d")
        })?;
        let (min, max) = (self.min_ms as f64, self.max_ms as f64);
        if !(min..=max).contains(&ms) {
            let bounds = format!("must be from {} to {}", duration(self.min_ms), duration(self.max_ms));
            return Err(Refusal::new(bounds));
        }
        T::try_from(ms.round() as u64).map_err(|_| Refusal::new("is too long"))
    }

    fn show(&self, value: &T) -> String {
        quoted(&duration((*value).into()))
    }

    fn describe(&self) -> String {
        format!("a duration, from {} to {}", duration(self.min_ms), duration(self.max_ms))
    }
}

fn between(min: u64, max: u64) -> String {
    if max == u64::MAX { format!("at least {min}") } else { format!("from {min} to {max}") }
}

fn whole(text: &str) -> Option<i128> {
    text.trim().replace('_', "").parse().ok()
}

const SIZES: [(&str, i128); 10] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("b", 1),
];

fn sized(text: &str) -> Option<i128> {
    let text = text.trim().to_ascii_lowercase();
    for (unit, bytes) in SIZES {
        if let Some(number) = text.strip_suffix(unit) {
            return whole(number)?.checked_mul(bytes);
        }
    }
    whole(&text)
}

/// The shortest exact way to write a size.
fn written(bytes: usize) -> String {
    for (unit, size) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= size && bytes.is_multiple_of(size) {
            return format!("{}{unit}", bytes / size);
        }
    }
    bytes.to_string()
}

const DURATIONS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Numbers with units, one after the other: `1h30m`.
fn lasting(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut ms = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let (_, unit_ms) = DURATIONS.iter().find(|(name, _)| *name == unit)?;
        ms += number.parse::<f64>().ok()? * *unit_ms as f64;
        rest = tail.trim_start();
    }
    Some(ms)
}

/// The shortest exact way to write a duration.
fn duration(ms: u64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    let mut rest = ms;
    for (unit, unit_ms) in DURATIONS {
        if rest >= unit_ms {
            out.push_str(&format!("{}{unit}", rest / unit_ms));
            rest %= unit_ms;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_survive_their_text_form() {
        let kind = Millis::<u64>::new(0, u64::MAX);
        for ms in [0, 1, 999, 1_000, 25_000, 90_500, 3_600_000, 90_061_001] {
            let text = duration(ms);
            assert_eq!(kind.read(&Given::Text(text.clone())), Ok(ms), "{text}");
        }
        assert_eq!(kind.read(&Given::Integer(25)), Ok(25_000));
        assert_eq!(kind.read(&Given::Float(0.25)), Ok(250));
        assert_eq!(kind.read(&Given::Loose("1.5".to_owned())), Ok(1_500));
        assert_eq!(kind.read(&Given::Text("1.5h".to_owned())), Ok(5_400_000));
        for odd in ["", "5", "s", "5 s x", "5y", "-5s", "1e3s", "nan", "..s"] {
            assert!(kind.read(&Given::Text(odd.to_owned())).is_err(), "{odd:?}");
        }
        assert!(kind.read(&Given::Float(f64::NAN)).is_err());
        assert!(kind.read(&Given::Integer(-1)).is_err());
    }

    #[test]
    fn sizes_survive_their_text_form() {
        let kind = Bytes::new(0, usize::MAX);
        for bytes in [0, 1, 1_000, 1_024, 65_536, 1_500_000, 1 << 30] {
            let text = written(bytes);
            assert_eq!(kind.read(&Given::Text(text.clone())), Ok(bytes), "{text}");
        }
        assert_eq!(kind.read(&Given::Loose("64 kb".to_owned())), Ok(64_000));
        for odd in ["", "KiB", "1.5KiB", "-1", "5TB", "1e3"] {
            assert!(kind.read(&Given::Text(odd.to_owned())).is_err(), "{odd:?}");
        }
    }
}
