"""Builds and maintains the ValidatingWebhookConfiguration."""
