"""Who uses a GPU class: from the objects of a cluster to numbers and names for people."""
