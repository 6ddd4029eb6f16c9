"""Evidence that a third party can verify: what it is, how it is sealed, kept and looked at again."""
