"""What the report says: tables, sentences and facts."""
