"""Looking after packs: what a pack shows, packs without near-duplicates, faces cut from photographs."""
