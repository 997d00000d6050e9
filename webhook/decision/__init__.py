"""One AdmissionReview in, one decision out. Pure."""
