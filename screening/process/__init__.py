"""What a process is told: threads, signals, where its log goes."""
