"""What the trained reader of conversations is made from, and how."""
