"""Rules about queues and quotas: KAI, Kueue, Volcano, fractions of GPUs in Pods, ResourceQuotas."""
