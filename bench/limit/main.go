// Command limit is the least that a Go server can do for the workloads of the benchmark: one handler and one prepared
// statement each, whose answer is finished JSON. It knows no GraphQL, no users, no history. It reads and writes the
// tables that Colonnade made.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
)

// database runs the statements. Each method appends JSON to dst. Without a context, which would cost a goroutine a call.
type database interface {
	// read runs the statement of a workload.
	read(dst []byte, workload string, args ...any) ([]byte, error)
	// insert adds a row to bench_row and answers when it is durable.
	insert(dst []byte, r row) ([]byte, error)
	// insertAll adds rows to bench_ruled, all or none.
	insertAll(rows []row) error
	close()
}

// row is what W5 and W6 insert.
type row struct {
	ID      string `json:"-"`
	Account string `json:"account_id"`
	First   string `json:"first_name"`
	Last    string `json:"last_name"`
	Email   string `json:"email"`
	Score   int    `json:"score"`
}

func main() {
	postgres := flag.String("postgres", "", "URL of the database")
	sqlite := flag.String("sqlite", "", "file of the database")
	addr := flag.String("addr", "127.0.0.1:0", "where to listen")
	addrFile := flag.String("addr-file", "", "file that gets the address")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *postgres, *sqlite, *addr, *addrFile); err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, postgres, sqlite, addr, addrFile string) error {
	debug.SetGCPercent(400) // the heap is small: with Go's default the collector would take a tenth of the CPU time
	var db database
	var err error
	if postgres != "" {
		db, err = openPostgres(ctx, postgres)
	} else {
		db, err = openSQLite(ctx, sqlite)
	}
	if err != nil {
		return err
	}
	defer db.close()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if addrFile != "" {
		if err := os.WriteFile(addrFile, []byte(listener.Addr().String()), 0o600); err != nil {
			return err
		}
	}
	app := routes(db)
	go func() {
		<-ctx.Done()
		_ = app.ShutdownWithTimeout(5 * time.Second) // the process ends anyway
	}()
	return app.Listener(listener)
}

// parameters are those of the statements that read, in their order.
var parameters = map[string][]string{
	"W1": {"id"}, "W2": {"status", "offset"}, "W3": {"country", "offset"}, "W4": {"status"}, "W4s": {"account"}, "W7": {"status", "offset"}, "W8": {"owner", "offset"},
	"W10": {"country", "offset"},
}

func routes(db database) *fiber.App {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	send := func(c *fiber.Ctx, out []byte, err error) error {
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(out)
	}
	for workload, names := range parameters {
		app.Get("/"+workload, func(c *fiber.Ctx) error {
			args := make([]any, len(names))
			for i, name := range names {
				if args[i] = c.Query(name); name == "offset" {
					args[i] = c.QueryInt(name)
				}
			}
			out, err := db.read(nil, workload, args...)
			return send(c, out, err)
		})
	}
	parse := func(c *fiber.Ctx) (r row, err error) {
		id, err := uuid.NewV7()
		return row{id.String(), c.Query("account"), c.Query("first"), c.Query("last"), c.Query("email"), c.QueryInt("score")}, err
	}
	app.Post("/W6", func(c *fiber.Ctx) error {
		var rows []row
		if err := json.Unmarshal(c.Body(), &rows); err != nil {
			return err
		}
		for i := range rows {
			id, err := uuid.NewV7()
			if err != nil {
				return err
			}
			rows[i].ID = id.String()
		}
		return send(c, fmt.Appendf(nil, `{"affected_rows":%d}`, len(rows)), db.insertAll(rows))
	})
	app.Post("/W5", func(c *fiber.Ctx) error {
		r, err := parse(c)
		if err != nil {
			return err
		}
		out, err := db.insert(nil, r)
		return send(c, out, err)
	})
	if g, ok := db.(*sqliteDB); ok {
		app.Post("/W5group", func(c *fiber.Ctx) error {
			r, err := parse(c)
			if err != nil {
				return err
			}
			out, err := g.insertTogether(r)
			return send(c, out, err)
		})
	}
	return app
}
