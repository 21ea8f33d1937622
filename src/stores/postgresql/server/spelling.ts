/** Settings under which a value or a name has one spelling and one meaning. Roles and databases may have others. */

/** Of every session; what only says where or how a table is stored (tablespaces, compression, access methods) stays as it is set. */
export const SPELLING: readonly (readonly [name: string, value: string])[] = [
  ['client_encoding', 'UTF8'],
  // Moments are written and read in it.
  ['TimeZone', 'UTC'],
  // Dates have the year first.
  ['DateStyle', 'ISO'],
  // `sql_standard` reads the sign of a first field for that of all.
  ['IntervalStyle', 'postgres'],
  ['bytea_output', 'hex'],
  // Numbers below 1 round what is written.
  ['extra_float_digits', '1'],
  // Money is written and read with its signs and places.
  ['lc_monetary', 'C'],
  // Without it a fragment of XML is no value.
  ['xmloption', 'content'],
  // Without it NULL in an array is read as the text "NULL".
  ['array_nulls', 'on'],
  // Without it a backslash in our literals would be an escape.
  ['standard_conforming_strings', 'on'],
  // With it the server quotes each name that it writes, and texts of one thing differ.
  ['quote_all_identifiers', 'off'],
  // With it `x = NULL` is true.
  ['transform_null_equals', 'off'],
  // Another limit leaves out rows that an index of its kind finds.
  ['gin_fuzzy_search_limit', '0'],
]
