//! Reads the method table out of the descriptors, with the comments.

use std::collections::BTreeMap;

use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, ExtensionDescriptor, FieldDescriptor, FileDescriptor,
    Kind, MessageDescriptor, MethodDescriptor, ReflectMessage, ServiceDescriptor, Value,
};

use crate::Error;

/// Longest payload of a frame.
pub(crate) const FRAME_BYTES_MAX: u32 = 4_194_304;

/// Longest request of a method that does not say otherwise.
const REQUEST_BYTES_DEFAULT: u32 = 65_536;

/// The whole surface.
pub(crate) struct Table {
    /// In the order of their first ids.
    pub(crate) services: Vec<ServiceRow>,
    /// Messages of the package, by name.
    pub(crate) messages: BTreeMap<String, MessageRow>,
    /// Enums of the package, by name.
    pub(crate) enums: BTreeMap<String, EnumRow>,
}

pub(crate) struct ServiceRow {
    pub(crate) name: String,
    pub(crate) comment: String,
    /// In the order of their ids.
    pub(crate) methods: Vec<MethodRow>,
}

pub(crate) struct MethodRow {
    /// As written in the option, so that the checks see what does not fit.
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) comment: String,
    /// Names of the caller classes as in Rust, such as `Public`.
    pub(crate) access: Vec<String>,
    pub(crate) request: String,
    pub(crate) response: String,
    pub(crate) streaming: bool,
    /// Longest request and longest response, bytes.
    pub(crate) request_bytes_max: u32,
    pub(crate) response_bytes_max: u32,
}

pub(crate) struct MessageRow {
    pub(crate) comment: String,
    pub(crate) fields: Vec<FieldRow>,
}

pub(crate) struct FieldRow {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) repeated: bool,
    /// As written in the `.proto`, such as `repeated bytes`.
    pub(crate) kind: String,
    /// Name of the message or enum, if it is one.
    pub(crate) refers_to: Option<String>,
    /// Name of the `oneof`, if it is in one.
    pub(crate) one_of: Option<String>,
    pub(crate) comment: String,
}

pub(crate) struct EnumRow {
    pub(crate) comment: String,
    /// Name, number and comment.
    pub(crate) values: Vec<(String, i32, String)>,
}

/// Reads an encoded `FileDescriptorSet`.
pub(crate) fn read(descriptor_set: &[u8]) -> Result<Table, Error> {
    let pool = DescriptorPool::decode(descriptor_set)?;
    let rule = pool.get_extension_by_name("qpq.v1.method").ok_or("the option `method` is not declared")?;
    let mut services =
        pool.services().map(|service| read_service(&service, &rule)).collect::<Result<Vec<_>, _>>()?;
    services.sort_by_key(|service| service.methods.first().map(|method| method.id));
    let ours =
        |file: &FileDescriptor| file.package_name() == "qpq.v1" && file.name() != "qpq/v1/options.proto";
    let messages = pool
        .all_messages()
        .filter(|message| ours(&message.parent_file()))
        .map(|message| (message.name().to_owned(), read_message(&message)))
        .collect();
    let enums = pool
        .all_enums()
        .filter(|row| ours(&row.parent_file()))
        .map(|row| (row.name().to_owned(), read_enum(&row)))
        .collect();
    Ok(Table { services, messages, enums })
}

fn read_service(service: &ServiceDescriptor, rule: &ExtensionDescriptor) -> Result<ServiceRow, Error> {
    let file = service.parent_file();
    let mut methods =
        service.methods().map(|method| read_method(&method, rule, &file)).collect::<Result<Vec<_>, _>>()?;
    methods.sort_by_key(|method| method.id);
    Ok(ServiceRow { name: service.name().to_owned(), comment: comment(&file, service.path()), methods })
}

fn read_method(
    method: &MethodDescriptor,
    rule: &ExtensionDescriptor,
    file: &FileDescriptor,
) -> Result<MethodRow, Error> {
    let options = method.options();
    if !options.has_extension(rule) {
        return Err(format!("{} has no option `method`", method.name()).into());
    }
    let value = options.get_extension(rule);
    let row = value.as_message().ok_or("the option `method` is no message")?;
    let number = |name| row.get_field_by_name(name).and_then(|value| value.as_u32()).unwrap_or_default();
    let or_default = |value, default| if value == 0 { default } else { value };
    Ok(MethodRow {
        id: number("id"),
        name: method.name().to_owned(),
        comment: comment(file, method.path()),
        access: read_access(row)?,
        request: method.input().name().to_owned(),
        response: method.output().name().to_owned(),
        streaming: method.is_client_streaming() || method.is_server_streaming(),
        request_bytes_max: or_default(number("request_bytes_max"), REQUEST_BYTES_DEFAULT),
        response_bytes_max: or_default(number("response_bytes_max"), FRAME_BYTES_MAX),
    })
}

/// The classes' names in Rust: `ACCESS_PUBLIC` is `Public`.
fn read_access(rule: &DynamicMessage) -> Result<Vec<String>, Error> {
    let field = rule.descriptor().get_field_by_name("access").ok_or("MethodRule has no field `access`")?;
    let Kind::Enum(classes) = field.kind() else { return Err("`access` is no enum".into()) };
    let value = rule.get_field(&field);
    let mut names = Vec::new();
    for number in value.as_list().unwrap_or_default().iter().filter_map(Value::as_enum_number) {
        let class = classes.get_value(number).ok_or("a class that `Access` does not have")?;
        let name = class.name().strip_prefix("ACCESS_").ok_or("a class without the prefix ACCESS_")?;
        names.push(name[..1].to_owned() + &name[1..].to_ascii_lowercase());
    }
    Ok(names)
}

fn read_message(message: &MessageDescriptor) -> MessageRow {
    let file = message.parent_file();
    let mut fields: Vec<_> = message.fields().map(|field| read_field(&field, &file)).collect();
    fields.sort_by_key(|field| field.number);
    MessageRow { comment: comment(&file, message.path()), fields }
}

fn read_field(field: &FieldDescriptor, file: &FileDescriptor) -> FieldRow {
    let refers_to = match field.kind() {
        Kind::Message(message) => Some(message.name().to_owned()),
        Kind::Enum(row) => Some(row.name().to_owned()),
        _ => None,
    };
    let scalar = format!("{:?}", field.kind());
    let kind = refers_to.clone().unwrap_or(scalar);
    FieldRow {
        name: field.name().to_owned(),
        number: field.number(),
        repeated: field.is_list(),
        kind: if field.is_list() { format!("repeated {kind}") } else { kind },
        refers_to,
        one_of: field.containing_oneof().map(|one_of| one_of.name().to_owned()),
        comment: comment(file, field.path()),
    }
}

fn read_enum(row: &EnumDescriptor) -> EnumRow {
    let file = row.parent_file();
    let values = row
        .values()
        .map(|value| (value.name().to_owned(), value.number(), comment(&file, value.path())))
        .collect();
    EnumRow { comment: comment(&file, row.path()), values }
}

/// The comment before a declaration, without the slashes; lines stay lines.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let locations = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
    let text = locations
        .filter(|location| location.path == path)
        .find_map(|location| location.leading_comments.clone())
        .unwrap_or_default();
    text.lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned()
}
