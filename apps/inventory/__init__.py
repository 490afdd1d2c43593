"""Keep what every cloud has in rows that people and programs can search."""
