//! Channels in the order of their last use.

use fanfare_protocol::ChannelName;
use slab::Slab;

/// A place in the order; it is good until it is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(usize);

/// A list linked in both directions, so that a use costs the same however many channels there are.
#[derive(Debug, Default)]
pub(super) struct Recency {
    links: Slab<Link>,
    oldest: Option<Place>,
    newest: Option<Place>,
}

#[derive(Debug)]
struct Link {
    name: ChannelName,
    older: Option<Place>,
    newer: Option<Place>,
}

impl Recency {
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// The channel that was used longest ago.
    pub(super) fn oldest(&self) -> Option<&ChannelName> {
        Some(&self.links.get(self.oldest?.0)?.name)
    }

    /// Puts a channel behind all others.
    pub(super) fn add(&mut self, name: &ChannelName) -> Place {
        let link = Link { name: name.clone(), older: None, newer: None };
        let place = Place(self.links.insert(link));
        self.append(place);
        place
    }

    /// Moves a channel behind all others.
    pub(super) fn used(&mut self, place: Place) {
        if self.newest != Some(place) {
            self.detach(place);
            self.append(place);
        }
    }

    pub(super) fn remove(&mut self, place: Place) {
        self.detach(place);
        self.links.remove(place.0);
        if self.links.is_empty() {
            self.links = Slab::new();
        }
    }

    fn append(&mut self, place: Place) {
        let link = &mut self.links[place.0];
        (link.older, link.newer) = (self.newest, None);
        match self.newest {
            Some(newest) => self.links[newest.0].newer = Some(place),
            None => self.oldest = Some(place),
        }
        self.newest = Some(place);
    }

    fn detach(&mut self, place: Place) {
        let Link { older, newer, .. } = self.links[place.0];
        match older {
            Some(older) => self.links[older.0].newer = newer,
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => self.links[newer.0].older = older,
            None => self.newest = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(mut recency: Recency, mut places: Vec<(String, Place)>) -> String {
        let mut order = String::new();
        while let Some(name) = recency.oldest() {
            let name = name.as_str().to_owned();
            let index = places.iter().position(|(known, _)| *known == name).unwrap();
            recency.remove(places.swap_remove(index).1);
            order += &name;
        }
        assert!(recency.newest.is_none() && recency.links.capacity() == 0, "something is left");
        order
    }

    #[test]
    fn the_order_is_that_of_the_last_use() {
        let mut recency = Recency::default();
        let mut places: Vec<_> = ["a", "b", "c", "d"]
            .iter()
            .map(|name| ((*name).to_owned(), recency.add(&ChannelName::new(name).unwrap())))
            .collect();
        recency.used(places[0].1);
        recency.used(places[2].1);
        recency.used(places[2].1);
        recency.remove(places.remove(1).1);
        places.push(("e".to_owned(), recency.add(&ChannelName::new("e").unwrap())));
        recency.used(places[1].1);
        assert_eq!(drained(recency, places), "daec");
    }
}
