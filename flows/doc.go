// Package flows runs what app builders automate: a trigger starts a run, and a run is steps, each of which is remembered.
// A [Service] keeps the definitions, starts the runs and works on them.
//
// A run exists if and only if its cause committed. It acts with the rights of one user, which are looked up anew at
// each step. A crash at any point resumes at the step: what an action does in our database happens exactly once, because
// the memory of the step is written in the same transaction; an action that works alone is run at least once, with the same key.
//
// It never reads or writes a record but through package tables, and it never knows a database by name.
//
// # Definitions
//
// A definition is YAML, or JSON, which is a part of YAML:
//
//	name: thank_customers
//	doc: Thanks for good reviews.
//	run_as: flow-author@example.com      # whose rights it has; who saved it when left out
//	enabled: true
//	trigger:
//	  event: {table: review, on: [create], when: "rating >= 4 && old.rating < 4", batch: {max: 500, wait: 200ms}}
//	  # or cron: {spec: "30 2 * * *", zone: Europe/Berlin, overlap: skip, catch_up: once, jitter: 5m}
//	  # or manual: {input: [{name: since, kind: date, required: true}, {name: most, kind: integer, doc: How many, default: 10}]}
//	  # or webhook: {input: [{name: number, kind: text}], tolerance: 5m, rate: 600, max_body: 65536, answer: sync, timeout: 10s}
//	retry: {attempts: 5, backoff: 1s}
//	timeout: 10m
//	steps:
//	  - id: model
//	    action: classify_train
//	    with: {table: review, note: ="trained at " + string(now())}
//	  - if: steps.model.accuracy > 0.8
//	    then: [...]
//	    else: [...]
//	  - for_each: {in: trigger.records, as: item, on_error: continue, at_once: 5}
//	    steps: [...]
//	  - set: {total: =vars.total + 1}
//	  - switch: trigger.record.state
//	    cases:
//	      - {when: [new, open], steps: [...]}
//	      - {when: closed, steps: [{terminate: {status: succeeded, message: nothing to do}}]}
//	    default: [...]
//	  - try: [...]
//	    catch: [{set: {why: =error.message + " in " + error.step}}]
//	    finally: [...]
//	  - id: both
//	    parallel: {a: [...], b: [...]}     # branches; join: all, any, settled, or how many must end well
//	    join: any
//	  - action: reserve
//	    with: {seat: =vars.seat}
//	    on_error: [...]                    # instead of ending the run
//	    undo: [...]                        # when the run fails after this step was done
//	  - wait: {for: 3d}                    # or {until: =trigger.record.due}
//	  - id: paid
//	    wait: {event: {table: payment, match: invoice, on: [create], when: event.record.cents > 1000}, key: =trigger.record.id, timeout: 30d}
//	  - wait: {event: approved, key: =trigger.record.id}   # that emit_event emits
//	  - id: asked
//	    approval: {title: Go on, by: [ann@example.com], role: manager, quorum: 2, timeout: 3d}
//	  - id: money
//	    call: collect                      # another flow
//	    with: {invoice: =trigger.record.id}
//
// A value in with and set stands for itself, unless it is a text that begins with "=": the rest is an expression, the
// whole value of which is taken, whatever its type. This holds inside lists and objects too; a text that really begins with "=" is written
// as an expression: '="=x"'. The keys if and in are always expressions, and when is a condition over the columns of the
// table and of the records that its relations lead to, with old for the record before the change.
//
// A tick of cron that finds a run of the flow at work is left out (overlap: skip, which is so when it is left out), waits for it (queue),
// or cancels it (cancel). Ticks that were missed by more than a minute have no run (catch_up: skip), one for all of them (once), or one each,
// in their order (all, with which overlap is queue). With jitter a run begins up to so much later than its tick, each tick by another time.
//
// An enabled flow with the trigger manual is the mutation start_<name>, whose arguments are the inputs. An input that is left out has its
// default, which is a value and no expression; one that is required has none.
//
// A webhook starts a run for each delivery to POST /hooks/<name> that is signed with its secret: see [Service.Receive]. Without
// input the body is any JSON. With answer: sync the sender is told the output of the run, when it ends within timeout.
//
// Expressions see:
//
//	trigger   kind; of an event: table, op, at, actor, record, old, or with batch: records; of cron: at; of manual: input;
//	          of a webhook: at, id of the delivery, body, and input where inputs are declared
//	steps     what the actions before returned, by the id of the step; of for_each: count and failed; of try: caught; of parallel: succeeded, failed and branches; of wait: timed_out and event; of approval: approved, timed_out and answers;
//	          of call: the output of the run
//	vars      what set steps set; this is also the output of the run
//
// and inside for_each the item under its name, inside catch and on_error what went wrong as error: message, kind and step. Moments and dates are texts in them, as in JSON: compare them with
// timestamp(x).
//
// # Errors
//
// A step fails when its tries are used up, or at once for what would not pass. Then the steps of on_error are run, or those of catch of the
// innermost try around it, and the run goes on behind them; otherwise the run fails. Those of finally are run however the steps of try were
// left, but not when the run was cancelled or has no more time.
//
// terminate ends the run as succeeded, failed or cancelled, with a message; nothing catches that. A run that fails, by terminate too, undoes
// what it has done: the steps of undo of each step that was done are run, the last one first, items of for_each too. They see what they
// would have seen right behind the step, and the variables as they are in the end. What was undone is remembered like any
// step, and tried again like any; one that fails for good is named in the error of the run, and the others are undone all the same. A run that is cancelled, or
// during which the server has died too often, undoes nothing.
//
// # Branches
//
// One step of a run is at work at a time, but that others are while an action which opens transactions of its own is at work in another branch of
// a parallel step, and that a branch which waits lets the others go on. The step is decided when as many branches have ended well as join says, when too few still can, or with settled when
// all have ended. That is written with the cancelling of what the other branches wait for; they begin no step any more.
//
// With at_once, so many items of a for_each are at work in the same way. None begins before the one is done that comes as many before it; items that fail
// count in their order. The first that fails without on_error: continue, in the order of the list, is why the step fails: the others begin no step any more, as in branches.
//
// # Waiting
//
// A run that waits is rows in the database, and holds no worker, job or memory; its time (timeout) stands still. The clock wakes it to the second, an event in the
// transaction that passes the event on. A wait for changes of records begins when the step is written, and ends with the first of them whose
// column match equals key, as far as the user of the flow may read the record; when sees the change as event (table, op, at, actor, record, old),
// and nothing of the run. An event of emit_event (name, key, at, actor, data) goes to every run that waits for that name and key; one that comes to wait for it later gets it
// too, when it had begun before the event and the event is still kept; no run gets one twice. After timeout the run goes on with timed_out.
//
// A run that is called has the rights of its own flow's user; who calls needs the right to run flows. A run that fails or is cancelled fails the
// step that called it. Cancelling a run cancels those that it has called.
package flows
