package tables

import (
	"slices"
	"strings"
	"testing"
	"time"

	"colonnade/authz"
	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/dbtest"
)

// TestTamperShares changes shares past Colonnade: each change is found, with its record, and nothing else.
func TestTamperShares(t *testing.T) {
	t.Parallel()
	const a, b = core.ID("00000000-0000-4000-8000-00000000000a"), core.ID("00000000-0000-4000-8000-00000000000b")
	attacks := map[string]struct {
		statement string
		record    core.ID
	}{
		"rights":    {`UPDATE "_share" SET rights = 127 WHERE record_id = '` + string(a) + `'`, a},
		"the end":   {`UPDATE "_share" SET expires_at = NULL WHERE record_id = '` + string(a) + `'`, a},
		"with whom": {`UPDATE "_share" SET principal_id = '` + string(core.Everyone) + `' WHERE record_id = '` + string(a) + `'`, a},
		"the giver": {`UPDATE "_share" SET granted_by = '` + string(core.Everyone) + `' WHERE record_id = '` + string(b) + `'`, b},
		"of what":   {`UPDATE "_share" SET record_id = '` + string(a) + `' WHERE record_id = '` + string(b) + `'`, b},
		"taken":     {`DELETE FROM "_share" WHERE record_id = '` + string(b) + `'`, b},
		"made": {`INSERT INTO "_share" (id, table_name, record_id, principal_id, rights, cause, granted_by, granted_at) SELECT '` + string(core.NewID()) + `', table_name, '` + string(core.Everyone) +
			`', principal_id, rights, cause, granted_by, granted_at FROM "_share" WHERE record_id = '` + string(b) + `'`, core.Everyone},
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := open(t, d, Options{}), root(t)
		define(t, s, shop()...)
		role(t, s, "clerk", grant("shop", authz.Organization, nil, authz.Read)...)
		ann := core.CallerFrom(person(t, s, "ann", core.RootUnit, "clerk")).User
		mustInsert(t, ctx, s, "shop", core.Record{"id": string(a), "code": "a"}, core.Record{"id": string(b), "code": "b"})
		shop, err := s.Snapshot().Schema.Table("shop")
		must(t, err)
		give := func(record, with core.ID, rights core.ShareRights, expires time.Time) share {
			of := share{table: shop, record: record, principal: with, rights: rights, cause: sharedByHand, by: ann, at: time.Now(), expires: expires}
			of.identify()
			return of
		}
		must(t, write(ctx, s, func(tx *Tx) error {
			read := core.ShareRight(core.Read)
			err := tx.putShares(ctx, []share{give(a, ann, read, time.Now().Add(time.Hour).Truncate(time.Microsecond)), give(b, core.Everyone, read, time.Time{}), give(b, ann, read, time.Time{})})
			if err == nil {
				_, err = tx.dropShares(ctx, shop, with(ann, ofRecords([]any{string(b)})))
			}
			return err
		}))
		must(t, write(ctx, s, func(tx *Tx) error {
			return tx.putShares(ctx, []share{give(a, ann, core.ShareRight(core.Read)|core.ShareRight(core.Update), time.Now().Add(time.Hour).Truncate(time.Microsecond))})
		}))
		sealTo(t, s)
		mustVerify(t, s)
		must(t, s.db.ExecAll(t.Context(), newBuilder(s).Write(`CREATE TABLE "copy_share" AS SELECT * FROM "_share"`)))
		for name, of := range attacks {
			tamper(t, s, of.statement)
			out, err := s.Verify(t.Context(), Verify{})
			must(t, err)
			if len(out.Problems) != 1 || !slices.ContainsFunc(out.Problems, func(p Problem) bool {
				return p.Kind == ProblemDefinition && p.Table == "shop" && p.ID == of.record && strings.Contains(p.Message, "share")
			}) {
				t.Errorf("%s: %+v", name, out.Problems)
			}
			must(t, s.db.ExecAll(t.Context(), newBuilder(s).Write(`DELETE FROM "_share"`), newBuilder(s).Write(`INSERT INTO "_share" SELECT * FROM "copy_share"`)))
		}
		mustVerify(t, s)
	})
}
