//! Who may call what: the access column of the method table.

use std::fmt;

/// What a caller has shown itself to be. A connection has exactly one class at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CallerClass {
    /// P: has shown nothing.
    Public = 0,
    /// S: logged in; identity and device are the connection's.
    Session = 1,
    /// N: a peer authenticated by its node key.
    Node = 2,
    /// T: unauthenticated, with a single-use token in the request.
    Token = 3,
    /// A: a session whose account administers the relay.
    Administrator = 4,
    /// F: a relay that is configured as the one of its domain.
    Federation = 5,
    /// O: the owner of the node, on the local socket.
    Owner = 6,
}

impl CallerClass {
    /// Every class, in the order of the table's letters.
    pub const ALL: [Self; 7] = [
        Self::Public,
        Self::Session,
        Self::Node,
        Self::Token,
        Self::Administrator,
        Self::Federation,
        Self::Owner,
    ];

    /// The letter that the method table uses.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Public => 'P',
            Self::Session => 'S',
            Self::Node => 'N',
            Self::Token => 'T',
            Self::Administrator => 'A',
            Self::Federation => 'F',
            Self::Owner => 'O',
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The classes that may call a method.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Access(u8);

impl Access {
    /// The set of the given classes.
    #[must_use]
    pub const fn of(classes: &[CallerClass]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < classes.len() {
            bits |= classes[index].bit();
            index += 1;
        }
        Self(bits)
    }

    /// Whether the table lists this very class.
    #[must_use]
    pub const fn lists(self, class: CallerClass) -> bool {
        self.0 & class.bit() != 0
    }

    /// Whether a caller of this class may call the method.
    ///
    /// What everybody may call, every class may call; an administrator may call what a session may. Otherwise the
    /// class must be listed: the owner's methods are the owner's alone. A driver gives an unauthenticated connection
    /// the class that [`unauthenticated`](Self::unauthenticated) names.
    #[must_use]
    pub const fn permits(self, class: CallerClass) -> bool {
        self.lists(CallerClass::Public)
            || self.lists(class)
            || (matches!(class, CallerClass::Administrator) && self.lists(CallerClass::Session))
    }

    /// The class in which an unauthenticated connection calls the method: [`CallerClass::Token`] where a token in the
    /// request can take the place of authentication, and the handler consumes it, else [`CallerClass::Public`].
    #[must_use]
    pub const fn unauthenticated(self) -> CallerClass {
        if self.lists(CallerClass::Token) && !self.lists(CallerClass::Public) {
            CallerClass::Token
        } else {
            CallerClass::Public
        }
    }

    /// The letters of the classes as the method table writes them, such as "S/N/T".
    #[must_use]
    pub fn letters(self) -> String {
        let mut letters = String::new();
        for class in CallerClass::ALL.into_iter().filter(|class| self.lists(*class)) {
            if !letters.is_empty() {
                letters.push('/');
            }
            letters.push(class.letter());
        }
        letters
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Access({})", self.letters())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_decides_who_may_call() {
        use CallerClass::{Administrator, Federation, Node, Owner, Public, Session, Token};
        let rows: [(&[CallerClass], &[CallerClass]); 7] = [
            (&[Public], &CallerClass::ALL),
            (&[Session], &[Session, Administrator]),
            (&[Session, Node, Token], &[Session, Node, Token, Administrator]),
            (&[Administrator], &[Administrator]),
            (&[Federation], &[Federation]),
            (&[Owner], &[Owner]),
            (&[], &[]),
        ];
        for (listed, permitted) in rows {
            let access = Access::of(listed);
            let actual: Vec<_> =
                CallerClass::ALL.into_iter().filter(|class| access.permits(*class)).collect();
            assert_eq!(actual, permitted, "{access:?}");
        }
    }

    #[test]
    fn an_unauthenticated_connection_may_bring_a_token_only_where_the_table_says_so() {
        assert_eq!(
            Access::of(&[CallerClass::Node, CallerClass::Token]).unauthenticated(),
            CallerClass::Token
        );
        assert_eq!(Access::of(&[CallerClass::Public]).unauthenticated(), CallerClass::Public);
        let owner = Access::of(&[CallerClass::Owner]);
        assert!(!owner.permits(owner.unauthenticated()));
    }

    #[test]
    fn letters_are_those_of_the_table() {
        use CallerClass::{Node, Session, Token};
        assert_eq!(Access::of(&[Token, Node, Session]).letters(), "S/N/T");
        assert_eq!(Access::of(&CallerClass::ALL).letters(), "P/S/N/T/A/F/O");
        assert_eq!(Access::of(&[]).letters(), "");
        assert_eq!(format!("{:?}", Access::of(&[Session])), "Access(S)");
    }
}
