package tables

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"colonnade/authz"
	"colonnade/core"
)

func importCSV(ctx context.Context, s *Store, in Import) (report *ImportReport, err error) {
	err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
		report, err = tx.Import(ctx, in)
		return err
	})
	return report, err
}

func TestImport(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		mustInsert(t, ctx, s, "shop", core.Record{"code": "r", "city": "Rome"}, core.Record{"code": "p"})
		const broken = "\ufeffName,price,Shop,Note\r\n" +
			"\"Tea, green\",2.50,r,x\r\n" + // 2
			"Cup,abc,r,x\r\n" + // 3: a number
			"Pot,1,nowhere,x\r\n" + // 4: a shop
			"\"two\nlines\",3,p,x\r\n" + // 5, 6
			"short,1\r\n" + // 7: a cell too few
			",4,p,x\r\n" + // 8: required
			"bad \"quote,1,p,x\r\n" + // 9
			"Tea,5,,\r\n"
		in := Import{Table: "product", CSV: broken, Columns: map[string]string{"Name": "title", "Shop": "shop_id.code", "Note": ""}}
		_, err := importCSV(ctx, s, in)
		wantKind(t, err, core.Invalid, "line 3", "price", "nothing was imported")
		if count(t, s, "product") != 0 {
			t.Fatal("something was imported")
		}
		in.Skip = true
		report, err := importCSV(ctx, s, in)
		must(t, err)
		if report.Rows != 8 || report.Inserted != 3 || len(report.Failures) != 5 || count(t, s, "product") != 3 {
			t.Fatalf("%+v", report)
		}
		var lines []string
		for _, f := range report.Failures {
			lines = append(lines, fmt.Sprint(f.Line, " ", f.Err.Column))
		}
		if got := strings.Join(lines, ", "); got != "3 price, 4 shop_id, 7 , 8 title, 9 " {
			t.Fatal(got)
		}
		if !strings.HasPrefix(report.FailCSV, "Name,price,Shop,Note,error\nCup,abc,r,x,\"product.price, line 3:") || !strings.Contains(report.FailCSV, "bad \"\"quote,1,p,x") {
			t.Fatal(report.FailCSV)
		}
		n, err := s.Count(ctx, s.Snapshot(), "product", And{Compare{Column: "title", Op: Eq, Value: "two\nlines"}, Related{Relation: "shop", Where: Compare{Column: "code", Op: Eq, Value: "p"}}})
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		for csv, words := range map[string]string{
			"":                           "no header",
			"title,nope\na,b":            `"nope" goes to no column`,
			"title,Title\na,b":           `"Title" goes to no column`,
			"title,title\na,b":           "same column",
			"title,gross\na,1":           "calculated",
			"title,version\na,1":         "kept by Colonnade",
			"title\na\n\"never closed\n": "not closed",
		} {
			_, err := importCSV(ctx, s, Import{Table: "product", CSV: csv, Skip: true})
			wantKind(t, err, core.Invalid, words)
		}
		_, err = importCSV(ctx, s, Import{Table: "product", CSV: "title,s\na,b", Columns: map[string]string{"s": "shop_id.city"}})
		wantKind(t, err, core.Invalid, "not unique")
		_, err = importCSV(ctx, s, Import{Table: "product", CSV: "title\na", Columns: map[string]string{"x": "title"}})
		wantKind(t, err, core.Invalid, `no header "x"`)
	})
}

func TestImportMany(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		mustInsert(t, ctx, s, "product", core.Record{"title": "old", "sku": "s7"})
		var csv strings.Builder
		csv.WriteString("sku,title,price\n")
		const rows = 5000
		for i := range rows {
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
		report, err := importCSV(ctx, s, Import{Table: "product", CSV: csv.String(), Key: "sku", Skip: true})
		must(t, err)
		if report.Rows != rows || report.Inserted != rows-11 || report.Updated != 1 || len(report.Failures) != 10 {
			t.Fatalf("%d rows, %+v, %d failures", report.Rows, report.Result, len(report.Failures))
		}
		report, err = importCSV(ctx, s, Import{Table: "product", CSV: csv.String(), Key: "sku", Skip: true})
		must(t, err)
		if report.Inserted != 0 || report.Updated != rows-10 || count(t, s, "product") != rows-10 {
			t.Fatalf("%+v", report.Result)
		}
		events, _ := waitEvents(t, s, Cursor{}, 100)
		if e := events[1]; e.Cause.Kind != "import" || e.Cause.ID == "" {
			t.Fatalf("%+v", e)
		}
	})
}

func TestImportAction(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, shop()...)
		role(t, s, "clerk", append(grant("product", authz.Own, []string{"cost"}, authz.Read, authz.Create), authz.Grant{Action: "import_data"})...)
		role(t, s, "reader", grant("product", authz.Organization, nil, authz.Read, authz.Create)...)
		clerk, reader := person(t, s, "clerk", core.RootUnit, "clerk"), person(t, s, "reader", core.RootUnit, "reader")
		in := `{"table": "product", "csv": "Name,price\nTea,1\nCup,x\n", "columns": {"Name": "title"}, "on_error": "skip"}`
		_, err := call(reader, s.Actions(), "import_csv", in)
		wantKind(t, err, core.Denied, "import data")
		out, err := call(clerk, s.Actions(), "import_csv", in)
		must(t, err)
		if got := string(core.AppendValue(nil, out)); got != `{"rows":2,"failed":1,"updated":0,"fail_csv":"Name,price,error\nCup,x,\"product.price, line 3: \"\"x\"\" is no number\"\n","failures":[{"line":3,"column":"price","message":"\"x\" is no number"}],"inserted":1}` {
			t.Fatal(got)
		}
		_, err = call(clerk, s.Actions(), "import_csv", `{"table": "product", "csv": "title,cost\nTea,1\n"}`)
		wantKind(t, err, core.Invalid, "cost", "no such column")
		_, err = call(clerk, s.Actions(), "import_csv", `{"table": "product", "csv": "title,shop\nTea,1\n", "columns": {"shop": "shop_id.code"}}`)
		wantKind(t, err, core.Denied, "shop")
		_, err = call(clerk, s.Actions(), "import_csv", `{"table": "product", "csv": "title\nTea\n", "key": "sku"}`)
		wantKind(t, err, core.Denied, "update")
		_, err = call(clerk, s.Actions(), "import_csv", `{"table": "product", "csv": "title\nTea\n", "on_error": "pray"}`)
		wantKind(t, err, core.Invalid, "stop or skip")
	})
}

// TestImportNotUTF8 names the line and the column of a text that is in another character set.
func TestImportNotUTF8(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := root(t)
		define(t, s, shop()...)
		_, err := importCSV(ctx, s, Import{Table: "shop", CSV: "code,city\nr,Rome\nz,Z\xfcrich\n"})
		wantKind(t, err, core.Invalid, "line 3", "city", "not valid UTF-8")
		if count(t, s, "shop") != 0 {
			t.Error("something was imported")
		}
	})
}
