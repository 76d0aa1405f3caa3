//! `qpq init` and `qpq id`: the person's identity.

use qpq_proto::v1;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Error;
use crate::output::{Show, Style, columns};
use crate::printable::printable;
use crate::views::{hex, suite_name};

/// How to be called.
#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// The name by which contacts come to know you, 1 to 64 characters.
    #[arg(long)]
    pub(crate) name: String,
}

/// Makes the identity.
pub(crate) async fn init(context: &Context, args: InitArgs) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let made = daemon.create_identity(&v1::CreateIdentityRequest { name: args.name }).await?;
    context.output.show(&InitView {
        identity: hex(&made.identity),
        node: hex(&made.node),
        device: hex(&made.device),
        name: made.name,
    })?;
    context.output.note("Nobody can restore this identity but you: qpq backup create FILE");
    Ok(())
}

/// Shows the identity.
pub(crate) async fn id(context: &Context) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let shown = daemon.show_identity(&v1::ShowIdentityRequest {}).await?;
    context.output.show(&IdView::from(shown))
}

/// The identity made.
#[derive(Debug, Serialize)]
struct InitView {
    identity: String,
    node: String,
    name: String,
    device: String,
}

impl Show for InitView {
    const SCHEMA: &'static str = "qpq.init/1";

    fn human(&self, style: &Style) -> String {
        let name = style.bold(&printable(&self.name));
        format!("You are {name}.\nidentity  {}\nnode      {}", self.identity, self.node)
    }
}

/// The identity.
#[derive(Debug, Serialize)]
pub(crate) struct IdView {
    identity: String,
    node: String,
    name: String,
    device: String,
    created_at_ms: u64,
    device_list_sequence: u64,
    suites: Vec<u32>,
}

impl From<v1::ShowIdentityResponse> for IdView {
    fn from(shown: v1::ShowIdentityResponse) -> Self {
        Self {
            identity: hex(&shown.identity),
            node: hex(&shown.node),
            device: hex(&shown.device),
            name: shown.name,
            created_at_ms: shown.created_at_ms,
            device_list_sequence: shown.device_list_sequence,
            suites: shown.suites,
        }
    }
}

impl Show for IdView {
    const SCHEMA: &'static str = "qpq.id/1";

    fn human(&self, style: &Style) -> String {
        let suites: Vec<String> = self.suites.iter().map(|suite| suite_name(*suite)).collect();
        columns(&[
            ["name".to_owned(), style.bold(&printable(&self.name))],
            ["identity".to_owned(), self.identity.clone()],
            ["device".to_owned(), self.device.clone()],
            ["node".to_owned(), self.node.clone()],
            ["made".to_owned(), style.zone.date_time(self.created_at_ms)],
            ["encryption".to_owned(), suites.join(", ")],
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{PLAIN, to_json};

    fn sample() -> IdView {
        IdView::from(v1::ShowIdentityResponse {
            identity: vec![1; 32],
            name: "alice".into(),
            device: vec![2; 32],
            node: vec![3; 32],
            created_at_ms: 1_795_257_065_120,
            device_list_sequence: 1,
            suites: vec![0x4f, 1],
        })
    }

    #[test]
    fn json_of_the_identity() {
        let [identity, device, node] = ["01", "02", "03"].map(|byte| byte.repeat(32));
        assert_eq!(
            to_json(&sample()).unwrap(),
            format!(r#"{{"schema":"qpq.id/1","identity":"{identity}","node":"{node}","name":"alice","#)
                + &format!(r#""device":"{device}","created_at_ms":1795257065120,"#)
                + r#""device_list_sequence":1,"suites":[79,1]}"#
        );
        let made = InitView { identity, node, name: "alice".into(), device };
        let json: serde_json::Value = serde_json::from_str(&to_json(&made).unwrap()).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["device", "identity", "name", "node", "schema"]);
    }

    #[test]
    fn the_identity_for_people() {
        let shown = sample().human(&PLAIN);
        assert!(shown.starts_with("name        alice\nidentity    0101"), "{shown}");
        assert!(shown.ends_with("(post-quantum hybrid), X25519 (classical)"), "{shown}");
    }
}
