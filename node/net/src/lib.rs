//! Connections: iroh, quinn, mDNS, the owner's socket.
