/** Random tables that failed once, as small as possible. */
import type { System } from '../support/copy-systems.ts'
import type { DrawnTable } from './support/shape.ts'

export type Case = Pick<DrawnTable, 'columns'> &
  Partial<Omit<DrawnTable, 'system'>> & {
    readonly why: string
    readonly from: System
    readonly to: System
    /** The code of the expected refusal; if absent, the copy is expected to be equal. */
    readonly expected?: string
  }

export const CASES: readonly Case[] = [
  ...(['sqlite', 'd1'] as const).map((to) => ({
    why: `rows whose primary key is NULL, which only SQLite accepts, were refused by the table made in ${to}`,
    from: 'sqlite' as const,
    to,
    columns: [
      { name: 'c0', type: 'int', values: ['1', 'NULL', 'NULL', '2'] },
      { name: 'c1', type: 'text', values: [`'a'`, `'b'`, `'c'`, `'d'`] },
    ],
    key: [0],
  })),
  {
    why: 'D1 did not see that its table is STRICT: a second copy of a column that holds anything had another plan',
    from: 'sqlite',
    to: 'd1',
    columns: [
      { name: 'c0', type: 'int', values: ['1'] },
      { name: 'c1', type: 'ANY', values: [`'0001-01-01'`] },
    ],
    key: [0],
    options: 'STRICT, WITHOUT ROWID',
  },
  {
    why: 'PostgreSQL prints 6 digits of the numbers of seg, and has no other form of them: the others were lost',
    from: 'postgresql',
    to: 'postgresql',
    columns: [
      { name: 'c0', type: 'int', values: ['1'] },
      { name: 'c1', type: 'seg', values: [`'1.2345678'`] },
    ],
    key: [0],
    expected: 'LOSSY_TYPE',
  },
  {
    why: 'rows with equal texts could not be told apart by a key of seg',
    from: 'postgresql',
    to: 'sqlite',
    columns: [{ name: 'c0', type: 'seg', values: [`'1.2345678'`, `'1.2345679'`] }],
    key: [0],
    expected: 'UNSUPPORTED_KEY',
  },
  {
    why: 'a table without a key whose column hides the row numbers of DuckDB was refused after the plan',
    from: 'duckdb',
    to: 'duckdb',
    columns: [{ name: 'rowid', type: 'VARCHAR', values: [`'a'`, `'b'`, `'b'`] }],
  },
  {
    why: 'a table of D1 without row numbers whose key holds floating point numbers ended as SOURCE_GONE',
    from: 'd1',
    to: 'sqlite',
    columns: [{ name: 'c0', type: 'REAL', values: ['0.1', '1.0', '2.5', '9e999', '1e-300'] }],
    key: [0],
    options: 'WITHOUT ROWID',
    expected: 'UNSUPPORTED_KEY',
  },
  {
    why: 'rows of DuckDB were not found by a key with the name of a value that DuckDB knows',
    from: 'mysql',
    to: 'duckdb',
    columns: [{ name: 'user', type: 'varchar(20) COLLATE big5_bin', values: ["'a'", "'b'"] }],
    key: [0],
  },
  {
    why: 'an infinite number in a column that SQLite takes for numbers became a text, and ended as proved',
    from: 'sqlite',
    to: 'sqlite',
    columns: [{ name: 'c0', type: 'STRING', values: ['9e999', `'a'`] }],
    expected: 'ROWS_ASIDE',
  },
  {
    why: 'a value that DuckDB holds and cannot convert ended as a bug',
    from: 'duckdb',
    to: 'postgresql',
    columns: [{ name: 'c0', type: 'TIMESTAMP_S', values: [`'294247-01-10 04:00:54.775806'`] }],
    expected: 'ROWS_ASIDE',
  },
  {
    why: 'a key that DuckDB holds and cannot convert ended as a bug',
    from: 'duckdb',
    to: 'sqlite',
    columns: [{ name: 'c0', type: 'TIMESTAMP_MS', values: [`'294247-01-10 04:00:54.775806'`] }],
    key: [0],
    expected: 'UNSUPPORTED_KEY',
  },
  {
    why: 'a second copy back into a column of SQLite whose type says nothing had another plan',
    from: 'sqlite',
    to: 'duckdb',
    columns: [{ name: 'c0', type: 'MONEY', values: ['2', '1.5'] }],
  },
  {
    why: 'a text in a column of SQLite that holds anything was not proved',
    from: 'sqlite',
    to: 'duckdb',
    columns: [{ name: 'c0', type: 'ANY', values: [`'ab  '`] }],
  },
  {
    why: 'a text in a character set that lacks some of its bytes arrived with question marks',
    from: 'mysql',
    to: 'mysql',
    columns: [{ name: 'c0', type: 'char(20) COLLATE dec8_bin', values: ['0xffffffffffffffff'] }],
    expected: 'ROWS_ASIDE',
  },
  {
    why: 'a name of 64 bytes lost its end in PostgreSQL',
    from: 'mysql',
    to: 'postgresql',
    columns: [{ name: 'é'.repeat(32), type: 'int(11)', values: ['1'] }],
    expected: 'TABLE_REFUSED',
  },
  {
    why: 'a refused row of a table with a column c0 failed the whole table in DuckDB',
    from: 'sqlite',
    to: 'duckdb',
    columns: [{ name: 'c0', type: 'DECIMAL(30,20)', values: ['123456789012345678.0', '1'] }],
    key: [0],
    expected: 'ROWS_ASIDE',
  },
  {
    why: 'a column called rowid ended as a bug in DuckDB',
    from: 'sqlite',
    to: 'duckdb',
    columns: [{ name: 'rowid', type: 'TEXT', values: [`'a'`] }],
  },
  {
    why: 'infinity in a column of SQLite that takes any number arrived as a text',
    from: 'sqlite',
    to: 'sqlite',
    columns: [
      { name: 'id', type: 'int', values: ['1', '2', '3'] },
      { name: 'c1', type: '"odd type"', values: ['1709208000', '-9e999', '9e999'] },
    ],
    key: [0],
  },
  {
    why: 'an enum of DuckDB with an empty member, a text in MySQL, was read by a number that it does not have',
    from: 'duckdb',
    to: 'mysql',
    columns: [{ name: 'c0', type: `ENUM('calm', '', 'a,b')`, values: [`'a,b'`] }],
    key: [0],
  },
  {
    why: 'a server whose sessions end with each COMMIT was connected to for ever',
    from: 'mysql',
    to: 'mysql',
    columns: [{ name: 'c0', type: 'int(11)', values: ['1'] }],
    key: [0],
    settings: [`SET GLOBAL completion_type = 'RELEASE'`],
  },
  {
    why: 'a server that makes indexes at once or not at all ended the copy as a bug',
    from: 'mysql',
    to: 'mysql',
    columns: [{ name: 'c0', type: 'time(6)', values: [`'-838:59:59.999999'`] }],
    key: [],
    settings: [`SET GLOBAL alter_algorithm = 'INSTANT'`],
  },
  {
    why: 'a text in a column of SQLite that keeps numbers as numbers was searched in a range of texts, and differed',
    from: 'sqlite',
    to: 'mysql',
    columns: [{ name: 'c0', type: 'STRING', values: ['1709208000', '1e15'] }],
    key: [0],
  },
  {
    why: 'the same in D1',
    from: 'd1',
    to: 'mysql',
    columns: [{ name: 'c0', type: 'STRING', values: ['1709208000', '1e15'] }],
    key: [0],
  },
  {
    why: 'bytes in a key of texts were left out by a second run, which ended with exit 0',
    from: 'sqlite',
    to: 'mysql',
    columns: [{ name: 'c0', type: 'TEXT', values: ["'b'", "X'61'"] }],
    key: [0],
    expected: 'ROWS_ASIDE',
  },
  {
    why: 'a text that is not valid UTF-8 in a key was left out by a second run',
    from: 'sqlite',
    to: 'mysql',
    columns: [{ name: 'c0', type: 'TEXT', values: ["'b'", "CAST(X'ff80' AS TEXT)"] }],
    key: [0],
    expected: 'ROWS_ASIDE',
  },
  {
    why: 'the same in D1, of a text that is not valid UTF-8',
    from: 'd1',
    to: 'mysql',
    columns: [{ name: 'c0', type: 'TEXT', values: ["'b'", "CAST(X'ff80' AS TEXT)"] }],
    key: [0],
    expected: 'ROWS_ASIDE',
  },
  {
    why: 'an infinite number in a column of SQLite without a type came back from a text as this text',
    from: 'sqlite',
    to: 'mysql',
    columns: [{ name: 'c0', type: 'BIT', values: ['-9e999', '-0.0'] }],
    expected: 'ROWS_ASIDE',
  },
  {
    why: 'the same of D1',
    from: 'd1',
    to: 'duckdb',
    columns: [{ name: 'c0', type: 'BIT', values: ['-9e999', '-0.0'] }],
    expected: 'ROWS_ASIDE',
  },
  {
    why: 'a key of hstore, which has no operator <, ended --again with the message of the server',
    from: 'postgresql',
    to: 'duckdb',
    columns: [{ name: 'c0', type: 'hstore', values: [`'"a b"=>"", c=>NULL'`] }],
    key: [0],
  },
  {
    why: 'the largest number of a float(10,2), which MySQL stores as a larger one, was refused by the same type',
    from: 'mysql',
    to: 'mysql',
    columns: [{ name: 'c0', type: 'float(10,2)', values: ['4294967295', '-99999999.99', '99999999'] }],
  },
  {
    why: 'a key with no form in the target left a read of D1 behind, whose error ended the program',
    from: 'd1',
    to: 'sqlite',
    columns: [{ name: 'c0', type: 'BOOLEAN', values: ['-9223372036854775808', '9007199254740993'] }],
    key: [0],
    expected: 'ROWS_ASIDE',
  },
]
