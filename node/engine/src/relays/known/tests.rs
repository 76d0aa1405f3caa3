use super::*;

fn said(mailbox: u8, tokens: std::ops::Range<u8>) -> Mailbox {
    Mailbox {
        places: vec!["relay.example:5001".into()],
        pin: vec![1; 32],
        mailbox: vec![mailbox; 32],
        tokens: tokens.map(|token| vec![token; 32]).collect(),
        preference: mailbox.into(),
    }
}

fn known(tokens: std::ops::Range<u8>) -> MailboxRecord {
    let mut record = MailboxesRecord::default();
    record.learn(&said(1, tokens));
    record.mailboxes.remove(0)
}

#[test]
fn a_delivery_keeps_its_token_and_no_other_gets_it() {
    let mut mailbox = known(0..3);
    let [first, second] = [b"first", b"secnd"].map(|delivery| mailbox.token_for(delivery).unwrap());
    assert_ne!(first, second);
    assert_eq!(mailbox.token_for(b"first").unwrap(), first);
    mailbox.forget_token(&first);
    assert_ne!(mailbox.token_for(b"first").unwrap(), first);
    assert_eq!(mailbox.token_for(b"third"), None);
}

#[test]
fn tokens_are_kept_once_and_not_without_end() {
    let mut record = MailboxesRecord::default();
    record.learn(&said(1, 0..10));
    assert!(record.mailboxes[0].token_for(b"delivery").is_some());
    record.learn(&said(1, 0..12));
    assert_eq!(record.mailboxes[0].tokens.len(), 11);
    (0..4).for_each(|part| record.learn(&said(1, part * 60..part * 60 + 60)));
    assert_eq!(record.mailboxes[0].tokens.len(), TOKENS_KEPT_MAX);
    assert_eq!(record.mailboxes.len(), 1);
}

#[test]
fn a_mailbox_that_refuses_tokens_again_and_again_waits_for_others() {
    let mut mailbox = known(0..8);
    mailbox.refusals = REFUSALS_MAX;
    assert_eq!((mailbox.token_for(b"delivery"), mailbox.is_usable()), (None, false));
    let mut record = MailboxesRecord { identity: Vec::new(), mailboxes: vec![mailbox], ..Default::default() };
    record.learn(&said(1, 8..9));
    assert!(record.mailboxes[0].token_for(b"delivery").is_some());
}

#[test]
fn what_cannot_be_a_mailbox_is_passed_over() {
    assert!(is_fit(&said(1, 0..64)));
    for unfit in [
        Mailbox { places: Vec::new(), ..said(1, 0..1) },
        Mailbox { places: vec!["relay.example:5001".into(); 5], ..said(1, 0..1) },
        Mailbox { places: vec!["relay.example".into()], ..said(1, 0..1) },
        Mailbox { pin: vec![1; 31], ..said(1, 0..1) },
        Mailbox { mailbox: vec![1; 33], ..said(1, 0..1) },
        Mailbox { tokens: vec![vec![1; 31]], ..said(1, 0..1) },
        said(1, 0..65),
    ] {
        assert!(!is_fit(&unfit));
    }
}
