//! Every limit, its unit last in its name.

/// Longest payload of a frame.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = 4_194_304;

/// Longest message of a failure; a longer one is cut.
pub const FAILURE_MESSAGE_BYTES_MAX: usize = 1_024;

/// Longest field name of a failure; a longer one is cut.
pub const FAILURE_FIELD_BYTES_MAX: usize = 128;
