"""What to write: corpus, language models, reward, the safety shield and the writer.

May import `stages`, `storage`, `orchestration` and `domain`; serving uses only shield and writing.
"""
