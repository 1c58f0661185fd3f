package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"colonnade/core"
	"colonnade/transfer"
	"colonnade/transfer/format"
)

// Files into tables and tables into files, as streams. The settings are in the query, the file is the body as it is.

func (s *Server) dataRoutes() []route {
	if s.o.Data == nil {
		return nil
	}
	return []route{
		{"POST", "/data/import/:table", session, s.importFile},
		{"POST", "/data/suggest/:table", session, s.suggestColumns},
		{"GET", "/data/export/:table", session, s.exportFile},
		{"GET", "/data/backup", session, s.backup},
		{"GET", "/data/imports/:batch", session, s.importState},
		{"GET", "/data/imports/:batch/failures", session, s.importFailures},
		{"GET", "/data/imports/:batch/events", session, s.importEvents},
	}
}

// streamed are the routes that take their body as a stream.
func streamed(r route) bool {
	return r.path == "/data/import/:table" || r.path == "/data/suggest/:table" || r.path == filePath
}

// plainBody refuses what a form of another site could send, and what would have to be unpacked.
func plainBody(c *fiber.Ctx) error {
	if e := c.Get(fiber.HeaderContentEncoding); e != "" && e != "identity" {
		return fiber.NewError(fiber.StatusUnsupportedMediaType, "the file must not be compressed")
	}
	return nil
}

// settings reads the query of a request; a name that it does not know is refused.
type settings struct {
	c   *fiber.Ctx
	err error
}

func (q *settings) fail(name, msg string) {
	if q.err == nil {
		q.err = core.E("web.settings", core.Invalid, core.At{Column: name}, msg)
	}
}

func (q *settings) json(name string, into any) {
	if text := q.c.Query(name); text != "" {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			q.fail(name, "the setting is a JSON object, such as {\"Name\": \"full_name\"}")
		}
	}
}

func (q *settings) number(name string) int {
	text := q.c.Query(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		q.fail(name, "the setting is a number")
	}
	return n
}

func (q *settings) flag(name string) bool {
	switch q.c.Query(name) {
	case "", "0", "false", "no":
		return false
	case "1", "true", "yes":
		return true
	}
	q.fail(name, "the setting is 1 or 0")
	return false
}

func (q *settings) oneOf(name string, words ...string) string {
	text := q.c.Query(name)
	for _, w := range append(words, "") {
		if text == w {
			return text
		}
	}
	q.fail(name, fmt.Sprintf("%q is none of %v", text, words))
	return ""
}

func (q *settings) known(names ...string) {
	for name := range q.c.Queries() {
		switch s := core.Suggest(name, names); {
		case s == name:
		case s == "":
			q.fail(name, "there is no such setting")
		default:
			q.fail(name, "there is no such setting; did you mean "+s+"?")
		}
	}
}

func (q *settings) file() format.Options {
	return format.Options{
		Format: q.oneOf("format", format.CSV, format.NDJSON, format.Parquet, format.XLSX), Charset: q.c.Query("charset"), Delimiter: q.c.Query("delimiter"),
		Quote: q.c.Query("quote"), Header: q.oneOf("header", "yes", "no"), Sheet: q.c.Query("sheet"), EmptyText: q.oneOf("quoted_empty", "text", "null") == "text",
		Serial: q.flag("serial_dates"),
	}
}

var fileSettings = []string{"format", "charset", "delimiter", "quote", "header", "sheet", "quoted_empty", "serial_dates"}

func (s *Server) importFile(c *fiber.Ctx) error {
	if err := plainBody(c); err != nil {
		return err
	}
	q := &settings{c: c}
	q.known(append([]string{"name", "columns", "match", "constants", "defaults", "mode", "key", "on_error", "on_duplicate", "max_errors", "batch", "plan"}, fileSettings...)...)
	r := transfer.Request{
		Table: c.Params("table"), Name: c.Query("name"), File: q.file(), Match: q.flag("match"), Mode: transfer.Mode(q.oneOf("mode", "create", "update", "upsert")), Key: c.Query("key"),
		Skip: q.oneOf("on_error", "stop", "skip") == "skip", MaxErrors: q.number("max_errors"), Batch: core.ID(c.Query("batch")), Plan: q.flag("plan"),
		OnDuplicate: transfer.Duplicates(q.oneOf("on_duplicate", "warn", "refuse", "allow")),
	}
	q.json("columns", &r.Columns)
	q.json("constants", &r.Constants)
	q.json("defaults", &r.Defaults)
	if q.err != nil {
		return q.err
	}
	ctx, cancel := s.long(c)
	defer cancel()
	report, err := s.o.Data.Import(ctx, r, s.incoming(c))
	if err != nil && (report == nil || report.Batch == "") {
		return err
	}
	out, bad := report.JSON(err)
	if bad != nil {
		return bad
	}
	if err != nil { // what was imported before stays, and the answer says so
		c.Status(statuses[core.KindOf(err)])
	}
	c.Set(fiber.HeaderContentType, mediaJSON.contentType())
	return c.Send(out)
}

func (s *Server) suggestColumns(c *fiber.Ctx) error {
	if err := plainBody(c); err != nil {
		return err
	}
	q := &settings{c: c}
	q.known(fileSettings...)
	o := q.file()
	if q.err != nil {
		return q.err
	}
	ctx, cancel := s.long(c)
	defer cancel()
	found, err := s.o.Data.Suggest(ctx, c.Params("table"), o, s.incoming(c))
	if err != nil {
		return err
	}
	return answer(c, map[string]any{"columns": found})
}

func (s *Server) exportFile(c *fiber.Ctx) error {
	q := &settings{c: c}
	q.known("format", "columns", "where")
	e := transfer.Export{Table: c.Params("table"), Format: q.oneOf("format", format.CSV, format.NDJSON, format.Parquet), Columns: strings.FieldsFunc(c.Query("columns"), func(r rune) bool { return r == ',' })}
	if q.err != nil {
		return q.err
	}
	ctx, cancel := s.long(c)
	if where := c.Query("where"); where != "" {
		var err error
		if e.Where, err = s.o.Engine.Where(ctx, e.Table, []byte(where)); err != nil {
			cancel()
			return err
		}
	}
	x, err := s.o.Data.Export(ctx, e)
	if err != nil {
		cancel()
		return err
	}
	ending := e.Format
	if ending == "" {
		ending = format.CSV
	}
	c.Set(fiber.HeaderContentType, format.ContentType(ending))
	c.Set(fiber.HeaderContentDisposition, fmt.Sprintf("attachment; filename=%q", e.Table+"."+ending))
	if c.Method() == fiber.MethodHead {
		cancel()
		return nil
	}
	s.outgoing(c, func(_ context.Context, w io.Writer) error {
		defer cancel()
		_, err := x.WriteTo(w)
		return err
	})
	return nil
}

// backup sends everything that the database holds to an administrator.
func (s *Server) backup(c *fiber.Ctx) error {
	q := &settings{c: c}
	if q.known(); q.err != nil {
		return q.err
	}
	if err := s.o.Data.MayBackup(c.UserContext()); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/octet-stream")
	c.Set(fiber.HeaderContentDisposition, fmt.Sprintf("attachment; filename=%q", "colonnade-"+time.Now().UTC().Format("20060102-150405")+".backup"))
	if c.Method() == fiber.MethodHead {
		return nil
	}
	s.outgoing(c, func(ctx context.Context, w io.Writer) error {
		_, err := s.o.Data.Backup(ctx, w, nil)
		return err
	})
	return nil
}

func (s *Server) importState(c *fiber.Ctx) error {
	b, err := s.o.Data.Batch(c.UserContext(), core.ID(c.Params("batch")))
	if err != nil {
		return err
	}
	return answer(c, progressOf(b))
}

func (s *Server) importFailures(c *fiber.Ctx) error {
	id := core.ID(c.Params("batch"))
	if _, err := s.o.Data.Batch(c.UserContext(), id); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, format.ContentType(format.CSV))
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="refused.csv"`)
	if c.Method() == fiber.MethodHead {
		return nil
	}
	s.outgoing(c, func(ctx context.Context, w io.Writer) error { return s.o.Data.Failures(ctx, id, w) })
	return nil
}

// progress is how an import stands.
type progress struct {
	*transfer.Batch
	Rate float64 `json:"rate"` // rows a second
}

func progressOf(b *transfer.Batch) progress { return progress{b, b.Rate()} }

// How often an import is looked at for its events, and how often a stream without news says that it lives.
const (
	lookEvery = 500 * time.Millisecond
	beatEvery = 10 * time.Second
)

// importEvents sends how an import stands whenever it has moved, as server-sent events, until it has ended.
func (s *Server) importEvents(c *fiber.Ctx) error {
	id := core.ID(c.Params("batch"))
	if _, err := s.o.Data.Batch(c.UserContext(), id); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/event-stream")
	if c.Method() == fiber.MethodHead {
		return nil
	}
	s.outgoing(c, func(ctx context.Context, w io.Writer) error { return s.follow(ctx, id, w) })
	return nil
}

func (s *Server) follow(ctx context.Context, id core.ID, w io.Writer) error {
	look, beat := time.NewTicker(lookEvery), time.NewTicker(beatEvery)
	defer look.Stop()
	defer beat.Stop()
	last := ""
	for {
		b, err := s.o.Data.Batch(ctx, id)
		if err != nil {
			return err
		}
		text, err := json.Marshal(progressOf(b))
		if err != nil {
			return core.E("web.follow", err)
		}
		if string(text) != last {
			last = string(text)
			if err := event(w, "data: "+last+"\n\n"); err != nil {
				return err
			}
		}
		if b.Status != transfer.Running {
			return nil
		}
		select {
		case <-look.C:
		case <-beat.C:
			if err := event(w, ": still here\n\n"); err != nil {
				return err
			}
		case <-s.closing:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func event(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	if f, ok := w.(interface{ Flush() error }); ok {
		return f.Flush()
	}
	return nil
}
