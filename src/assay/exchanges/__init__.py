"""How a case is played: one family, one module an exchange."""
