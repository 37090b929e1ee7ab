//! The header `Forwarded` (RFC 7239).

use std::net::IpAddr;

use super::address::address;

/// For whom each proxy asks, from the first to the last: none where one does not say, or hides it. A line that breaks
/// the grammar is one proxy that does not say: a quote that a client left open must not swallow what follows.
pub(super) fn nodes(line: &[u8]) -> Vec<Option<IpAddr>> {
    let parsed = std::str::from_utf8(line).ok().and_then(|text| Reader(text).elements());
    parsed.unwrap_or_else(|| vec![None])
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    /// `1#( [ pair ] *( ";" [ pair ] ) )`
    fn elements(mut self) -> Option<Vec<Option<IpAddr>>> {
        let mut found = Vec::new();
        loop {
            let (node, said) = self.element()?;
            // An empty element is none (RFC 9110 §5.6.1).
            if said {
                found.push(node);
            }
            if self.0.is_empty() {
                return Some(found);
            }
            self.skip(',')?;
        }
    }

    /// What one proxy says of its client, and whether it says anything at all.
    fn element(&mut self) -> Option<(Option<IpAddr>, bool)> {
        let (mut node, mut said, mut named) = (None, false, false);
        loop {
            self.space();
            if !self.0.is_empty() && !self.0.starts_with([',', ';']) {
                let name = self.token()?.to_ascii_lowercase();
                self.skip('=')?;
                let value = self.value()?;
                said = true;
                if name == "for" {
                    // Each parameter occurs once (RFC 7239 §4).
                    if std::mem::replace(&mut named, true) {
                        return None;
                    }
                    node = node_address(&value);
                }
            }
            self.space();
            if !self.0.starts_with(';') {
                return Some((node, said));
            }
            self.skip(';')?;
        }
    }

    fn value(&mut self) -> Option<String> {
        let Some(rest) = self.0.strip_prefix('"') else { return self.token().map(str::to_owned) };
        let mut text = String::new();
        let mut characters = rest.char_indices();
        loop {
            match characters.next()? {
                (at, '"') => {
                    self.0 = &rest[at + 1..];
                    return Some(text);
                }
                (_, '\\') => text.push(characters.next()?.1),
                (_, character) => text.push(character),
            }
        }
    }

    fn token(&mut self) -> Option<&str> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.0.find(|c| !plain(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    fn skip(&mut self, character: char) -> Option<()> {
        self.0 = self.0.strip_prefix(character)?;
        Some(())
    }

    fn space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }
}

/// RFC 7239 §6: an IPv4 address or an IPv6 address in brackets, perhaps with a port, which may be hidden. `unknown` and
/// names that begin with `_` are no address.
fn node_address(node: &str) -> Option<IpAddr> {
    let shown = match node.rsplit_once(":_") {
        Some((host, _)) => host,
        None => node,
    };
    // An IPv6 address stands in brackets here.
    let bare_v6 = shown.matches(':').count() > 1 && !shown.starts_with('[');
    if bare_v6 { None } else { address(shown) }
}

#[cfg(test)]
mod tests {
    use super::nodes;

    #[test]
    fn each_form_of_the_specification_is_read() {
        let cases: &[(&str, &[&str])] = &[
            ("for=192.0.2.43", &["192.0.2.43"]),
            ("for=\"_gazonk\"", &["-"]),
            ("For=\"[2001:db8:cafe::17]:4711\"", &["2001:db8:cafe::17"]),
            ("For=\"[2001:db8:cafe::17]\"", &["2001:db8:cafe::17"]),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", &["192.0.2.60"]),
            ("for=192.0.2.43, for=198.51.100.17", &["192.0.2.43", "198.51.100.17"]),
            ("for=192.0.2.43,for=\"198.51.100.17:_port\"", &["192.0.2.43", "198.51.100.17"]),
            ("for=unknown", &["-"]),
            ("proto=https", &["-"]),
            ("for=_hidden, for=_SEVKISEK", &["-", "-"]),
            ("for=\"192.0.2.43\\:80\"", &["192.0.2.43"]),
            ("for = 192.0.2.43", &["-"]),
            ("for=192.0.2.43; ;proto=http", &["192.0.2.43"]),
            ("", &[]),
            (" , ,", &[]),
        ];
        for (line, wanted) in cases {
            assert_eq!(shown(line), *wanted, "{line}");
        }
    }

    #[test]
    fn a_line_that_breaks_the_grammar_says_nothing() {
        for line in [
            "for=\"192.0.2.1",
            "for=\"x, for=6.6.6.6, for=192.0.2.1",
            "for=6.6.6.6;a=\", for=\"[2001:db8::1]\"",
            "for=[2001:db8::1]",
            "for=2001:db8::1",
            "for=192.0.2.1;for=192.0.2.2",
            "for=192.0.2.1 for=192.0.2.2",
            "for",
            "=192.0.2.1",
            "for=",
            "for=\"2001:db8::1\"",
            "for=\"192.0.2.1\"x",
            "\"for\"=192.0.2.1",
            "for=192.0.2.1\u{0}",
            "for=é",
        ] {
            assert_eq!(shown(line), ["-"], "{line}");
        }
        assert_eq!(nodes(b"for=\xff"), [None]);
    }

    fn shown(line: &str) -> Vec<String> {
        let text =
            |node: Option<std::net::IpAddr>| node.map_or("-".to_owned(), |address| address.to_string());
        nodes(line.as_bytes()).into_iter().map(text).collect()
    }
}
