//! `qpq chat`: a prompt at which people talk.
//!
//! ```text
//!  terminal or pipe ──► input ──► line ──► session ──► daemon
//!                                            │  ▲
//!                        screen ◄────────────┘  └──── events of the daemon
//! ```
//!
//! A thread reads lines, since editors of lines block; the session runs everything else. What comes in is printed
//! above the prompt, and so is that what one has sent was delivered, or never will be (`marks`). Without a terminal the
//! same works on plain lines, so that a script can chat. Lines typed are not kept on disk: they hold what was said.
//!
//! A daemon that goes away does not end the chat, for the next line would go to the shell. The session says so, and
//! goes on when the daemon is back.

mod actions;
mod completion;
mod incoming;
mod input;
mod line;
mod marks;
mod mesh;
mod news;
mod screen;
mod slash;

use std::collections::BTreeMap;

use qpq_proto::v1;
use tokio::sync::mpsc;

use self::completion::Names;
use self::input::{Input, Typed};
use self::line::Line;
use self::marks::{Marks, Shown};
use self::news::{News, subscribe};
use self::screen::Screen;
use crate::connect::Daemon;
use crate::context::{Context, required};
use crate::exit::{Error, Exit};
use crate::follow::absence;
use crate::printable::printable;

/// Chats until the input ends or the person quits.
pub(crate) async fn run(context: &Context) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let me = daemon.show_identity(&v1::ShowIdentityRequest {}).await?;
    let names = Names::default();
    let (input, screen) = input::open(context, &names);
    let interactive = input.is_interactive();
    let mut session = Session {
        daemon,
        marks: Marks::new(!screen.is_json()),
        screen,
        names,
        current: None,
        worst: Exit::Ok,
        interactive,
        is_gone: false,
        unmarked: BTreeMap::new(),
    };
    session.refresh_names().await?;
    let news = subscribe(context, &session.daemon).await?;
    session.screen.say(&format!("You are {}. /help lists the commands.", printable(&me.name)))?;
    session.run(news, input).await?;
    // A script learns that something went wrong; a person has seen it.
    if interactive || session.worst == Exit::Ok { Ok(()) } else { Err(Error::Said(session.worst)) }
}

/// A person at the prompt.
struct Session {
    daemon: Daemon,
    screen: Screen,
    /// What became of the messages sent, as far as that was shown.
    marks: Marks,
    /// What can be completed, shared with the thread that reads lines.
    names: Names,
    /// Where plain text goes: `@name` or `#name`.
    current: Option<String>,
    /// How the last command that failed would have ended.
    worst: Exit,
    /// A person sits at a terminal.
    interactive: bool,
    /// There is no daemon for now.
    is_gone: bool,
    /// Conversations with what was shown last of each, as far as that is not marked as read yet.
    unmarked: BTreeMap<String, u64>,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    Quit,
}

impl Session {
    async fn run(&mut self, mut news: mpsc::Receiver<News>, mut input: Input) -> Result<(), Error> {
        loop {
            input.prompt(&self.prompt());
            let typed = loop {
                // A person is told that a line was not sent; a script's lines wait for the daemon.
                let is_heard = self.interactive || !self.is_gone;
                tokio::select! {
                    biased;
                    heard = news.recv() => match heard {
                        Some(heard) => self.hear(heard).await?,
                        None => return Ok(()),
                    },
                    typed = input.next(), if is_heard => break typed,
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

    async fn hear(&mut self, news: News) -> Result<(), Error> {
        let outcome = match news {
            News::Events(events) => self.show_events(events).await,
            News::Gone(error) => {
                self.is_gone = true;
                self.screen.say(&format!("* {}; waiting for it to come back", absence(&error)))
            }
            News::Back(daemon) => self.go_on(daemon).await,
            News::Ended(error) => return Err(error),
        };
        match outcome {
            // The news that follows says so.
            Err(error) if error.is_absence() => Ok(()),
            outcome => outcome,
        }
    }

    /// Goes on with a daemon that is back.
    async fn go_on(&mut self, daemon: Daemon) -> Result<(), Error> {
        self.daemon = daemon;
        self.is_gone = false;
        self.screen.say("* the daemon is back")?;
        self.refresh_names().await?;
        self.mark_read().await
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
        let sent = self.daemon.send_message(&request).await.map_err(|error| Error::from(error).about(to))?;
        let message = required(sent.message, "the message")?;
        self.current = Some(message.conversation);
        Ok(Flow::Continue)
    }

    /// Says what went wrong; only where nobody is left to hear it the session ends.
    fn report(&mut self, error: Error) -> Result<(), Error> {
        if matches!(error, Error::OutputClosed) {
            return Err(error);
        }
        self.worst = error.exit();
        self.screen.complain(&error)
    }

    /// Shows all of the events, before anything is asked of the daemon because of them: it may be gone by now.
    async fn show_events(&mut self, events: Vec<v1::Event>) -> Result<(), Error> {
        let mut changes_names = false;
        for shown in self.marks.select(events) {
            changes_names |= self.show_event(shown)?;
        }
        if changes_names {
            self.refresh_names().await?;
        }
        self.mark_read().await
    }

    /// Shows an event, and returns whether it may have changed the names there are.
    fn show_event(&mut self, shown: Shown) -> Result<bool, Error> {
        use v1::event::Kind;
        if let Some(Kind::Message(message)) = &shown.event.kind {
            self.unmarked.insert(message.conversation.clone(), message.cursor);
        }
        let changes_names = matches!(shown.event.kind, Some(Kind::Contact(_) | Kind::Group(_)));
        self.screen.event(shown)?;
        Ok(changes_names)
    }

    /// Marks as read what was shown.
    async fn mark_read(&mut self) -> Result<(), Error> {
        while let Some((conversation, cursor)) = self.unmarked.first_key_value() {
            let request = v1::MarkReadRequest { conversation: conversation.clone(), cursor: *cursor };
            self.daemon.mark_read(&request).await?;
            self.unmarked.pop_first();
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
