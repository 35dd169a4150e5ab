"""Next-item models behind one interface: one file each."""
