"""From the local store and the journals to spans, to trees of them, and to the words for what they are."""
