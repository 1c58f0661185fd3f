// Package files keeps the contents of files: it takes uploads in, finds out what they are, hands them out to those who may read
// them, makes thumbnails, and takes away what nobody refers to any more.
//
// Which files there are, who may attach and who may read them is decided in package tables, where their rows are; a content is
// kept by a [Store], under its SHA-256, so that equal contents are kept once. An upload is on disk before its row commits, and a
// content goes only after every row that refers to it: nothing that is referred to is ever missing.
//
// Who copies everything takes the addresses from the rows of "_blob", or from [Store.All], reads each content with [Store.Open], and
// puts it elsewhere with [Store.Stage], which tells its hash, and [Staged.Keep]. Contents come and go meanwhile.
package files
