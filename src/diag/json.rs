//! Problems as JSON, one object a line, for editors and CI.

use crate::diag::{Elsewhere, Problems, Severity, Source};
use serde::Serialize;

#[derive(Serialize)]
struct Object<'p> {
    file: &'p str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    code: String,
    severity: &'static str,
    message: &'p str,
    help: Option<&'p str>,
    /// Places in another file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    elsewhere: Vec<Place<'p>>,
}

#[derive(Serialize)]
struct Place<'p> {
    file: &'p str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    message: &'p str,
}

/// All problems of a file in the order of their places, each a JSON object on a line of its own.
/// Lines and columns count from one, columns in characters.
pub fn json(source: &Source, problems: &Problems) -> String {
    let places = source.places();
    let mut out = String::new();
    for problem in problems.sorted() {
        let (line, column) = places.of(problem.primary.span.start);
        let (end_line, end_column) = places.of(problem.primary.span.end);
        let said = Some(&*problem.primary.text).filter(|text| !text.is_empty());
        let object = Object {
            file: &source.name,
            line,
            column,
            end_line,
            end_column,
            code: problem.code.to_string(),
            severity: match problem.severity() {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: &problem.title,
            help: problem.help.as_deref().or(said),
            elsewhere: problem.elsewhere.as_ref().map(elsewhere).unwrap_or_default(),
        };
        // Strings and numbers alone: this cannot fail.
        out.push_str(&serde_json::to_string(&object).unwrap_or_default());
        out.push('\n');
    }
    out
}

fn elsewhere(elsewhere: &Elsewhere) -> Vec<Place<'_>> {
    let places = elsewhere.source.places();
    let all = elsewhere.labels.iter().map(|label| {
        let (line, column) = places.of(label.span.start);
        let (end_line, end_column) = places.of(label.span.end);
        let (file, message) = (&*elsewhere.source.name, &*label.text);
        Place { file, line, column, end_line, end_column, message }
    });
    all.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Code, Diagnostic, Span};

    #[test]
    fn a_problem_is_one_line_whatever_the_file_says() {
        let source = Source::new("a\"b.yaml", "name: \u{e9}\nfor: 1\n");
        let mut problems = Problems::default();
        let problem = Diagnostic::new(Code::E0201, "`1`\nhas no unit", Span::new(14, 15));
        problems.push(problem.help("write `1ms`"));

        let text = json(&source, &problems);

        assert_eq!(text.lines().count(), 1);
        let object: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(object["file"], "a\"b.yaml");
        assert_eq!((&object["line"], &object["column"]), (&2.into(), &6.into()));
        assert_eq!((&object["code"], &object["severity"]), (&"E0201".into(), &"error".into()));
        assert_eq!(object["help"], "write `1ms`");
    }
}
