"""What was learnt: Placement, MoveResult, statuses, errors."""
