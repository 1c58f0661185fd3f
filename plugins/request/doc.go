// Package request calls other servers over HTTP, for flows and for people, with credentials that nobody reads.
//
// A credential is sealed (package core/secret), is sent to the hosts that it was made for and to nobody else, only where nobody on the
// way can read it, and is taken out of what a server sends back. Every call goes through the guard of package core/egress.
package request
