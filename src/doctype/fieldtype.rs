//! Frappe's field types: every one is known by name, and each says how it is stored.

/// A field type of Frappe, by its wire name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    Data,
    Link,
    DynamicLink,
    Select,
    ReadOnly,
    Autocomplete,
    Phone,
    Attach,
    AttachImage,
    Barcode,
    Color,
    Icon,
    Password,
    SmallText,
    Text,
    LongText,
    TextEditor,
    MarkdownEditor,
    HtmlEditor,
    Code,
    Json,
    Geolocation,
    Signature,
    Int,
    LongInt,
    Float,
    Currency,
    Percent,
    Check,
    Rating,
    Duration,
    Date,
    Datetime,
    Time,
    Table,
    TableMultiSelect,
    SectionBreak,
    ColumnBreak,
    TabBreak,
    Html,
    Button,
    Image,
    Fold,
    Heading,
}

/// How a value is stored and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text of at most `limit` characters; `None` means no limit but the request's.
    Text { limit: Option<usize> },
    /// A whole number; empty is 0.
    Int,
    /// A binary floating point number; empty is 0.
    Float,
    /// 0 or 1.
    Check,
    /// A calendar day.
    Date,
    /// A UTC instant, shown in the site's time zone.
    Datetime,
    /// A time of day in microseconds since midnight.
    Time,
}

/// What becomes of a field of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// A column.
    Column(Kind),
    /// Rows of a child doctype.
    Rows,
    /// Only shows something in a form; has no value.
    Layout,
    /// A secret that is never read back.
    Secret,
}

/// Frappe's `varchar(140)`.
pub const DATA_LENGTH: usize = 140;

impl FieldType {
    const NAMES: [(FieldType, &'static str); 44] = [
        (Self::Data, "Data"),
        (Self::Link, "Link"),
        (Self::DynamicLink, "Dynamic Link"),
        (Self::Select, "Select"),
        (Self::ReadOnly, "Read Only"),
        (Self::Autocomplete, "Autocomplete"),
        (Self::Phone, "Phone"),
        (Self::Attach, "Attach"),
        (Self::AttachImage, "Attach Image"),
        (Self::Barcode, "Barcode"),
        (Self::Color, "Color"),
        (Self::Icon, "Icon"),
        (Self::Password, "Password"),
        (Self::SmallText, "Small Text"),
        (Self::Text, "Text"),
        (Self::LongText, "Long Text"),
        (Self::TextEditor, "Text Editor"),
        (Self::MarkdownEditor, "Markdown Editor"),
        (Self::HtmlEditor, "HTML Editor"),
        (Self::Code, "Code"),
        (Self::Json, "JSON"),
        (Self::Geolocation, "Geolocation"),
        (Self::Signature, "Signature"),
        (Self::Int, "Int"),
        (Self::LongInt, "Long Int"),
        (Self::Float, "Float"),
        (Self::Currency, "Currency"),
        (Self::Percent, "Percent"),
        (Self::Check, "Check"),
        (Self::Rating, "Rating"),
        (Self::Duration, "Duration"),
        (Self::Date, "Date"),
        (Self::Datetime, "Datetime"),
        (Self::Time, "Time"),
        (Self::Table, "Table"),
        (Self::TableMultiSelect, "Table MultiSelect"),
        (Self::SectionBreak, "Section Break"),
        (Self::ColumnBreak, "Column Break"),
        (Self::TabBreak, "Tab Break"),
        (Self::Html, "HTML"),
        (Self::Button, "Button"),
        (Self::Image, "Image"),
        (Self::Fold, "Fold"),
        (Self::Heading, "Heading"),
    ];

    /// Reads the wire name.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, name)| *name == text).map(|(fieldtype, _)| *fieldtype)
    }

    /// The wire name.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(fieldtype, _)| *fieldtype == self).map_or("", |(_, name)| name)
    }

    /// How values of this type are kept.
    pub fn storage(self) -> Storage {
        let short = Storage::Column(Kind::Text { limit: Some(DATA_LENGTH) });
        let long = Storage::Column(Kind::Text { limit: None });
        match self {
            Self::Data
            | Self::Link
            | Self::DynamicLink
            | Self::Select
            | Self::ReadOnly
            | Self::Autocomplete
            | Self::Phone
            | Self::Color
            | Self::Icon => short,
            Self::SmallText
            | Self::Text
            | Self::LongText
            | Self::TextEditor
            | Self::MarkdownEditor
            | Self::HtmlEditor
            | Self::Code
            | Self::Attach
            | Self::AttachImage
            | Self::Barcode
            | Self::Signature
            | Self::Json
            | Self::Geolocation => long,
            Self::Int | Self::LongInt => Storage::Column(Kind::Int),
            Self::Float | Self::Currency | Self::Percent | Self::Rating | Self::Duration => Storage::Column(Kind::Float),
            Self::Check => Storage::Column(Kind::Check),
            Self::Date => Storage::Column(Kind::Date),
            Self::Datetime => Storage::Column(Kind::Datetime),
            Self::Time => Storage::Column(Kind::Time),
            Self::Table | Self::TableMultiSelect => Storage::Rows,
            Self::Password => Storage::Secret,
            Self::SectionBreak
            | Self::ColumnBreak
            | Self::TabBreak
            | Self::Html
            | Self::Button
            | Self::Image
            | Self::Fold
            | Self::Heading => Storage::Layout,
        }
    }

    /// Whether a column of this type can be empty. Frappe's counting types are 0 instead.
    pub fn may_be_missing(self) -> bool {
        !matches!(self, Self::Int | Self::LongInt | Self::Check | Self::Float | Self::Currency | Self::Percent)
    }

    /// Whether its values name documents.
    pub fn is_link(self) -> bool {
        matches!(self, Self::Link | Self::DynamicLink)
    }

    /// Whether its values are texts that hold JSON.
    pub fn holds_json(self) -> bool {
        matches!(self, Self::Json | Self::Geolocation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_as_its_own_type() {
        for (fieldtype, name) in FieldType::NAMES {
            assert_eq!(FieldType::from_text(name), Some(fieldtype));
            assert_eq!(fieldtype.as_str(), name);
        }
        assert_eq!(FieldType::from_text("Banana"), None);
    }
}
