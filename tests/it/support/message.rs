//! One HTTP/1 message, as its bytes were.

/// A head and a body, both as they came and taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The head, its empty line included.
    pub(crate) head: String,
    /// The body, its framing undone.
    pub(crate) body: Vec<u8>,
    /// The sizes of its chunks, if it came in chunks.
    pub(crate) chunks: Vec<usize>,
    /// What followed the last chunk.
    pub(crate) trailers: String,
    /// The connection did not end before it did.
    pub(crate) whole: bool,
}

impl Message {
    /// The first line.
    pub(crate) fn start(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The lines between the first and the empty one, in order and as they were spelt.
    pub(crate) fn fields(&self) -> Vec<&str> {
        self.head.lines().skip(1).filter(|line| !line.is_empty()).collect()
    }

    /// The values of a field, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let pairs = self.fields().into_iter().filter_map(|line| line.split_once(':'));
        pairs.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// The value of a field that is there at most once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "`{name}` is there {} times in {:?}", all.len(), self.head);
        all.first().copied()
    }

    /// The status of an answer.
    pub(crate) fn status(&self) -> u16 {
        let status = self.start().split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no answer: {:?}", self.head))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether its head says that the body comes in chunks.
    pub(crate) fn is_chunked(&self) -> bool {
        self.all("transfer-encoding").iter().any(|value| value.contains("chunked"))
    }

    /// The length that its head announces.
    pub(crate) fn length(&self) -> Option<usize> {
        self.field("content-length").map(|length| length.parse().expect("a length"))
    }
}
