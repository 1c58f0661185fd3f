// Package egress makes the HTTP clients with which Colonnade calls other servers on behalf of people: identity providers,
// webhooks, connectors. Such a client reaches the public Internet and nothing behind the firewall, unless the operator
// allows it.
//
// It never reads the addresses of a proxy from the environment, and knows nothing of who asks or why.
package egress
