"""What the paper prints, for context beside our own figures; its judge and pairs are others."""

Row = dict[str, float]

# Table II: the evaluators as next-item recommenders.
EVALUATORS: dict[str, dict[str, Row]] = {
    "ml-1m": {
        "gru4rec": {"hr@20": 0.243, "mrr": 0.063},
        "caser": {"hr@20": 0.252, "mrr": 0.062},
        "sasrec": {"hr@20": 0.257, "mrr": 0.062},
        "bert4rec": {"hr@20": 0.264, "mrr": 0.076},
    },
    "lastfm": {
        "gru4rec": {"hr@20": 0.0392, "mrr": 0.0081},
        "caser": {"hr@20": 0.046, "mrr": 0.0106},
        "sasrec": {"hr@20": 0.0445, "mrr": 0.0097},
        "bert4rec": {"hr@20": 0.0489, "mrr": 0.0199},
    },
}

# Table III: the row of IRN, M = 20.
IRN: dict[str, Row] = {
    "ml-1m": {"sr": 0.259, "ioi": 2.61, "ior": 804.7, "log_ppl": 4.94},
    "lastfm": {"sr": 0.142, "ioi": 0.572, "ior": 160.7, "log_ppl": 6.65},
}
