"""Results of queries and moves: Placement, MoveResult, statuses and errors."""
