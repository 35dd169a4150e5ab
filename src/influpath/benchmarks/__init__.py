"""What ``influpath bench`` measures: speed and memory, each beside a reference in the same run."""
