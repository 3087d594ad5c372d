//! Scenarios that come with the program.

use crate::diag::Source;

/// A scenario that comes with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundled {
    /// What commands call it: the name of its file.
    pub name: &'static str,
    /// Its YAML.
    pub text: &'static str,
}

/// Lists the files of `scenarios/`; a test keeps the list whole.
macro_rules! bundled {
    ($($name:literal)*) => {
        &[$(Bundled {
            name: $name,
            text: include_str!(concat!("../../scenarios/", $name, ".yaml")),
        }),*]
    };
}

/// All of them: the demonstration first, then by name.
pub static BUNDLED: &[Bundled] = bundled! {
    "demo"
    "amazon-2013"
    "apple-icloud-2013-08-21"
    "aws-us-east-1-2013"
    "google-2013"
    "itunes-2013-08-28"
    "microsoft-2013"
    "tencent-2014"
    "twilio-2013"
};

/// The one of this name.
pub fn find(name: &str) -> Option<&'static Bundled> {
    BUNDLED.iter().find(|bundled| bundled.name == name)
}

impl Bundled {
    /// Its text under its name.
    pub fn source(&self) -> Source {
        Source::new(self.name, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diag::Problems, scenario::Scenario};
    use std::collections::BTreeSet;

    #[test]
    fn every_file_of_the_folder_is_bundled() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        let listed: BTreeSet<String> = BUNDLED.iter().map(|b| b.name.to_owned()).collect();
        assert_eq!(listed, files);
    }

    #[test]
    fn every_bundled_scenario_reads_without_a_word_and_is_called_as_its_file() {
        for bundled in BUNDLED {
            let mut problems = Problems::default();
            let scenario = Scenario::read(&bundled.source(), None, &mut problems);
            assert!(problems.is_empty(), "{}: {problems:?}", bundled.name);
            assert_eq!(scenario.map(|scenario| scenario.name).as_deref(), Some(bundled.name));
        }
    }
}
