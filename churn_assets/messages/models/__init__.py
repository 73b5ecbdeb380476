"""Language models: base, fine-tuning, reward models, PPO on text. Needs torch."""
