//! What a tool is: its inputs, and from them the schema and the annotations that a client is shown.

use std::sync::Arc;

use rmcp::model::{JsonObject, MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

/// One tool.
pub struct Definition {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub fields: &'static [Field],
    pub hints: Hints,
    /// Shown without a search, in clients that search for tools.
    pub always: bool,
}

/// One input of a tool.
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
    pub about: &'static str,
}

/// What an input is. Numbers in words and `null` for what is optional are accepted too.
pub enum Kind {
    Text,
    Choice(&'static [&'static str]),
    /// A whole number within these bounds, both included.
    Whole(u64, u64),
    Flag,
    Json,
    Ids,
}

/// What a tool does, for clients that ask their user first.
pub struct Hints {
    read_only: bool,
    destructive: bool,
    idempotent: bool,
}

pub const ADDS: Hints = Hints { read_only: false, destructive: false, idempotent: false };
pub const LOOKS: Hints = Hints { read_only: true, destructive: false, idempotent: true };
pub const SETS: Hints = Hints { read_only: false, destructive: false, idempotent: true };
pub const RUNS: Hints = Hints { read_only: false, destructive: true, idempotent: false };

impl Definition {
    /// The tool as the SDK lists it. `unasked`: the user lets commands run without being asked.
    pub fn listed(&self, unasked: bool) -> Tool {
        let Hints { read_only, destructive, idempotent } = self.hints;
        let annotations = ToolAnnotations::new()
            .read_only(read_only)
            .destructive(destructive)
            .idempotent(idempotent)
            .open_world(false);
        let tool = Tool::new(self.name, self.description, Arc::new(self.schema()))
            .with_title(self.title)
            .with_annotations(annotations);
        let mut meta = MetaObject::new();
        if self.always {
            meta.insert("anthropic/alwaysLoad".to_owned(), Value::Bool(true));
        }
        if destructive && !unasked {
            meta.insert("anthropic/requiresUserInteraction".to_owned(), Value::Bool(true));
        }
        if meta.is_empty() { tool } else { tool.with_meta(meta) }
    }

    pub fn schema(&self) -> JsonObject {
        let properties: JsonObject =
            self.fields.iter().map(|field| (field.name.to_owned(), field.schema())).collect();
        let required: Vec<&str> = self.fields.iter().filter(|f| f.required).map(|f| f.name).collect();
        let mut schema = JsonObject::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        schema.insert("additionalProperties".to_owned(), json!(false));
        schema
    }
}

impl Field {
    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Choice(words) => json!({"type": "string", "enum": words}),
            // A bound that every id keeps says nothing.
            Kind::Whole(_, u64::MAX) => json!({"type": "integer"}),
            Kind::Whole(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
            Kind::Flag => json!({"type": "boolean"}),
            Kind::Json => json!({"type": "object"}),
            Kind::Ids => json!({"type": "array", "items": {"type": "integer"}}),
        };
        if !self.about.is_empty() {
            schema["description"] = json!(self.about);
        }
        schema
    }
}

pub const fn need(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: true, about }
}

pub const fn may(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, required: false, about }
}

/// The number of a message.
pub const ID: Kind = Kind::Whole(1, u64::MAX);
