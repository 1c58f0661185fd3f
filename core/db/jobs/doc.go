// Package jobs makes a [db.Queue] of River, for any database that River has a driver for.
//
// It never knows a database by name, and it keeps nothing in River's rows but the id of what to work on.
package jobs
