"""What a candidate is: dopants, sites, compensation, orderings, the candidate grid."""
