//! What the program says of a run by itself, held against what was measured from its record.

use crate::{
    class::Class,
    drill::OPERATIONS,
    row::{METHODS, Row},
};
use serde_json::Value;

/// Whether the JSON of a run (`--json`) agrees with a client's row; else what does not.
pub(crate) fn verdict_matches(row: &Row, class: &Class, json: &Value) -> Result<(), String> {
    let cells = METHODS.map(|method| row.cell(class.name, method));
    let [least, most]: [u64; 2] =
        [0, 1].map(|end| cells.iter().map(|cell| (cell.attempts[end] * OPERATIONS) as u64).sum());
    for (what, told) in [
        ("met the fault", &json["faults"][0]["hit"]),
        ("came in it", &json["phases"][1]["targets"]["all"]["requests"]),
    ] {
        if !told.as_u64().is_some_and(|told| (least..=most).contains(&told)) {
            return Err(format!("{least} to {most} attempts {what}, and the summary says {told}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{class::CLASSES, row::Cell};
    use serde_json::json;

    #[test]
    fn a_summary_that_counts_otherwise_is_seen() {
        let cell = |attempts| Cell { attempts, gaps: Vec::new(), key: None, patience: None };
        let methods = [("GET".to_owned(), cell([2, 3])), ("POST".to_owned(), cell([1, 1]))];
        let row = Row {
            client: "x".into(),
            version: "1".into(),
            from: "npm".into(),
            held: 8.5,
            classes: [(CLASSES[0].name.to_owned(), methods.into())].into(),
            notes: Vec::new(),
        };
        let told = |hit: u64, requests: u64| {
            let phases = json!([{}, { "targets": { "all": { "requests": requests } } }]);
            let json = json!({ "faults": [{ "hit": hit }], "phases": phases });
            verdict_matches(&row, &CLASSES[0], &json)
        };
        assert_eq!(told(15, 20), Ok(()));
        let wrong =
            |what, told| Err(format!("15 to 20 attempts {what}, and the summary says {told}"));
        assert_eq!(told(14, 20), wrong("met the fault", 14));
        assert_eq!(told(15, 21), wrong("came in it", 21));
    }
}
