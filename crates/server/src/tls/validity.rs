//! From when to when a certificate is valid (RFC 5280, section 4.1.2.5): the one thing about it that the server looks
//! at, and so all of X.509 that is read here.

/// In seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before_s: i64,
    pub(super) not_after_s: i64,
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The certificate's version, which those of version 1 leave out.
const VERSION: u8 = 0xA0;

impl Validity {
    /// Reads it out of a certificate in DER; none if that is no certificate.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let mut outer = Der(certificate);
        let mut signed = Der(Der(outer.take(SEQUENCE)?).take(SEQUENCE)?);
        if signed.0.first() == Some(&VERSION) {
            signed.take(VERSION)?;
        }
        signed.take(INTEGER)?;
        let _algorithm = signed.take(SEQUENCE)?;
        let _issuer = signed.take(SEQUENCE)?;
        let mut validity = Der(signed.take(SEQUENCE)?);
        Some(Self { not_before_s: validity.time()?, not_after_s: validity.time()? })
    }
}

/// What is left of a sequence of values.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let [found, first, rest @ ..] = self.0 else { return None };
        if *found != tag {
            return None;
        }
        let (length, rest) = match *first {
            0x81 => (usize::from(*rest.first()?), &rest[1..]),
            0x82 => (usize::from(u16::from_be_bytes(*rest.first_chunk()?)), &rest[2..]),
            short if short < 0x80 => (usize::from(short), rest),
            // Nothing that is looked at here is longer, and the whole certificate may be.
            0x83 => {
                let [a, b, c] = *rest.first_chunk()?;
                (u32::from_be_bytes([0, a, b, c]) as usize, &rest[3..])
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    fn time(&mut self) -> Option<i64> {
        match self.0.first()? {
            &UTC_TIME => {
                let (year, rest) = digits(self.take(UTC_TIME)?, 2)?;
                moment(if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            _ => {
                let (year, rest) = digits(self.take(GENERALIZED_TIME)?, 4)?;
                moment(year, rest)
            }
        }
    }
}

fn digits(text: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = text.split_at_checked(count)?;
    let number = number
        .iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))?;
    Some((number, rest))
}

/// `MMDDHHMMSSZ` of a year.
fn moment(year: i64, rest: &[u8]) -> Option<i64> {
    let (month, rest) = digits(rest, 2)?;
    let (day, rest) = digits(rest, 2)?;
    let (hour, rest) = digits(rest, 2)?;
    let (minute, rest) = digits(rest, 2)?;
    let (second, rest) = digits(rest, 2)?;
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    if rest != b"Z" || !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days from 1970-01-01, by the calendar of Gregory: years begin in March, so that leap days end them.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(not_before: (i32, u8, u8), not_after: (i32, u8, u8)) -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["example.org".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(not_before.0, not_before.1, not_before.2);
        params.not_after = rcgen::date_time_ymd(not_after.0, not_after.1, not_after.2);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn validity_is_read_in_both_forms_of_dates() {
        let cases = [
            ((1999, 12, 31), 946_598_400, (2000, 2, 29), 951_782_400),
            ((2026, 11, 21), 1_795_219_200, (2049, 12, 31), 2_524_521_600),
            ((2050, 1, 1), 2_524_608_000, (4096, 1, 1), 67_090_118_400),
        ];
        for (not_before, not_before_s, not_after, not_after_s) in cases {
            let read = Validity::of(&made(not_before, not_after)).unwrap();
            assert_eq!(read, Validity { not_before_s, not_after_s });
        }
    }

    #[test]
    fn what_is_no_certificate_has_none() {
        let whole = made((2000, 1, 1), (2001, 1, 1));
        for end in 0..whole.len() {
            assert_eq!(Validity::of(&whole[..end]), None, "cut at {end}");
        }
        // Whatever a byte is changed to, there is an answer.
        for at in 0..whole.len() {
            for value in [0, 0x7F, 0x80, 0x84, 0xFF] {
                let mut odd = whole.clone();
                odd[at] = value;
                let _ = Validity::of(&odd);
            }
        }
    }
}
