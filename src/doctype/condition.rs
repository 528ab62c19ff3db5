//! Conditions on a document as Frappe's forms write them (`status == "Open" and priority in ("High", "Urgent")`):
//! read into a tree, never run as a program.
//!
//! Frappe: any Python expression, run on the server; here: comparisons of fields with literals by `==`, `!=`, `in`
//! and `not in`, whether a field is set at all, `and`, `or`, `not` and parentheses, because text that a user may
//! write must not be a program. What goes beyond that is refused with its own words when it is saved.

use super::value::{FieldValue, Values};

/// Longest condition, in bytes.
const MAX_LENGTH: usize = 4_000;
/// How deep parentheses and `not` may nest.
const MAX_DEPTH: usize = 30;

/// A condition that was understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// The field is neither empty nor zero.
    Set(String),
    /// The field has one of these values.
    OneOf(String, Vec<Literal>),
    /// `True`, `1` and the like: what people write to mean every document.
    Constant(bool),
}

/// A value written in a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Nothing,
    Text(String),
    Number(f64),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Literal(Literal),
    /// An operator, a bracket or a comma.
    Sign(&'static str),
}

/// Either side of a comparison.
enum Operand {
    Field(String),
    Literal(Literal),
    Literals(Vec<Literal>),
    Condition(Condition),
}

const SIGNS: [&str; 7] = ["==", "!=", "(", ")", "[", "]", ","];

impl Condition {
    /// Reads a condition; `is_field` says what may be compared.
    ///
    /// # Errors
    /// What in it cannot be evaluated, in words for whoever wrote it.
    pub fn parse(text: &str, is_field: &dyn Fn(&str) -> bool) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("is longer than {MAX_LENGTH} characters"));
        }
        let mut parser = Parser { tokens: tokens(text)?, at: 0, is_field };
        let condition = parser.any(0)?;
        match parser.next() {
            None => Ok(condition),
            Some(token) => Err(format!("cannot be evaluated from {} on", token.shown())),
        }
    }

    /// Whether a document meets it.
    pub fn holds(&self, document: &Values) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(document)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(document)),
            Self::Not(part) => !part.holds(document),
            Self::Set(field) => Literal::of(document.get(field)).is_true(),
            Self::OneOf(field, literals) => {
                let value = Literal::of(document.get(field));
                literals.iter().any(|literal| literal.equals(&value))
            }
            Self::Constant(constant) => *constant,
        }
    }
}

impl Literal {
    /// Days and times count as their text in the form in which they are stored.
    fn of(value: Option<&FieldValue>) -> Self {
        match value {
            None | Some(FieldValue::Null) => Self::Nothing,
            Some(FieldValue::Text(text)) if text.is_empty() => Self::Nothing,
            Some(FieldValue::Text(text)) => Self::Text(text.clone()),
            #[expect(clippy::cast_precision_loss, reason = "literals are compared as what they were written as: numbers")]
            Some(FieldValue::Int(number) | FieldValue::Time(number)) => Self::Number(*number as f64),
            Some(FieldValue::Float(number)) => Self::Number(*number),
            Some(FieldValue::Date(day)) => Self::Text(day.to_string()),
            Some(FieldValue::Datetime(at)) => Self::Text(at.to_string()),
        }
    }

    /// What Python makes of it where it wants a truth.
    fn is_true(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Text(text) => !text.is_empty(),
            Self::Number(number) => *number != 0.0,
        }
    }

    /// An empty text counts as nothing, because a field that was never filled may be stored as either.
    fn equals(&self, other: &Self) -> bool {
        let is_empty = |literal: &Self| match literal {
            Self::Nothing => true,
            Self::Text(text) => text.is_empty(),
            Self::Number(_) => false,
        };
        self == other || (is_empty(self) && is_empty(other))
    }
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Word(word) => format!("{word:?}"),
            Self::Literal(Literal::Text(text)) => format!("{text:?}"),
            Self::Literal(Literal::Number(number)) => number.to_string(),
            Self::Literal(Literal::Nothing) => "None".into(),
            Self::Sign(sign) => format!("{sign:?}"),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length;
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            length = sign.len();
        } else if first == '"' || first == '\'' {
            let end = rest[1..].find(first).ok_or("has a text that does not end")?;
            let inner = &rest[1..=end];
            if inner.contains('\\') {
                return Err("has a backslash, which is not supported".into());
            }
            tokens.push(Token::Literal(Literal::Text(inner.to_owned())));
            length = end + 2;
        } else if first.is_ascii_digit() || first == '-' {
            length = rest[1..].find(|letter: char| !letter.is_ascii_digit() && letter != '.').map_or(rest.len(), |end| end + 1);
            let number = rest[..length].parse().map_err(|_| format!("has {:?}, which is no number", &rest[..length]))?;
            tokens.push(Token::Literal(Literal::Number(number)));
        } else if first.is_ascii_alphabetic() || first == '_' {
            length = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '.').unwrap_or(rest.len());
            let word = &rest[..length];
            tokens.push(match word {
                "None" => Token::Literal(Literal::Nothing),
                "True" => Token::Literal(Literal::Number(1.0)),
                "False" => Token::Literal(Literal::Number(0.0)),
                _ => Token::Word(word.to_owned()),
            });
        } else {
            return Err(format!("has {first:?}, which is not supported"));
        }
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: Vec<Token>,
    /// The token that comes next.
    at: usize,
    is_field: &'a dyn Fn(&str) -> bool,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<Token> {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned()
    }

    fn takes(&mut self, wanted: &Token) -> bool {
        let taken = self.tokens.get(self.at) == Some(wanted);
        self.at += usize::from(taken);
        taken
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.takes(&Token::Word(word.to_owned()))
    }

    fn any(&mut self, depth: usize) -> Result<Condition, String> {
        let mut parts = vec![self.all(depth)?];
        while self.takes_word("or") {
            parts.push(self.all(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Any(parts) })
    }

    fn all(&mut self, depth: usize) -> Result<Condition, String> {
        let mut parts = vec![self.not(depth)?];
        while self.takes_word("and") {
            parts.push(self.not(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) })
    }

    fn not(&mut self, depth: usize) -> Result<Condition, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nests deeper than {MAX_DEPTH}"));
        }
        if self.takes_word("not") {
            return Ok(Condition::Not(Box::new(self.not(depth + 1)?)));
        }
        self.comparison(depth)
    }

    fn comparison(&mut self, depth: usize) -> Result<Condition, String> {
        let left = self.operand(depth)?;
        let (negated, is_list) = if self.takes(&Token::Sign("==")) {
            (false, false)
        } else if self.takes(&Token::Sign("!=")) {
            (true, false)
        } else if self.takes_word("in") {
            (false, true)
        } else if self.takes_word("not") {
            if !self.takes_word("in") {
                return Err("has a \"not\" that belongs to nothing".into());
            }
            (true, true)
        } else {
            return match left {
                Operand::Field(field) => Ok(Condition::Set(field)),
                Operand::Literal(literal) => Ok(Condition::Constant(literal.is_true())),
                Operand::Condition(condition) => Ok(condition),
                Operand::Literals(_) => Err("has a list that is compared with nothing".into()),
            };
        };
        let right = self.operand(depth)?;
        let condition = match (left, right, is_list) {
            (Operand::Field(field), Operand::Literal(literal), false) | (Operand::Literal(literal), Operand::Field(field), false) => {
                Condition::OneOf(field, vec![literal])
            }
            (Operand::Field(field), Operand::Literals(literals), true) => Condition::OneOf(field, literals),
            _ => return Err("compares something else than a field with a literal".into()),
        };
        Ok(if negated { Condition::Not(Box::new(condition)) } else { condition })
    }

    fn operand(&mut self, depth: usize) -> Result<Operand, String> {
        match self.next() {
            Some(Token::Literal(literal)) => Ok(Operand::Literal(literal)),
            Some(Token::Word(word)) => {
                let field = word.strip_prefix("doc.").unwrap_or(&word);
                if (self.is_field)(field) { Ok(Operand::Field(field.to_owned())) } else { Err(format!("names {word}, which is no field")) }
            }
            Some(Token::Sign("[")) => self.literals(&Token::Sign("]")),
            // Python takes `("Open")` for a text and `("Open",)` for a list; whoever writes `in ("Open")` means the list.
            Some(Token::Sign("(")) if matches!(self.tokens.get(self.at), Some(Token::Literal(_))) && self.ends_a_member(self.at + 1) => {
                self.literals(&Token::Sign(")"))
            }
            Some(Token::Sign("(")) => {
                let condition = self.any(depth + 1)?;
                if self.takes(&Token::Sign(")")) { Ok(Operand::Condition(condition)) } else { Err("has a ( without its )".into()) }
            }
            Some(token) => Err(format!("cannot be evaluated at {}", token.shown())),
            None => Err("ends where a field or a value is expected".into()),
        }
    }

    fn ends_a_member(&self, at: usize) -> bool {
        matches!(self.tokens.get(at), Some(Token::Sign("," | ")")))
    }

    /// The members of a list up to its end; a comma after the last one is Python's custom.
    fn literals(&mut self, end: &Token) -> Result<Operand, String> {
        let mut found = Vec::new();
        while !self.takes(end) {
            match self.next() {
                Some(Token::Literal(literal)) => found.push(literal),
                Some(token) => return Err(format!("has {} in a list of values", token.shown())),
                None => return Err("has a list that does not end".into()),
            }
            if !self.takes(&Token::Sign(",")) && self.tokens.get(self.at) != Some(end) {
                return Err("has a list whose values are not set apart by commas".into());
            }
        }
        Ok(Operand::Literals(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Condition, String> {
        Condition::parse(text, &|field| matches!(field, "status" | "priority" | "customer" | "via_portal" | "order"))
    }

    fn holds(text: &str) -> bool {
        let mut document = Values::default();
        for (field, text) in [("status", "Open"), ("priority", "High"), ("customer", "")] {
            document.set(field, FieldValue::Text(text.into()));
        }
        document.set("via_portal", FieldValue::Int(1));
        document.set("order", FieldValue::Int(0));
        parse(text).unwrap_or_else(|said| panic!("{text}: {said}")).holds(&document)
    }

    #[test]
    fn comparisons_hold_as_their_author_reads_them() {
        for text in [
            "True",
            "1",
            "status",
            "status == 'Open'",
            "\"Open\" == doc.status",
            "doc.status != \"Closed\"",
            "status in ('Open', 'Replied')",
            "status in (\"Open\")",
            "status in [\"Open\",]",
            "status not in [\"Closed\"]",
            "not customer",
            "customer == None",
            "customer == \"\"",
            "via_portal == True and via_portal == 1",
            "not order",
            "status == 'Closed' or priority == 'High' and via_portal",
            "(status == 'Closed' or priority == 'High') and (not customer)",
            "not (status == 'Closed')",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in [
            "False",
            "customer",
            "order",
            "status == 'open'",
            "not status",
            "status in []",
            "status == 'Closed' or priority == 'Low'",
            "(status == 'Open' or priority == 'Low') and customer",
        ] {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_evaluated_is_refused_in_its_own_words() {
        for (text, says) in [
            ("", "ends where"),
            ("status ==", "ends where"),
            ("owner == 'x'", "names owner"),
            ("frappe.session.user == 'x'", "names frappe.session.user"),
            ("status.lower() == 'open'", "names status.lower"),
            ("len(status) == 1", "names len"),
            ("order > 1", "'>'"),
            ("status == priority", "something else than a field"),
            ("status == 'Open' status", "from \"status\" on"),
            ("(status == 'Open'", "without its )"),
            ("status == 'Open", "does not end"),
            ("status in ['Open' 'Closed']", "commas"),
            ("status in ['Open', priority]", "\"priority\" in a list"),
            ("status == 'a\\'b'", "backslash"),
            ("__import__('os')", "names __import__"),
        ] {
            let said = parse(text).expect_err(text);
            assert!(said.contains(says), "{text}: {said}");
        }
        assert!(parse(&format!("{}status", "not ".repeat(200))).expect_err("deep").contains("nests"));
        assert!(parse(&format!("{}status{}", "(".repeat(200), ")".repeat(200))).expect_err("deep").contains("nests"));
    }
}
