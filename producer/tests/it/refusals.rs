//! The table of bad inputs, by what is wrong with them.

use producer::Format;

const CSV: Format = Format::Csv;
const LINES: Format = Format::JsonLines;
const ARRAY: Format = Format::JsonArray;

/// A table entry: name, format, text, and of the problem: line, field, a word of the remedy.
pub(crate) type Case = (
    &'static str,
    Format,
    String,
    u64,
    &'static str,
    &'static str,
);

fn one(
    name: &'static str,
    format: Format,
    text: impl Into<String>,
    line: u64,
    field: &'static str,
    remedy: &'static str,
) -> Case {
    (name, format, text.into(), line, field, remedy)
}

/// A row with one field set besides account, partner and number.
fn with(field: &str, value: &str) -> String {
    format!("account,partner,number,{field}\nacme,livekit,+918000000009,{value}\n")
}

/// Everything that is wrong by itself.
pub(crate) fn alone() -> Vec<Case> {
    [tables(), fields(), recipes(), lines(), arrays()].concat()
}

/// Headers and rows.
#[rustfmt::skip] // One case a line.
fn tables() -> Vec<Case> {
    let good = "account,partner,number\nacme,livekit,+918000000009\n";
    vec![
        one("empty", CSV, "", 1, "", "write a CSV header"),
        one("only blanks", CSV, " \n\r\n\t", 1, "", "write a CSV header"),
        one("only a byte order mark", CSV, "\u{feff}", 1, "", "write a CSV header"),
        one("unknown column", CSV, "account,partner,number,colour\n", 1, "colour", "the fields are"),
        one("mistyped column", CSV, "account,partner,nubmer\n", 1, "nubmer", "did you mean number"),
        one("column in capitals", CSV, "Account,partner,number\n", 1, "Account", "did you mean account"),
        one("column twice", CSV, "account,partner,number,account\n", 1, "account", "remove one"),
        one("input column twice", CSV, "account,partner,number,inputs.x,inputs.x\n", 1, "inputs.x", "remove one"),
        one("input without name", CSV, "account,partner,number,inputs.\n", 1, "inputs.", "inputs.NAME"),
        one("value in a column without a name", CSV, "account,partner,number,,\nacme,livekit,+918000000009,,\nacme,livekit,+918000000008,x,\n", 3, "", "column 4 has no name"),
        one("pandas' index", CSV, ",account,partner,number\n0,acme,livekit,+918000000009\n", 2, "", "index=False"),
        one("pandas' index with its name", CSV, "Unnamed: 0,account,partner,number\n0,acme,livekit,+918000000009\n", 2, "", "index=False"),
        one("lines that end with returns", CSV, "account,partner,number\racme,livekit,+918000000008\racme,livekit,12\r", 3, "number", "+"),
        one("Excel's hint of semicolons", CSV, "sep=;\naccount;partner;number\n", 1, "", "separated by \";\""),
        one("pipes", CSV, "account|partner|number\n", 1, "", "separated by '|'"),
        one("semicolons and commas", CSV, "account;partner,number\n", 1, "", "some cells are separated by ';'"),
        one("inputs in one column", CSV, "account,partner,number,inputs\n", 1, "inputs", "a column of its own"),
        one("a workbook", CSV, "PK\u{3}\u{4}xx", 1, "", "zip archive"),
        one("a page", CSV, "<html>", 1, "", "this is HTML"),
        one("number column missing", CSV, "account,partner\nacme,livekit\n", 1, "number", "needs account, partner and number"),
        one("header missing", CSV, "acme,livekit,+918000000009\n", 1, "account", "needs account"),
        one("header after blank lines", CSV, "\n\r\naccount,partner\n", 3, "number", "missing"),
        one("JSON Lines in a CSV file", CSV, "\n{\"account\":\"acme\"}\n", 2, "", "name it .jsonl"),
        one("a JSON array in a CSV file", CSV, "[{\"account\":\"acme\"}]", 1, "", "or .json"),
        one("semicolons", CSV, "account;partner;number\n", 1, "", "commas"),
        one("tabs", CSV, "account\tpartner\tnumber\n", 1, "", "commas"),
        one("cell missing", CSV, format!("{good}acme,livekit\n"), 3, "", "a cell for every column"),
        one("cell too many", CSV, format!("{good}acme,livekit,+918000000008,x\n"), 3, "", "a cell for every column"),
        one("comma without quotes", CSV, "account,partner,number,inputs.x\nacme,livekit,+918000000009,a,b\n", 2, "", "double quotes"),
        one("quote never closed", CSV, format!("{good}acme,livekit,\"+918000000008\n"), 3, "", "close it"),
        one("quote never closed at the end", CSV, format!("{good}acme,livekit,\"+918000000008"), 3, "", "close it"),
        one("quote never closed in the header", CSV, "account,partner,\"number\n", 1, "", "close it"),
        one("row after one of two lines", CSV, "account,partner,number,inputs.livekit_url\nacme,livekit,+918000000009,\"x\ny\"\nacme,livekit\n", 4, "", "a cell for every column"),
        one("row too long", CSV, format!("{good}acme,livekit,\"{}\"\n", "9".repeat(1 << 20)), 3, "", "at most 1048576 bytes"),
        one("row too long, then another", CSV, format!("{good}{},b,c\nacme,livekit\n", "a".repeat(3 << 20)), 4, "", "a cell for every column"),
        one("too many columns", CSV, format!("account{}\n", ",x".repeat(5000)), 1, "", "1024 cells"),
        one("row with too many cells", CSV, format!("{good}a{}\nacme\n", ",".repeat(9000) + "x"), 3, "", "line break"),
        one("line counted over returns", CSV, "account,partner,number\r\n\r\nacme,livekit,12\r\n", 3, "number", "+"),
    ]
}

/// Fields by themselves.
#[rustfmt::skip] // One case a line.
fn fields() -> Vec<Case> {
    let row = |row: &str| format!("account,partner,number\n{row}\n");
    vec![
        one("account missing", CSV, row(",livekit,+918000000009"), 2, "account", "needs account"),
        one("partner missing", CSV, row("acme, ,+918000000009"), 2, "partner", "needs partner"),
        one("number missing", CSV, row("acme,livekit,"), 2, "number", "needs number"),
        one("account unknown", CSV, row("acne,livekit,+918000000009"), 2, "account", "did you mean acme"),
        one("account unknown and far", CSV, row("zzzzzzzzzz,livekit,+918000000009"), 2, "account", "acme, globex"),
        one("account unknown beside another problem", CSV, row("acne,livekit,12"), 2, "account", "did you mean acme"),
        one("account not a name", CSV, row("ac me,livekit,+918000000009"), 2, "account", "letters, digits"),
        one("partner unknown", CSV, row("acme,livekitt,+918000000009"), 2, "partner", "did you mean livekit"),
        one("partner unknown beside another problem", CSV, row("acme,livekitt,12"), 2, "partner", "did you mean livekit"),
        one("partner not a name", CSV, row("acme,Live Kit,+918000000009"), 2, "partner", "did you mean livekit"),
        one("partner by its title", CSV, row("acme,Daily,+918000000009"), 2, "partner", "did you mean pipecat"),
        one("account as people write it", CSV, row("AC ME,livekit,+918000000009"), 2, "account", "did you mean acme"),
        one("direction in capitals", CSV, with("direction", "INBOUND"), 2, "direction", "did you mean inbound"),
        one("number without plus", CSV, row("acme,livekit,918000000009"), 2, "number", "+"),
        one("number as a spreadsheet has it", CSV, row("acme,livekit,9.18E+11"), 2, "number", "+"),
        one("number too short", CSV, row("acme,livekit,+12"), 2, "number", "+"),
        one("number with blanks inside", CSV, row("acme,livekit,+91 80000 00009"), 2, "number", "+"),
        one("number of other digits", CSV, row("acme,livekit,+\u{966}\u{967}8000000009"), 2, "number", "+"),
        one("key with a blank", CSV, with("key", "a b"), 2, "key", "blanks"),
        one("key too long", CSV, with("key", &"k".repeat(201)), 2, "key", "200"),
        one("key like an id", CSV, with("key", "onb_00000000000000000000000000"), 2, "key", "onb_"),
        one("direction unknown", CSV, with("direction", "outgoing"), 2, "direction", "outbound, inbound or both"),
        one("mode unknown", CSV, with("mode", "sip"), 2, "mode", "pstn"),
        one("trunk name with a hyphen", CSV, with("trunk_name", "front-desk"), 2, "trunk_name", "16"),
        one("trunk name too long", CSV, with("trunk_name", "seventeen_letters"), 2, "trunk_name", "16"),
        one("user name with an at", CSV, with("user_name", "me@home"), 2, "user_name", "letters"),
        one("caller id not a number", CSV, with("caller_id", "reception"), 2, "caller_id", "+"),
        one("control character", CSV, with("direction", "out\u{7}bound"), 2, "direction", "outbound"),
        one("second field of two wrong ones", CSV, "account,partner,number,mode\nacme,livekit,12,sip\n", 2, "mode", "pstn"),
        one("second row of two wrong ones", CSV, row("acme,livekit,12\nacme,livekit,13"), 3, "number", "+"),
    ]
}

/// What the recipe says.
#[rustfmt::skip] // One case a line.
fn recipes() -> Vec<Case> {
    let row = |partner: &str, columns: &str, cells: &str| {
        format!("account,partner,number,{columns}\nacme,{partner},+918000000009,{cells}\n")
    };
    vec![
        one("input missing", CSV, row("livekit", "direction", "inbound"), 2, "inputs.livekit_sip_subdomain", "write it like"),
        one("input missing beside a wrong field", CSV, row("livekit", "direction,mode", "inbound,sip"), 2, "inputs.livekit_sip_subdomain", "write it like"),
        one("input unknown", CSV, row("livekit", "inputs.livekit_regio", "india"), 2, "inputs.livekit_regio", "did you mean livekit_region"),
        one("input of another partner", CSV, row("rapida", "inputs.source_ips", "44.248.146.11"), 2, "inputs.source_ips", "remove it"),
        one("input not as its pattern", CSV, row("livekit", "direction,inputs.livekit_sip_subdomain", "inbound,UPPER"), 2, "inputs.livekit_sip_subdomain", "write it like"),
        one("choice that is none", CSV, row("livekit", "inputs.livekit_region", "mars"), 2, "inputs.livekit_region", "india"),
        one("addresses missing", CSV, row("pipecat", "direction", "outbound"), 2, "inputs.source_ips", "write it like"),
        one("address private", CSV, row("pipecat", "inputs.source_ips", "44.248.146.11 10.0.0.1"), 2, "inputs.source_ips", "public address"),
        one("address range", CSV, row("pipecat", "inputs.source_ips", "44.248.146.0/24"), 2, "inputs.source_ips", "list each address"),
        one("address for documentation", CSV, row("pipecat", "inputs.source_ips", "203.0.113.9"), 2, "inputs.source_ips", "public address"),
        one("addresses with commas", CSV, row("pipecat", "inputs.source_ips", "\"44.248.146.11,44.248.146.12\""), 2, "inputs.source_ips", "IPv4"),
        one("too many addresses", CSV, row("pipecat", "inputs.source_ips", &(1..=65).map(|n| format!("44.248.146.{n} ")).collect::<String>()), 2, "inputs.source_ips", "1 to 64"),
        one("host with a scheme", CSV, row("nlpearl", "direction,inputs.nlpearl_sip_domain", "inbound,sip:x.partner.example"), 2, "inputs.nlpearl_sip_domain", "without scheme"),
        one("destination over udp", CSV, row("vocallabs", "direction,inputs.vocallabs_sip_target", "inbound,sip.partner.example:5060;transport=udp"), 2, "inputs.vocallabs_sip_target", "tls or tcp"),
        one("credentials and ACL on one trunk", CSV, row("vocallabs", "direction,inputs.vocallabs_sip_target", "both,44.248.146.11:5060;transport=tcp"), 2, "inputs.vocallabs_sip_target", "allow_mixed_auth"),
        one("caller id without calls out", CSV, row("livekit", "direction,inputs.livekit_sip_subdomain,caller_id", "inbound,bwwn08a2m4o,+918000000001"), 2, "caller_id", "remove it"),
        one("user name without credentials", CSV, row("pipecat", "inputs.source_ips,user_name", "44.248.146.11,me"), 2, "user_name", "remove it"),
    ]
}

/// JSON Lines.
#[rustfmt::skip] // One case a line.
fn lines() -> Vec<Case> {
    let good = r#"{"account":"acme","partner":"livekit","number":"+918000000009"}"#;
    let set = |member: &str| format!("{}\n{{{member},{}\n", good.replace("09", "08"), &good[1..]);
    vec![
        one("broken JSON", LINES, format!("{good}\n{{\"account\":\n"), 2, "", "this is not JSON"),
        one("good after broken, then bad", LINES, format!("{{x\n{good}\n{{}}\n"), 3, "number", "needs number"),
        one("two on a line", LINES, format!("{good}{good}\n"), 1, "", "nothing else"),
        one("comma after", LINES, format!("{good},\n{good}\n"), 1, "", "nothing else"),
        one("no object", LINES, format!("\n{good}\n[1]\n"), 3, "", "a signup is an object"),
        one("a text", LINES, format!("{good}\n\"acme\"\n"), 2, "", "a signup is an object"),
        one("unknown field", LINES, set(r#""colour":"red""#), 2, "colour", "the fields are"),
        one("unknown field that is null", LINES, set(r#""colour":null"#), 2, "colour", "the fields are"),
        one("CSV's name of an input", LINES, set(r#""inputs.livekit_region":"india""#), 2, "inputs.livekit_region", "\"inputs\": {\"livekit_region\": ...}"),
        one("name twice", LINES, set(r#""account":"globex""#), 2, "account", "remove one"),
        one("name twice in the inputs", LINES, set(r#""inputs":{"livekit_region":"us","livekit_region":"india"}"#), 2, "inputs.livekit_region", "remove one"),
        one("number as a number", LINES, good.replace("\"+918000000009\"", "918000000009"), 1, "number", "in quotes"),
        one("direction as true", LINES, set(r#""direction":true"#), 2, "direction", "in quotes"),
        one("mode as a list", LINES, set(r#""mode":["pstn"]"#), 2, "mode", "write one text"),
        one("key as an object", LINES, set(r#""key":{"id":"1"}"#), 2, "key", "in quotes"),
        one("inputs as a text", LINES, set(r#""inputs":"india""#), 2, "inputs", "an object"),
        one("input as a number", LINES, set(r#""inputs":{"livekit_region":7}"#), 2, "inputs.livekit_region", "in quotes"),
        one("input as a list of numbers", LINES, set(r#""inputs":{"livekit_region":[7]}"#), 2, "inputs.livekit_region", "texts"),
        one("one text as a list", LINES, set(r#""inputs":{"livekit_region":["us"]}"#), 2, "inputs.livekit_region", "give one text"),
        one("huge number", LINES, set(r#""mode":1e999"#), 2, "", "not JSON"),
        one("half a surrogate", LINES, set(r#""mode":"\ud800""#), 2, "", "not JSON"),
        one("deep nesting", LINES, format!("{good}\n{}\n", "[".repeat(100_000)), 2, "", "nested too deeply"),
        one("deep nesting of objects", LINES, set(&format!("\"inputs\":{}", "{\"a\":".repeat(50_000))), 2, "", "nested too deeply"),
        one("line too long", LINES, format!("{good}\n{{\"a\":\"{}\"}}\n", "x".repeat(1 << 20)), 2, "", "line break"),
        one("bad after a line too long", LINES, format!("{}\n{{}}\n", "x".repeat(3 << 20)), 2, "account", "needs account"),
        one("cut off", LINES, &good[..30], 1, "", "not JSON"),
        one("lines that end with returns", LINES, format!("{good}\r{{}}\r"), 2, "number", "needs number"),
        one("an array over many lines", LINES, "[\n{}\n]", 1, "", "jq -c"),
        one("an answer of an API on a line", LINES, format!("{{\"data\":[{good}]}}"), 1, "", "jq '.data'"),
        one("empty lines", LINES, "", 1, "", "the input is empty"),
    ]
}

/// One JSON array.
#[rustfmt::skip] // One case a line.
fn arrays() -> Vec<Case> {
    let good = r#"{"account":"acme","partner":"livekit","number":"+918000000009"}"#;
    vec![
        one("array cut off in a signup", ARRAY, format!("[{good},\n{{\"account\":\"ac"), 2, "", "cut off"),
        one("array cut off after a signup", ARRAY, format!("[\n{good}\n"), 3, "", "Close it with ]"),
        one("array cut off after a comma", ARRAY, format!("[\n{good},"), 2, "", "Close it with ]"),
        one("array only opened", ARRAY, "[", 1, "", "Close it with ]"),
        one("comma before the end", ARRAY, format!("[{good},\n]"), 2, "", "remove the comma"),
        one("comma twice", ARRAY, format!("[{good},\n,{good}]"), 2, "", "remove it"),
        one("comma first", ARRAY, format!("[,{good}]"), 1, "", "remove it"),
        one("comma missing", ARRAY, format!("[{good}\n{good}]"), 2, "", "one comma"),
        one("something after the array", ARRAY, format!("[{good}]\n[{good}]"), 2, "", "remove the rest"),
        one("object instead of an array", ARRAY, good, 1, "", "put [ and ] around"),
        one("an answer of an API", ARRAY, format!("{{\"next\":null,\n\"results\":[{good}]}}"), 1, "", "jq '.results'"),
        one("returns in the array", ARRAY, format!("[{good},\r\r{{\"account\":\r: 1}}]"), 4, "", "not JSON"),
        one("array in the array", ARRAY, format!("[{good},\n[{good}]]"), 2, "", "a signup is an object"),
        one("null in the array", ARRAY, format!("[{good},\nnull]"), 2, "", "a signup is an object"),
        one("word in the array", ARRAY, format!("[{good},\nacme]"), 2, "", "this is not JSON"),
        one("brace too many", ARRAY, format!("[{good}}}]"), 1, "", "one comma"),
        one("wrong bracket", ARRAY, "[{\"account\": [}, {}]", 1, "", "not JSON"),
        one("bad field in the second", ARRAY, format!("[{good},\n\n  {{\"account\":\"acme\",\n\"partner\":\"livekit\",\"number\":\"12\"}}]" ), 3, "number", "+"),
        one("broken on its third line", ARRAY, format!("[{good},\n{{\"account\":\n\n: \"acme\"}}]"), 4, "", "not JSON"),
        one("text never closed, then a bad one", ARRAY, format!("[{{\"account\":\"acme}},\n{good},\n{{}}]"), 1, "", "ends on its line with a quote"),
        one("signup too long", ARRAY, format!("[{good},\n{{\"a\":\"{}\"}}]", "x".repeat(1 << 20)), 2, "", "close its brackets"),
        one("bad after a signup too long", ARRAY, format!("[\"{}\",\n{{}}]", "x".repeat(3 << 20)), 2, "account", "needs account"),
        one("deep nesting in the array", ARRAY, format!("[{good},\n{}]", "[".repeat(4_000_000)), 2, "", "cut off"),
        one("name twice in the array", ARRAY, format!("[{good},\n{{\"key\":\"a\",\"key\":\"b\"}}]"), 2, "key", "remove one"),
    ]
}

/// What another signup stands in the way of.
#[rustfmt::skip] // One case a line.
pub(crate) fn clashes() -> Vec<Case> {
    let header = "account,partner,number,direction,key,trunk_name";
    let rows = |rows: &str| format!("{header}\n{rows}\n");
    vec![
        one("key of another number", CSV, rows("acme,livekit,+918000000009,outbound,crm-1,front_desk"), 2, "number", "a key of its own"),
        one("key of another direction", CSV, rows("acme,livekit,+918000000001,,crm-1,front_desk"), 2, "direction", "a key of its own"),
        one("derived key of another trunk name", CSV, rows("acme,rapida,+918000000002,outbound,,other"), 2, "trunk_name", "account/partner/number"),
        one("key of another account", LINES, r#"{"account":"globex","partner":"livekit","number":"+918000000001","direction":"outbound","key":"crm-1","trunk_name":"front_desk"}"#, 1, "account", "accepted before"),
        one("trunk name taken", CSV, rows("acme,rapida,+918000000009,,,front_desk"), 2, "trunk_name", "choose another"),
        one("same key in the file", CSV, rows("acme,rapida,+918000000008,,k,\nacme,rapida,+918000000009,,k,"), 3, "number", "the signup on line 2"),
        one("same derived key in the file", CSV, rows("acme,rapida,+918000000009,,,\n\nacme,rapida,+918000000009,outbound,,"), 4, "direction", "the signup on line 2"),
        one("same trunk name in the file", CSV, rows("acme,rapida,+918000000008,,,x\nacme,rapida,+918000000009,,,x"), 3, "trunk_name", "choose another"),
        one("input differs", CSV, "account,partner,number,inputs.source_ips\nacme,pipecat,+918000000009,44.248.146.11\nacme,pipecat,+918000000009,44.248.146.12\n", 3, "inputs.source_ips", "the signup on line 2"),
    ]
}
