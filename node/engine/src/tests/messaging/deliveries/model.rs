//! How far each text got with each person, and what may be offered.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    Answer, NAMES,
    office::{Offer, Office},
};
use crate::{outbox::Stream, records::Progress};

#[derive(Default)]
pub(super) struct Model {
    members: BTreeSet<usize>,
    /// Ids of the texts, in the order in which they were sent.
    texts: Vec<Vec<u8>>,
    /// By the text's number and the person.
    progress: BTreeMap<(usize, usize), Progress>,
    /// Number of the last text that was offered to a person for the first time.
    newest_offered: BTreeMap<usize, usize>,
}

impl Model {
    pub(super) fn new() -> Self {
        Self { members: (0..NAMES.len()).collect(), ..Self::default() }
    }

    pub(super) fn is_member(&self, who: usize) -> bool {
        self.members.contains(&who)
    }

    pub(super) fn sent(&mut self, id: Vec<u8>) {
        let number = self.texts.len();
        self.texts.push(id);
        self.progress.extend(self.members.iter().map(|who| ((number, *who), Progress::Queued)));
    }

    pub(super) fn added(&mut self, who: usize) {
        self.members.insert(who);
    }

    /// Whoever is removed gets nothing more of what was said.
    pub(super) fn removed(&mut self, who: usize) {
        self.members.remove(&who);
        for ((_, of), progress) in &mut self.progress {
            if *of == who && *progress != Progress::Delivered {
                *progress = Progress::Failed;
            }
        }
    }

    pub(super) fn answered(&mut self, offer: &Offer, answer: Answer) {
        let Some(number) = self.number_of(&offer.text).filter(|_| !offer.is_void) else { return };
        let progress = self.progress.get_mut(&(number, offer.who)).unwrap();
        match answer {
            Answer::Delivered => *progress = Progress::Delivered,
            Answer::Stored => *progress = Progress::Sent,
            Answer::Refused => *progress = Progress::Failed,
            Answer::SealAgain | Answer::NotNow | Answer::Unreachable => {}
        }
    }

    /// Compares with what the engine has written, and looks at what it has offered since.
    pub(super) fn check(&mut self, office: &mut Office) -> Result<(), TestCaseError> {
        for offer in std::mem::take(&mut office.fresh) {
            self.check_offer(&offer)?;
        }
        let mut busy = BTreeSet::new();
        for offer in office.under_way.iter().filter(|offer| !offer.is_void) {
            let is_first = busy.insert((offer.who, offer.stream.clone()));
            prop_assert!(is_first, "two deliveries of {:?} to {}", offer.stream, NAMES[offer.who]);
        }
        for (number, id) in self.texts.iter().enumerate() {
            let of_text = self.progress.iter().filter(|((of, _), _)| *of == number);
            let progress: Vec<Progress> = of_text.map(|(_, progress)| *progress).collect();
            let count = |wanted: &[Progress]| progress.iter().filter(|p| wanted.contains(p)).count();
            let expected = [
                progress.len(),
                count(&[Progress::Sent, Progress::Delivered]),
                count(&[Progress::Delivered]),
                count(&[Progress::Failed]),
            ];
            let record = office.message(id);
            let found = [record.recipients, record.sent, record.delivered, record.lost];
            prop_assert_eq!(found.map(|count| count as usize), expected, "text {}", number);
        }
        Ok(())
    }

    /// Texts that somebody is still to get.
    pub(super) fn unfinished(&self) -> Vec<String> {
        let is_open = |progress: &Progress| matches!(progress, Progress::Queued | Progress::Sent);
        let open = self.progress.iter().filter(|(_, progress)| is_open(progress));
        open.map(|((number, who), _)| format!("{number} for {}", NAMES[*who])).collect()
    }

    /// A text is offered to those who were members when it was said and are not done with it, in order.
    fn check_offer(&mut self, offer: &Offer) -> Result<(), TestCaseError> {
        let Some(number) = self.number_of(&offer.text) else { return Ok(()) };
        let name = NAMES[offer.who];
        let progress = self.progress.get(&(number, offer.who));
        let is_open = matches!(progress, Some(Progress::Queued | Progress::Sent));
        prop_assert!(is_open || offer.is_void, "{number} is offered to {name}: {progress:?}");
        if matches!(offer.stream, Stream::Conversation(_)) && progress == Some(&Progress::Queued) {
            let newest = self.newest_offered.entry(offer.who).or_default();
            prop_assert!(number >= *newest, "{number} is offered to {name} after {newest}");
            *newest = number;
        }
        Ok(())
    }

    fn number_of(&self, id: &[u8]) -> Option<usize> {
        self.texts.iter().position(|text| text == id)
    }
}
