//! What is asked.

use std::future::Future;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chacha20::ChaCha20Rng;
use qpq_crypto::digest::sha256;
use qpq_crypto::opaque::ClientLogin;
use qpq_net::direct::DirectClient;
use qpq_proto::limits::Limits;
use qpq_proto::v1::{
    FetchKeyPackageRequest, FetchRecoveryBundleRequest, OpaqueLoginStartRequest, StoreRecoveryBundleRequest,
};
use qpq_proto::{CallError, Client, Status};
use qpq_tests::{RelayAddress, RelayUser};
use rand_core::{Rng, SeedableRng};

use crate::statistics::Samples;

/// People who are there.
const PEOPLE: u32 = 64;

/// Asks so often, about somebody who is there or not as chance has it.
async fn sample<F>(samples: usize, ask: impl Fn(bool, u64) -> F) -> anyhow::Result<Samples>
where
    F: Future<Output = anyhow::Result<Duration>>,
{
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut found = Samples::default();
    // The first ones warm up what is cached, on both sides.
    for number in 0..samples + WARM_UP {
        let is_there = rng.next_u32() % 2 == 0;
        let took = ask(is_there, rng.next_u64()).await?;
        if number >= WARM_UP {
            found.add(is_there, took);
        }
    }
    Ok(found)
}

/// The start of a login.
pub(crate) async fn logins(relay: &RelayAddress, samples: usize) -> anyhow::Result<Samples> {
    people(relay).await?;
    let connection = relay.connect().await?;
    let (_, request) = ClientLogin::start(&mut ChaCha20Rng::seed_from_u64(2), b"any password")?;
    sample(samples, |is_there, chance| {
        let username = format!("user{}", number(is_there, chance));
        let request = OpaqueLoginStartRequest { username, request: request.clone() };
        let connection = &connection;
        async move {
            let (answer, took) = patient(|| connection.opaque_login_start(&request)).await;
            answer?;
            Ok(took)
        }
    })
    .await
}

/// A key package of somebody who has left none.
pub(crate) async fn key_packages(relay: &RelayAddress, samples: usize) -> anyhow::Result<Samples> {
    let connection = RelayUser::new(PEOPLE).arrive(relay).await?;
    sample(samples, |is_there, chance| {
        let identity = RelayUser::new(number(is_there, chance)).identity();
        let request =
            FetchKeyPackageRequest { identity_key: identity.to_vec(), ..FetchKeyPackageRequest::default() };
        let connection = &connection;
        async move {
            let (answer, took) = patient(|| connection.fetch_key_package(&request)).await;
            ensure!(answer.is_err_and(|error| is_not_found(&error)), "the relay has more than nothing");
            Ok(took)
        }
    })
    .await
}

/// A recovery bundle. Each address may ask a few times only, and so each question comes from another one.
pub(crate) async fn recoveries(relay: &RelayAddress, samples: usize) -> anyhow::Result<Samples> {
    let token = [7; 32];
    let owner = RelayUser::new(PEOPLE + 1).arrive(relay).await?;
    let bundle = vec![1; 4_096];
    let request = StoreRecoveryBundleRequest {
        token_hash: sha256(&[&token]).to_vec(),
        bundle: bundle.into(),
        version: 1,
    };
    owner.store_recovery_bundle(&request).await?;
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let mut found = Samples::default();
    for number in 0..u32::try_from(samples)? {
        let from = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + number);
        let limits = &Limits::SERVER;
        let client =
            DirectClient::connect_from((from, 0).into(), relay.address, &relay.trust, limits).await?;
        let connection = Client::new(client);
        let is_there = rng.next_u32() % 2 == 0;
        let token = if is_there { token } else { sha256(&[&number.to_be_bytes()]) };
        let request = FetchRecoveryBundleRequest { token: token.to_vec() };
        let (answer, took) = patient(|| connection.fetch_recovery_bundle(&request)).await;
        let is_right = match &answer {
            Ok(_) => is_there,
            Err(error) => !is_there && is_not_found(error),
        };
        ensure!(is_right, "the relay has another answer than expected");
        found.add(is_there, took);
    }
    Ok(found)
}

/// Registers those who are there.
async fn people(relay: &RelayAddress) -> anyhow::Result<()> {
    for number in 0..PEOPLE {
        let user = RelayUser::new(number);
        user.arrive(relay).await.with_context(|| format!("user {number}"))?;
    }
    Ok(())
}

/// Whom to ask about.
fn number(is_there: bool, chance: u64) -> u32 {
    let number = u32::try_from(chance % u64::from(PEOPLE)).unwrap_or_default();
    if is_there { number } else { ABSENT + number }
}

/// Calls again while the relay asks for patience. Gives the answer, and the time of the call that had it.
async fn patient<F, T>(call: impl Fn() -> F) -> (Result<T, CallError>, Duration)
where
    F: Future<Output = Result<T, CallError>>,
{
    loop {
        let begun = Instant::now();
        let answer = call().await;
        let took = begun.elapsed();
        let failure = answer.as_ref().err().and_then(CallError::failure);
        let limited = failure.filter(|failure| failure.status == Status::RateLimited);
        let Some(failure) = limited else { return (answer, took) };
        tokio::time::sleep(Duration::from_millis(failure.retry_after_ms.max(1))).await;
    }
}

fn is_not_found(error: &CallError) -> bool {
    error.failure().is_some_and(|failure| failure.status == Status::NotFound)
}

/// From here on nobody is registered.
const ABSENT: u32 = 1_000_000;
const WARM_UP: usize = 500;
