//! Emits the method table.

use super::{documentation, line, snake_case};
use crate::descriptor::{MethodRow, Table};

/// `methods.rs`: the enums `Method` and `Service`.
pub(crate) fn methods(table: &Table) -> String {
    let methods: Vec<_> = table.services.iter().flat_map(|service| &service.methods).collect();
    let mut code = String::from("//! The method table.\n\nuse crate::access::{Access, CallerClass};\n\n");
    code += &method_enum(&methods);
    code += "impl Method {\n";
    code += &all("method, in the order of their ids", methods.iter().map(|method| method.name.as_str()));
    code += &from_id(&methods);
    code += METHOD_FUNCTIONS;
    code += &column(&methods, "name", "The name in the `.proto` file.", "&'static str", |method| {
        format!("\"{}\"", method.name)
    });
    code += &column(&methods, "label", "The label in metrics and commands.", "&'static str", |method| {
        format!("\"{}\"", snake_case(&method.name))
    });
    code += &service_column(table);
    code += &column(&methods, "access", "Who may call it.", "Access", |method| {
        let classes: Vec<_> = method.access.iter().map(|class| format!("CallerClass::{class}")).collect();
        format!("Access::of(&[{}])", classes.join(", "))
    });
    code += &column(&methods, "request_type", "Name of the request message.", "&'static str", |method| {
        format!("\"{}\"", method.request)
    });
    code += &column(&methods, "response_type", "Name of the response message.", "&'static str", |method| {
        format!("\"{}\"", method.response)
    });
    code += &column(
        &methods,
        "request_bytes_max",
        "Longest request, bytes; a longer announced one is refused before it is read.",
        "usize",
        |method| grouped(method.request_bytes_max),
    );
    code += &column(
        &methods,
        "response_bytes_max",
        "Longest response, bytes; a longer announced one is refused before it is read.",
        "usize",
        |method| grouped(method.response_bytes_max),
    );
    code += "}\n\n";
    code += &service_enum(table);
    code
}

const METHOD_FUNCTIONS: &str = "
    /// The method of a name as in the `.proto` file; `None` if there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.name() == name)
    }

    /// The id on the wire.
    #[must_use]
    pub const fn id(self) -> u16 {
        self as u16
    }
";

fn method_enum(methods: &[&MethodRow]) -> String {
    let mut code = String::from(
        "/// Every method; the number is its id on the wire.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\n#[repr(u16)]\npub enum Method {\n",
    );
    for method in methods {
        code += &documentation(&method.comment);
        line(&mut code, &format!("{} = {},", method.name, method.id));
    }
    code + "}\n\n"
}

fn from_id(methods: &[&MethodRow]) -> String {
    let mut code = String::from(
        "/// The method of an id; `None` if there is none.\n#[must_use]\n\
         pub const fn from_id(id: u16) -> Option<Self> {\nSome(match id {\n",
    );
    for method in methods {
        line(&mut code, &format!("{} => Self::{},", method.id, method.name));
    }
    code + "_ => return None,\n})\n}\n"
}

fn service_column(table: &Table) -> String {
    let mut code = String::from(
        "\n/// The service that declares it.\n#[must_use]\npub const fn service(self) -> Service {\nmatch self {\n",
    );
    for service in &table.services {
        let patterns: Vec<_> =
            service.methods.iter().map(|method| format!("Self::{}", method.name)).collect();
        line(&mut code, &format!("{} => Service::{},", patterns.join(" | "), service.name));
    }
    code + "}\n}\n"
}

fn service_enum(table: &Table) -> String {
    let mut code = String::from(
        "/// Every service: methods that a node offers or refuses together.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\npub enum Service {\n",
    );
    for service in &table.services {
        code += &documentation(&service.comment);
        line(&mut code, &format!("{},", service.name));
    }
    code += "}\n\nimpl Service {\n";
    code += &all(
        "service, in the order of their ids",
        table.services.iter().map(|service| service.name.as_str()),
    );
    code += "\n/// The name in the `.proto` file.\n#[must_use]\npub const fn name(self) -> &'static str {\nmatch self {\n";
    for service in &table.services {
        line(&mut code, &format!("Self::{0} => \"{0}\",", service.name));
    }
    code + "}\n}\n}\n"
}

fn all<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.map(|name| format!("Self::{name}")).collect();
    format!("/// Every {what}.\npub const ALL: &[Self] = &[{}];\n\n", names.join(", "))
}

fn column(
    methods: &[&MethodRow],
    name: &str,
    comment: &str,
    kind: &str,
    value: impl Fn(&MethodRow) -> String,
) -> String {
    let mut code =
        format!("\n/// {comment}\n#[must_use]\npub const fn {name}(self) -> {kind} {{\nmatch self {{\n");
    // Methods of equal value share an arm, as a person would write it.
    let mut arms: Vec<(String, Vec<String>)> = Vec::new();
    for method in methods {
        let value = value(method);
        let pattern = format!("Self::{}", method.name);
        match arms.iter_mut().find(|(present, _)| *present == value) {
            Some((_, patterns)) => patterns.push(pattern),
            None => arms.push((value, vec![pattern])),
        }
    }
    for (value, patterns) in arms {
        line(&mut code, &format!("{} => {value},", patterns.join(" | ")));
    }
    code + "}\n}\n"
}

/// The number as people write it in Rust, such as `65_536`.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join("_")
}
