"""The life of one call: state table, journal, reception, reconciliation. Pure decisions."""
