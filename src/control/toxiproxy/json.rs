//! JSON as Go's decoder takes it, since that is what Toxiproxy's clients were written against: keys
//! in any case, the last of equal keys counts, `null` leaves a field alone, and what stands after
//! the first value does not matter.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Int(i64),
    /// A number that is no `i64`, with how it is written.
    Number(f64),
    Text(String),
    List(Vec<Json>),
    /// In the order in which they came, equal keys included.
    Map(Vec<(String, Json)>),
}

impl Json {
    /// The first value of a text, or what Go would say is wrong with it.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        // What is no UTF-8 becomes a mark that says so, as in Go.
        let text = String::from_utf8_lossy(text);
        let text = text.as_bytes();
        let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Self>();
        match values.next() {
            None => Err("EOF".to_owned()),
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) if error.is_eof() => Err("unexpected EOF".to_owned()),
            Some(Err(error)) => Err(syntax(text, &error)),
        }
    }

    /// What Go calls a value of this kind.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }

    /// The last value of a key that is not `null`.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        let mut all = entries.iter().rev();
        all.find(|(name, value)| name.eq_ignore_ascii_case(key) && *value != Self::Null)
            .map(|(_, value)| value)
    }

    /// A field that is a text.
    pub(super) fn text(&self, field: Field<'_>) -> Result<Option<String>, String> {
        match self.get(field.name) {
            None => Ok(None),
            Some(Self::Text(text)) => Ok(Some(text.clone())),
            Some(other) => Err(field.mismatch(other, "string")),
        }
    }

    /// A field that is a yes or no.
    pub(super) fn flag(&self, field: Field<'_>) -> Result<Option<bool>, String> {
        match self.get(field.name) {
            None => Ok(None),
            Some(Self::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(field.mismatch(other, "bool")),
        }
    }

    /// A field that is a number.
    pub(super) fn number(&self, field: Field<'_>, go: &str) -> Result<Option<f64>, String> {
        match self.get(field.name) {
            None => Ok(None),
            #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 a digit does not matter")]
            Some(Self::Int(number)) => Ok(Some(*number as f64)),
            Some(Self::Number(number)) => Ok(Some(*number)),
            Some(other) => Err(field.mismatch(other, go)),
        }
    }

    /// A field that is a whole number. Unlike Go we take `100.0` for one.
    pub(super) fn int(&self, field: Field<'_>) -> Result<Option<i64>, String> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self.get(field.name) {
            None => Ok(None),
            Some(Self::Int(number)) => Ok(Some(*number)),
            #[expect(clippy::cast_possible_truncation, reason = "it is whole, and below 2^53")]
            Some(Self::Number(number)) if number.fract() == 0.0 && number.abs() <= EXACT => {
                Ok(Some(*number as i64))
            }
            Some(Self::Number(number)) => {
                Err(field.mismatched(&format!("number {number}"), "int64"))
            }
            Some(other) => Err(field.mismatch(other, "int64")),
        }
    }
}

/// A field of a structure, for what is said when it does not fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'f> {
    /// What Go's structure is called.
    pub owner: &'f str,
    pub name: &'f str,
}

impl Field<'_> {
    fn mismatch(self, found: &Json, go: &str) -> String {
        self.mismatched(found.kind(), go)
    }

    pub(super) fn mismatched(self, found: &str, go: &str) -> String {
        let Self { owner, name } = self;
        format!("json: cannot unmarshal {found} into Go struct field {owner}.{name} of type {go}")
    }
}

/// What Go would say of a text that is no JSON.
fn syntax(text: &[u8], error: &serde_json::Error) -> String {
    let mut lines = text.split(|byte| *byte == b'\n');
    let line = lines.nth(error.line().saturating_sub(1)).unwrap_or_default();
    let found = line.get(error.column().saturating_sub(1)).map(|byte| char::from(*byte));
    match found {
        Some(found) if found.is_ascii() && !found.is_control() => {
            format!("invalid character {found:?} looking for beginning of value")
        }
        _ => error.to_string(),
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reads)
    }
}

struct Reads;

impl<'de> Visitor<'de> for Reads {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "it is too large in any case")]
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Number(value as f64), Json::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Json::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: Field<'static> = Field { owner: "Proxy", name: "name" };

    fn read(text: &str) -> Json {
        Json::read(text.as_bytes()).expect("JSON")
    }

    #[test]
    fn keys_are_taken_in_any_case_and_the_last_counts() {
        let json = read(r#"{"NAME": "a", "name": "b", "Name": null} and more"#);
        assert_eq!(json.text(FIELD), Ok(Some("b".to_owned())));
    }

    #[test]
    fn what_is_missing_is_said_as_go_says_it() {
        for (text, wanted) in [
            ("", "EOF"),
            (" \n", "EOF"),
            (r#"{"name""#, "unexpected EOF"),
            ("nope", "invalid character 'o' looking for beginning of value"),
        ] {
            assert_eq!(Json::read(text.as_bytes()), Err(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_wrong_type_is_said_as_go_says_it() {
        let why = "json: cannot unmarshal number into Go struct field Proxy.name of type string";
        assert_eq!(read(r#"{"name": 3}"#).text(FIELD), Err(why.to_owned()));
    }

    #[test]
    fn whole_numbers_may_be_written_with_a_point() {
        assert_eq!(read(r#"{"name": 100.0}"#).int(FIELD), Ok(Some(100)));
        for text in [r#"{"name": 100.5}"#, r#"{"name": "100"}"#, r#"{"name": 9223372036854775808}"#]
        {
            assert!(read(text).int(FIELD).is_err(), "{text}");
        }
    }
}
