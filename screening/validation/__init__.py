"""DFT: what to compute, its folders and inputs, running it, and reading what came back as records.

What the results say about a potential is `retraining`; what they change in a ranking, `campaign.ranking`.
"""
