# Where `qpq` finds the node of this router.
export QPQ_SOCKET=/var/run/qpq/qpqd.sock
