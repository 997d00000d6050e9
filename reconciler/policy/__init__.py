"""Which objects are guarded, how, and who may write what. Pure: reads mappings, never files."""
