//! What was measured before: a file for each client, by its name and version.

use crate::row::Row;
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/golden")
}

fn path(row: &Row) -> PathBuf {
    let name =
        row.client.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    folder().join(format!("{}@{}.json", name.collect::<Vec<_>>().join("-"), row.version))
}

/// The row of the same client in the same version.
pub(crate) fn read(measured: &Row) -> Option<Row> {
    let path = path(measured);
    path.exists().then(|| parsed(&path))
}

/// All of them, as they are ordered in the folder.
pub(crate) fn all() -> Vec<Row> {
    let files = fs::read_dir(folder()).expect("the folder of golden files");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    paths.iter().map(|path| parsed(path)).collect()
}

fn parsed(path: &Path) -> Row {
    let text = fs::read_to_string(path).expect("a golden file");
    let row: Row =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(self::path(&row), *path, "it is about {}", row.key());
    row
}

pub(crate) fn write(row: &Row) {
    fs::create_dir_all(folder()).expect("a folder");
    fs::write(path(row), text(row)).expect("a golden file");
}

/// JSON with a line for each cell, so that a change shows as what changed.
fn text(row: &Row) -> String {
    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).expect("plain values")
    }
    let classes = row.classes.iter().map(|(class, methods)| {
        let cells =
            methods.iter().map(|(method, cell)| format!("      {}: {}", json(method), json(cell)));
        format!("    {}: {{\n{}\n    }}", json(class), cells.collect::<Vec<_>>().join(",\n"))
    });
    let told = row.told.iter();
    let told = told.map(|(class, told)| format!("\n    {}: {}", json(class), json(told)));
    let notes: Vec<_> = row.notes.iter().map(|note| format!("\n    {}", json(note))).collect();
    format!(
        "{{\n  \"client\": {},\n  \"version\": {},\n  \"from\": {},\n  \"held\": {},\n  \
         \"classes\": {{\n{}\n  }},\n  \"told\": {{{}\n  }},\n  \
         \"notes\": [{}\n  ]\n}}\n",
        json(&row.client),
        json(&row.version),
        json(&row.from),
        json(&row.held),
        classes.collect::<Vec<_>>().join(",\n"),
        told.collect::<Vec<_>>().join(","),
        notes.join(","),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::ROSTER;

    #[test]
    fn every_golden_file_is_written_as_it_would_be_again() {
        let rows = all();
        for row in &rows {
            assert_eq!(fs::read_to_string(path(row)).expect("a file"), text(row), "{}", row.key());
        }
        for client in ROSTER {
            let seen = rows.iter().any(|row| row.client == client.name);
            assert!(seen, "nothing was measured of {}", client.name);
        }
    }
}
