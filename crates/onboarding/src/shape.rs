//! JSON that has signups in it, and is not what it should be: where they are, and how to get them out.

use serde_json::Value;

/// Where in `value` the signups seem to be, and what takes them out: one list of objects, or of rows, in
/// an object, at most two names deep.
pub fn wrapped(value: &Value) -> Option<String> {
    let object = value.as_object()?;
    let mut found = Vec::new();
    lists(object, "", 2, &mut found);
    let rows = |list: &[Value]| list.iter().all(Value::is_array);
    let objects = |list: &[Value]| list.iter().all(Value::is_object);
    let named: Vec<_> = found.iter().filter(|(_, list)| objects(list)).collect();
    if let [(path, _)] = named.as_slice() {
        return Some(format!(
            "the signups seem to be in the list \"{0}\"; give that list alone: jq '.{0}'",
            path
        ));
    }
    let tables: Vec<_> = found.iter().filter(|(_, list)| rows(list)).collect();
    let ([(path, _)], []) = (tables.as_slice(), named.as_slice()) else {
        return None;
    };
    let header = found.iter().find(|(name, list)| {
        let last = name.rsplit('.').next().unwrap_or_default();
        ["header", "headers", "columns", "fields"].contains(&last)
            && list.iter().all(Value::is_string)
    });
    let header = header.map_or_else(String::new, |(name, _)| format!(".{name}, "));
    Some(format!(
        "the signups seem to be rows in the list \"{path}\"; make CSV of them: jq -r '{header}.{path}[] | @csv'"
    ))
}

/// The lists in `object` that have anything in them, with the names that lead to them.
fn lists<'v>(
    object: &'v serde_json::Map<String, Value>,
    before: &str,
    depth: u8,
    found: &mut Vec<(String, &'v [Value])>,
) {
    for (name, value) in object {
        // Other names would need quotes in jq.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || name.len() > 40 || !name.bytes().all(plain) {
            continue;
        }
        let path = format!("{before}{name}");
        if let Value::Array(list) = value {
            if !list.is_empty() {
                found.push((path, list));
            }
        } else if let Value::Object(inner) = value
            && depth > 1
        {
            lists(inner, &format!("{path}."), depth - 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_list_that_an_object_has_around_the_signups_is_named_with_what_takes_it_out() {
        let signup = json!({"account": "acme", "partner": "livekit", "number": "+918000000001"});
        for (value, told) in [
            (json!({"data": [signup]}), "jq '.data'"),
            (json!({"results": [signup], "next": null}), "jq '.results'"),
            (
                json!({"meta": {"total": 1}, "data": {"items": [signup]}}),
                "jq '.data.items'",
            ),
            (
                json!({"values": [["account"], ["acme"]]}),
                "jq -r '.values[] | @csv'",
            ),
            (
                json!({"headers": ["account"], "rows": [["acme"]]}),
                "jq -r '.headers, .rows[] | @csv'",
            ),
        ] {
            let what = wrapped(&value).unwrap();
            assert!(what.ends_with(told), "{what}");
        }
        for none in [
            json!({"a": [signup], "b": [signup]}),
            json!({"data": []}),
            json!({"data": ["x"]}),
            json!([1]),
            signup,
        ] {
            assert_eq!(wrapped(&none), None, "{none}");
        }
    }
}
