"""Rules about what GPU operators are told: NVIDIA's policies and drivers, AMD's partitions, HAMi's shares. Pure."""
