//! Emits the client.

use super::{documentation, line, snake_case};
use crate::descriptor::{MethodRow, Table};

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
