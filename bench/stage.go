package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"
)

// stage is one database with the rows, and both servers over it.
type stage struct {
	database   string
	version    string
	data       data
	own, limit *server
	postmaster int // 0 when the database is a part of the servers
	dir        string
	drop       func() error // what is left when the servers are gone
}

func (s *stage) close() error {
	var errs []error
	for _, p := range []*server{s.limit, s.own} {
		if p != nil {
			errs = append(errs, p.stop())
		}
	}
	if s.drop != nil {
		errs = append(errs, s.drop())
	}
	return errors.Join(errs...)
}

// serve starts Colonnade; more are its flags.
func (s *stage) serve(ctx context.Context, o *options, more ...string) (err error) {
	keyFile := filepath.Join(s.dir, "key") // which is written when the database is new
	args := append([]string{"serve", "--dev", "--data", filepath.Join(s.dir, "data"), "--key-file", keyFile}, more...)
	if s.own, err = start(ctx, s.dir, "colonnade", o.colonnade, args...); err != nil {
		return err
	}
	s.own.key, err = s.own.awaitFile(ctx, keyFile)
	return err
}

// fill loads the rows and tells how long that took.
func (s *stage) fill(ctx context.Context) error {
	fmt.Printf("# %s: %d accounts, %d contacts, %d orders ", s.version, s.data.accounts, s.data.contacts, s.data.orders)
	begun := time.Now()
	var err error
	if s.data, err = (api{s.own.addr, s.own.key}).load(ctx, s.data); err != nil {
		return fmt.Errorf("%w\n%s", err, s.own.tail())
	}
	fmt.Printf("loaded through the API in %.1f s\n", time.Since(begun).Seconds())
	return nil
}

// databaseName is the database that a run makes anew.
const databaseName = "colonnade_bench"

func openPostgres(ctx context.Context, o *options, dir string) (_ *stage, err error) {
	if o.postgres == "" || !o.wants("postgres") {
		return nil, errSkipped
	}
	s := &stage{database: "postgres", data: dataOf(o.scale), dir: filepath.Join(dir, "postgres")}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	u, err := url.Parse(o.postgres)
	if err != nil {
		return nil, err
	}
	server, drop := u.String(), "DROP DATABASE IF EXISTS "+databaseName+" WITH (FORCE)"
	for _, text := range []string{drop, "CREATE DATABASE " + databaseName} {
		if err := execute(ctx, server, text); err != nil {
			return nil, err
		}
	}
	s.drop = func() error { return execute(context.WithoutCancel(ctx), server, drop) }
	u.Path = "/" + databaseName
	if err := s.identify(ctx, u.String()); err != nil {
		return nil, err
	}
	if err := s.serve(ctx, o, "--database", u.String()); err != nil {
		return nil, err
	}
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	for _, text := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		if err := execute(ctx, u.String(), text); err != nil {
			return nil, err
		}
	}
	s.limit, err = start(ctx, s.dir, "limit", o.limit, "--postgres", u.String())
	return s, err
}

// identify finds out the version of the database and its main process, which is the parent of our session's.
func (s *stage) identify(ctx context.Context, source string) error {
	conn, err := pgx.Connect(ctx, source)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing was written
	var session int
	var version, flush, commit string
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid(), split_part(version(), ' ', 2), current_setting('fsync'), current_setting('synchronous_commit')").Scan(&session, &version, &flush, &commit)
	if err != nil {
		return err
	}
	s.version = fmt.Sprintf("PostgreSQL %s, fsync %s, synchronous_commit %s", version, flush, commit)
	parent, _, _, ok := stat(session)
	if !ok {
		return errors.New("the PostgreSQL must run on this machine: its CPU time is read from /proc")
	}
	s.postmaster = parent
	return nil
}

func execute(ctx context.Context, source, text string) error {
	conn, err := pgx.Connect(ctx, source)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, text)
	return errors.Join(err, conn.Close(ctx))
}

// openSQLite gives each server a file of its own, since a file has one process.
func openSQLite(ctx context.Context, o *options, dir string) (_ *stage, err error) {
	if !o.wants("sqlite") {
		return nil, errSkipped
	}
	s := &stage{database: "sqlite", version: "SQLite (modernc.org/sqlite " + moduleVersion("modernc.org/sqlite") + "), synchronous FULL", data: dataOf(o.scale), dir: filepath.Join(dir, "sqlite")}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err := s.serve(ctx, o); err != nil {
		return nil, err
	}
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	if err := s.own.stop(); err != nil {
		return nil, err
	}
	s.own = nil
	files, err := filepath.Glob(filepath.Join(s.dir, "data", "*.db"))
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("the data folder has %d files *.db, not one: %w", len(files), err)
	}
	if err := checkpoint(ctx, files[0]); err != nil {
		return nil, err
	}
	twin := filepath.Join(s.dir, "limit.db")
	if err := copyFile(files[0], twin); err != nil {
		return nil, err
	}
	if err := s.serve(ctx, o); err != nil {
		return nil, err
	}
	s.limit, err = start(ctx, s.dir, "limit", o.limit, "--sqlite", twin)
	return s, err
}

// checkpoint moves what is in the log of a file into the file, so that both sides begin without a log.
func checkpoint(ctx context.Context, path string) error {
	pool, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = pool.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return errors.Join(err, pool.Close())
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // nothing was written
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// profile stores what Colonnade spends CPU time and memory on under the load of w, if it tells.
func (s *stage) profile(ctx context.Context, o *options, w workload) error {
	list, err := s.exchanges(w, "")
	if err != nil {
		return err
	}
	own, _ := split(list)
	kinds := map[string]string{"profile": "cpu", "allocs": "allocs"}
	fetched := make(chan error, len(kinds))
	for kind, name := range kinds {
		go func() {
			fetched <- s.fetchProfile(ctx, kind, filepath.Join(o.profile, w.name+"-"+s.database+"-"+name+".pprof"))
		}()
	}
	_, err = drive(ctx, s.own.addr, own, o.conns, profileSeconds*time.Second+200*time.Millisecond)
	for range kinds {
		err = errors.Join(err, <-fetched)
	}
	return err
}

const profileSeconds = 4

func (s *stage) fetchProfile(ctx context.Context, kind, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", s.own.addr, kind, profileSeconds), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.own.key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		fmt.Printf("# no profile: /debug/pprof/%s answers %d\n", kind, resp.StatusCode)
		return nil
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
