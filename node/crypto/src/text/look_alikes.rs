//! Names that differ and yet look the same: `alice` with a Cyrillic `а`, `biII` with two capital letters `I`.
//!
//! The idea is the skeleton of Unicode Technical Standard 39: names look alike if the same name is left of them when
//! each character is replaced by a prototype. We deviate from it: its table of every script costs some 350 kB in the
//! program, most of it written to when the program is loaded, which a router feels. Ours has the letters and digits
//! that pass for letters of the Latin alphabet, and no others. So two Cyrillic names never look alike here, nor do
//! names with accents in different places.

use unicode_normalization::UnicodeNormalization;

use super::{fold_case, fold_name};

/// Latin letters, each with what passes for it in one case or the other, as it is written.
const LOOK_ALIKES: [(char, &str); 27] = [
    ('a', "ΑАᎪꓮɑαа"),
    ('b', "ΒВᏴꓐЬьƄƅв"),
    ('c', "СᏟⲤꓚсⲥ"),
    ('d', "ᎠꓓԁᏧ"),
    ('e', "ΕЕᎬꓰеҽ"),
    ('f', "Ϝꓝ"),
    ('g', "ᏀꓖԌɡց"),
    ('h', "ΗНᎻⲎꓧһհн"),
    ('i', "ıɩιіꙇ"),
    ('j', "ЈᎫꓙјϳ"),
    ('k', "ΚКᏦⲔꓗκкⲕ"),
    ('l', "I1ΙІӀӏƖᏞⲒⳐꓡꓲן١۱"),
    ('m', "ΜМᎷⲘϺꓟм"),
    ('n', "ΝⲚꓠηոп"),
    ('o', "0ΟОՕⲞꓳοоօσ٥۵०০੦૦௦౦೦൦๐໐၀߀"),
    ('p', "ΡРᏢⲢꓑρрⲣ"),
    ('q', "Ԛԛգզ"),
    ('r', "ᎡᏒꓣгⲅ"),
    ('s', "ЅᏕᏚՏꓢѕ"),
    ('t', "ΤТᎢⲦꓔτт"),
    ('u', "ՍꓴႮυսʋ"),
    ('v', "ѴᏙꓦνѵ"),
    ('w', "ԜᎳᏔꓪԝաɯѡ"),
    ('x', "ΧХⲬꓫхχ"),
    ('y', "ΥҮУᎩᎽⲨꓬуүγყ"),
    ('z', "ΖᏃⲌꓜ"),
    ('3', "ЗзƷӠʒӡ"),
];

/// Letters that pass for one when they stand beside each other.
const PAIRS: [(&str, &str); 2] = [("rn", "m"), ("vv", "w")];

/// What a name looks like as it is written, and in lower case. Two names look alike if they have a look in common.
pub fn looks(name: &str) -> [String; 2] {
    [look(&name.nfkc().collect::<String>()), look(&fold_name(name))]
}

fn look(name: &str) -> String {
    let mut look = String::with_capacity(name.len());
    for character in name.chars() {
        match prototype(character) {
            Some(letter) => look.push(letter),
            None => look.extend(fold_case(character)),
        }
    }
    PAIRS.iter().fold(look, |look, (pair, letter)| look.replace(pair, letter))
}

fn prototype(character: char) -> Option<char> {
    if character.is_ascii() && !matches!(character, 'I' | '1' | '0') {
        return None;
    }
    LOOK_ALIKES.iter().find(|(_, others)| others.contains(character)).map(|(letter, _)| *letter)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::text::check_name;

    fn are_alike(one: &str, other: &str) -> bool {
        looks(one).iter().any(|look| looks(other).contains(look))
    }

    #[test]
    fn names_that_pass_for_others_look_alike() {
        for (one, other) in [
            ("alice", "аlice"),
            ("alice", "ALICE"),
            ("alice", "аӏісе"),
            ("bob", "ВОВ"),
            ("bob", "b0b"),
            ("bill", "biII"),
            ("bill", "bi1l"),
            ("Tom", "Том"),
            ("mary", "rnary"),
            ("walter", "vvalter"),
            ("Ian", "lan"),
            ("nikos", "nіκοs"),
            ("dana-2", "ԁana-2"),
            ("anna", "ａｎｎａ"),
        ] {
            assert!(are_alike(one, other) && are_alike(other, one), "{one} {other}");
        }
    }

    #[test]
    fn names_that_can_be_told_apart_do_not() {
        for (one, other) in [
            ("alice", "alicia"),
            ("alice", "alice-2"),
            ("ian", "lan"),
            ("bob", "rob"),
            ("eva", "éva"),
            ("bob-s", "bob_s"),
            ("Анна", "Инна"),
            ("山田", "田山"),
            ("anna", "Анна"),
        ] {
            assert!(!are_alike(one, other), "{one} {other}");
        }
    }

    #[test]
    fn the_table_names_each_character_once_and_only_what_a_name_can_hold() {
        let mut seen = BTreeSet::new();
        for (letter, others) in LOOK_ALIKES {
            assert!(letter.is_ascii_alphanumeric());
            for other in others.chars() {
                let text = other.to_string();
                assert!(seen.insert(other), "{other} twice");
                assert_eq!(
                    check_name(&text),
                    Ok(text.clone()),
                    "{} is never in a name",
                    other.escape_unicode()
                );
                assert_eq!(prototype(other), Some(letter));
            }
        }
    }

    proptest! {
        #[test]
        fn a_name_looks_like_itself_in_any_case(name in "\\PC{1,20}") {
            prop_assert!(are_alike(&name, &name));
            prop_assert!(are_alike(&name, &fold_name(&name)));
        }
    }
}
