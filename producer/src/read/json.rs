//! One signup in JSON.

use std::{cell::RefCell, fmt};

use onboarding::Problem;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::Bad;

/// Reads the JSON of a request, as `serde_json::from_slice` would, but for a name that is there
/// twice in one object: of its two values each reader takes another, so neither is taken. Its
/// nesting is bounded at 128; its length is the caller's to bound.
///
/// # Errors
/// It is no JSON, or has such a name; with line and column.
pub fn read_json(text: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let strict = Strict {
        path: None,
        repeated: Repeated::Fail,
    };
    let value = strict.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Reads `text`, which begins on `line`.
pub(super) fn parse(text: &mut [u8], line: u64) -> Result<Value, Bad> {
    // Lines of old Macs end with \r alone, which serde_json does not count. Both are blanks, or wrong.
    for at in 0..text.len() {
        if text[at] == b'\r' && text.get(at + 1) != Some(&b'\n') {
            text[at] = b'\n';
        }
    }
    let text: &[u8] = text;
    if let Err(error) = std::str::from_utf8(text) {
        let newlines = text[..error.valid_up_to()]
            .iter()
            .filter(|&&byte| byte == b'\n');
        return Err(Bad::new(
            line + newlines.count() as u64,
            "this is not UTF-8; save the file in that encoding",
        ));
    }
    let repeated = RefCell::new(Vec::new());
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let strict = Strict {
        path: None,
        repeated: Repeated::Note(&repeated),
    };
    let value = strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| broken(&error, line))?;
    let problems = repeated.into_inner();
    if problems.is_empty() {
        Ok(value)
    } else {
        Err(Bad { line, problems })
    }
}

fn broken(error: &serde_json::Error, line: u64) -> Bad {
    let text = error.to_string();
    let what = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(what, _)| what);
    let advice = if what.starts_with("recursion") {
        "it is nested too deeply; a signup is one object with texts, and `inputs` is one object in it"
    } else if what.starts_with("control character") {
        "a text ends on its line with a quote, and a line break or tab in it is written \\n or \\t"
    } else {
        "write a signup as {\"account\": \"acme\", \"partner\": \"livekit\", \"number\": \"+918000000001\"}, and nothing else between it and the next one"
    };
    // A line break is at column 0 of the line that it begins.
    let breaks = (error.line() as u64).saturating_sub(if error.column() == 0 { 2 } else { 1 });
    Bad::new(
        line + breaks,
        format!("this is not JSON ({what}); {advice}"),
    )
}

/// Where a value stands, innermost name first.
struct Path<'p> {
    name: &'p str,
    outer: Option<&'p Path<'p>>,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outer) = self.outer {
            write!(f, "{outer}.")?;
        }
        // Longer names are junk, and junk must not fill the report.
        self.name
            .escape_debug()
            .take(80)
            .try_for_each(|c| write!(f, "{c}"))
    }
}

/// What to do about a name that is there twice.
#[derive(Clone, Copy)]
enum Repeated<'s> {
    /// Go on, so that everything that is wrong is found.
    Note(&'s RefCell<Vec<Problem>>),
    /// Stop.
    Fail,
}

/// Reads any JSON value, but for names that are there twice: of two values for one name JSON
/// readers silently take either.
struct Strict<'s> {
    path: Option<&'s Path<'s>>,
    repeated: Repeated<'s>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Strict {
            path: self.path,
            repeated: self.repeated,
        })? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let path = Path {
                name: &name,
                outer: self.path,
            };
            let value = entries.next_value_seed(Strict {
                path: Some(&path),
                repeated: self.repeated,
            })?;
            if map.contains_key(&name) {
                match self.repeated {
                    Repeated::Note(noted) => noted.borrow_mut().push(Problem::new(
                        path.to_string(),
                        "this name is there twice in one object; remove one",
                    )),
                    Repeated::Fail => {
                        return Err(A::Error::custom(format_args!(
                            "the name \"{path}\" is there twice in one object; remove one"
                        )));
                    }
                }
            } else {
                map.insert(name, value);
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_as_ever() {
        for text in [
            "null",
            " [1, -2, 2.5, true, \"a\\u00e9\", {}] ",
            r#"[{"a":{"b":[{"c":1},{"c":2}]}},{"a":null}]"#,
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read_json(text.as_bytes()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused_with_its_place() {
        for (text, told) in [
            (
                r#"{"account":"a","account":"b"}"#,
                "\"account\" is there twice",
            ),
            (
                "[{\"a\":1},\n{\"inputs\":{\"x\":1,\"x\":1}}]",
                "\"inputs.x\" is there twice in one object; remove one at line 2",
            ),
        ] {
            let error = read_json(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_and_so_is_what_is_too_deep() {
        let deep = "[".repeat(100_000);
        for text in ["", "{", "[1] 2", "\u{feff}1", deep.as_str()] {
            assert!(read_json(text.as_bytes()).is_err(), "{text:.10}");
        }
        assert!(read_json(b"\"\xff\"").is_err());
    }
}
