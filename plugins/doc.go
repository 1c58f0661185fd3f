// Package plugins lists the plugins that ship with the binary. A plugin is a package with a function that returns its
// actions; nothing registers itself.
//
// It never holds an action of its own.
package plugins
