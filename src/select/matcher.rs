//! Which requests a target means.

use crate::select::RequestView;

/// A condition on a request. All its parts must agree; an absent one agrees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matcher {}

impl Matcher {
    /// Whether it means this request.
    pub fn matches(&self, _request: &RequestView<'_>) -> bool {
        true
    }

    /// Whether it can only be decided once a small body has been read.
    pub fn needs_body(&self) -> bool {
        false
    }
}
