//! A strict reader of HTML: what it takes, every browser reads the same.

use std::collections::BTreeSet;

const VOID: [&str; 8] = ["meta", "link", "img", "input", "br", "hr", "wbr", "source"];

/// One tag.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    closing: bool,
    empty: bool,
}

fn read(tag: &str) -> Result<Tag, String> {
    let (closing, rest) = match tag.strip_prefix('/') {
        Some(rest) => (true, rest),
        None => (false, tag),
    };
    let (empty, rest) = match rest.strip_suffix('/') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (name, mut rest) = rest.split_at(end);
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(format!("<{tag}> has no name"));
    }
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let end = rest
            .find(|c: char| c == '=' || c.is_whitespace())
            .unwrap_or(rest.len());
        let (own, after) = rest.split_at(end);
        if own.contains(['"', '\'', '<']) {
            return Err(format!("<{tag}> has the attribute {own}"));
        }
        let mut value = String::new();
        rest = after;
        if let Some(after) = after.strip_prefix('=') {
            let quoted = after
                .strip_prefix('"')
                .ok_or_else(|| format!("{own} of <{tag}> is not quoted"))?;
            let (text, after) = quoted
                .split_once('"')
                .ok_or_else(|| format!("{own} of <{tag}> does not end"))?;
            value = text.to_owned();
            rest = after;
        }
        attributes.push((own.to_owned(), value));
    }
    Ok(Tag {
        name: name.to_owned(),
        attributes,
        closing,
        empty,
    })
}

/// Where the tag that begins here ends: a `>` in quotes does not end it.
fn end_of(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// Checks a page: well formed, nothing inline, names and labels where they have to be.
pub(crate) fn check(page: &str) -> Result<(), String> {
    let mut rest = page.strip_prefix("<!doctype html>\n").ok_or("no doctype")?;
    let mut open: Vec<String> = Vec::new();
    let mut ids = BTreeSet::new();
    let mut refers = Vec::new();
    while let Some(at) = rest.find('<') {
        if let Some(script) = open.last().filter(|own| *own == "script")
            && !rest[..at].trim().is_empty()
        {
            return Err(format!("an inline {script}"));
        }
        rest = &rest[at + 1..];
        let end = end_of(rest).ok_or("a tag does not end")?;
        let tag = read(&rest[..end])?;
        rest = &rest[end + 1..];
        for (name, value) in &tag.attributes {
            if name.starts_with("on") || name == "style" || name == "srcdoc" {
                return Err(format!("{name} of {}", tag.name));
            }
            if ["href", "src", "action"].contains(&name.as_str())
                && value
                    .trim_start()
                    .to_ascii_lowercase()
                    .starts_with("javascript:")
            {
                return Err(format!("{name}={value}"));
            }
            match name.as_str() {
                "id" if !ids.insert(value.clone()) => return Err(format!("the id {value} twice")),
                "for" | "aria-labelledby" | "list" => refers.push(value.clone()),
                "aria-describedby" => refers.extend(value.split(' ').map(str::to_owned)),
                _ => {}
            }
        }
        let names: Vec<&str> = tag
            .attributes
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        if BTreeSet::from_iter(&names).len() != names.len() {
            return Err(format!("an attribute twice in {}", tag.name));
        }
        match tag.name.as_str() {
            "style" => return Err("an inline style".to_owned()),
            "script" if !tag.closing && !names.contains(&"src") => {
                return Err("a script without src".to_owned());
            }
            "img" if !names.contains(&"alt") => return Err("an image without alt".to_owned()),
            _ => {}
        }
        if tag.closing {
            let last = open.pop().unwrap_or_default();
            if last != tag.name {
                return Err(format!("</{}> where </{last}> belongs", tag.name));
            }
        } else if !tag.empty && !VOID.contains(&tag.name.as_str()) {
            open.push(tag.name);
        }
    }
    if !open.is_empty() {
        return Err(format!("left open: {}", open.join(", ")));
    }
    for name in refers {
        if !ids.contains(&name) {
            return Err(format!("nothing has the id {name}"));
        }
    }
    Ok(())
}

#[test]
fn the_reader_is_strict() {
    let page = |body: &str| format!("<!doctype html>\n<html><body>{body}</body></html>");
    assert_eq!(check(&page("<p id=\"a\">x<br></p>")), Ok(()));
    for bad in [
        "<p>",
        "<p></div>",
        "<p id=a></p>",
        "<p id=\"a\"></p><p id=\"a\"></p>",
        "<p onclick=\"x\"></p>",
        "<p style=\"color:red\"></p>",
        "<script>x</script>",
        "<script src=\"/a\">x</script>",
        "<a href=\"javascript:x\"></a>",
        "<label for=\"b\"></label>",
        "<img src=\"/a\">",
        "<p \"=\"\"></p>",
    ] {
        assert!(check(&page(bad)).is_err(), "{bad}");
    }
}
