"""northstar: exports of an online school in, audited impact marts out."""
