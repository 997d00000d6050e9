"""From other tools' definitions (Argo CD, Flux) to sources: what they manage is guarded without being told again."""
