package files

import (
	"context"
	"errors"
	"time"

	"colonnade/core"
	"colonnade/tables"
)

// How often files are swept, how much older than now anything must be that is deleted, and how often contents are compared with
// the files that have them.
const (
	sweepEvery = time.Minute
	sweepGrace = time.Hour
	tidyEvery  = 24 * time.Hour
)

// maxStaged is how long a content may be staged: no upload takes longer.
const maxStaged = 24 * time.Hour

// Sweep deletes what nobody needs any more, until ctx ends: files that no record has named in time, files that no record and no
// version of one names, contents that no file has, and what uploads left that were cut off.
func (s *Service) Sweep(ctx context.Context) {
	w := s.sweeper(sweepGrace)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	tidied := time.Time{}
	for {
		_, err := s.store.SweepFiles(ctx, w)
		if err == nil && time.Since(tidied) > tidyEvery {
			tidied = time.Now()
			err = s.tidy(ctx, w, time.Now().Add(-maxStaged))
		}
		if err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "files: cannot delete what nobody needs", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) sweeper(grace time.Duration) *tables.FileSweep {
	return &tables.FileSweep{Keep: s.o.Keep, Grace: grace, Remove: func(ctx context.Context, sha256 string) error {
		a := Address(sha256)
		return errors.Join(s.cache.remove(a), s.o.Contents.Remove(ctx, a))
	}}
}

// tidyPart is how many contents are compared with the database together.
const tidyPart = 500

// tidy compares the contents that are kept with the files that have them, and removes what is left over.
func (s *Service) tidy(ctx context.Context, w *tables.FileSweep, staged time.Time) error {
	if err := s.o.Contents.Tidy(ctx, staged); err != nil {
		return err
	}
	var part []string
	for a, err := range s.o.Contents.All(ctx) {
		if err != nil {
			return err
		}
		if part = append(part, string(a)); len(part) == tidyPart {
			if err := s.store.SweepContents(ctx, w, part); err != nil {
				return err
			}
			part = part[:0]
		}
	}
	if err := s.store.SweepContents(ctx, w, part); err != nil {
		return err
	}
	return s.cache.tidy(ctx, staged, func(a Address) bool { return s.kept(ctx, a) })
}

// kept reports whether the content is there, or may be.
func (s *Service) kept(ctx context.Context, a Address) bool {
	c, err := s.o.Contents.Open(ctx, a)
	if err == nil {
		_ = c.Close()
	}
	return core.KindOf(err) != core.NotFound
}
