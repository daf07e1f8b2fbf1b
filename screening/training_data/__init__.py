"""What models learn from: calculations, the library that keeps them, frames, splits and shifts of the energy zero."""
