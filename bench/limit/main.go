// Command limit is the least that a Go server can do for the workloads of the benchmark: one handler and one prepared
// statement each, whose answer is finished JSON. It knows no GraphQL, no users, no history. It reads and writes the
// tables that Colonnade made.
package main

import (
	"context"
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
	close()
}

// row is what W5 inserts.
type row struct {
	id, account, first, last, email string
	score                           int
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

func routes(db database) *fiber.App {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	send := func(c *fiber.Ctx, out []byte, err error) error {
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
		return c.Send(out)
	}
	app.Get("/W1", func(c *fiber.Ctx) error {
		out, err := db.read(nil, "W1", c.Query("id"))
		return send(c, out, err)
	})
	for workload, filter := range map[string]string{"W2": "status", "W3": "country", "W7": "status"} {
		app.Get("/"+workload, func(c *fiber.Ctx) error {
			out, err := db.read(nil, workload, c.Query(filter), c.QueryInt("offset"))
			return send(c, out, err)
		})
	}
	parse := func(c *fiber.Ctx) (r row, err error) {
		id, err := uuid.NewV7()
		return row{id.String(), c.Query("account"), c.Query("first"), c.Query("last"), c.Query("email"), c.QueryInt("score")}, err
	}
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
