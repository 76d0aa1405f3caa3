//! `qpq role`: what this node does for others.

use clap::ValueEnum;
use qpq_proto::v1;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Error;
use crate::output::{Show, Style};
use crate::printable::printable;

/// Which role, and whether it is switched on or off.
#[derive(Debug, clap::Args)]
pub(crate) struct RoleArgs {
    /// The role; without it those that are on are shown.
    #[arg(requires = "state")]
    role: Option<Role>,
    /// On or off.
    state: Option<Switch>,
}

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Carry for others as a node on mains power does: exchange all that other carriers carry.
    Carrier,
    /// Serve others: accounts, mailboxes, keys.
    Relay,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Carrier => "carrier",
            Self::Relay => "relay",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// Does it.
pub(crate) async fn run(context: &Context, args: RoleArgs) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let roles = match (args.role, args.state) {
        (Some(role), Some(state)) => {
            let request = v1::SetRoleRequest { role: role.name().to_owned(), on: state == Switch::On };
            daemon.set_role(&request).await?.roles
        }
        _ => daemon.node_status(&v1::NodeStatusRequest {}).await?.roles,
    };
    context.output.show(&RolesView { roles })
}

/// The roles that are switched on.
#[derive(Debug, Serialize)]
struct RolesView {
    roles: Vec<String>,
}

impl Show for RolesView {
    const SCHEMA: &'static str = "qpq.roles/1";

    fn human(&self, _style: &Style) -> String {
        match self.roles.as_slice() {
            [] => "This node serves its owner, and carries what it meets for others.".to_owned(),
            roles => {
                let names: Vec<_> = roles.iter().map(|role| printable(role)).collect();
                format!("Roles of this node: {}.", names.join(", "))
            }
        }
    }
}
