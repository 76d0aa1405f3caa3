//! What is kept of reports and bans.

use prost::Message;

/// A report.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReportRecord {
    /// Random, 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub report_id: Vec<u8>,
    /// Identity key of who reports; empty once the account was deleted.
    #[prost(bytes = "vec", tag = "2")]
    pub reporter: Vec<u8>,
    /// As reported.
    #[prost(bytes = "vec", tag = "3")]
    pub channel_id: Vec<u8>,
    /// As reported.
    #[prost(bytes = "vec", tag = "4")]
    pub message_id: Vec<u8>,
    /// Sealed to the administrators.
    #[prost(bytes = "vec", tag = "5")]
    pub report: Vec<u8>,
    /// As reported.
    #[prost(bytes = "vec", tag = "6")]
    pub franking_proof: Vec<u8>,
    /// Unix time in ms.
    #[prost(uint64, tag = "7")]
    pub reported_at_ms: u64,
}

/// Where the reports of an account lie.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ReporterRecord {
    /// Their places, oldest first.
    #[prost(uint64, repeated, tag = "1")]
    pub places: Vec<u64>,
}

/// Who administers the relay.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AdministratorsRecord {
    /// Identity keys of accounts, in the order in which they became administrators.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub identities: Vec<Vec<u8>>,
}

/// A ban.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct BanRecord {
    /// For the account and the log.
    #[prost(string, tag = "1")]
    pub reason: String,
    /// Unix time in ms at which it ends; 0 for never.
    #[prost(uint64, tag = "2")]
    pub until_ms: u64,
    /// Identity key of the administrator.
    #[prost(bytes = "vec", tag = "3")]
    pub banned_by: Vec<u8>,
    /// Unix time in ms.
    #[prost(uint64, tag = "4")]
    pub banned_at_ms: u64,
    /// Its place among the bans.
    #[prost(uint64, tag = "5")]
    pub place: u64,
}

/// Who is banned.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct BannedRecord {
    /// Identity key.
    #[prost(bytes = "vec", tag = "1")]
    pub identity: Vec<u8>,
}
