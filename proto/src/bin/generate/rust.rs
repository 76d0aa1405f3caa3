//! Emits the method table, the handler traits with their dispatch, and the client.

use std::fmt::Write;

use crate::descriptor::{MethodRow, ServiceRow, Table};

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

/// `services.rs`: a trait for each service, and dispatch.
pub(crate) fn services(table: &Table) -> String {
    let mut code = String::from(SERVICES_HEADER);
    for service in &table.services {
        code += &handler_trait(service);
        code += &service_dispatch(service);
    }
    code += &whole_dispatch(table);
    code
}

const SERVICES_HEADER: &str = "//! What a node implements: a trait for each service, and dispatch by method.
//!
//! `C` is what the node hands to every handler, such as the caller and the transaction. A method that is not implemented
//! is answered with `Forbidden`: the node does not offer it in its present role.

use bytes::Bytes;

use super::methods::{Method, Service};
use crate::answer::answer;
use crate::failure::Failure;
use crate::v1;

";

fn handler_trait(service: &ServiceRow) -> String {
    let mut code = documentation(&service.comment);
    line(&mut code, &format!("pub trait {}<C> {{", service.name));
    for (index, method) in service.methods.iter().enumerate() {
        if index > 0 {
            code.push('\n');
        }
        code += &documentation(&method.comment);
        code +=
            "///\n/// # Errors\n/// `Forbidden` unless implemented; otherwise as the implementation says.\n";
        let MethodRow { name, request, response, .. } = method;
        let function = snake_case(name);
        line(
            &mut code,
            &format!(
                "fn {function}(&mut self, context: &mut C, request: v1::{request}) -> Result<v1::{response}, Failure> {{\n\
                 let _ = (context, request);\nErr(Failure::not_offered(Method::{name}))\n}}"
            ),
        );
    }
    code + "}\n\n"
}

fn service_dispatch(service: &ServiceRow) -> String {
    let name = &service.name;
    let mut code = format!(
        "/// Answers a call of a method of [`{name}`].\n///\n/// # Errors\n\
         /// `BadRequest` if the payload does not decode, `Internal` if the response does not fit a frame, `Forbidden` if\n\
         /// the method is another service's; otherwise what the handler answers.\n\
         pub fn dispatch_{}<C, H: {name}<C> + ?Sized>(handler: &mut H, context: &mut C, method: Method, payload: Bytes) \
         -> Result<Bytes, Failure> {{\nmatch method {{\n",
        snake_case(name)
    );
    for method in &service.methods {
        let function = snake_case(&method.name);
        line(
            &mut code,
            &format!(
                "Method::{} => answer(payload, |request| handler.{function}(context, request)),",
                method.name
            ),
        );
    }
    // A service without other methods beside it would make this arm unreachable; there is always another service.
    code + "other => Err(Failure::not_offered(other)),\n}\n}\n\n"
}

fn whole_dispatch(table: &Table) -> String {
    let bounds: Vec<_> = table.services.iter().map(|service| format!("{}<C>", service.name)).collect();
    let bounds = bounds.join(" + ");
    let mut code = format!(
        "/// Every service at once; implemented by whatever implements each.\npub trait Services<C>: {bounds} {{}}\n\n\
         impl<C, H: {bounds} + ?Sized> Services<C> for H {{}}\n\n\
         /// Answers a call of any method.\n///\n/// # Errors\n\
         /// `BadRequest` if the payload does not decode, `Internal` if the response does not fit a frame; otherwise what\n\
         /// the handler answers.\n\
         pub fn dispatch<C, H: Services<C> + ?Sized>(handler: &mut H, context: &mut C, method: Method, payload: Bytes) \
         -> Result<Bytes, Failure> {{\nmatch method.service() {{\n"
    );
    for service in &table.services {
        let function = snake_case(&service.name);
        line(
            &mut code,
            &format!("Service::{} => dispatch_{function}(handler, context, method, payload),", service.name),
        );
    }
    code + "}\n}\n"
}

/// `client.rs`: one asynchronous method for each method of the table.
pub(crate) fn client(table: &Table) -> String {
    let mut code = String::from(
        "//! One asynchronous method for each method of the table.\n\n\
         use super::methods::Method;\nuse crate::client::{CallError, Client, Transport};\nuse crate::v1;\n\n",
    );
    for service in &table.services {
        line(&mut code, &format!("/// {}.\nimpl<T: Transport> Client<T> {{", service.name));
        for (index, method) in service.methods.iter().enumerate() {
            if index > 0 {
                code.push('\n');
            }
            code += &client_method(method);
        }
        code += "}\n\n";
    }
    code
}

fn client_method(method: &MethodRow) -> String {
    let MethodRow { name, request, response, .. } = method;
    let mut code = documentation(&method.comment);
    code += "///\n/// # Errors\n/// As the node answers, or as the transport fails.\n";
    line(
        &mut code,
        &format!(
            "pub async fn {}(&self, request: &v1::{request}) -> Result<v1::{response}, CallError> {{\n\
             self.call(Method::{name}, request).await\n}}",
            snake_case(name)
        ),
    );
    code
}

fn line(code: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(code, "{text}");
}

fn documentation(comment: &str) -> String {
    comment.lines().map(|line| format!("/// {line}").trim_end().to_owned() + "\n").collect()
}

/// `CreateGroupLink` is `create_group_link`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (index, character) in name.chars().enumerate() {
        if character.is_ascii_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_snake_case() {
        assert_eq!(snake_case("OpaqueRegisterStart"), "opaque_register_start");
        assert_eq!(snake_case("Ack"), "ack");
    }

    #[test]
    fn comments_become_documentation() {
        assert_eq!(documentation("One.\n\nTwo."), "/// One.\n///\n/// Two.\n");
    }
}
