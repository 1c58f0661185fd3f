package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
	"colonnade/transfer/format"
)

func (w *world) run(ctx context.Context, r Request, text string) (*Report, error) {
	return w.s.Import(ctx, r, strings.NewReader(text))
}

func TestImport(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := w.root()
		w.insert("shop", core.Record{"code": "r", "city": "Rome"}, core.Record{"code": "p"})
		const broken = "\ufeffName,price,Shop,Note\r\n" +
			"\"Tea, green\",2.50,r,x\r\n" + // 2
			"Cup,abc,r,x\r\n" + // 3: a number
			"Pot,1,nowhere,x\r\n" + // 4: a shop
			"\"two\nlines\",3,p,x\r\n" + // 5, 6
			"short,1\r\n" + // 7: a cell too few
			",4,p,x\r\n" + // 8: required
			"bad \"quote,1,p,x\r\n" + // 9
			"Gift,-1,p,x\r\n" + // 10: a rule
			"Tea,5,,\r\n"
		in := Request{Table: "product", Columns: map[string]string{"Name": "title", "Shop": "shop_id.code", "Note": ""}}
		_, err := w.run(ctx, in, broken)
		wantKind(t, err, core.Invalid, "line 3", "price", "nothing was imported")
		if w.count("product") != 0 || w.count("_import_batch") != 0 {
			t.Fatal("something was imported")
		}
		plan := in
		plan.Plan = true
		report, err := w.run(ctx, plan, broken)
		must(t, err)
		if report.Rows != 9 || report.Created != 3 || report.Refused != 6 || report.Status != "planned" || w.count("product") != 0 || w.count("_import_batch") != 0 {
			t.Fatalf("%+v", report)
		}
		in.Skip = true
		report, err = w.run(ctx, in, broken)
		must(t, err)
		if report.Rows != 9 || report.Created != 3 || report.Refused != 6 || w.count("product") != 3 || report.Status != Done {
			t.Fatalf("%+v", report)
		}
		var lines []string
		for _, f := range report.failures {
			lines = append(lines, fmt.Sprint(f.line, " ", f.err.Column))
		}
		if got := strings.Join(lines, ", "); got != "3 price, 4 shop_id, 7 , 8 title, 9 , 10 price" {
			t.Fatal(got)
		}
		var file bytes.Buffer
		must(t, w.s.Failures(ctx, report.Batch, &file))
		if file.String() != report.failCSV() || !strings.HasPrefix(file.String(), "Name,price,Shop,Note,error\nCup,abc,r,x,\"product.price, line 3:") {
			t.Fatalf("%s\n%s", file.String(), report.failCSV())
		}
		mended := strings.NewReplacer("abc", "7", "nowhere", "r", "-1", "1").Replace(file.String())
		in.Columns["error"] = ""
		report, err = w.run(ctx, in, mended)
		must(t, err)
		if report.Created != 5 || report.Refused != 1 {
			t.Fatalf("%+v\n%s", report, mended)
		}
		if got := w.list("_import_batch", "status", "rows", "created", "refused"); got != "done 6 5 1; done 9 3 6" {
			t.Fatal(got)
		}
		delete(in.Columns, "error")
		for csv, words := range map[string]string{
			"":                           "no header",
			"title,nope\na,b":            `"nope" of the file goes to no column`,
			"title,Title\na,b":           `"Title" of the file goes to no column`,
			"title,x\na,b":               `"x" of the file goes to no column`,
			"title,gross\na,1":           "calculated",
			"title,version\na,1":         "kept by Colonnade",
			"title\na\n\"never closed\n": "not closed",
		} {
			_, err := w.run(ctx, Request{Table: "product", Skip: true}, csv)
			wantKind(t, err, core.Invalid, words)
		}
		for name, r := range map[string]Request{
			"not unique":           {Columns: map[string]string{"s": "shop_id.city"}},
			`no column "x"`:        {Columns: map[string]string{"x": "title"}},
			"same column":          {Columns: map[string]string{"s": "title"}},
			"no mode":              {Mode: "destroy", Columns: map[string]string{"s": ""}},
			"needs none":           {Mode: tables.ImportCreate, Key: "sku", Columns: map[string]string{"s": "sku"}},
			"part of the key":      {Key: "sku", Columns: map[string]string{"s": ""}},
			"neither":              {Key: "city", Columns: map[string]string{"s": ""}},
			"make it a constant":   {Defaults: map[string]any{"price": 1}, Columns: map[string]string{"s": ""}},
			"no number":            {Constants: map[string]any{"price": "x"}, Columns: map[string]string{"s": ""}},
			"max_errors is from 1": {MaxErrors: -1},
		} {
			r.Table = "product"
			_, err = w.run(ctx, r, "title,s\na,b")
			wantKind(t, err, core.Invalid, name)
		}
	})
}

func TestImportModes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := w.root()
		w.insert("product", core.Record{"title": "old", "sku": "a", "price": "1"}, core.Record{"title": "same", "sku": "b", "price": "2"})
		in := Request{Table: "product", Skip: true, Key: "sku", Constants: map[string]any{"stock": 7}, Defaults: map[string]any{"price": "9.99"}}
		const csv = "sku,title,price\na,new,3\nb,same,2\nc,fresh,\nc,fresher,5\n"
		report, err := w.run(ctx, in, csv)
		must(t, err)
		if report.Created != 1 || report.Changed != 3 || report.Unchanged != 0 || report.Refused != 0 { // stock changes in all
			t.Fatalf("%+v", report)
		}
		report, err = w.run(ctx, in, csv[:strings.Index(csv, "c,")])
		must(t, err)
		if report.Unchanged != 2 || report.Changed != 0 {
			t.Fatalf("%+v", report)
		}
		if got := w.list("product", "sku", "title", "price", "stock"); got != "a new 3.00 7; b same 2.00 7; c fresher 5.00 7" {
			t.Fatal(got)
		}
		in.Mode = tables.ImportUpdate
		report, err = w.run(ctx, in, "sku,title,price\na,newer,3\nz,none,1\n")
		must(t, err)
		if report.Changed != 1 || report.Created != 0 || report.Refused != 1 || report.Reasons[0].Kind != core.NotFound {
			t.Fatalf("%+v", report)
		}
		in.Mode, in.Key = tables.ImportCreate, ""
		report, err = w.run(ctx, in, "sku,title,price\na,again,3\nd,four,1\nd,four,1\n")
		must(t, err)
		if report.Created != 1 || report.Refused != 2 || report.Reasons[0].Kind != core.Exists || report.Reasons[0].Column != "sku" || report.Reasons[0].Rows != 2 {
			t.Fatalf("%+v %+v", report, report.Reasons[0])
		}
	})
}

// many is a file of n rows, of which one in a thousand is broken.
func many(n int) string {
	var csv strings.Builder
	csv.WriteString("sku,title,price\n")
	for i := range n {
		price := fmt.Sprintf("%d.25", i)
		if i%1000 == 999 {
			price = "dear"
		}
		title := fmt.Sprintf("Product %d", i)
		if i%1000 == 500 {
			title = strings.Repeat("x", 31) // found out by the column, not by the file
		}
		fmt.Fprintf(&csv, "s%d,%s,%s\n", i, title, price)
	}
	return csv.String()
}

func TestImportMany(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := w.root()
		w.insert("product", core.Record{"title": "old", "sku": "s7"})
		const rows = 5000
		in := Request{Table: "product", Key: "sku", Skip: true}
		plan := in
		plan.Plan = true
		foretold, err := w.run(ctx, plan, many(rows)+"s1,Product 1,1.25\n")
		must(t, err)
		report, err := w.run(ctx, in, many(rows)+"s1,Product 1,1.25\n")
		must(t, err)
		if report.Rows != rows+1 || report.Created != rows-11 || report.Refused != 10 {
			t.Fatalf("%+v", report)
		}
		if foretold.Created != report.Created || foretold.Changed != report.Changed+report.Unchanged || foretold.Refused != report.Refused { // a later part may find what it wants
			t.Fatalf("the plan said %+v, it became %+v", foretold, report)
		}
		report, err = w.run(ctx, in, many(rows))
		must(t, err)
		if report.Created != 0 || report.Unchanged != rows-10 || w.count("product") != rows-10 {
			t.Fatalf("%+v", report)
		}
		_, err = w.run(ctx, Request{Table: "product", Skip: true, MaxErrors: 5}, many(rows))
		wantKind(t, err, core.Limit, "more than 5 rows were refused")
		events, _, err := w.store.Events(ctx, w.store.Snapshot(), tables.Cursor{}, 3)
		must(t, err)
		if e := events[len(events)-1]; e.Cause.Kind != "import" || e.Cause.ID == "" {
			t.Fatalf("%+v", e)
		}
	})
}

// cut is a file whose sender goes away.
type cut struct {
	r    io.Reader
	left int
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errors.New("the connection is gone")
	}
	n, err := c.r.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func TestResume(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := w.root()
		text := many(8000)
		in := Request{Table: "product", Skip: true} // creates: doubling would show as refused keys
		report, err := w.s.Import(ctx, in, &cut{strings.NewReader(text), len(text) / 2})
		wantKind(t, err, core.Unavailable, "did not arrive whole")
		if report.Batch == "" || report.Status != Stopped || report.Rows == 0 || report.Rows >= 8000 || w.count("product") != int(report.Created) {
			t.Fatalf("%+v", report)
		}
		in.Batch = report.Batch
		_, err = w.run(ctx, in, strings.Replace(text, "Product 1,", "Product X,", 1))
		wantKind(t, err, core.Conflict, "not the one")
		_, err = w.run(ctx, in, text[:100])
		wantKind(t, err, core.Conflict, "not the one")
		other := in
		other.Key = "sku"
		_, err = w.run(ctx, other, text)
		wantKind(t, err, core.Conflict, "settings")
		stranger := w.person("stranger", append(grant("product", authz.Organization, nil, authz.Create), mayImport)...)
		_, err = w.run(stranger, in, text)
		wantKind(t, err, core.NotFound, "no import")
		report, err = w.run(ctx, in, text)
		must(t, err)
		if report.Rows != 8000 || report.Created != 7984 || report.Refused != 16 || w.count("product") != 7984 || report.Status != Done {
			t.Fatalf("%+v", report)
		}
		_, err = w.run(ctx, in, text)
		wantKind(t, err, core.Conflict, "done already")
	})
}

// TestTakenOver has a second request go on with a batch while the first is still at work: the first can commit nothing more.
func TestTakenOver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := w.root()
		text := many(12000)
		from, to := io.Pipe()
		in := Request{Table: "product", Skip: true}
		first := make(chan error, 1)
		go func() {
			_, err := w.s.Import(ctx, in, from)
			_ = from.Close()
			first <- err
		}()
		half := len(text) / 2
		_, err := io.WriteString(to, text[:half])
		must(t, err)
		var batch Batch
		for batch.Rows == 0 {
			batch = Batch{}
			must(t, w.store.Gorm(ctx).Limit(1).Find(&batch).Error)
		}
		in.Batch = batch.ID
		report, err := w.run(ctx, in, text)
		must(t, err)
		_, _ = io.WriteString(to, text[half:]) // fails once nobody reads any more
		must(t, to.Close())
		wantKind(t, <-first, core.Conflict, "another request")
		if report.Created != 11976 || w.count("product") != 11976 {
			t.Fatalf("%+v, %d records", report, w.count("product"))
		}
	})
}

func TestUndo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := w.root()
		shops := w.insert("shop", core.Record{"code": "old", "city": "Rome"}, core.Record{"code": "moved", "city": "Oslo"})
		report, err := w.run(ctx, Request{Table: "shop", Skip: true, Key: "code"}, "code,city\nold,Bonn\nmoved,Bern\nnew,Nice\nused,Metz\n")
		must(t, err)
		update := func(code, city string) {
			must(t, w.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
				_, err := tx.Update(ctx, tables.Update{Table: "shop", Where: tables.Compare{Column: "code", Op: tables.Eq, Value: code}, Set: core.Record{"city": city}})
				return err
			}))
		}
		update("moved", "Kiel")
		used, err := w.store.Records(ctx, w.store.Snapshot(), tables.Query{Table: "shop", Where: tables.Compare{Column: "code", Op: tables.Eq, Value: "used"}})
		must(t, err)
		w.insert("product", core.Record{"title": "x", "shop_id": used[0]["id"]})

		clerk := w.person("clerk", append(grant("shop", authz.Organization, nil, authz.Read, authz.Update, authz.Delete), mayImport)...)
		_, err = w.call(clerk, "undo_import", fmt.Sprintf(`{"batch": %q}`, report.Batch))
		wantKind(t, err, core.NotFound, "no import")

		out, err := w.call(ctx, "undo_import", fmt.Sprintf(`{"batch": %q}`, report.Batch))
		must(t, err)
		if out["deleted"] != int64(1) || out["restored"] != int64(1) || out["kept"] != int64(2) {
			t.Fatalf("%v", out)
		}
		reasons := fmt.Sprint(out["reasons"])
		if !strings.Contains(reasons, "changed the record since") || !strings.Contains(reasons, "refers to it") || !strings.Contains(reasons, string(shops[1])) {
			t.Fatal(reasons)
		}
		if got := w.list("shop", "code", "city"); got != "moved Kiel; old Rome; used Metz" {
			t.Fatal(got)
		}
		_, err = w.call(ctx, "undo_import", fmt.Sprintf(`{"batch": %q}`, report.Batch))
		wantKind(t, err, core.Conflict, "undone already")
	})
}

func TestUndoMany(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := w.root()
		report, err := w.run(ctx, Request{Table: "product", Skip: true}, many(3000))
		must(t, err)
		out, err := w.s.Undo(ctx, report.Batch)
		must(t, err)
		if out.Deleted != 2994 || out.kept != 0 || w.count("product") != 0 {
			t.Fatalf("%+v", out)
		}
	})
}

// TestImportRights has callers with partial rights try: they learn nothing, and nothing is written.
func TestImportRights(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.insert("product", core.Record{"title": "secret", "sku": "s1", "cost": "5"})
		clerk := w.person("clerk", append(grant("product", authz.Own, []string{"cost"}, authz.Read, authz.Create, authz.Update), mayImport)...)
		reader := w.person("reader", grant("product", authz.Organization, nil, authz.Read, authz.Create)...)
		_, err := w.run(reader, Request{Table: "product", Skip: true}, "title\nx\n")
		wantKind(t, err, core.Denied, "import data")
		for _, plan := range []bool{false, true} {
			for column, unknown := range map[string]string{"cost": "nope", "": ""} {
				if column == "" {
					continue
				}
				_, hidden := w.run(clerk, Request{Table: "product", Skip: true, Plan: plan, Constants: map[string]any{column: "no number"}}, "title\nx\n")
				_, missing := w.run(clerk, Request{Table: "product", Skip: true, Plan: plan, Constants: map[string]any{unknown: "no number"}}, "title\nx\n")
				a, b := core.AsError(hidden).Public(), strings.ReplaceAll(core.AsError(missing).Public(), unknown, column)
				if a != b {
					t.Fatalf("a hidden column: %s\none that is not there: %s", a, b)
				}
			}
			_, err = w.run(clerk, Request{Table: "product", Skip: true, Plan: plan}, "title,cost\nx,1\n")
			wantKind(t, err, core.Invalid, "no such column")
			_, err = w.run(clerk, Request{Table: "product", Skip: true, Plan: plan, Columns: map[string]string{"shop": "shop_id.code"}}, "title,shop\nx,1\n")
			wantKind(t, err, core.Denied, "shop")
			report, err := w.run(clerk, Request{Table: "product", Skip: true, Plan: plan, Key: "sku", Mode: tables.ImportUpdate}, "sku,title\ns1,mine\ns2,mine\n")
			must(t, err)
			if report.Changed != 0 || len(report.Reasons) != 1 || report.Reasons[0].Rows != 2 { // out of reach is like not there
				t.Fatalf("%+v", report)
			}
		}
		found, err := w.s.Suggest(clerk, "product", format.Options{}, strings.NewReader("Cost,Product Name,Shop Code\n1,x,y\n"))
		must(t, err)
		if found[0].Column != "" || found[1].Column != "title" || found[2].Column != "" {
			t.Fatalf("%+v", found)
		}
		if got := w.list("product", "title", "sku"); got != "secret s1" {
			t.Fatal(got)
		}
		_, err = w.s.Suggest(reader, "product", format.Options{}, strings.NewReader("a\n"))
		wantKind(t, err, core.Denied)
	})
}

func TestSuggest(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		found, err := w.s.Suggest(w.root(), "product", format.Options{}, strings.NewReader("PRODUCT-NAME;Unit price;Shop;Day;Other;Stock\nTea;2.5;r;12/31/2024;1;many\n"))
		must(t, err)
		var got []string
		for _, f := range found {
			got = append(got, f.Header+"="+f.Column+":"+f.Kind)
		}
		if s := strings.Join(got, " "); s != "PRODUCT-NAME=title:text Unit price=price:decimal Shop=shop_id.code:text Day=day:date Other=:boolean Stock=:text" {
			t.Fatal(s)
		}
		w.insert("shop", core.Record{"code": "r"})
		report, err := w.run(w.root(), Request{Table: "product", Match: true}, "PRODUCT-NAME;Unit price;Shop;Other\nTea;2.5;r;1\n")
		must(t, err)
		if report.Created != 1 || report.Columns["Shop"] != "shop_id.code" || report.Columns["Other"] != "" {
			t.Fatalf("%+v", report)
		}
	})
}

func TestImportAction(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		clerk := w.person("clerk", append(grant("product", authz.Own, []string{"cost"}, authz.Read, authz.Create), mayImport)...)
		reader := w.person("reader", grant("product", authz.Organization, nil, authz.Read, authz.Create)...)
		in := `{"table": "product", "csv": "Name,price\nTea,1\nCup,x\n", "columns": {"Name": "title"}, "on_error": "skip"}`
		_, err := w.call(reader, "import_csv", in)
		wantKind(t, err, core.Denied, "import data")
		out, err := w.call(clerk, "import_csv", in)
		must(t, err)
		if out["inserted"] != int64(1) || out["failed"] != int64(1) || out["fail_csv"] != "Name,price,error\nCup,x,\"product.price, line 3: \"\"x\"\" is no number\"\n" || out["batch"] == nil {
			t.Fatalf("%v", out)
		}
		_, err = w.call(clerk, "import_csv", `{"table": "product", "csv": "title\nTea\n", "key": "sku"}`)
		wantKind(t, err, core.Denied, "update")
		_, err = w.run(w.root(), Request{Table: "shop", File: format.Options{Charset: "utf-8"}}, "code,city\nr,Rome\nz,Z\xfcrich\n")
		wantKind(t, err, core.Invalid, "line 3", "city", "not valid UTF-8")
		_, err = w.call(clerk, "import_csv", `{"table": "product", "csv": "title\nTea\n", "on_error": "pray"}`)
		wantKind(t, err, core.Invalid, "stop or skip")
	})
}

// TestPlanWritesNothing compares everything in the database before and after plans.
func TestPlanWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.insert("product", core.Record{"title": "old", "sku": "s7"})
		size := func() (out string) {
			for _, table := range []string{"product", "_history", "_event", "_import_batch", "_import_failure"} {
				b := db.New(w.store.DB().Dialect).Write("SELECT count(*) FROM ").Name(table)
				must(t, w.store.DB().Query(t.Context(), b, func(scan func(...any) error) error {
					var n int64
					err := scan(&n)
					out += fmt.Sprint(table, " ", n, " ")
					return err
				}))
			}
			return out
		}
		before := size()
		for _, key := range []string{"", "sku"} {
			_, err := w.run(w.root(), Request{Table: "product", Key: key, Plan: true, Skip: true}, many(2500))
			must(t, err)
		}
		if after := size(); after != before {
			t.Fatalf("before: %s\nafter: %s", before, after)
		}
	})
}
