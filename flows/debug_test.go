package flows_test

import "colonnade/core/db"

func (w *world) debug() {
	for _, q := range []string{
		`SELECT CAST(id AS text) || ' ' || status || ' fence ' || fence || ' lease ' || lease || ' due ' || due || ' attempts ' || attempts || ' crashes ' || crashes FROM "_flow_run" WHERE status IN ('waiting','running')`,
		`SELECT CAST(id AS text) || ' ' || CAST(state AS text) || ' ' || attempt || ' ' || CAST(args AS text) || ' ' || CAST(scheduled_at AS text) || coalesce(CAST(errors AS text), '') FROM river_job ORDER BY id`,
		`SELECT CAST(run_id AS text) || ' ' || path || ' ' || iteration || ' ' || status || ' ' || attempt || ' ' || coalesce(error,'') FROM "_flow_step" WHERE status NOT IN ('succeeded')`,
	} {
		err := w.store.DB().Query(w.t.Context(), db.New(w.store.DB().Dialect).Write(q), func(scan func(...any) error) error { var s string; err := scan(&s); w.t.Log(s); return err })
		if err != nil {
			w.t.Log(err)
		}
	}
}
