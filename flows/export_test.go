package flows

import "context"

// Fire is fire, for tests of the clock without runs.
func (s *Service) Fire(ctx context.Context) error { return s.fire(ctx) }
