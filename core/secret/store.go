package secret

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"colonnade/core"
	"colonnade/core/db"
)

// Store keeps sealed secrets in the database: one of each kind for each thing that needs it.
type Store struct {
	db   *db.DB
	ring *Keyring
}

// row is a sealed secret.
type row struct {
	ID        core.ID `gorm:"primaryKey"`
	Kind      string
	OfID      core.ID
	Sealed    string
	CreatedAt db.Time
	ChangedAt db.Time
}

// TableName implements gorm's Tabler.
func (row) TableName() string { return "_secret" }

// New returns the secrets of a database. A nil ring holds no key.
func New(d *db.DB, ring *Keyring) *Store {
	if ring == nil {
		ring = &Keyring{}
	}
	return &Store{db: d, ring: ring}
}

// about is what an envelope is bound to.
func about(kind string, of core.ID) string { return kind + "/" + string(of) }

// Ready returns nil when secrets can be sealed, and otherwise what the operator has to do.
func (s *Store) Ready() error {
	_, err := s.ring.first()
	return err
}

// Put keeps a secret of the thing with that id, in place of the one that it had.
func (s *Store) Put(ctx context.Context, tx *db.Tx, kind string, of core.ID, plain []byte) error {
	envelope, err := s.ring.seal(about(kind, of), plain)
	if err != nil {
		return err
	}
	g, now := tx.Gorm(ctx), db.Now()
	done := g.Model(&row{}).Where("kind = ? AND of_id = ?", kind, of).Updates(map[string]any{"sealed": envelope, "changed_at": now})
	if done.Error != nil || done.RowsAffected > 0 {
		return done.Error
	}
	return g.Create(&row{ID: core.NewID(), Kind: kind, OfID: of, Sealed: envelope, CreatedAt: now, ChangedAt: now}).Error
}

// Get returns a secret, by GORM over the database or over a transaction. Where there is none the error is core.NotFound.
func (s *Store) Get(g *gorm.DB, kind string, of core.ID) ([]byte, error) {
	const op = "secret.Get"
	var r row
	if err := g.Where("kind = ? AND of_id = ?", kind, of).Take(&r).Error; err != nil {
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil, core.E(op, core.NotFound, "no secret is kept for this: set it")
		}
		return nil, core.E(op, s.db.Classify(err))
	}
	plain, err := s.ring.open(about(kind, of), r.Sealed)
	if err != nil {
		return nil, core.E(op, err)
	}
	return plain, nil
}

// Drop forgets a secret. One that is not there is no error.
func (s *Store) Drop(ctx context.Context, tx *db.Tx, kind string, of core.ID) error {
	return tx.Gorm(ctx).Where("kind = ? AND of_id = ?", kind, of).Delete(&row{}).Error
}

// rotateAtOnce is how many envelopes are rewrapped in one transaction.
const rotateAtOnce = 500

// Rotate puts all secrets under the first key of the ring and returns how many were under another one. It can be repeated
// after it was interrupted, and secrets are read and written meanwhile.
func (s *Store) Rotate(ctx context.Context) (int, error) {
	const op = "secret.Rotate"
	if err := s.Ready(); err != nil {
		return 0, core.E(op, err)
	}
	total, after := 0, core.ID("00000000-0000-0000-0000-000000000000")
	for {
		var n int
		last := after
		err := s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) (err error) {
			n, last, err = s.rotate(tx.Gorm(ctx), after)
			return err
		})
		if err != nil {
			return total, core.E(op, err)
		}
		total += n
		if last == after {
			return total, nil
		}
		after = last
	}
}

// rotate rewraps the next secrets by their ids; it returns the last of them.
func (s *Store) rotate(g *gorm.DB, after core.ID) (n int, last core.ID, err error) {
	var rows []row
	if err := g.Where("id > ?", after).Order("id").Limit(rotateAtOnce).Find(&rows).Error; err != nil {
		return 0, after, err
	}
	last = after
	for _, r := range rows {
		last = r.ID
		next, changed, err := s.ring.rewrap(about(r.Kind, r.OfID), r.Sealed)
		if err != nil {
			return 0, after, err
		}
		if !changed {
			continue
		}
		done := g.Model(&row{}).Where("id = ? AND sealed = ?", r.ID, r.Sealed).Update("sealed", next) // not what was set anew meanwhile
		if done.Error != nil {
			return 0, after, done.Error
		}
		n += int(done.RowsAffected)
	}
	return n, last, nil
}

// Held is how many secrets are under one key.
type Held struct {
	Key   string // its id
	There bool   // whether the ring has it
	Count int
}

// Status tells under which keys the secrets are, the one that seals first.
func (s *Store) Status(ctx context.Context) ([]Held, error) {
	var sealed []string
	if err := s.db.Gorm(ctx).Model(&row{}).Order("id").Pluck("sealed", &sealed).Error; err != nil {
		return nil, core.E("secret.Status", s.db.Classify(err))
	}
	var out []Held
	if id := s.ring.Active(); id != "" {
		out = append(out, Held{Key: id, There: true})
	}
	for _, envelope := range sealed {
		out = count(out, keyOf(envelope))
	}
	for i := range out {
		out[i].There = s.ring.Holds(out[i].Key)
	}
	return out, nil
}

func count(all []Held, key string) []Held {
	for i := range all {
		if all[i].Key == key {
			all[i].Count++
			return all
		}
	}
	return append(all, Held{Key: key, Count: 1})
}
