//! A mistake in a recipe is told with its line, its field and what would be right; all at once.

use onboarding::Recipe;

/// A recipe without mistakes. Line numbers below count in it.
const GOOD: &str = include_str!("data/good_recipe.toml");

/// What is replaced, by what; the line, the field and a part of the message that follow.
type Row = (
    &'static str,
    &'static str,
    usize,
    &'static str,
    &'static str,
);

const ROWS: &[Row] = &[
    (
        "number = \"{number}\"",
        "number = \"{each_exotel_signalling_ip}\"",
        33,
        "partner_settings.common.number",
        "element of a list",
    ),
    (
        "Enter {number}.",
        "Enter {each_exotel_signalling_ip}.",
        38,
        "todo.0.detail",
        "element of a list",
    ),
    ("schema = 1\n", "", 1, "schema", "write schema = 1"),
    ("schema = 1", "schema = 2", 1, "schema", "reads version 1"),
    (
        "schema = 1",
        "schema = \"1\"",
        1,
        "schema",
        "a whole number",
    ),
    ("name = \"acme\"\n", "", 1, "name", "write name ="),
    (
        "name = \"acme\"",
        "name = \"Acme\"",
        2,
        "name",
        "small letters",
    ),
    ("name = \"acme\"", "name = 7", 2, "name", "a text in quotes"),
    ("title = \"Acme\"\n", "", 1, "title", "write title ="),
    ("title = \"Acme\"", "title = \" \"", 3, "title", "empty"),
    (
        "title = \"Acme\"",
        "titel = \"Acme\"",
        3,
        "titel",
        "did you mean title?",
    ),
    (
        "https://docs.acme.example/sip\"\nprefix",
        "docs.acme.example\"\nprefix",
        4,
        "docs",
        "https://",
    ),
    (
        "prefix = \"ac\"",
        "prefix = \"acm\"",
        5,
        "prefix",
        "such as lk",
    ),
    ("prefix = \"ac\"\n", "", 1, "prefix", "two characters"),
    (
        "\"inbound\", \"both\"]",
        "\"inbund\", \"both\"]",
        6,
        "directions.1",
        "outbound, inbound or both",
    ),
    (
        "directions = [\"outbound\", \"inbound\", \"both\"]",
        "directions = \"both\"",
        6,
        "directions",
        "a list of texts",
    ),
    (
        "directions = [\"outbound\", \"inbound\", \"both\"]\ndefault_direction = \"both\"",
        "directions = []",
        6,
        "directions",
        "names none",
    ),
    (
        "\"inbound\", \"both\"]",
        "\"both\", \"both\"]",
        6,
        "directions",
        "twice",
    ),
    (
        "\"inbound\", \"both\"]",
        "\"inbound\"]",
        7,
        "default_direction",
        "not one of directions",
    ),
    (
        "mode = \"pstn\"",
        "mode = \"voip\"",
        8,
        "mode",
        "pstn or flow",
    ),
    (
        "verify = true",
        "verify = \"yes\"",
        9,
        "verify",
        "true or false",
    ),
    (
        "[inputs.region]",
        "[inputs.Region]",
        11,
        "inputs.Region",
        "small letters",
    ),
    (
        "[inputs.tenant]",
        "[inputs.number]",
        16,
        "inputs.number",
        "meaning of its own",
    ),
    (
        "type = \"choice\"",
        "type = \"enum\"",
        13,
        "inputs.region.type",
        "ipv4_list or choice",
    ),
    (
        "type = \"choice\"\n",
        "",
        11,
        "inputs.region.type",
        "write type =",
    ),
    (
        "description = \"The region.\"\n",
        "",
        11,
        "inputs.region.description",
        "write description =",
    ),
    (
        "values = [\"us\", \"eu\"]\ndefault = \"us\"",
        "default = \"us\"",
        11,
        "inputs.region.values",
        "nothing to choose from",
    ),
    (
        "values = [\"us\", \"eu\"]",
        "values = [\"us\", \"eu\", \"us\"]",
        14,
        "inputs.region.values",
        "distinct",
    ),
    (
        "default = \"us\"",
        "default = \"uk\"",
        15,
        "inputs.region.default",
        "write us, eu",
    ),
    (
        "default = \"us\"",
        "default = \"us\"\nrequired = true",
        16,
        "inputs.region.required",
        "never missing",
    ),
    (
        "default = \"us\"",
        "default = \"us\"\npattern = 'x'",
        16,
        "inputs.region.pattern",
        "text and host_name",
    ),
    (
        "{4,8}$'",
        "{4,8'",
        19,
        "inputs.tenant.pattern",
        "regular expression",
    ),
    (
        "min_length = 4",
        "min_length = 9",
        20,
        "inputs.tenant.min_length",
        "more than max_length",
    ),
    (
        "max_length = 8",
        "max_length = 0",
        21,
        "inputs.tenant.max_length",
        "1 to 512",
    ),
    (
        "max_length = 8",
        "max_length = 8.5",
        21,
        "inputs.tenant.max_length",
        "a whole number",
    ),
    (
        "example = \"tenant\"",
        "example = \"TENANT\"",
        22,
        "inputs.tenant.example",
        "refuse it",
    ),
    (
        "example = \"tenant\"",
        "sample = \"tenant\"",
        22,
        "inputs.tenant.sample",
        "did you mean example?",
    ),
    (
        "by = \"region\"",
        "by = \"regoin\"",
        25,
        "tables.host.by",
        "did you mean region?",
    ),
    (
        "by = \"region\"",
        "by = \"tenant\"",
        25,
        "tables.host.by",
        "only a choice",
    ),
    (
        ", eu = \"sip.eu.acme.example\"",
        "",
        26,
        "tables.host.values",
        "no value for eu",
    ),
    (
        "eu = \"sip.eu",
        "uk = \"x\", eu = \"sip.eu",
        26,
        "tables.host.values.uk",
        "cannot be \"uk\"",
    ),
    (
        "[tables.host]",
        "[tables.tenant]",
        24,
        "tables.tenant",
        "an input has this name",
    ),
    (
        "[outbound]\nauth = \"digest\"\nfriendly_name = \"Acme\"\n",
        "",
        1,
        "outbound",
        "[outbound] is missing",
    ),
    ("auth = \"digest\"\n", "", 27, "outbound.auth", "digest"),
    (
        "auth = \"digest\"",
        "auth = \"password\"",
        28,
        "outbound.auth",
        "digest or acl",
    ),
    (
        "auth = \"digest\"\nfriendly_name = \"Acme\"",
        "auth = \"acl\"",
        27,
        "outbound.whitelist",
        "ipv4_list",
    ),
    (
        "auth = \"digest\"",
        "auth = \"acl\"\nwhitelist = [\"44.248.146.11\"]",
        30,
        "outbound.friendly_name",
        "has none",
    ),
    (
        "auth = \"digest\"",
        "auth = \"digest\"\nwhitelist = [\"44.248.146.11\"]",
        29,
        "outbound.whitelist",
        "allow_mixed_auth",
    ),
    (
        "auth = \"digest\"\nfriendly_name = \"Acme\"",
        "auth = \"acl\"\nwhitelist = [\"44.248.146.0/24\"]",
        29,
        "outbound.whitelist.0",
        "range",
    ),
    (
        "auth = \"digest\"\nfriendly_name = \"Acme\"",
        "auth = \"acl\"\nwhitelist = [\"44.248.146.11\",\n\"10.0.0.1\"]",
        30,
        "outbound.whitelist.1",
        "private",
    ),
    (
        "auth = \"digest\"\nfriendly_name = \"Acme\"",
        "auth = \"acl\"\nwhitelist = [\"203.0.113.9\"]",
        29,
        "outbound.whitelist.0",
        "documentation",
    ),
    (
        "friendly_name = \"Acme\"",
        "friendly_name = \"Ac-me\"",
        29,
        "outbound.friendly_name",
        "underscores",
    ),
    (
        "destination = \"{tenant}.{host}:5061;transport=tls\"\n",
        "",
        30,
        "inbound.destination",
        "transport=tls",
    ),
    (
        "5061;transport=tls",
        "5061;transport=udp",
        31,
        "inbound.destination",
        "tls or tcp",
    ),
    (
        "5061;transport=tls",
        "5061",
        31,
        "inbound.destination",
        "transport",
    ),
    (
        "{tenant}.{host}",
        "{tenent}.{host}",
        31,
        "inbound.destination",
        "did you mean tenant?",
    ),
    (
        "{tenant}.{host}",
        "{number}.{host}",
        31,
        "inbound.destination",
        "only inputs and tables",
    ),
    (
        "{tenant}.{host}",
        "{tenant.{host}",
        31,
        "inbound.destination",
        "not a placeholder",
    ),
    (
        "{tenant}.{host}",
        "192.168.1.1",
        31,
        "inbound.destination",
        "private",
    ),
    (
        "transport=tls\"",
        "transport=tls\"\noptional = true",
        32,
        "inbound.optional",
        "can be missing",
    ),
    (
        "example = \"tenant\"",
        "example = \"tenant\"\nrequired = false",
        32,
        "inbound.destination",
        "optional = true",
    ),
    (
        "number = \"{number}\"",
        "number = \"{nubmer}\"",
        33,
        "partner_settings.common.number",
        "did you mean number?",
    ),
    (
        "number = \"{number}\"",
        "number = 1.5",
        33,
        "partner_settings.common.number",
        "a TOML float",
    ),
    (
        "[partner_settings.outbound]",
        "[partner_settings.outbond]",
        34,
        "partner_settings.outbond",
        "did you mean outbound?",
    ),
    (
        "user = \"{user_name}\"",
        "user = \"{user_name\"",
        35,
        "partner_settings.outbound.user",
        "without its }",
    ),
    ("title = \"Do it\"\n", "", 36, "todo.0.title", "what to do"),
    (
        "Enter {number}.",
        "Enter {pin}.",
        38,
        "todo.0.detail",
        "no {pin}",
    ),
    (
        "url = \"https://docs",
        "url = \"docs",
        39,
        "todo.0.url",
        "https://",
    ),
    (
        "number_prefix = \"+91\"",
        "number_prefix = \"91\"",
        41,
        "todo.0.number_prefix",
        "+91",
    ),
    (
        "when = { region = [\"eu\"] }",
        "when = { region = [\"uk\"] }",
        42,
        "todo.0.when.region",
        "cannot be \"uk\"",
    ),
    (
        "when = { region = [\"eu\"] }",
        "when = { tenant = [\"eu\"] }",
        42,
        "todo.0.when.tenant",
        "only a choice",
    ),
    (
        "when = { region = [\"eu\"] }",
        "when = { zone = [\"eu\"] }",
        42,
        "todo.0.when.zone",
        "no input",
    ),
    (
        "when = { region = [\"eu\"] }",
        "if = true",
        42,
        "todo.0.if",
        "number_prefix",
    ),
    (
        "when = { region = [\"eu\"] }",
        "when = { region = [\"mars\", \"eu\", \"moon\"] }",
        42,
        "todo.0.when.region",
        "\"mars\" or \"moon\"",
    ),
    (
        "when = { region = [\"eu\"] }",
        "given = [\"tennant\"]",
        42,
        "todo.0.given.0",
        "did you mean tenant",
    ),
    (
        "when = { region = [\"eu\"] }",
        "given = [\"tenant\"]\nmissing = [\"tenant\"]",
        43,
        "todo.0.missing.0",
        "never listed",
    ),
    (
        "default = \"us\"",
        "default = \"us\"\nrefuse = { us = \"it is retired\" }",
        16,
        "inputs.region.refuse",
        "not for choice",
    ),
    (
        "example = \"tenant\"",
        "example = \"tenant\"\nrefuse = { tenant = \"it is retired\" }",
        22,
        "inputs.tenant.example",
        "it is retired",
    ),
    ("[[todo]]", "[todo]", 36, "todo", "[[todo]]"),
    ("verify = true", "verify = ", 9, "", "not TOML"),
    ("verify = true", "mode = \"flow\"", 9, "", "not TOML"),
];

#[test]
fn a_mistake_is_told_with_line_field_and_remedy() {
    assert!(Recipe::parse(GOOD).is_ok(), "{:?}", Recipe::parse(GOOD));
    let mut wrong = Vec::new();
    for (from, to, line, field, remedy) in ROWS {
        assert_eq!(GOOD.matches(from).count(), 1, "{from:?} is not there once");
        let found = Recipe::parse(&GOOD.replace(from, to))
            .err()
            .unwrap_or_default();
        let told = found
            .iter()
            .any(|p| p.line == *line && p.field == *field && p.message.contains(remedy));
        if !told {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            wrong.push(format!(
                "{from:?} -> {to:?}: {line} {field}: {remedy}\n  found {found:#?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ROWS.len() >= 60);
}

#[test]
fn all_mistakes_are_told_at_once_and_in_the_order_of_the_lines() {
    let text = GOOD
        .replace("name = \"acme\"", "name = \"Acme\"")
        .replace("verify = true", "verfy = true")
        .replace("default = \"us\"", "default = \"uk\"")
        .replace("transport=tls", "transport=udp")
        .replace("{user_name}", "{user}");
    let problems = Recipe::parse(&text).unwrap_err();
    let places: Vec<_> = problems
        .iter()
        .map(|p| (p.line, p.field.as_str()))
        .collect();
    let expected = [
        (2, "name"),
        (9, "verfy"),
        (15, "inputs.region.default"),
        (31, "inbound.destination"),
        (35, "partner_settings.outbound.user"),
    ];
    assert_eq!(places, expected);
}

#[test]
fn a_choice_without_values_is_told_once() {
    for values in ["", "values = []\n"] {
        let text = GOOD.replace("values = [\"us\", \"eu\"]\n", values);
        let problems = Recipe::parse(&text).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].field, "inputs.region.values");
    }
}
