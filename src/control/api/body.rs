//! Bodies of commands: JSON or YAML, read as files are.

use crate::{
    control::api::problem::Problem,
    diag::{Code, Diagnostic, Problems, Source, closest},
    read::Reader,
    yaml::{self, Node, Spanned},
};
use axum::extract::{FromRequest, Request};
use bytes::Bytes;

/// A body as it came.
#[derive(Debug)]
pub(super) struct Body(Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, state).await;
        bytes.map(Self).map_err(|why| Problem::new(why.status(), "body", why.body_text()))
    }
}

impl Body {
    /// What a reader makes of it.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Spanned<Node>, &mut Reader<'_>) -> Option<T>,
    ) -> Result<T, Problem> {
        let mut problems = Problems::default();
        let source = Source::decode("body", &self.0, &mut problems);
        let tree = (!problems.has_errors()).then(|| yaml::parse(&source, &mut problems)).flatten();
        let read = tree.and_then(|tree| read(&tree, &mut Reader::new(&mut problems, None)));
        read.filter(|_| !problems.has_errors())
            .ok_or_else(|| Problem::unreadable(&source, &problems))
    }
}

/// A mapping in two parts: some keys that stand beside what another reader reads, and the rest for
/// that reader, whose own keys are `others`.
pub(super) fn apart<const N: usize>(
    node: &Spanned<Node>,
    keys: [&'static str; N],
    others: &[&'static str],
    reader: &mut Reader<'_>,
) -> ([Option<Spanned<Node>>; N], Spanned<Node>) {
    let mut found = [const { None }; N];
    let Node::Map(entries) = &node.value else {
        return (found, node.clone());
    };
    let mut rest = Vec::new();
    for (key, value) in entries {
        let all = keys.iter().chain(others).copied();
        if let Some(at) = keys.iter().position(|ours| *ours == key.value) {
            if found[at].is_some() {
                let title = format!("`{}` is given twice", key.value);
                reader.problem(Diagnostic::new(Code::E0102, title, key.span));
            }
            found[at] = Some(value.clone());
        } else if let Some(near) = closest(&key.value, all).filter(|near| keys.contains(near)) {
            // The other reader does not know what was meant.
            let title = format!("unknown key `{}`", key.value);
            let problem = Diagnostic::new(Code::E0101, title, key.span);
            reader.problem(problem.saying(format!("did you mean `{near}`?")));
        } else {
            rest.push((key.clone(), value.clone()));
        }
    }
    (found, Spanned { value: Node::Map(rest), span: node.span })
}
