"""What the report draws: charts and pictures, in one look."""
