//! Three who send, and one who reads and acknowledges.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use qpq_proto::v1::{AckRequest, Envelope, FetchRequest, FetchWaitRequest};
use qpq_tests::{RelayAddress, delivery};

use crate::visitor::{Arrivals, Visitor};

pub(crate) struct Queue {
    reader: Visitor,
    senders: [Visitor; 3],
    known: RefCell<Known>,
}

/// What senders and the reader know.
#[derive(Default)]
struct Known {
    /// How many deliveries each sender has thought of.
    sent: [u32; 3],
    /// What each sender has no answer for.
    under_way: [Option<String>; 3],
    /// Deliveries that the relay promised to keep, by sequence.
    promised: BTreeMap<u64, String>,
    /// What was read, by sequence.
    read: BTreeMap<u64, String>,
    /// Up to where an acknowledgement was asked for.
    asked: u64,
    /// Up to where an acknowledgement was answered.
    acknowledged: u64,
}

impl Queue {
    pub(crate) async fn arrive(arrivals: &mut Arrivals) -> Self {
        let reader = arrivals.next().await;
        let senders = [arrivals.next().await, arrivals.next().await, arrivals.next().await];
        Self { reader, senders, known: RefCell::default() }
    }

    pub(crate) async fn act(&self) {
        tokio::join!(self.read(60_000), self.send(0), self.send(1), self.send(2));
    }

    /// Sends what was not answered again, and then one after the other.
    async fn send(&self, sender: usize) {
        loop {
            let text = self.known.borrow_mut().next_of(sender);
            let request = delivery(self.reader.identity(), text.clone().into());
            let seq = self.senders[sender].line().enqueue(&request).await.unwrap().seq;
            let mut known = self.known.borrow_mut();
            known.under_way[sender] = None;
            let other = known.promised.insert(seq, text);
            assert_eq!(other, None, "sequence {seq} was promised twice");
        }
    }

    /// Reads and acknowledges, until nothing comes for so long.
    async fn read(&self, timeout_ms: u32) {
        let request = FetchWaitRequest { timeout_ms, limit: 8, ..FetchWaitRequest::default() };
        loop {
            let found = self.reader.line().fetch_wait(&request).await.unwrap().envelopes;
            let Some(seq_up_to) = found.last().map(|envelope| envelope.seq) else { return };
            self.known.borrow_mut().note(&found);
            self.known.borrow_mut().asked = seq_up_to;
            self.reader.line().ack(&AckRequest { seq_up_to, ..AckRequest::default() }).await.unwrap();
            self.known.borrow_mut().acknowledged = seq_up_to;
        }
    }

    /// What was promised is there until its acknowledgement was asked for.
    pub(crate) async fn check(&mut self, relay: &RelayAddress) {
        self.reader.enter(relay).await;
        for sender in &mut self.senders {
            sender.enter(relay).await;
        }
        let found = self.reader.line().fetch(&FetchRequest::default()).await.unwrap().envelopes;
        let mut known = self.known.borrow_mut();
        known.note(&found);
        let last = found.last().map_or(0, |envelope| envelope.seq);
        let waiting = known.promised.range(known.asked + 1..).take_while(|(seq, _)| **seq <= last);
        assert!(waiting.map(|(seq, _)| seq).all(|seq| found.iter().any(|envelope| envelope.seq == *seq)));
        let newest = known.promised.keys().next_back().copied().unwrap_or_default();
        assert!(
            newest <= known.asked.max(last) || found.len() >= 64,
            "{newest} was promised, {last} is there"
        );
    }

    /// Everything that was promised was read, under its sequence, and nothing twice.
    pub(crate) async fn finish(&mut self) {
        self.read(0).await;
        let known = self.known.get_mut();
        for (seq, text) in &known.promised {
            assert_eq!(known.read.get(seq), Some(text), "{seq} was promised");
        }
        let texts: BTreeSet<_> = known.read.values().collect();
        assert_eq!(texts.len(), known.read.len(), "nothing is read under two sequences");
        let sequences: Vec<_> = known.read.keys().copied().collect();
        assert_eq!(sequences, (1..=known.read.len() as u64).collect::<Vec<_>>(), "no sequence is left out");
        // Each sender's in the order in which they were sent, with none left out.
        let mut next: BTreeMap<u32, u32> = BTreeMap::new();
        for text in known.read.values() {
            let (sender, number) = text.split_once(' ').unwrap();
            let expected = next.entry(sender.parse().unwrap()).or_default();
            assert_eq!(number.parse(), Ok(*expected), "{text}");
            *expected += 1;
        }
    }

    pub(crate) fn summary(&self) -> String {
        let known = self.known.borrow();
        format!("{} deliveries promised, {} read", known.promised.len(), known.read.len())
    }
}

impl Known {
    fn next_of(&mut self, sender: usize) -> String {
        if let Some(text) = &self.under_way[sender] {
            return text.clone();
        }
        let text = format!("{sender} {}", self.sent[sender]);
        self.sent[sender] += 1;
        self.under_way[sender] = Some(text.clone());
        text
    }

    fn note(&mut self, found: &[Envelope]) {
        for envelope in found {
            assert!(envelope.seq > self.acknowledged, "{} was acknowledged", envelope.seq);
            let text = String::from_utf8(envelope.data.to_vec()).unwrap();
            if let Some(before) = self.read.insert(envelope.seq, text.clone()) {
                assert_eq!(before, text, "{} was something else before", envelope.seq);
            }
        }
    }
}
