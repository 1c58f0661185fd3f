package tables

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"colonnade/core"
	"colonnade/core/db/dbtest"
	"colonnade/core/db/postgres"
)

// How the tests of this file are run at length; CONTRIBUTING.md has the commands.
const (
	killEnv = "COLONNADE_TEST_KILL"  // the database of a writer that is to be killed
	timesOf = "COLONNADE_KILLS"      // how often; 10 times unless it is set
	hardOf  = "COLONNADE_KILLS_HARD" // backends get SIGKILL, whereupon the whole server starts again: not on a shared one
)

func kills(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv(timesOf))
	if os.Getenv(timesOf) == "" {
		n, err = 10, nil
	}
	must(t, err)
	return n
}

const killWriters = 4

// killShop has the products of all works: it counts them.
const killShop = "00000000-0000-7000-8000-00000000005b"

// work does a unit of work under a key: a batch of three records is made, one of them is changed and one deleted, and the
// writer's own counter goes up; so does the stored count of the shop. Three lines are upserted twice. A second time would leave four records and a counter that is ahead.
func work(ctx context.Context, s *Store, writer, key string) error {
	return s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		_, _, err := tx.Once(ctx, Once{Key: key, Hash: sha256.Sum256([]byte(key))}, func() ([]byte, error) {
			rows := make([]core.Record, 3)
			for i := range rows {
				rows[i] = core.Record{"title": key, "sku": string(core.NewID()), "stock": i, "shop_id": killShop}
			}
			res, err := tx.Insert(ctx, Insert{Table: "product", Rows: rows})
			if err == nil {
				_, err = tx.Update(ctx, Update{Table: "product", Where: ByID(res.IDs[0]), Set: core.Record{"price": "9.90"}})
			}
			if err == nil {
				_, err = tx.Delete(ctx, Remove{Table: "product", Where: ByID(res.IDs[1])})
			}
			if err == nil {
				_, err = tx.Update(ctx, Update{Table: "product", Where: Compare{Column: "sku", Op: Eq, Value: writer}, Inc: core.Record{"stock": 1}})
			}
			for _, text := range []string{"first", "second"} { // created by one statement, and changed by the next
				lines := make([]core.Record, 3)
				for i := range lines {
					lines[i] = core.Record{"code": key + strconv.Itoa(i), "text": text}
				}
				if err == nil {
					_, err = tx.Insert(ctx, Insert{Table: "line", Rows: lines, OnConflict: &OnConflict{Key: "code", Update: []string{"text"}}})
				}
			}
			return []byte(key), err
		})
		return err
	})
}

// mustHold checks that of each key everything is there and nothing twice.
func mustHold(t *testing.T, s *Store, keys map[string]bool) {
	t.Helper()
	batches, total := map[string]int{}, 0
	for r, err := range s.Scan(root(t), s.Snapshot(), Query{Table: "product"}) {
		must(t, err)
		if title := r["title"].(string); strings.HasPrefix(title, "counter") {
			total += int(r["stock"].(int64))
		} else {
			batches[title]++
		}
	}
	for key := range keys {
		if batches[key] == 0 {
			t.Errorf("the batch %s was acknowledged and is gone", key)
		}
	}
	for key, n := range batches {
		if n != 2 || !keys[key] {
			t.Errorf("of the batch %s, acknowledged %v, %d records are there and not 2", key, keys[key], n)
		}
	}
	if total != len(keys) {
		t.Errorf("the counters are at %d, want %d", total, len(keys))
	}
	lines := 0
	for r, err := range s.Scan(root(t), s.Snapshot(), Query{Table: "line"}) {
		must(t, err)
		if lines++; r["text"] != "second" || r["version"] != int64(2) {
			t.Errorf("the line %v is the %v of version %v", r["code"], r["text"], r["version"])
		}
	}
	if lines != 3*len(keys) {
		t.Errorf("there are %d lines, want %d", lines, 3*len(keys))
	}
	if r, err := s.Find(root(t), s.Snapshot(), "shop", killShop); err != nil || r["products"] != int64(2*len(keys)) {
		t.Errorf("the shop counts %v products (%v), want %d", r["products"], err, 2*len(keys))
	}
	mustBeSound(t, s)
}

// counters makes what the writers count in.
func counters(t *testing.T, s *Store) {
	t.Helper()
	line := core.Table{Name: "line", Columns: []core.Column{{Name: "code", Kind: core.Text, Unique: true}, {Name: "text", Kind: core.Text}}}
	define(t, s, append(shop(), core.CreateTable{Define: line}, core.AddColumn{To: "shop", Add: core.Column{Name: "products", Kind: core.Integer, Formula: "product.count()", Stored: true}})...)
	mustInsert(t, root(t), s, "shop", core.Record{"id": killShop, "code": "kill"})
	for i := range killWriters {
		mustInsert(t, root(t), s, "product", core.Record{"title": "counter " + strconv.Itoa(i), "sku": strconv.Itoa(i)})
	}
}

// TestKill kills a process that writes and seals. What it had acknowledged is there, with history and events; what it had begun
// is sent again by its key; nothing is there in part or twice; and all is as it was sealed.
func TestKill(t *testing.T) {
	if source := os.Getenv(killEnv); source != "" {
		writeUntilKilled(t, source)
	}
	t.Parallel()
	fresh := map[string]func(testing.TB) string{"sqlite": dbtest.SQLitePath}
	if dbtest.HasPostgres() {
		fresh["postgres"] = dbtest.PostgresDSN
	}
	for name, source := range fresh {
		t.Run(name, func(t *testing.T) {
			for n := kills(t); n > 0; n -= 25 { // a new database now and then: looking at all of it takes longer each time
				killTimes(t, source(t), min(n, 25))
			}
		})
	}
}

func killTimes(t *testing.T, source string, n int) {
	d := openSource(t, source)
	counters(t, open(t, d, Options{}))
	must(t, d.Close())
	done := map[string]bool{}
	for range n {
		begun, acked := kill(t, source, rand.IntN(40)) // 0: while it starts
		d := openSource(t, source)
		s := open(t, d, Options{})
		for key, writer := range begun {
			if !acked[key] {
				must(t, work(root(t), s, writer, key))
			}
			done[key] = true
		}
		mustHold(t, s, done)
		must(t, d.Close())
	}
}

// kill runs the writer, kills it after it has acknowledged n works, and returns all that it has begun, with the writers,
// and all that it acknowledged.
func kill(t *testing.T, source string, n int) (begun map[string]string, acked map[string]bool) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestKill$")
	c.Env = append(os.Environ(), killEnv+"="+source)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	begun, acked = map[string]string{}, map[string]bool{}
	lines := bufio.NewScanner(out)
	killed := false
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 3 && words[0] == "begun":
			begun[words[2]] = words[1]
		case len(words) == 2 && words[0] == "acked":
			acked[words[1]] = true
		case len(words) != 1 || words[0] != "starts":
			t.Fatalf("the writer says %q", lines.Text())
		}
		if len(acked) >= n && !killed {
			killed = true
			must(t, c.Process.Kill())
		}
	}
	if err := c.Wait(); err == nil || !killed {
		t.Fatalf("the writer ended by itself after %d works: %v", len(acked), err)
	}
	return begun, acked
}

func writeUntilKilled(t *testing.T, source string) {
	fmt.Println("starts")
	s := open(t, openSource(t, source), Options{})
	run(t, killWriters+1, func(i int) error {
		for i == killWriters {
			if _, err := s.Seal(t.Context()); err != nil {
				return err
			}
		}
		for {
			key := string(core.NewID())[6:]
			fmt.Println("begun", i, key)
			if err := work(root(t), s, strconv.Itoa(i), key); err != nil {
				return err
			}
			fmt.Println("acked", key)
		}
	})
}

// TestBackendKill ends backends of PostgreSQL while they work. Who gets an error does not know whether his work was done, and
// sends it again by its key.
func TestBackendKill(t *testing.T) {
	if !dbtest.HasPostgres() {
		t.Skip("needs PostgreSQL")
	}
	t.Parallel()
	source := dbtest.PostgresDSN(t)
	s := open(t, dbtest.Open(t, postgres.Dialect{}, source), Options{})
	counters(t, s)
	var mu sync.Mutex
	done, retried := map[string]bool{}, 0
	acks, stop := make(chan struct{}), make(chan struct{})
	var wait sync.WaitGroup
	for i := range killWriters {
		wait.Go(func() {
			for {
				key := string(core.NewID())[6:]
				for err := work(root(t), s, strconv.Itoa(i), key); err != nil; err = work(root(t), s, strconv.Itoa(i), key) {
					if k := core.KindOf(err); k != core.Unavailable && k != core.Conflict {
						t.Errorf("a killed backend gives %s: %v", k, err)
						return
					}
					mu.Lock()
					retried++
					mu.Unlock()
				}
				mu.Lock()
				done[key] = true
				mu.Unlock()
				select {
				case acks <- struct{}{}:
				case <-stop:
					return
				}
			}
		})
	}
	n := kills(t)
	for range n {
		for range rand.IntN(30) {
			<-acks
		}
		killBackend(t, source)
		<-acks // it goes on
	}
	close(stop)
	wait.Wait()
	mustHold(t, s, done)
	t.Logf("%d works, %d kills, %d times sent again", len(done), n, retried)
}

// killBackend ends one of the backends that work for the database, and tries until it has: the server may just be starting
// again.
func killBackend(t *testing.T, source string) {
	t.Helper()
	hard := os.Getenv(hardOf) != ""
	for {
		pid, err := endBackend(t.Context(), source, hard)
		if err == nil && pid != 0 {
			return
		}
		if err != nil && !hard || t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

// endBackend returns the backend that it has ended, 0 when there was none.
func endBackend(ctx context.Context, source string, hard bool) (pid int, err error) {
	c, err := pgx.Connect(ctx, source)
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
	const victim = `(SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY state = 'active' DESC, random() LIMIT 1)`
	if !hard {
		err = c.QueryRow(ctx, "SELECT coalesce(max(pid) FILTER (WHERE pg_terminate_backend(pid)), 0) FROM "+victim+" AS v").Scan(&pid)
		return pid, err
	}
	if err = c.QueryRow(ctx, "SELECT coalesce("+victim+", 0)").Scan(&pid); err != nil || pid == 0 {
		return 0, err
	}
	return pid, syscall.Kill(pid, syscall.SIGKILL)
}
