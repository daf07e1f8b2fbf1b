"""What holds for the process as a whole: threads and cores, signals that stop it, where its log goes."""
