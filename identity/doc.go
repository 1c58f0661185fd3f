// Package identity is how people and programs prove who they are, beyond the passwords, sessions and keys of package authz,
// and what they administer of their own accounts; and the secrets that the server keeps for them.
//
// It never decides what somebody may do with a record: that is for authz, once it is known who he is.
package identity
