//! Server-sent events as a client reads them (WHATWG HTML, section 9.2.6), written without a look at the server's.

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
    /// The last id so far.
    pub(crate) id: String,
}

/// Bytes in, events out.
#[derive(Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    /// Whether the last byte was a carriage return, which a line feed may belong to.
    after_return: bool,
    /// Whether a line has been read: the first one may begin with a byte order mark.
    begun: bool,
    name: String,
    data: String,
    id: String,
}

impl Events {
    /// Reads some bytes, and appends the events that they complete.
    pub(crate) fn read(&mut self, bytes: &[u8], events: &mut impl Extend<Event>) {
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    let mark: &[u8] = if self.begun { b"" } else { b"\xEF\xBB\xBF" };
                    self.begun = true;
                    let line = String::from_utf8_lossy(line.strip_prefix(mark).unwrap_or(&line)).into_owned();
                    events.extend(self.end_line(&line));
                }
                byte => self.line.push(*byte),
            }
        }
    }

    fn end_line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            // A comment has no name, and the time to wait is the caller's.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let (mut name, mut data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        // The last line end is not part of the data; without any line there is no event.
        data.pop()?;
        if name.is_empty() {
            "message".clone_into(&mut name);
        }
        Some(Event { name, data, id: self.id.clone() })
    }
}

#[test]
fn events_are_read_as_the_specification_has_them() {
    let text = "\u{feff}: hello\n\nretry: 10\nid: 1\ndata: a\ndata:b\r\ndata:  c\r\n\r\nevent: close\rdata\r\rid\ndata: x\n\n\
                event: none\n\ndata: unfinished\n";
    for size in [1, 2, 7, 1000] {
        let (mut events, mut read) = (Events::default(), Vec::new());
        text.as_bytes().chunks(size).for_each(|bytes| events.read(bytes, &mut read));
        let read: Vec<_> = read.iter().map(|event| (&*event.name, &*event.data, &*event.id)).collect();
        assert_eq!(read, [("message", "a\nb\n c", "1"), ("close", "", "1"), ("message", "x", "")]);
    }
}
