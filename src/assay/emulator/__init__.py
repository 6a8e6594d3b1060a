"""A deterministic server on loopback that speaks model wires: skill, timing and faults known, truth kept."""
