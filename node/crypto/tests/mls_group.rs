//! Groups through the public interface.

mod mls_support;

use mls_support::{Circle, Person, plaintext};
use qpq_crypto::mls::{Changes, Opened, Suite};

#[test]
fn a_conversation_of_three() {
    for suite in Suite::ALL {
        let mut circle = Circle::new(3, suite);
        let epoch = circle.groups[0].epoch_id();
        assert!(circle.groups.iter().all(|group| group.epoch_id() == epoch));
        for sender in 0..3 {
            let message = circle.seal(sender, b"hello");
            for receiver in (0..3).filter(|receiver| *receiver != sender) {
                assert_eq!(plaintext(circle.open(receiver, &message)), b"hello");
                assert!(matches!(circle.open(receiver, &message), Ok(Opened::Duplicate)));
            }
            assert!(matches!(circle.open(sender, &message), Ok(Opened::OwnEcho)));
        }
        circle.commit(1, Changes::default());
        circle.commit(2, Changes { remove: &[0], ..Changes::default() });
        assert!(!circle.groups[0].is_active());
        assert_eq!(circle.groups[1].members(), circle.groups[2].members());
        assert_eq!(circle.groups[1].epoch_id(), circle.groups[2].epoch_id());
        for index in 1..3 {
            let id = circle.groups[index].id();
            let loaded = circle.people[index].load(id);
            assert_eq!(loaded.epoch_id(), circle.groups[index].epoch_id());
            circle.groups[index] = loaded;
        }
        let message = circle.seal(1, b"after loading");
        assert_eq!(plaintext(circle.open(2, &message)), b"after loading");
        let mut late = Person::new(9);
        let package = late.key_package(suite);
        let committed = circle.commit(2, Changes { add: &[package], ..Changes::default() });
        let group = late.join(&committed.welcome.unwrap());
        assert_eq!(group.members(), circle.groups[1].members());
    }
}
