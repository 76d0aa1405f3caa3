//! `qpq mesh subscribe` and its kin: broadcast topics.

use std::io::{self, IsTerminal};

use clap::Subcommand;
use qpq_proto::v1;

use super::{parse_cursor, send};
use crate::connect::Daemon;
use crate::context::{Context, required};
use crate::exit::Error;
use crate::follow::{self, Feed};
use crate::printable::printable;
use crate::views::post::PostView;
use crate::views::topic::{SubscriptionView, TopicsView, UnsubscribedView};

/// What to do with broadcast topics.
#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// Follow a broadcast topic by its link, or make a new one; whoever has a topic's link reads it and posts to it.
    Subscribe {
        /// The topic's link, starting with qpq: or the name of a new topic.
        #[arg(value_name = "LINK|NAME")]
        topic: String,
        /// Draw the link as a QR code too.
        #[arg(long)]
        qr: bool,
    },
    /// Follow a topic no longer, and forget its posts.
    Unsubscribe {
        /// The topic's name.
        topic: String,
    },
    /// List the topics followed, with their links.
    Topics,
    /// Post to a topic, signed with your identity.
    Broadcast {
        /// The topic's name.
        topic: String,
        /// The text, at most 16,384 bytes; `-`, or nothing, reads it from standard input.
        text: Vec<String>,
    },
    /// Read the posts of a topic, in the order in which they came in.
    Posts {
        /// The topic's name.
        topic: String,
        /// Go on printing posts as they come.
        #[arg(long, short)]
        follow: bool,
        /// Only posts after this cursor, as an earlier `mesh posts --json` printed it.
        #[arg(long, value_name = "CURSOR", value_parser = parse_cursor)]
        since: Option<u64>,
    },
}

/// Does it.
pub(crate) async fn run(context: &Context, command: TopicCommand) -> Result<(), Error> {
    match command {
        TopicCommand::Subscribe { topic, qr } => subscribe(context, topic, qr).await,
        TopicCommand::Unsubscribe { topic } => unsubscribe(context, topic).await,
        TopicCommand::Topics => topics(context).await,
        TopicCommand::Broadcast { topic, text } => broadcast(context, topic, &text).await,
        TopicCommand::Posts { topic, follow, since } => posts(context, topic, follow, since).await,
    }
}

async fn subscribe(context: &Context, topic: String, qr: bool) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let view = subscription(&daemon, topic).await?;
    let view = if qr { view.with_qr()? } else { view };
    context.output.show(&view)?;
    if !context.output.is_json() {
        context.output.note(&view.advice());
    }
    Ok(())
}

/// Follows or makes a topic.
pub(crate) async fn subscription(daemon: &Daemon, topic: String) -> Result<SubscriptionView, Error> {
    let answer = daemon.subscribe_topic(&v1::SubscribeTopicRequest { topic }).await?;
    Ok(SubscriptionView::new(required(answer.topic, "the topic")?, answer.created))
}

async fn unsubscribe(context: &Context, topic: String) -> Result<(), Error> {
    context.confirm(&format!("Forget the topic {} and its posts", printable(&topic)))?;
    let daemon = context.daemon().await?;
    daemon.unsubscribe_topic(&v1::UnsubscribeTopicRequest { topic: topic.clone() }).await?;
    context.output.show(&UnsubscribedView { topic })
}

async fn topics(context: &Context) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let listed = daemon.list_topics(&v1::ListTopicsRequest {}).await?;
    context.output.show(&TopicsView::from(listed.topics))
}

async fn broadcast(context: &Context, topic: String, words: &[String]) -> Result<(), Error> {
    let is_piped = words.is_empty() || words == ["-"];
    let text = if is_piped {
        send::read_text(&mut io::stdin().lock(), io::stdin().is_terminal(), context)?
    } else {
        words.join(" ")
    };
    let daemon = context.daemon().await?;
    context.output.show(&post(&daemon, topic, text).await?)
}

/// Posts to a topic.
pub(crate) async fn post(daemon: &Daemon, topic: String, text: String) -> Result<PostView, Error> {
    let answer = daemon.broadcast_post(&v1::BroadcastPostRequest { topic, text }).await?;
    Ok(PostView::from(required(answer.post, "the post")?))
}

async fn posts(context: &Context, topic: String, is_followed: bool, since: Option<u64>) -> Result<(), Error> {
    follow::print(context, Reader { topic, since: since.unwrap_or(0) }, is_followed).await
}

/// Where the reading of a topic stands.
struct Reader {
    topic: String,
    since: u64,
}

impl Feed for Reader {
    fn grows_by(event: &v1::event::Kind) -> bool {
        matches!(event, v1::event::Kind::Post(_))
    }

    async fn print(&mut self, context: &Context, daemon: &Daemon) -> Result<(), Error> {
        loop {
            let request =
                v1::ReadPostsRequest { topic: self.topic.clone(), since: self.since, limit: POSTS_PER_CALL };
            let answer = daemon.read_posts(&request).await?;
            let is_end = answer.posts.is_empty();
            for post in answer.posts {
                let cursor = post.cursor;
                context.output.show(&PostView::from(post))?;
                self.since = self.since.max(cursor);
            }
            self.since = self.since.max(answer.next);
            if is_end {
                return Ok(());
            }
        }
    }
}

const POSTS_PER_CALL: u32 = 1_024;
