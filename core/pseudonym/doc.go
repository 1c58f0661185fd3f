// Package pseudonym replaces values by others of the same shape, under a key: letters by letters, digits by digits, a day by
// another day of its year. Equal values get equal pseudonyms and different ones different pseudonyms, so that keys stay unique and
// what was linked by a value stays linked. Who does not have the key cannot compute the value from the pseudonym, but sees its
// shape, and which values are equal.
package pseudonym
