// Package external runs the actions of plugins that other people wrote: WebAssembly modules in a sandbox, and services that are
// called over HTTP. A plugin is a folder with a manifest, which says what its actions take and answer and what it asks for.
//
// A plugin acts for whoever calls it, with no more than both the caller may do and the manifest asks for. What goes wrong in it ends
// the call, never the process. This package reads no records and writes none by itself: a plugin does, over the API.
package external
