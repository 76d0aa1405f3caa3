//! `qpq mesh`: the nodes beside this one, and what it carries for others.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use qpq_proto::limits::PAGE_ITEMS_MAX;
use qpq_proto::v1;

use super::send::{self, SendArgs};
use super::topic::{self, TopicCommand};
use crate::connect::{Daemon, quote};
use crate::context::{Context, absolute};
use crate::exit::Error;
use crate::views::mesh::{
    BundleView, ExportView, ImportView, MeshIdentityView, NeighbourView, PairView, PeersView, RouteView,
    StoreView,
};

mod map;

/// What to do with the mesh.
#[derive(Debug, Subcommand)]
pub(crate) enum MeshCommand {
    /// Show the neighbours: the nodes that this one exchanges bundles with.
    Peers,
    /// Show by which ways a message to a contact or a group would go now.
    Route {
        /// @name of a contact or '#name' of a group.
        to: String,
    },
    /// Show what this node carries, for itself and for others.
    Store {
        /// List the bundles too.
        #[arg(long)]
        bundles: bool,
    },
    /// Show what this node is in the mesh.
    Identity,
    /// Send a message by those who carry, whether or not its recipient is connected too.
    Send(SendArgs),
    /// Write copies of what this node carries to a file, to be taken elsewhere by hand.
    Export {
        /// The file, on the machine on which the node runs; it must not exist.
        file: PathBuf,
    },
    /// Take the bundles of a file that was brought from elsewhere.
    Import {
        /// The file, on the machine on which the node runs.
        file: PathBuf,
    },
    /// Pair with another owner's node, which does the same: each gives the other's bundles full quota.
    Pair {
        /// The other node's key in hexadecimal, as `qpq mesh identity` shows it there.
        #[arg(value_parser = parse_node)]
        node: NodeArg,
        /// Where it is reached, as <address>:<port>; not needed on one local network.
        addresses: Vec<String>,
    },
    /// End a pairing.
    Unpair {
        /// The other node's key in hexadecimal.
        #[arg(value_parser = parse_node)]
        node: NodeArg,
    },
    /// Draw the neighbours, the links and what is carried.
    Map {
        /// Write the drawing there; `-` writes it to standard output.
        #[arg(long, value_name = "FILE")]
        svg: PathBuf,
    },
    /// Broadcast topics.
    #[command(flatten)]
    Topic(TopicCommand),
}

/// A node key from the command line.
#[derive(Debug, Clone)]
pub(crate) struct NodeArg(Vec<u8>);

fn parse_node(text: &str) -> Result<NodeArg, &'static str> {
    let digits: Option<Vec<u32>> = text.chars().map(|character| character.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() == 64).ok_or("a node key has 64 hexadecimal digits")?;
    let bytes = digits.chunks_exact(2).filter_map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok());
    Ok(NodeArg(bytes.collect()))
}

/// Does it.
pub(crate) async fn run(context: &Context, command: MeshCommand) -> Result<(), Error> {
    match command {
        MeshCommand::Peers => peers(context).await,
        MeshCommand::Route { to } => route(context, to).await,
        MeshCommand::Store { bundles } => store(context, bundles).await,
        MeshCommand::Identity => identity(context).await,
        MeshCommand::Send(args) => send::by_mesh(context, args).await,
        MeshCommand::Export { file } => export(context, &file).await,
        MeshCommand::Import { file } => import(context, &file).await,
        MeshCommand::Pair { node, addresses } => pair(context, node, addresses).await,
        MeshCommand::Unpair { node } => unpair(context, node).await,
        MeshCommand::Map { svg } => map(context, &svg).await,
        MeshCommand::Topic(command) => topic::run(context, command).await,
    }
}

async fn peers(context: &Context) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let shown = daemon.show_mesh(&v1::ShowMeshRequest {}).await?;
    context.output.show(&PeersView::from(shown))
}

async fn route(context: &Context, to: String) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let request = v1::ShowRouteRequest { to };
    let found = daemon.show_route(&request).await.map_err(|error| Error::from(error).about(&request.to))?;
    context.output.show(&RouteView::new(request.to, found))
}

async fn store(context: &Context, is_listed: bool) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let shown = daemon.show_mesh(&v1::ShowMeshRequest {}).await?;
    context.output.show(&StoreView::from(shown.custody.unwrap_or_default()))?;
    if is_listed { list(context, &daemon).await } else { Ok(()) }
}

async fn list(context: &Context, daemon: &Daemon) -> Result<(), Error> {
    let limit = u32::try_from(PAGE_ITEMS_MAX).unwrap_or(u32::MAX);
    let mut after = Vec::new();
    loop {
        let page = daemon.list_bundles(&v1::ListBundlesRequest { after, limit }).await?;
        for bundle in page.bundles {
            context.output.show(&BundleView::from(bundle))?;
        }
        if page.next.is_empty() {
            return Ok(());
        }
        after = page.next;
    }
}

async fn identity(context: &Context) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let status = daemon.node_status(&v1::NodeStatusRequest {}).await?;
    let shown = daemon.show_mesh(&v1::ShowMeshRequest {}).await?;
    context.output.show(&MeshIdentityView::new(shown, status))
}

async fn export(context: &Context, file: &Path) -> Result<(), Error> {
    let path = absolute(file)?;
    let daemon = context.daemon().await?;
    let written = daemon.export_bundles(&v1::ExportBundlesRequest { path: path.clone() }).await?;
    context.output.show(&ExportView {
        bundles: written.bundles,
        bytes: written.bytes,
        path: path.clone(),
    })?;
    context.output.note(&format!("On the other node: qpq mesh import {}", quote(Path::new(&path))));
    Ok(())
}

async fn import(context: &Context, file: &Path) -> Result<(), Error> {
    let path = absolute(file)?;
    let daemon = context.daemon().await?;
    let taken = daemon.import_bundles(&v1::ImportBundlesRequest { path: path.clone() }).await?;
    context.output.show(&ImportView::new(path, &taken))
}

async fn pair(context: &Context, node: NodeArg, addresses: Vec<String>) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let request = v1::PairNodeRequest { node: node.0, addresses, paired: true };
    daemon.pair_node(&request).await?;
    context.output.show(&PairView::new(&request.node, true))?;
    context.output.note("Its owner pairs with this node too: qpq mesh identity shows this node's key.");
    Ok(())
}

async fn unpair(context: &Context, node: NodeArg) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let request = v1::PairNodeRequest { node: node.0, addresses: Vec::new(), paired: false };
    daemon.pair_node(&request).await?;
    context.output.show(&PairView::new(&request.node, false))
}

async fn map(context: &Context, svg: &Path) -> Result<(), Error> {
    let daemon = context.daemon().await?;
    let shown = daemon.show_mesh(&v1::ShowMeshRequest {}).await?;
    let custody = StoreView::from(shown.custody.clone().unwrap_or_default());
    let neighbours: Vec<NeighbourView> = shown.neighbours.into_iter().map(NeighbourView::from).collect();
    let drawing = map::draw(&shown.node, &shown.kind, &neighbours, &custody);
    if svg == Path::new("-") {
        return context.output.write(&drawing);
    }
    std::fs::write(svg, drawing).map_err(|source| Error::File { path: svg.to_owned(), source })?;
    context.output.note(&format!("The drawing is in {}.", quote(svg)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_key_is_asked_for_in_words() {
        assert_eq!(parse_node(&"0aFf".repeat(16)).unwrap().0, [0x0a, 0xff].repeat(16));
        for text in ["", "00", "zz", &"0".repeat(63), &"g".repeat(64), &"0".repeat(66)] {
            assert_eq!(parse_node(text).unwrap_err(), "a node key has 64 hexadecimal digits", "{text}");
        }
    }
}
