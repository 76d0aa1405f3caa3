//! Emits the handler traits and their dispatch.

use super::{documentation, line, snake_case};
use crate::descriptor::{MethodRow, ServiceRow, Table};

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
                "Method::{} => answer(method, payload, |request| handler.{function}(context, request)),",
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
