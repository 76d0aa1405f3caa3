//! `/mesh` at the prompt: the nodes beside this one, what it carries, and broadcast topics.

use qpq_proto::v1;

use super::Session;
use super::line::split_word;
use crate::commands::topic::{post, subscription};
use crate::context::required;
use crate::exit::Error;
use crate::views::mesh::{MeshIdentityView, PeersView, RouteView, StoreView};
use crate::views::message::SendView;
use crate::views::post::PostView;
use crate::views::topic::TopicsView;

impl Session {
    /// Carries out what follows `/mesh`.
    pub(super) async fn mesh(&self, rest: &str) -> Result<(), Error> {
        let (command, rest) = split_word(rest);
        match (command, split_word(rest)) {
            // A link may have been broken into several words.
            ("subscribe", (_, _)) if !rest.is_empty() => {
                let view = subscription(&self.daemon, rest.to_owned()).await?;
                self.screen.show(&view)?;
                self.screen.say(&view.advice())
            }
            ("broadcast", (topic, text)) if !text.is_empty() => {
                // The event that it makes is shown.
                post(&self.daemon, topic.to_owned(), text.to_owned()).await.map(drop)
            }
            ("posts", (topic, "")) if !topic.is_empty() => self.posts(topic).await,
            ("topics", ("", _)) => {
                let listed = self.daemon.list_topics(&v1::ListTopicsRequest {}).await?;
                self.screen.show(&TopicsView::from(listed.topics))
            }
            ("send", (to, text)) if !text.is_empty() => self.send_carried(to, text).await,
            ("route", (to, "")) if !to.is_empty() => {
                let found = self.daemon.show_route(&v1::ShowRouteRequest { to: to.to_owned() }).await?;
                self.screen.show(&RouteView::new(to.to_owned(), found))
            }
            ("peers" | "store" | "identity", ("", _)) => self.surroundings(command).await,
            _ => Err(Error::Usage(USAGE.to_owned())),
        }
    }

    async fn surroundings(&self, command: &str) -> Result<(), Error> {
        let shown = self.daemon.show_mesh(&v1::ShowMeshRequest {}).await?;
        match command {
            "peers" => self.screen.show(&PeersView::from(shown)),
            "store" => self.screen.show(&StoreView::from(shown.custody.unwrap_or_default())),
            _ => {
                let status = self.daemon.node_status(&v1::NodeStatusRequest {}).await?;
                self.screen.show(&MeshIdentityView::new(shown, status))
            }
        }
    }

    async fn send_carried(&self, to: &str, text: &str) -> Result<(), Error> {
        let (to, text) = (to.to_owned(), text.to_owned());
        let request = v1::SendMessageRequest { to, text, carried: true, ..Default::default() };
        let sent = self.daemon.send_message(&request).await?;
        self.screen.show(&SendView::queued(required(sent.message, "the message")?))
    }

    async fn posts(&self, topic: &str) -> Result<(), Error> {
        let mut since = 0;
        loop {
            let request = v1::ReadPostsRequest { topic: topic.to_owned(), since, limit: 0 };
            let answer = self.daemon.read_posts(&request).await?;
            if answer.posts.is_empty() {
                return Ok(());
            }
            for post in answer.posts {
                self.screen.show(&PostView::from(post))?;
            }
            since = answer.next;
        }
    }
}

const USAGE: &str = "/mesh peers, /mesh store, /mesh identity, /mesh route NAME, /mesh send NAME TEXT; \
                     /mesh topics, /mesh subscribe LINK|NAME, /mesh broadcast TOPIC TEXT, /mesh posts TOPIC";
