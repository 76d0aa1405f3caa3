//! `qpq chat`: a prompt at which people talk.
//!
//! ```text
//!  terminal or pipe ──► input ──► line ──► session ──► daemon
//!                                            │  ▲
//!                        screen ◄────────────┘  └──── events of the daemon
//! ```
//!
//! A thread reads lines, since editors of lines block; the session runs everything else. What comes in is printed
//! above the prompt. Without a terminal the same works on plain lines, so that a script can chat. Lines typed are
//! not kept on disk: they hold what was said.

mod actions;
mod completion;
mod incoming;
mod input;
mod line;
mod screen;
mod slash;

use std::time::Duration;

use qpq_proto::v1;
use tokio::sync::mpsc;

use self::completion::Names;
use self::input::{Input, Typed};
use self::line::Line;
use self::screen::Screen;
use crate::connect::Daemon;
use crate::context::{Context, required};
use crate::exit::{Error, Exit};
use crate::follow::Cursor;
use crate::printable::printable;

/// Chats until the input ends or the person quits.
pub(crate) async fn run(context: &Context) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let me = daemon.show_identity(&v1::ShowIdentityRequest {}).await?;
    let names = Names::default();
    let (input, screen) = input::open(context, &names)?;
    let mut session = Session { daemon, screen, names, current: None, worst: Exit::Ok };
    session.refresh_names().await?;
    session.screen.say(&format!("You are {}. /help lists the commands.", printable(&me.name)))?;
    let interactive = input.is_interactive();
    session.run(input).await?;
    // A script learns that something went wrong; a person has seen it.
    if interactive || session.worst == Exit::Ok { Ok(()) } else { Err(Error::Said(session.worst)) }
}

/// A person at the prompt.
struct Session {
    daemon: Daemon,
    screen: Screen,
    /// What can be completed, shared with the thread that reads lines.
    names: Names,
    /// Where plain text goes: `@name` or `#name`.
    current: Option<String>,
    /// How the last command that failed would have ended.
    worst: Exit,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    Quit,
}

impl Session {
    async fn run(&mut self, mut input: Input) -> Result<(), Error> {
        let mut events = self.subscribe().await?;
        loop {
            input.prompt(&self.prompt());
            let typed = loop {
                tokio::select! {
                    biased;
                    batch = events.recv() => match batch {
                        Some(batch) => self.show_events(batch?).await?,
                        None => return Ok(()),
                    },
                    typed = input.next() => break typed,
                }
            };
            let Typed::Line(text) = typed else { return Ok(()) };
            match self.handle(&text).await {
                Ok(Flow::Continue) => {}
                Ok(Flow::Quit) => return Ok(()),
                Err(error) => self.report(error)?,
            }
        }
    }

    /// Events from now on, read in the background.
    async fn subscribe(&self) -> Result<mpsc::Receiver<Result<Vec<v1::Event>, Error>>, Error> {
        let (sender, receiver) = mpsc::channel(1);
        let daemon = self.daemon.clone();
        let mut cursor = Cursor::newest(&daemon).await?;
        tokio::spawn(async move {
            loop {
                let batch = cursor.poll(&daemon, Duration::from_secs(60)).await.map(|answer| answer.events);
                let is_end = batch.is_err();
                if sender.send(batch).await.is_err() || is_end {
                    return;
                }
            }
        });
        Ok(receiver)
    }

    async fn handle(&mut self, text: &str) -> Result<Flow, Error> {
        match Line::parse(text) {
            Line::Nothing => Ok(Flow::Continue),
            Line::Command { name, rest } => self.execute(name, rest).await,
            Line::Open(name) => self.switch(name).await,
            Line::Say { to: Some(to), text } => self.say(to, text).await,
            Line::Say { to: None, text } => match self.current.clone() {
                Some(current) => self.say(&current, text).await,
                None => {
                    Err(Error::Usage("to whom? write @name text or #group text, or /switch first".to_owned()))
                }
            },
        }
    }

    /// Sends a text; what follows without a name goes to the same conversation.
    async fn say(&mut self, to: &str, text: &str) -> Result<Flow, Error> {
        let request =
            v1::SendMessageRequest { to: to.to_owned(), text: text.to_owned(), ..Default::default() };
        let message = required(self.daemon.send_message(&request).await?.message, "the message")?;
        self.current = Some(message.conversation);
        Ok(Flow::Continue)
    }

    /// Says what went wrong; an error that leaves nothing to talk to ends the session.
    fn report(&mut self, error: Error) -> Result<(), Error> {
        if matches!(error, Error::Lost(_) | Error::OutputClosed) {
            return Err(error);
        }
        self.worst = error.exit();
        self.screen.complain(&error)
    }

    async fn show_events(&self, events: Vec<v1::Event>) -> Result<(), Error> {
        for event in events {
            self.show_event(event).await?;
        }
        Ok(())
    }

    async fn show_event(&self, event: v1::Event) -> Result<(), Error> {
        use v1::event::Kind;
        if !incoming::is_worth_showing(&event) {
            return Ok(());
        }
        let read = match &event.kind {
            Some(Kind::Message(message)) => Some((message.conversation.clone(), message.cursor)),
            _ => None,
        };
        let changes_names = matches!(event.kind, Some(Kind::Contact(_) | Kind::Group(_)));
        self.screen.event(event)?;
        if changes_names {
            self.refresh_names().await?;
        }
        if let Some((conversation, cursor)) = read {
            self.daemon.mark_read(&v1::MarkReadRequest { conversation, cursor }).await?;
        }
        Ok(())
    }

    /// Learns the names that can be completed and switched to.
    async fn refresh_names(&self) -> Result<(), Error> {
        let contacts = self.daemon.list_contacts(&v1::ListContactsRequest {}).await?.contacts;
        let conversations =
            self.daemon.list_conversations(&v1::ListConversationsRequest {}).await?.conversations;
        let people = contacts.into_iter().map(|contact| format!("@{}", contact.name));
        self.names.replace(people.chain(conversations.into_iter().map(|conversation| conversation.name)));
        Ok(())
    }

    fn prompt(&self) -> String {
        match &self.current {
            Some(current) => format!("{}> ", printable(current)),
            None => "> ".to_owned(),
        }
    }
}
