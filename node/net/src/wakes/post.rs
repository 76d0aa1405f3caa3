//! One post, and what its answer means.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use rustls::ClientConfig;
use rustls_platform_verifier::Verifier;

use super::Permits;
use super::resolve::{self, Lookup, NotPermitted, Resolver};
use crate::tls;

/// What came of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The push server has it.
    Delivered,
    /// There is no such endpoint.
    Gone,
    /// It will never be taken; the text says why.
    Refused(String),
    /// It may be taken another time.
    Later {
        /// At the earliest after this time.
        after: Duration,
        /// Why not now.
        reason: String,
    },
}

/// Posts to endpoints at addresses that are permitted.
pub(super) struct Poster {
    client: Client,
    permits: Permits,
    ttl_s: u64,
}

impl Poster {
    /// Trusts whom the system trusts.
    pub(super) fn of_system(permits: Permits, ttl_s: u64) -> Result<Self, String> {
        let verifier = Verifier::new(tls::provider()).map_err(|error| error.to_string())?;
        let config = config().dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Self::new(permits, ttl_s, config.with_no_client_auth(), resolve::of_system())
    }

    pub(super) fn new(
        permits: Permits,
        ttl_s: u64,
        config: ClientConfig,
        lookup: Lookup,
    ) -> Result<Self, String> {
        let client = Client::builder()
            .tls_backend_preconfigured(config)
            .dns_resolver(Resolver::new(Arc::clone(&permits), lookup))
            .https_only(true)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(POST)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(IDLE)
            .build();
        client.map(|client| Self { client, permits, ttl_s }).map_err(|error| error.to_string())
    }

    /// Posts an empty message.
    pub(super) async fn post(&self, endpoint: &Url) -> Outcome {
        if !self.may_be_dialled(endpoint) {
            return Outcome::Refused(NotPermitted.to_string());
        }
        let request = self
            .client
            .post(endpoint.clone())
            .header("TTL", self.ttl_s)
            .header("Urgency", "high")
            .header("Topic", "wake")
            // Left out of what is empty otherwise; some servers insist on it.
            .header(CONTENT_LENGTH, 0)
            .body(Vec::new());
        match request.send().await {
            Ok(response) => {
                let outcome = outcome(&response);
                finish(response).await;
                outcome
            }
            Err(error) if is_not_permitted(&error) => Outcome::Refused(NotPermitted.to_string()),
            Err(error) => Outcome::Later { after: Duration::ZERO, reason: error.without_url().to_string() },
        }
    }

    /// An address in place of a name is dialled without being resolved.
    fn may_be_dialled(&self, endpoint: &Url) -> bool {
        let host = endpoint.host_str().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        literal.map_or(true, |address| (self.permits)(address))
    }
}

/// The client's side of TLS, but for whom it trusts.
pub(super) fn config() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring has what TLS 1.3 needs")
}

fn outcome(response: &Response) -> Outcome {
    let status = response.status();
    match status {
        _ if status.is_success() => Outcome::Delivered,
        StatusCode::NOT_FOUND | StatusCode::GONE => Outcome::Gone,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => later(response),
        _ if status.is_server_error() => later(response),
        _ => Outcome::Refused(format!("its push server answers {}", status.as_u16())),
    }
}

fn later(response: &Response) -> Outcome {
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let after = Duration::from_secs(asked.unwrap_or_default()).min(RETRY_AFTER_MAX);
    Outcome::Later { after, reason: format!("the push server answers {}", response.status().as_u16()) }
}

/// Reads on to the end of an answer that is short, so that the connection can be used again.
async fn finish(mut response: Response) {
    let mut bytes = 0;
    while let Ok(Some(piece)) = response.chunk().await {
        bytes += piece.len();
        if bytes > ANSWER_BYTES_MAX {
            return;
        }
    }
}

fn is_not_permitted(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if error.is::<NotPermitted>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// How long a connection may take to be there, and a post in all.
const CONNECT: Duration = Duration::from_secs(10);
const POST: Duration = Duration::from_secs(20);
/// How long a connection is kept for the next post.
const IDLE: Duration = Duration::from_secs(60);
/// The longest time for which a push server puts us off.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// What is read of an answer; nothing of it is kept.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;
