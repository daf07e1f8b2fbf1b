"""What VASP wrote, read and judged."""
