"""The read-only web page: what an operator decided, why, and what it expects. It writes nothing and asks nobody."""
