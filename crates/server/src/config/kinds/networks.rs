//! Places in the network: origins of pages, networks of proxies.

use std::net::IpAddr;

use ipnet::IpNet;

use super::words::items;
use super::{Given, Kind, Refusal, quoted};
use crate::network::origin::OriginPattern;

/// Origins and patterns of them: none, one, or a list.
pub(in crate::config) struct Origins;

/// Addresses and networks: none, one, or a list.
pub(in crate::config) struct Networks;

/// Entries of one list. Each is compared with, for each request.
const ENTRIES_MAX: usize = 1_000;

impl Kind for Origins {
    type Value = Vec<OriginPattern>;

    fn read(&self, given: &Given) -> Result<Vec<OriginPattern>, Refusal> {
        read(given, &self.describe(), |text| {
            text.parse().map_err(|_| {
                Refusal::new("expected a scheme, a host and perhaps a port, without a path")
                    .help("write https://app.example, https://*.example.com, http://localhost:3000, or *")
            })
        })
    }

    fn show(&self, value: &Vec<OriginPattern>) -> String {
        show(value)
    }

    fn describe(&self) -> String {
        "a list of origins".to_owned()
    }
}

impl Kind for Networks {
    type Value = Vec<IpNet>;

    fn read(&self, given: &Given) -> Result<Vec<IpNet>, Refusal> {
        read(given, &self.describe(), |text| {
            let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| {
                Refusal::new("expected an IP address or a network")
                    .help("write 127.0.0.1, 10.0.0.0/8 or 2001:db8::/32")
            })
        })
    }

    fn show(&self, value: &Vec<IpNet>) -> String {
        show(value)
    }

    fn describe(&self) -> String {
        "a list of IP addresses and networks".to_owned()
    }
}

fn read<T>(
    given: &Given,
    expected: &str,
    parse: impl Fn(&str) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    let items = items(given, expected)?;
    if items.len() > ENTRIES_MAX {
        return Err(Refusal::new(format!("more than {ENTRIES_MAX} entries")));
    }
    let parsed = items
        .into_iter()
        .map(|item| parse(item.text).map_err(|refusal| Refusal { part: item.part, ..refusal }));
    parsed.collect()
}

fn show<T: ToString>(value: &[T]) -> String {
    let items: Vec<String> = value.iter().map(|item| quoted(&item.to_string())).collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loose(text: &str) -> Given {
        Given::Loose(text.to_owned())
    }

    #[test]
    fn origins_and_networks_survive_their_text_form() {
        let origins = Origins.read(&loose("https://app.example, https://*.example.com,*")).unwrap();
        assert_eq!(Origins.show(&origins), r#"["https://app.example", "https://*.example.com", "*"]"#);
        let networks = Networks.read(&loose("127.0.0.1,10.0.0.0/8,2001:db8::/32,::1")).unwrap();
        assert_eq!(Networks.show(&networks), r#"["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32", "::1/128"]"#);
        assert_eq!(Origins.read(&loose("")).unwrap(), []);
        assert_eq!(Networks.read(&Given::List(Vec::new())).unwrap(), []);
    }

    #[test]
    fn what_is_neither_is_refused_with_its_place() {
        let list = Given::List(vec![
            (Given::Text("https://app.example".to_owned()), 1..22),
            (Given::Text("https://app.example/path".to_owned()), 24..50),
        ]);
        assert_eq!(Origins.read(&list).unwrap_err().part, Some(24..50));
        for odd in ["10.0.0.0/33", "localhost", "10.0.0.256", "10.0.0.0/", "127.0.0.1:80"] {
            assert!(Networks.read(&loose(odd)).is_err(), "{odd}");
        }
        assert!(Networks.read(&loose(&"::1,".repeat(1_001))).is_err());
    }
}
