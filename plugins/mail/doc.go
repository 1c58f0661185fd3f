// Package mail sends mails by the server that the operator names, for flows and for people.
package mail
