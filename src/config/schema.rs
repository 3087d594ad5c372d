//! The JSON Schema of files, for editors: that of a scenario, with what stands beside it.

use crate::{
    config::{
        admin::ADMIN,
        proxy::{LONGEST_NAME, PROXY},
    },
    scenario::{scenario_schema, schema_of},
};
use serde_json::{Value, json};

/// The schema of a file that holds a scenario, a config or both; draft 2020-12.
pub fn json_schema() -> Value {
    let mut schema = scenario_schema();
    schema["title"] = json!("Firedrill scenario or config");
    let whole = schema.as_object_mut().and_then(|root| root.remove("required"));
    // With any key of a scenario that a config has no use for, it is to be a whole one.
    schema["anyOf"] = json!([
        { "required": whole },
        {
            "required": ["proxies"],
            "properties": { "proxies": true, "admin": true, "users": true },
            "additionalProperties": false,
        },
    ]);
    schema["$defs"]["admin"] = schema_of(&ADMIN);
    let mut proxy = schema_of(&PROXY);
    // In front of something, or of all that it is allowed to reach.
    proxy["anyOf"] = json!([{ "required": ["upstream"] }, { "required": ["allow"] }]);
    schema["$defs"]["proxies"] = json!({
        "type": ["object", "null"],
        "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": LONGEST_NAME },
        "additionalProperties": proxy,
    });
    schema
}
