"""The few kernels of training that are written in C, and compiled where there is a compiler."""
