package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"colonnade/core"
	"colonnade/core/db"
)

// Options says how a database is worked with.
type Options[T any] struct {
	db.QueueOptions
	Tx   func(db.Session) T // River's view of our transaction
	Sole bool               // no other process uses the database
	Put  func()             // called when new jobs are committed, where River's driver does not tell of them; may be nil
	Poll time.Duration      // how often to look for new jobs in any case
	Late bool               // ending a job twice, in our transaction and in River's, costs more than a second delivery
}

// The tuning of River. Its defaults are made for fewer jobs: they fetch every 100 ms.
const (
	cooldown = 5 * time.Millisecond
	// rescue is when River takes a running job for lost. Its age is all that River knows; owners of jobs resume theirs
	// sooner, and find out that a rescued one is at work.
	rescue = 10 * time.Minute
	// keep is how long River remembers finished jobs: what they were about has rows of its own.
	keep = 5 * time.Minute
	// attempts is never reached: only work that cannot reach the database fails.
	attempts = 10_000
)

// Open brings River's tables up to date and returns its queue.
func Open[D riverdriver.Driver[T], T any](ctx context.Context, driver D, o Options[T]) (db.Queue, error) {
	const op = "jobs.Open"
	log := slog.New(quiet{o.Log.Handler()})
	m, err := rivermigrate.New(riverdriver.Driver[T](driver), &rivermigrate.Config{Logger: log})
	if err != nil {
		return nil, core.E(op, err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, core.E(op, err)
	}
	q := &queue[D, T]{tx: o.Tx, put: o.Put, sole: o.Sole, late: o.Late}
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{call: q.call}); err != nil {
		return nil, core.E(op, err)
	}
	q.client, err = river.NewClient(riverdriver.Driver[T](driver), &river.Config{
		CompletedJobRetentionPeriod: keep,
		FetchCooldown:               cooldown,
		FetchPollInterval:           o.Poll,
		JobTimeout:                  -1,
		Logger:                      log,
		MaxAttempts:                 attempts,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: o.Workers}},
		RescueStuckJobsAfter:        rescue,
		SoftStopTimeout:             o.Grace,
		Workers:                     workers,
	})
	if err != nil {
		return nil, core.E(op, err)
	}
	return q, nil
}

// queue is a River client. D is the driver, which River wants to know by type.
type queue[D riverdriver.Driver[T], T any] struct {
	client *river.Client[T]
	tx     func(db.Session) T
	put    func()
	sole   bool
	late   bool
	work   atomic.Pointer[func(context.Context, core.ID) error]
}

// Put implements db.Queue.
func (q *queue[D, T]) Put(ctx context.Context, tx *db.Tx, ids ...core.ID) error {
	if len(ids) == 0 {
		return nil
	}
	many := make([]river.InsertManyParams, len(ids))
	for i, id := range ids {
		many[i].Args = job{id}
	}
	// A statement that is interrupted would end the transaction, which may be shared.
	if _, err := q.client.InsertManyTx(context.WithoutCancel(ctx), q.tx(tx.Session()), many); err != nil {
		return core.E("jobs.Put", err)
	}
	if q.put != nil {
		tx.AfterCommit(q.put)
	}
	return nil
}

type jobKey struct{}

// Done implements db.Queue. River ends the job after work has returned in any case; in between a crash would make it
// deliver the job once more. A job that was rescued meanwhile is somebody else's to end.
func (q *queue[D, T]) Done(ctx context.Context, tx *db.Tx) error {
	j, ok := ctx.Value(jobKey{}).(*river.Job[job])
	if !ok || q.late {
		return nil
	}
	_, err := river.JobCompleteTx[D](context.WithoutCancel(ctx), q.tx(tx.Session()), j)
	if errors.Is(err, rivertype.ErrNotFound) {
		return nil
	}
	return core.E("jobs.Done", err)
}

// Start implements db.Queue.
func (q *queue[D, T]) Start(ctx context.Context, work func(context.Context, core.ID) error) error {
	q.work.Store(&work)
	return core.E("jobs.Start", q.client.Start(context.WithoutCancel(ctx))) // Stop ends it, in good order
}

// Stop implements db.Queue.
func (q *queue[D, T]) Stop(ctx context.Context) error {
	if q.work.Load() == nil {
		return nil
	}
	return core.E("jobs.Stop", q.client.Stop(ctx))
}

// maxHanded is how many jobs Handed looks at, the longest at work first.
const maxHanded = 1000

// Handed implements db.Queue.
func (q *queue[D, T]) Handed(ctx context.Context, before time.Time) ([]core.ID, error) {
	const op = "jobs.Handed"
	found, err := q.client.JobList(ctx, river.NewJobListParams().States(rivertype.JobStateRunning).OrderBy(river.JobListOrderByTime, river.SortOrderAsc).First(maxHanded))
	if err != nil {
		return nil, core.E(op, err)
	}
	var out []core.ID
	for _, row := range found.Jobs {
		if row.AttemptedAt == nil || !row.AttemptedAt.Before(before) {
			continue
		}
		var j job
		if err := json.Unmarshal(row.EncodedArgs, &j); err != nil {
			return nil, core.E(op, err)
		}
		out = append(out, j.ID)
	}
	return out, nil
}

// Sole implements db.Queue.
func (q *queue[D, T]) Sole() bool { return q.sole }

func (q *queue[D, T]) call(ctx context.Context, j *river.Job[job]) error {
	err := (*q.work.Load())(context.WithValue(ctx, jobKey{}, j), j.Args.ID)
	var again db.Again
	if errors.As(err, &again) {
		return river.JobSnooze(max(0, again.After))
	}
	return err
}

// job is what River keeps.
type job struct {
	ID core.ID `json:"id"`
}

// Kind implements river.JobArgs.
func (job) Kind() string { return "colonnade" }

type worker struct {
	river.WorkerDefaults[job]
	call func(context.Context, *river.Job[job]) error
}

// Work implements river.Worker.
func (w *worker) Work(ctx context.Context, j *river.Job[job]) error { return w.call(ctx, j) }

// NextRetry implements river.Worker: work fails when the database does not answer, and then soon tries again.
func (w *worker) NextRetry(*river.Job[job]) time.Time {
	return time.Now().Add(time.Second + rand.N(time.Second))
}

// quiet leaves out what River says when all is well.
type quiet struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{h.Handler.WithAttrs(attrs)} }

// WithGroup implements slog.Handler.
func (h quiet) WithGroup(name string) slog.Handler { return quiet{h.Handler.WithGroup(name)} }
