//! What goes over the wire: Toxiproxy's objects, with their units in plain numbers.

use crate::{
    control::{
        Proxied,
        toxiproxy::{
            error::ApiError,
            json::{Field, Json},
        },
    },
    fault::toxic::{Number, Toxic},
};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

/// A proxy as it is sent to us; what was left out or `null` is `None`.
#[derive(Clone, Debug, Default)]
pub(super) struct ProxyInput {
    pub name: Option<String>,
    pub listen: Option<String>,
    pub upstream: Option<String>,
    pub enabled: Option<bool>,
    /// Its toxics, which Toxiproxy itself passes over.
    pub toxics: Vec<ToxicInput>,
}

/// A toxic that is to be added. Its attributes are looked at last, when its name is known to be free.
#[derive(Clone, Debug)]
pub(super) struct ToxicInput {
    pub name: String,
    /// With nothing set.
    blank: Wired,
    attributes: Option<Json>,
}

/// What a toxic is known by.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wired {
    pub toxic: Toxic,
    /// `upstream` or `downstream`, in the letters in which it came.
    pub stream: String,
    /// Any number; shares end at 0 and 1.
    pub toxicity: f32,
}

impl ProxyInput {
    /// Reads a proxy. Toxics are read if it is to be made.
    pub(super) fn read(json: &Json, with_toxics: bool) -> Result<Self, ApiError> {
        let field = |name| Field { owner: "Proxy", name };
        if !matches!(json, Json::Map(_) | Json::Null) {
            let why = format!(
                "json: cannot unmarshal {} into Go value of type toxiproxy.Proxy",
                json.kind()
            );
            return Err(ApiError::bad_body(&why));
        }
        let read = || {
            Ok(Self {
                name: json.text(field("name"))?,
                listen: json.text(field("listen"))?,
                upstream: json.text(field("upstream"))?,
                enabled: json.flag(field("enabled"))?,
                toxics: Vec::new(),
            })
        };
        let mut input: Self = read().map_err(|why: String| ApiError::bad_body(&why))?;
        if with_toxics && let Some(list) = json.get("toxics") {
            let Json::List(list) = list else {
                let why = format!(
                    "json: cannot unmarshal {} into Go struct field Proxy.toxics of type []toxics",
                    list.kind()
                );
                return Err(ApiError::bad_body(&why));
            };
            for toxic in list {
                let toxic = ToxicInput::read(toxic)?;
                toxic.wired()?;
                if input.toxics.iter().any(|other| other.name == toxic.name) {
                    return Err(ApiError::new(StatusCode::CONFLICT, "toxic already exists"));
                }
                input.toxics.push(toxic);
            }
        }
        Ok(input)
    }
}

impl ToxicInput {
    /// Reads a toxic that is to be added.
    pub(super) fn read(json: &Json) -> Result<Self, ApiError> {
        let field = |name| Field { owner: "ToxicWrapper", name };
        if !matches!(json, Json::Map(_) | Json::Null) {
            let why = format!(
                "json: cannot unmarshal {} into Go value of type toxics.ToxicWrapper",
                json.kind()
            );
            return Err(ApiError::bad_body(&why));
        }
        let bad = |why: String| ApiError::bad_body(&why);
        let name = json.text(field("name")).map_err(bad)?;
        let kind = json.text(field("type")).map_err(bad)?.unwrap_or_default();
        let stream = json.text(field("stream")).map_err(bad)?;
        let stream = stream.unwrap_or_else(|| "downstream".to_owned());
        let toxicity = toxicity(json, field("toxicity"))?.unwrap_or(1.0);
        if !is_stream(&stream) {
            let why = "stream was invalid, can be either upstream or downstream";
            return Err(ApiError::bad_request(why));
        }
        let toxic = blank(&kind).ok_or_else(|| ApiError::bad_request("invalid toxic type"))?;
        let name = name.filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| format!("{kind}_{stream}"));
        let attributes = json.get("attributes").cloned();
        Ok(Self { name, blank: Wired { toxic, stream, toxicity }, attributes })
    }

    /// The toxic with its attributes, if they make sense.
    pub(super) fn wired(&self) -> Result<Wired, ApiError> {
        let toxic = with_attributes(self.blank.toxic, self.attributes.as_ref())?;
        Ok(Wired { toxic, ..self.blank.clone() })
    }
}

/// A change of a toxic: its attributes, key by key, and its toxicity.
pub(super) fn changed(old: &Wired, json: &Json) -> Result<Wired, ApiError> {
    if !matches!(json, Json::Map(_) | Json::Null) {
        let why = format!("json: cannot unmarshal {} into Go value of type struct", json.kind());
        return Err(ApiError::bad_body(&why));
    }
    let toxicity = toxicity(json, Field { owner: "", name: "toxicity" })?;
    Ok(Wired {
        toxic: with_attributes(old.toxic, json.get("attributes"))?,
        stream: old.stream.clone(),
        toxicity: toxicity.unwrap_or(old.toxicity),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "it is a float32 in the contract")]
fn toxicity(json: &Json, field: Field<'_>) -> Result<Option<f32>, ApiError> {
    let bad = |why: String| ApiError::bad_body(&why);
    let Some(number) = json.number(field, "float32").map_err(bad)? else { return Ok(None) };
    let toxicity = number as f32;
    if toxicity.is_finite() {
        Ok(Some(toxicity))
    } else {
        Err(bad(field.mismatched(&format!("number {number:e}"), "float32")))
    }
}

fn is_stream(stream: &str) -> bool {
    ["upstream", "downstream"].iter().any(|known| stream.eq_ignore_ascii_case(known))
}

/// A toxic of this type with nothing set.
fn blank(kind: &str) -> Option<Toxic> {
    Some(match kind {
        "latency" => Toxic::Latency { latency: 0, jitter: 0 },
        "bandwidth" => Toxic::Bandwidth { rate: 0 },
        "slow_close" => Toxic::SlowClose { delay: 0 },
        "timeout" => Toxic::Timeout { timeout: 0 },
        "reset_peer" => Toxic::ResetPeer { timeout: 0 },
        "slicer" => Toxic::Slicer { average_size: 0, size_variation: 0, delay: 0 },
        "limit_data" => Toxic::LimitData { bytes: 0 },
        "packet_loss" => Toxic::PacketLoss { loss_rate: 0.0, correlation: 0.0 },
        "noop" => Toxic::Noop,
        _ => return None,
    })
}

/// The toxic with these attributes changed; nothing is if one of them makes no sense.
fn with_attributes(mut toxic: Toxic, attributes: Option<&Json>) -> Result<Toxic, ApiError> {
    let Some(json) = attributes else { return Ok(toxic) };
    let bad = |why: String| ApiError::bad_body(&why);
    if !matches!(json, Json::Map(_)) {
        let why = format!(
            "json: cannot unmarshal {} into Go struct field .attributes of type toxics.Toxic",
            json.kind()
        );
        return Err(bad(why));
    }
    let field = |name| Field { owner: ".attributes", name };
    let int = |name, old: &mut i64| -> Result<(), ApiError> {
        *old = json.int(field(name)).map_err(bad)?.unwrap_or(*old);
        Ok(())
    };
    let float = |name, old: &mut f64| -> Result<(), ApiError> {
        *old = json.number(field(name), "float64").map_err(bad)?.unwrap_or(*old);
        Ok(())
    };
    match &mut toxic {
        Toxic::Latency { latency, jitter } => {
            int("latency", latency)?;
            int("jitter", jitter)?;
        }
        Toxic::Bandwidth { rate } => int("rate", rate)?,
        Toxic::SlowClose { delay } => int("delay", delay)?,
        Toxic::Timeout { timeout } | Toxic::ResetPeer { timeout } => int("timeout", timeout)?,
        Toxic::Slicer { average_size, size_variation, delay } => {
            int("average_size", average_size)?;
            int("size_variation", size_variation)?;
            int("delay", delay)?;
        }
        Toxic::LimitData { bytes } => int("bytes", bytes)?,
        Toxic::PacketLoss { loss_rate, correlation } => {
            float("loss_rate", loss_rate)?;
            float("correlation", correlation)?;
        }
        Toxic::Noop => {}
    }
    toxic.check().map_err(|error| ApiError::bad_request(error.to_string()))?;
    Ok(toxic)
}

/// A proxy as it is sent out. The order of the keys is Toxiproxy's.
#[derive(Debug, Serialize)]
pub(super) struct ProxyOutput {
    name: String,
    listen: String,
    upstream: String,
    enabled: bool,
    /// Toxiproxy's own leaks out so, and clients may have come to expect it.
    #[serde(rename = "Logger")]
    logger: Empty,
    toxics: Vec<ToxicOutput>,
}

#[derive(Debug, Serialize)]
struct Empty {}

/// A toxic as it is sent out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ToxicOutput {
    #[serde(serialize_with = "attributes")]
    attributes: Toxic,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    stream: String,
    #[serde(serialize_with = "shortest")]
    toxicity: f32,
}

impl ProxyOutput {
    pub(super) fn of(proxied: &Proxied) -> Self {
        let spec = proxied.spec();
        Self {
            name: spec.name,
            listen: spec.written,
            upstream: spec.upstream,
            enabled: spec.enabled,
            logger: Empty {},
            toxics: ToxicOutput::all(proxied),
        }
    }
}

impl ToxicOutput {
    pub(super) fn of(name: &str, wired: &Wired) -> Self {
        Self {
            attributes: wired.toxic,
            name: name.to_owned(),
            kind: wired.toxic.kind(),
            stream: wired.stream.clone(),
            toxicity: wired.toxicity,
        }
    }

    /// Those of a proxy: upstream ones first.
    pub(super) fn all(proxied: &Proxied) -> Vec<Self> {
        let by_hand = proxied.hand.list();
        let toxics = by_hand.iter().filter_map(|fault| {
            Some(Self::of(fault.name(), fault.fault.memo.as_ref()?.get::<Wired>()?))
        });
        let (up, down): (Vec<Self>, Vec<Self>) =
            toxics.partition(|toxic| toxic.stream.eq_ignore_ascii_case("upstream"));
        up.into_iter().chain(down).collect()
    }
}

fn attributes<S: Serializer>(toxic: &Toxic, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in toxic.attributes() {
        map.serialize_key(name)?;
        match value {
            Number::Integer(number) => map.serialize_value(&number)?,
            Number::Float(number) => map.serialize_value(&Plain(number))?,
        }
    }
    map.end()
}

/// A number without a point if it needs none, as Go writes it.
struct Plain(f64);

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match whole(self.0) {
            Some(whole) => serializer.serialize_i64(whole),
            None => serializer.serialize_f64(self.0),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn shortest<S: Serializer>(number: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    match whole(f64::from(*number)) {
        Some(whole) => serializer.serialize_i64(whole),
        None => serializer.serialize_f32(*number),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}

/// An answer as Go's encoder writes it: compact, and with what HTML would stumble over escaped.
pub(super) fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => escaped.push(c),
        }
    }
    (status, [(header::CONTENT_TYPE, "application/json")], escaped).into_response()
}
