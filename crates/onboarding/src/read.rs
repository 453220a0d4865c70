//! Reads a recipe's TOML. Goes on after every problem, so that a person sees all of them at once.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use crate::{
    check,
    direction::Direction,
    id::{NamePrefix, PartnerName},
    input::{Input, InputKind, Pattern},
    problem::Invalid,
    reader::{Node, Reader},
    recipe::{Auth, Inbound, Outbound, Recipe, RecipeProblem, SCHEMA, Table, Todo},
    settings::{Fields, PartnerSettings, Setting},
    template::Template,
};

/// Most bytes of a recipe's file, some thirty times the longest of ours.
const MAX_FILE_BYTES: usize = 262_144;

/// The keys of each kind of table. A test compares them with the JSON Schema.
pub(crate) const RECIPE_KEYS: &[&str] = &[
    "schema",
    "name",
    "title",
    "docs",
    "prefix",
    "directions",
    "default_direction",
    "mode",
    "verify",
    "allow_mixed_auth",
    "inputs",
    "tables",
    "outbound",
    "inbound",
    "partner_settings",
    "todo",
];
pub(crate) const INPUT_KEYS: &[&str] = &[
    "description",
    "type",
    "pattern",
    "min_length",
    "max_length",
    "refuse",
    "values",
    "default",
    "example",
    "required",
    "directions",
];
pub(crate) const TABLE_KEYS: &[&str] = &["by", "values"];
pub(crate) const OUTBOUND_KEYS: &[&str] = &["auth", "whitelist", "friendly_name"];
pub(crate) const INBOUND_KEYS: &[&str] = &["destination", "optional", "whitelist"];
pub(crate) const SETTINGS_KEYS: &[&str] = &["common", "outbound", "inbound"];
pub(crate) const TODO_KEYS: &[&str] = &[
    "title",
    "detail",
    "url",
    "directions",
    "number_prefix",
    "when",
    "given",
    "missing",
];

/// Reads and checks a recipe.
pub(crate) fn recipe(text: &str) -> Result<Recipe, Vec<RecipeProblem>> {
    if text.len() > MAX_FILE_BYTES {
        return Err(vec![RecipeProblem {
            line: 1,
            field: String::new(),
            message: format!(
                "the file has {} bytes; a recipe has at most {MAX_FILE_BYTES}",
                text.len()
            ),
        }]);
    }
    let mut reader = Reader::new(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        let line = reader.line_at(at);
        let message = error.message().replace('\n', ", ");
        reader.problems.push(RecipeProblem {
            line,
            field: String::new(),
            message: format!("this is not TOML: {message}; mend this line first"),
        });
    }
    if !errors.is_empty() {
        return Err(reader.problems);
    }
    let node = Node {
        path: String::new(),
        table: root.get_ref(),
    };
    let draft = reader.root(&node);
    if let Some(recipe) = &draft {
        check::meaning(recipe, &mut |field, message| reader.report(field, message));
    }
    match draft {
        Some(recipe) if reader.problems.is_empty() => Ok(recipe),
        _ => {
            reader.problems.sort_by_key(|problem| problem.line);
            Err(reader.problems)
        }
    }
}

impl Reader {
    fn root(&mut self, node: &Node<'_>) -> Option<Recipe> {
        self.keys(node, RECIPE_KEYS);
        self.schema(node);
        self.demand(node, "name", "\"a name\", the same as the file's");
        self.demand(node, "prefix", "\"two characters\", such as \"lk\"");
        let name: Option<PartnerName> = self.parsed(node, "name");
        let prefix: Option<NamePrefix> = self.parsed(node, "prefix");
        let title = self.required_text(node, "title", "\"the partner's name for people\"");
        self.demand(
            node,
            "directions",
            "[\"outbound\", \"inbound\", \"both\"], or some of them",
        );
        let directions: Vec<Direction> = self.parsed_texts(node, "directions");
        let chosen = self.parsed(node, "default_direction");
        let recipe = Recipe {
            schema: SCHEMA,
            docs: self.text(node, "docs"),
            default_direction: chosen
                .or(directions.first().copied())
                .unwrap_or(Direction::Both),
            directions,
            mode: self.parsed(node, "mode"),
            verify: self.flag(node, "verify").unwrap_or(false),
            allow_mixed_auth: self.flag(node, "allow_mixed_auth").unwrap_or(false),
            inputs: self.inputs(node),
            tables: self.tables(node),
            outbound: self.outbound(node),
            inbound: self.inbound(node),
            partner_settings: self.partner_settings(node),
            todo: self.todos(node),
            // A stand-in for what is reported already, so that the rest is checked as well.
            name: name.or_else(|| "unnamed".parse().ok())?,
            prefix: prefix.or_else(|| "xx".parse().ok())?,
            title: title.unwrap_or_default(),
        };
        Some(recipe)
    }

    fn schema(&mut self, node: &Node<'_>) {
        self.demand(node, "schema", "1");
        let Some(value) = node.table.get("schema") else {
            return;
        };
        if let Some(version) = self.integer("schema", value.get_ref())
            && version != i64::from(SCHEMA)
        {
            self.report(
                "schema",
                format!(
                    "this program reads version {SCHEMA}, not {version}; write schema = {SCHEMA}"
                ),
            );
        }
    }

    fn inputs(&mut self, node: &Node<'_>) -> BTreeMap<String, Input> {
        let named = self.named(node, "inputs");
        let inputs = named.into_iter();
        inputs
            .filter_map(|(name, inner)| Some((name, self.input(&inner)?)))
            .collect()
    }

    fn input(&mut self, node: &Node<'_>) -> Option<Input> {
        self.keys(node, INPUT_KEYS);
        let description =
            self.required_text(node, "description", "\"what it is and where to find it\"");
        self.demand(node, "type", "\"text\", or another type");
        let kind: Option<InputKind> = self.parsed(node, "type");
        let default = self.text(node, "default");
        let pattern = self.text(node, "pattern").and_then(|source| {
            Pattern::new(&source)
                .map_err(|Invalid(message)| self.report(&node.field("pattern"), message))
                .ok()
        });
        let input = Input {
            pattern,
            min_length: self.length(node, "min_length"),
            max_length: self.length(node, "max_length"),
            refuse: self.text_map(node, "refuse"),
            values: self.texts(node, "values"),
            required: self.flag(node, "required").unwrap_or(default.is_none()),
            default,
            example: self.text(node, "example"),
            directions: self.parsed_texts(node, "directions"),
            description: description.unwrap_or_default(),
            kind: kind?,
        };
        Some(input)
    }

    fn tables(&mut self, node: &Node<'_>) -> BTreeMap<String, Table> {
        let named = self.named(node, "tables");
        let mut tables = BTreeMap::new();
        for (name, inner) in named {
            self.keys(&inner, TABLE_KEYS);
            let by = self.required_text(&inner, "by", "\"an input of type choice\"");
            self.demand(&inner, "values", "{ choice = \"value\" }");
            let values = self.text_map(&inner, "values");
            tables.insert(
                name,
                Table {
                    by: by.unwrap_or_default(),
                    values,
                },
            );
        }
        tables
    }

    fn outbound(&mut self, node: &Node<'_>) -> Option<Outbound> {
        let inner = self.child(node, "outbound")?;
        self.keys(&inner, OUTBOUND_KEYS);
        self.demand(&inner, "auth", "\"digest\" or \"acl\"");
        let auth = self.parsed(&inner, "auth");
        Some(Outbound {
            whitelist: self.parsed_texts(&inner, "whitelist"),
            friendly_name: self.parsed(&inner, "friendly_name"),
            auth: auth.unwrap_or(Auth::Digest),
        })
    }

    fn inbound(&mut self, node: &Node<'_>) -> Option<Inbound> {
        let inner = self.child(node, "inbound")?;
        self.keys(&inner, INBOUND_KEYS);
        self.demand(&inner, "destination", "\"host:port;transport=tls\"");
        let destination: Option<Template> = self.parsed(&inner, "destination");
        let optional = self.flag(&inner, "optional").unwrap_or(false);
        let whitelist = self.parsed_texts(&inner, "whitelist");
        Some(Inbound {
            destination: destination.or_else(|| "unread.example:1;transport=tls".parse().ok())?,
            optional,
            whitelist,
        })
    }

    fn partner_settings(&mut self, node: &Node<'_>) -> PartnerSettings {
        let Some(inner) = self.child(node, "partner_settings") else {
            return PartnerSettings::default();
        };
        self.keys(&inner, SETTINGS_KEYS);
        PartnerSettings {
            common: self.settings(&inner, "common"),
            outbound: self.settings(&inner, "outbound"),
            inbound: self.settings(&inner, "inbound"),
        }
    }

    fn settings(&mut self, node: &Node<'_>, key: &str) -> Fields<Setting> {
        match self.child(node, key) {
            Some(inner) => self.fields(&inner),
            None => Fields::default(),
        }
    }

    fn fields(&mut self, node: &Node<'_>) -> Fields<Setting> {
        let mut fields = Vec::new();
        for (at, name, value) in node.entries() {
            let field = node.field(name);
            self.lines.insert(field.clone(), self.line_at(at));
            if let Some(setting) = self.setting(&field, value) {
                fields.push((name.to_owned(), setting));
            }
        }
        Fields(fields)
    }

    fn setting(&mut self, field: &str, value: &DeValue<'_>) -> Option<Setting> {
        match value {
            DeValue::String(text) => self.parse(field, text).map(Setting::Text),
            DeValue::Boolean(flag) => Some(Setting::Flag(*flag)),
            DeValue::Integer(_) => self.integer(field, value).map(Setting::Number),
            DeValue::Array(list) => {
                let mut settings = Vec::new();
                for (at, element) in list.iter().enumerate() {
                    let place = format!("{field}.{at}");
                    let line = self.line_at(element.span().start);
                    self.lines.insert(place.clone(), line);
                    settings.extend(self.setting(&place, element.get_ref()));
                }
                Some(Setting::List(settings))
            }
            DeValue::Table(table) => Some(Setting::Table(self.fields(&Node {
                path: field.to_owned(),
                table,
            }))),
            DeValue::Float(_) | DeValue::Datetime(_) => {
                self.wrong_type(
                    field,
                    value,
                    "a text in quotes, a whole number, true or false, a list or a table",
                );
                None
            }
        }
    }

    fn todos(&mut self, node: &Node<'_>) -> Vec<Todo> {
        let Some(value) = node.table.get("todo") else {
            return Vec::new();
        };
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(
                "todo",
                value.get_ref(),
                "[[todo]] once for each thing to do",
            );
            return Vec::new();
        };
        let mut todos = Vec::new();
        for (at, element) in list.iter().enumerate() {
            let path = format!("todo.{at}");
            let line = self.line_at(element.span().start);
            self.lines.insert(path.clone(), line);
            if let Some(inner) = self.table(path, element.get_ref()) {
                todos.extend(self.todo(&inner));
            }
        }
        todos
    }

    fn todo(&mut self, node: &Node<'_>) -> Option<Todo> {
        self.keys(node, TODO_KEYS);
        self.required_text(node, "title", "\"what to do, in a line\"");
        self.required_text(node, "detail", "\"how to do it\"");
        let title = self.parsed(node, "title");
        let detail = self.parsed(node, "detail");
        let url = self.parsed(node, "url");
        let directions = self.parsed_texts(node, "directions");
        let number_prefix = self.text(node, "number_prefix");
        let mut when = BTreeMap::new();
        if let Some(inner) = self.child(node, "when") {
            for (at, name, _) in inner.entries() {
                self.lines.insert(inner.field(name), self.line_at(at));
                when.insert(name.to_owned(), self.texts(&inner, name));
            }
        }
        Some(Todo {
            title: title?,
            detail: detail?,
            url,
            directions,
            number_prefix,
            when,
            given: self.texts(node, "given"),
            missing: self.texts(node, "missing"),
        })
    }
}
