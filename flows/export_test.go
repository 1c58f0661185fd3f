package flows

import "context"

// Fire is fire, for tests of the clock without runs.
func (s *Service) Fire(ctx context.Context) error {
	_, err := s.fire(ctx)
	return err
}
