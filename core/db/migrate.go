package db

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"colonnade/core"
)

// migration is a row of the table of migrations that have been applied.
type migration struct {
	Number    int    `gorm:"primaryKey"`
	Name      string `gorm:"not null"`
	Checksum  string `gorm:"not null"` // SHA-256 of the file
	AppliedAt string `gorm:"not null"`
}

// TableName implements gorm's Tabler.
func (migration) TableName() string { return "_migration" }

// migrate applies the files that the database has not seen, in order, each in a transaction with its row.
// A file that changed after it was applied, or a database that is newer than the program, is refused.
func (db *DB) migrate(ctx context.Context, o Options) error {
	const op = "db.migrate"
	files, err := readMigrations(db.Migrations())
	if err != nil {
		return core.E(op, err)
	}
	const table = `CREATE TABLE IF NOT EXISTS "_migration" (number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at text NOT NULL)`
	return db.Tx(ctx, TxOptions{Alone: true}, func(tx *Tx) error {
		if l, ok := db.engine.(interface {
			LockMigrations(context.Context, Session) error
		}); ok {
			if err := l.LockMigrations(ctx, tx.session); err != nil {
				return err
			}
		}
		if _, err := tx.session.Exec(ctx, table, nil); err != nil {
			return err
		}
		var applied []migration
		if err := tx.Gorm(ctx).Order("number").Find(&applied).Error; err != nil {
			return err
		}
		if len(applied) > len(files) {
			return core.E(op, core.Invalid, fmt.Sprintf("the database was written by a newer version of Colonnade (migration %d): use that version or a newer one", applied[len(applied)-1].Number))
		}
		for i, f := range files {
			if i < len(applied) {
				if applied[i].Checksum != f.Checksum || applied[i].Number != f.Number {
					return core.E(op, core.Invalid, fmt.Sprintf("migration %d is not the one that made this database: restore the original file %s", f.Number, f.Name))
				}
				continue
			}
			for _, statement := range splitStatements(f.text) {
				if _, err := tx.session.Exec(ctx, statement, nil); err != nil {
					return core.E(op, fmt.Errorf("migration %s: %w", f.Name, err))
				}
			}
			f.AppliedAt = time.Now().UTC().Format(core.TimeLayout)
			if err := tx.Gorm(ctx).Create(&f.migration).Error; err != nil {
				return err
			}
		}
		if o.Fill == "" {
			return nil
		}
		_, err := tx.Exec(ctx, New(tx.Dialect).Write(`INSERT INTO "_meta" (key, value) VALUES (`).Arg(unfinished).Write(", ").Arg(o.Fill).Write(")"))
		return err
	})
}

// checkVersion refuses a database that was not written by this version, which is not to be changed.
func (db *DB) checkVersion(ctx context.Context, _ Options) error {
	const op = "db.checkVersion"
	files, err := readMigrations(db.Migrations())
	if err != nil {
		return core.E(op, err)
	}
	var applied []migration
	if err := db.Gorm(ctx).Order("number").Find(&applied).Error; err != nil {
		return core.E(op, db.classify(err))
	}
	same := len(applied) == len(files)
	for i := range min(len(applied), len(files)) {
		same = same && applied[i].Checksum == files[i].Checksum
	}
	if !same {
		return core.E(op, core.Invalid, "the database was written by another version of Colonnade: use that version, or start the server of this one once, which brings an older database up to date")
	}
	return nil
}

// Version is the number of the newest migration that the program knows: databases and copies of equal numbers have the same
// system tables.
func Version(d Dialect) (int, error) {
	files, err := readMigrations(d.Migrations())
	if err != nil || len(files) == 0 {
		return 0, core.E("db.Version", err)
	}
	return files[len(files)-1].Number, nil
}

type migrationFile struct {
	migration
	text string
}

func readMigrations(dir fs.FS) ([]migrationFile, error) {
	names, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return nil, err
	}
	var out []migrationFile
	last := 0
	for _, name := range names { // Glob sorts
		number, _, _ := strings.Cut(name, "_")
		n, err := strconv.Atoi(number)
		if err != nil || n <= last {
			return nil, fmt.Errorf("migration %s: the numbers must rise", name)
		}
		last = n
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		out = append(out, migrationFile{migration{Number: n, Name: name, Checksum: hex.EncodeToString(sum[:])}, string(text)})
	}
	return out, nil
}

// splitStatements splits a file at the semicolons that end a line; our files use them nowhere else.
func splitStatements(text string) []string {
	var out []string
	for s := range strings.SplitSeq(text, ";\n") {
		for strings.HasPrefix(s, "--") || strings.HasPrefix(s, "\n") {
			_, s, _ = strings.Cut(s, "\n")
		}
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}
