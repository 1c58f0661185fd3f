package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"colonnade/core"
	"colonnade/core/db"
)

// private makes the file, when it is new, one that only its owner reads: it holds what proves identities. SQLite gives
// the files beside it the same mode.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return unusable(path, err)
	}
	return f.Close()
}

// ours refuses a file of another program, and one that does not fit the options; it empties one that was not filled to its
// end. It looks before anything of ours is set on the file: the journal mode would stay.
func ours(ctx context.Context, path string, o db.Options) error {
	found, err := look(ctx, path)
	if err != nil {
		return err
	}
	clear, err := o.Fits(found)
	if err != nil || !clear {
		return err
	}
	for _, file := range []string{path + "-wal", path + "-shm", path} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unusable(path, err)
		}
	}
	return private(path)
}

func look(ctx context.Context, path string) (found db.Found, err error) {
	pool, err := sql.Open("sqlite", dsn(path, "rw", deferred, "query_only(1)"))
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	const count = `SELECT (SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view')),
(SELECT count(*) FROM pragma_table_info('_migration') WHERE name IN ('number', 'name', 'checksum', 'applied_at')),
(SELECT count(*) FROM pragma_table_info('_meta') WHERE name IN ('key', 'value'))`
	var columns, meta int
	if err := pool.QueryRowContext(ctx, count).Scan(&found.Tables, &columns, &meta); err != nil {
		return found, err
	}
	if found.Tables > 0 && columns < 4 {
		return found, core.E("sqlite.ours", core.Invalid, fmt.Sprintf("the database file %s was made by another program: its tables are not Colonnade's; choose another folder with --data", path))
	}
	if meta < 2 {
		return found, nil
	}
	err = pool.QueryRowContext(ctx, `SELECT coalesce(max(value), '') FROM "_meta" WHERE key = 'unfinished'`).Scan(&found.Unfinished)
	return found, err
}

// unusable says what is wrong with a file that cannot be opened, and what to do.
func unusable(path string, err error) error {
	const op = "sqlite.Open"
	var own *core.Error
	if errors.As(err, &own) {
		return err
	}
	file := "the database file " + path
	switch code := primary(err); {
	case code == lib.SQLITE_NOTADB:
		return core.E(op, core.Unavailable, file+" is not a database, or its beginning is damaged: restore it from a backup, or choose another folder with --data", err)
	case code == lib.SQLITE_CORRUPT:
		return core.E(op, core.Unavailable, file+" is damaged (malformed): restore it from a backup", err)
	case code == lib.SQLITE_PERM || code == lib.SQLITE_READONLY || errors.Is(err, fs.ErrPermission):
		return core.E(op, core.Unavailable, file+" cannot be opened: permission denied; let the user that runs the server read and write it, and make files beside it", err)
	case code == lib.SQLITE_FULL:
		return core.E(op, core.Full, file+" cannot be opened: the disk is full; make room and start again", err)
	}
	var broken *fs.PathError
	if errors.As(err, &broken) {
		return core.E(op, core.Unavailable, file+" cannot be opened: "+broken.Err.Error(), err)
	}
	return core.E(op, core.Unavailable, file+" cannot be opened", err)
}

// primary returns the code of SQLite in err without its details, 0 when there is none.
func primary(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}
