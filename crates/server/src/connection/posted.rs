//! A batch of a client's messages, in the body that brought them: what waits is never more than was sent.

use bytes::Bytes;

/// What a body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PostedKind {
    /// One message, a text.
    Text,
    /// One message, bytes.
    Binary,
    /// A text on each line that is not empty.
    Lines,
}

/// What is left of a body.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    kind: PostedKind,
    /// None once everything was taken; a line that is not empty comes first.
    rest: Option<Bytes>,
}

impl Posted {
    pub(crate) fn new(kind: PostedKind, body: Bytes) -> Self {
        let rest = if kind == PostedKind::Lines { next_line(&body) } else { Some(body) };
        Self { kind, rest }
    }

    /// Nothing.
    pub(crate) fn none() -> Self {
        Self { kind: PostedKind::Text, rest: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_none()
    }

    /// How many messages are left.
    pub(crate) fn count(&self) -> usize {
        let mut left = self.clone();
        std::iter::from_fn(|| left.next()).count()
    }

    /// Takes out the next message, and whether it is a text.
    pub(crate) fn next(&mut self) -> Option<(bool, Bytes)> {
        let mut message = self.rest.take()?;
        if self.kind == PostedKind::Lines {
            let end = message.iter().position(|byte| *byte == b'\n').unwrap_or(message.len());
            self.rest = next_line(&message.split_off(end));
            message.truncate(without_return(&message).len());
        }
        Some((self.kind != PostedKind::Binary, message))
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What is left behind empty lines, if there is something.
fn next_line(bytes: &Bytes) -> Option<Bytes> {
    let begin = bytes.iter().position(|byte| !matches!(byte, b'\n' | b'\r'))?;
    Some(bytes.slice(begin..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(kind: PostedKind, body: &'static str) -> Vec<(bool, String)> {
        let mut posted = Posted::new(kind, body.into());
        let count = posted.count();
        let mut all = Vec::new();
        while let Some((is_text, message)) = posted.next() {
            all.push((is_text, String::from_utf8(message.to_vec()).unwrap()));
        }
        assert!(posted.is_empty());
        assert_eq!(all.len(), count, "{body:?}");
        all
    }

    #[test]
    fn each_line_that_is_not_empty_is_a_message() {
        let texts =
            |body| messages(PostedKind::Lines, body).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts("a\nb"), ["a", "b"]);
        assert_eq!(texts("\n\r\na\r\n\n b \n\r\n"), ["a", " b "]);
        assert_eq!(texts("\n\r\n"), [""; 0]);
        assert_eq!(texts(""), [""; 0]);
    }

    #[test]
    fn any_other_body_is_one_message() {
        assert_eq!(messages(PostedKind::Text, "a\nb"), [(true, "a\nb".to_owned())]);
        assert_eq!(messages(PostedKind::Text, ""), [(true, String::new())]);
        assert_eq!(messages(PostedKind::Binary, "\n"), [(false, "\n".to_owned())]);
    }
}
