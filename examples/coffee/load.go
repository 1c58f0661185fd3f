package coffee

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// extract says how an extract becomes records of a table.
type extract struct {
	file    string
	table   string
	columns map[string]string // header -> column
}

var extracts = []extract{
	{"contacts", "contact", map[string]string{
		"ContactId": "contact_no", "FirstName": "first_name", "LastName": "last_name", "FullName": "full_name", "DateOfBirth": "date_of_birth",
		"Gender": "gender", "EMail": "email", "Telephone": "telephone", "PostCode": "postcode", "StreetAddress": "street", "City": "city",
		"State": "state", "Country": "country", "CreatedOn": "created_on", "Loyalty Tier": "loyalty_tier", "Email Subscriber": "email_subscriber",
		"Income": "income", "Occupation": "occupation", "CustomerSatisfaction": "satisfaction",
	}},
	{"loyalty", "loyalty_member", map[string]string{
		"LoyaltyId": "member_no", "ContactId": "known_contact_no", "FirstName": "first_name", "LastName": "last_name", "FullName": "full_name",
		"DateOfBirth": "date_of_birth", "Gender": "gender", "EMail": "email", "Telephone": "telephone", "RewardPoints": "reward_points",
		"CreditCard": "credit_card", "CreatedOn": "created_on",
	}},
	{"online_purchases", "online_purchase", map[string]string{
		"ContactId": "contact_id.contact_no", "PurchaseId": "purchase_no", "ProductId": "product", "PurchasedOn": "purchased_on", "TotalPrice": "price",
	}},
	{"pos_purchases", "pos_purchase", map[string]string{
		"LoyaltyId": "member_id.member_no", "PurchaseId": "purchase_no", "ProductId": "product", "PurchasedOn": "purchased_on", "TotalPrice": "price",
		"RewardPointsAdded": "reward_points",
	}},
	{"reviews", "review", map[string]string{
		"ReviewId": "review_no", "UserId": "contact_id.contact_no", "ReviewText": "body", "ReviewRating": "stars", "ReviewDate": "reviewed_on",
	}},
}

// part is how many lines one request imports.
const part = 2000

// load imports an extract from one row to another in parts, with a bar that shows how far it is. It returns how many rows
// were imported and how many were refused.
func (d *demo) load(ctx context.Context, e extract, from, to int) error {
	r, rows, err := Open(e.file)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	to = min(to, rows)
	lines := bufio.NewReader(r)
	header, err := lines.ReadString('\n')
	if err != nil {
		return err
	}
	begun := time.Now()
	done, failed := 0, 0
	var text strings.Builder
	for n := 0; n < to; n++ {
		line, err := lines.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n < from {
			continue
		}
		text.WriteString(line)
		if done++; done%part != 0 && n < to-1 {
			continue
		}
		bad, err := d.importPart(ctx, e, header+text.String())
		if err != nil {
			return err
		}
		failed += bad
		text.Reset()
		d.bar(e.table, done, to-from, time.Since(begun))
	}
	note := ""
	if failed > 0 {
		note = fmt.Sprintf(", %d refused", failed)
	}
	d.printf("\r  %-16s %6d rows in %5.2f s%s%s\n", e.table, done-failed, time.Since(begun).Seconds(), note, strings.Repeat(" ", 30))
	return nil
}

func (d *demo) importPart(ctx context.Context, e extract, csv string) (failed int, err error) {
	const query = `mutation($table: String!, $csv: String!, $columns: jsonb) {
		import_csv(table: $table, csv: $csv, columns: $columns, on_error: "skip") { inserted failed failures { line column message } }
	}`
	var answer struct {
		Import struct {
			Inserted, Failed int
			Failures         []struct {
				Line            int
				Column, Message string
			}
		} `json:"import_csv"`
	}
	if err := d.admin.do(ctx, query, map[string]any{"table": e.table, "csv": csv, "columns": e.columns}, &answer); err != nil {
		return 0, fmt.Errorf("importing %s: %w", e.table, err)
	}
	for _, f := range answer.Import.Failures {
		d.printf("\r  %s, line %d of a part, %s: %s\n", e.table, f.Line, f.Column, f.Message)
	}
	return answer.Import.Failed, nil
}

// bar draws how far an import is.
func (d *demo) bar(name string, done, of int, took time.Duration) {
	const width = 30
	if !d.o.Terminal {
		return
	}
	n := width * done / max(1, of)
	d.printf("\r  %-16s %s%s %6d of %d, %.1f s", name, strings.Repeat("█", n), strings.Repeat("░", width-n), done, of, took.Seconds())
}
