//! Asking once who is there, so that a node that starts need not wait until others speak again.
//!
//! A responder must not multicast a record twice within a second (RFC 6762, section 6). Of two nodes that start less
//! than a second apart, the later one has missed the earlier one's announcement, and its question is not answered
//! until that second is over. A one-shot question (section 5.1) comes from a port of its own; the answer (section 6.7)
//! is no multicast but goes to the asker alone, at once, however recent the last announcement.
//!
//! A node joins the multicast groups, then announces itself, then asks. So of any two nodes, the one that announces
//! itself first hears the other's announcement, and the other's question finds it ready to answer. What gets lost on
//! the way is made up for by the questions that mDNS repeats.
//!
//! An answer is a hint from anybody, as all of discovery. The sockets live for [`ANSWER_TIME`], take what names the
//! question's random id, and read [`ANSWERS_MAX`] datagrams. What is asked reveals nothing about the asker, and nobody
//! can be made to ask.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use if_addrs::Interface;
use rustix::net::sockopt::set_ip_multicast_if;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::announcement::Heard;
use super::message;

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// How long answers are waited for. They come at once, or within the 120 ms over which some responders spread them.
const ANSWER_TIME: Duration = Duration::from_millis(500);

/// Most datagrams that are read in answer to one question, over each version of IP.
const ANSWERS_MAX: usize = 1024;

/// Most interfaces that are asked on, over each version of IP.
const INTERFACES_MAX: usize = 64;

/// Asks on every interface, and hands on who answers. Networks that cannot be asked are left to mDNS.
pub(super) async fn run(answers: &mpsc::Sender<Heard>) {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let (Ok(id), Ok(other_id)) = (random_id(), random_id()) else { return };
    let ask_v4 = async { hear(ask_v4(id, &interfaces).await, id, answers).await };
    let ask_v6 = async { hear(ask_v6(other_id, &interfaces).await, other_id, answers).await };
    tokio::join!(ask_v4, ask_v6);
}

fn random_id() -> Result<u16, getrandom::Error> {
    let mut id = [0; 2];
    getrandom::fill(&mut id)?;
    Ok(u16::from_be_bytes(id))
}

async fn ask_v4(id: u16, interfaces: &[Interface]) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    let question = message::question(id);
    for (_, address) in by_index(interfaces, v4) {
        let sent = match set_ip_multicast_if(&socket, &address) {
            Ok(()) => socket.send_to(&question, (GROUP_V4, mdns_sd::MDNS_PORT)).await.map(drop),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = sent {
            tracing::debug!(%address, %error, "cannot ask who is there");
        }
    }
    Ok(socket)
}

async fn ask_v6(id: u16, interfaces: &[Interface]) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await?;
    let question = message::question(id);
    for (index, _) in by_index(interfaces, v6) {
        let group = SocketAddrV6::new(GROUP_V6, mdns_sd::MDNS_PORT, 0, index);
        if let Err(error) = socket.send_to(&question, group).await {
            tracing::debug!(index, %error, "cannot ask who is there");
        }
    }
    Ok(socket)
}

/// One address of each interface that works and has one of the kind that is asked for, by the interface's index.
fn by_index<T>(interfaces: &[Interface], kind: impl Fn(IpAddr) -> Option<T>) -> BTreeMap<u32, T> {
    let mut found = BTreeMap::new();
    for interface in interfaces.iter().filter(|interface| interface.is_oper_up() && !interface.is_p2p()) {
        if let (Some(index), Some(address)) = (interface.index, kind(interface.ip()))
            && found.len() < INTERFACES_MAX
        {
            found.entry(index).or_insert(address);
        }
    }
    found
}

fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

fn v6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => Some(address),
    }
}

/// Takes what comes in answer, for a while.
async fn hear(asked: io::Result<UdpSocket>, id: u16, answers: &mpsc::Sender<Heard>) {
    // Without sockets of one version of IP, the other one has to do.
    let Ok(socket) = asked else { return };
    let listening = async {
        let mut datagram = vec![0; message::BYTES_MAX];
        for _ in 0..ANSWERS_MAX {
            let Ok((bytes, from)) = socket.recv_from(&mut datagram).await else { return };
            let interface = match from {
                SocketAddr::V4(_) => 0,
                SocketAddr::V6(from) => from.scope_id(),
            };
            for heard in message::read_answer(&datagram[..bytes], id, interface) {
                if answers.send(heard).await.is_err() {
                    return;
                }
            }
        }
    };
    let _ = timeout(ANSWER_TIME, listening).await;
}

#[cfg(test)]
mod tests;
