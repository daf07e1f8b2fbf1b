"""What models learn from: calculations, the library of them, frames, splits and energy shifts."""
