//! Emits the method table, the handler traits with their dispatch, and the client.

use std::fmt::Write;

mod client;
mod methods;
mod services;

pub(crate) use client::client;
pub(crate) use methods::methods;
pub(crate) use services::services;

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
