/**
 * A column for every type that an archive supports, with its boundary values, and SQL by which the server itself prints
 * each value.
 */

/** How the file holds a value, and how `judge_values` prints it. */
export type Held =
  | 'bool'
  | 'number'
  | 'float32'
  | 'float64'
  | 'text'
  /** A text in which trailing zeros of the fraction of a second do not count. */
  | 'time'
  | 'bytes'
  | 'days'
  | 'micros'

export type TypeCase = {
  readonly type: string
  readonly held: Held
  /** SQL literals; NULL is added to them. */
  readonly values: readonly string[]
  /** `values`: some values need `--as-text` and are refused without it. `type`: the whole type needs it. */
  readonly asText?: 'values' | 'type'
}

const LONG = `repeat('é\u{1f600}"\\,', 9000)`
const TEXTS = [
  `''`,
  `' '`,
  `'ab  '`,
  `'NULL'`,
  `'it''s "quoted", two'`,
  `'\u{1f600}é\u{10ffff}'`,
  `'\u{feff}in front'`,
  `'e\u0301'`,
  `'\u202eturned'`,
  LONG,
]

/** Includes characters that need an escape in a literal. */
const PG_TEXTS = [...TEXTS, `E'a\\nb\\r\\n\\tc'`, `E'\\\\N'`, `E'\\\\.'`, `E'\\u0001\\u007f'`]

/** Statements to run before the table is created. */
export const POSTGRESQL_FIRST: readonly string[] = [
  `CREATE TYPE mood AS ENUM ('calm', 'Calm', 'it''s "odd"', '', 'a,b')`,
  'CREATE TYPE pair AS (a integer, "b c" text)',
  'CREATE TYPE nested AS (p pair, q numeric[], r mood)',
  'CREATE DOMAIN short AS text CHECK (length(value) < 9)',
  'CREATE DOMAIN cents AS numeric(12,2)',
  'CREATE DOMAIN many AS integer[]',
  'CREATE TYPE floats AS RANGE (subtype = float8)',
  `CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
]

const MOST_38 = '9'.repeat(38)
const LEAP = '2024-02-29'

export const POSTGRESQL: readonly TypeCase[] = [
  { type: 'boolean', held: 'bool', values: ['true', 'false'] },
  { type: 'smallint', held: 'number', values: ['-32768', '32767', '0'] },
  { type: 'integer', held: 'number', values: ['-2147483648', '2147483647', '-1'] },
  { type: 'bigint', held: 'number', values: ['-9223372036854775808', '9223372036854775807', '9007199254740993'] },
  { type: 'numeric(12,2)', held: 'number', values: ['-9999999999.99', '0', '0.10', '-0.01'] },
  { type: 'numeric(38,0)', held: 'number', values: [MOST_38, `-${MOST_38}`, '1'] },
  { type: 'numeric(38,38)', held: 'number', values: [`0.${MOST_38}`, `-0.${'0'.repeat(37)}1`, '0'] },
  { type: 'cents', held: 'number', values: ['1.50', '-0.01', '9999999999.99'] },
  {
    type: 'numeric',
    held: 'text',
    values: [`'NaN'`, `'Infinity'`, `'-Infinity'`, '1.500', '0.00', `${'9'.repeat(65)}.${'0'.repeat(30)}1`, '1e-1000'],
  },
  { type: 'numeric(65,30)', held: 'text', values: [`${'9'.repeat(35)}.${'9'.repeat(30)}`, `'NaN'`, '-1'] },
  { type: 'numeric(5,-2)', held: 'text', values: ['12300', `'NaN'`, '-9999900'] },
  { type: 'numeric(2,5)', held: 'text', values: ['0.00099', '-0.00001'] },
  { type: 'numeric(6,2)', held: 'text', values: [`'NaN'`, '1.50', '0'], asText: 'values' },
  {
    type: 'real',
    held: 'float32',
    values: [
      `'NaN'`,
      `'Infinity'`,
      `'-Infinity'`,
      `'-0'`,
      '0',
      '3.4028235e38',
      '1e-45',
      '16777217',
      '0.1',
      '-1.17549435e-38',
    ],
  },
  {
    type: 'double precision',
    held: 'float64',
    values: [
      `'NaN'`,
      `'Infinity'`,
      `'-Infinity'`,
      `'-0'`,
      '0',
      '1.7976931348623157e308',
      '5e-324',
      '0.1',
      '9007199254740993',
      '1e21',
      '123456789012345680000',
      '-2.2250738585072014e-308',
    ],
  },
  { type: 'text', held: 'text', values: PG_TEXTS },
  { type: 'text COLLATE blind', held: 'text', values: [`'a'`, `'A'`, `'ß'`, `'ss'`] },
  { type: 'varchar(20)', held: 'text', values: [`''`, `'ab  '`, `'${'\u{1f600}'.repeat(20)}'`] },
  { type: 'char(5)', held: 'text', values: [`''`, `'ab'`, `' a b '`, `'\u{1f600}'`] },
  { type: 'bpchar', held: 'text', values: [`''`, `'ab'`, `'ab  '`, `'  '`] },
  { type: '"char"', held: 'text', values: [`'a'`, `''`, `'\\200'`, `'\\377'`, `'"'`, `' '`] },
  { type: 'name', held: 'text', values: [`''`, `'${'n'.repeat(63)}'`, `'é '`] },
  { type: 'short', held: 'text', values: [`''`, `' x '`, `'\u{1f600}'`] },
  {
    type: 'uuid',
    held: 'text',
    values: [`'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`, `'${'0'.repeat(32)}'`, `'${'f'.repeat(32)}'`],
  },
  {
    type: 'bytea',
    held: 'bytes',
    values: [`''`, `'\\x00'`, `'\\xff00ff'`, `decode(repeat('00ff0a2c', 40000), 'hex')`, `'\\x5c78'`],
  },
  { type: 'date', held: 'days', values: [`'0001-01-01'`, `'9999-12-31'`, `'1582-10-10'`, `'1969-12-31'`, `'${LEAP}'`] },
  {
    type: 'date',
    held: 'text',
    values: [`'infinity'`, `'-infinity'`, `'0044-03-15 BC'`, `'4713-01-01 BC'`, `'5874897-12-31'`, `'${LEAP}'`],
    asText: 'values',
  },
  { type: 'time', held: 'time', values: [`'00:00'`, `'24:00:00'`, `'23:59:59.999999'`, `'12:30:00.5'`] },
  { type: 'time(0)', held: 'time', values: [`'00:00'`, `'24:00:00'`, `'23:59:58'`] },
  {
    type: 'timetz',
    held: 'text',
    values: [`'23:59:59.999999-15:59:59'`, `'00:00+15:59'`, `'24:00:00+00'`, `'12:00:00.5+05:30'`],
  },
  {
    type: 'timestamp',
    held: 'micros',
    values: [
      `'0001-01-01 00:00:00'`,
      `'9999-12-31 23:59:59.999999'`,
      `'1969-12-31 23:59:59.999999'`,
      `'${LEAP} 12:00:00.000001'`,
      `'1582-10-10'`,
    ],
  },
  { type: 'timestamp(3)', held: 'micros', values: [`'${LEAP} 23:59:59.999'`, `'0001-01-01 00:00:00.001'`] },
  {
    type: 'timestamp',
    held: 'text',
    values: [
      `'infinity'`,
      `'-infinity'`,
      `'4713-01-01 00:00:00 BC'`,
      `'294276-12-31 23:59:59.999999'`,
      `'${LEAP} 12:00:00.5'`,
      `'0001-12-31 23:59:59.999999 BC'`,
    ],
    asText: 'values',
  },
  {
    type: 'timestamptz',
    held: 'micros',
    values: [
      `'0001-01-01 00:00:00+00'`,
      `'9999-12-31 23:59:59.999999+00'`,
      `'2024-03-31 02:30:00+01'`,
      `'1883-11-18 12:03:58-04:56:02'`,
      `'1969-12-31 23:59:59.999999+00'`,
    ],
  },
  {
    type: 'timestamptz',
    held: 'text',
    values: [
      `'infinity'`,
      `'-infinity'`,
      `'4713-01-02 00:00:00+00 BC'`,
      `'294276-12-31 23:59:59.999999+00'`,
      `'${LEAP} 12:00:00.5+05:30'`,
    ],
    asText: 'values',
  },
  {
    type: 'interval',
    held: 'text',
    values: [
      `'0'`,
      `'1 year 2 mons -3 days 04:05:06.7'`,
      `'-1 year -2 mons +3 days -04:05:06.000001'`,
      `'-00:00:00.000001'`,
      `'178000000 years'`,
      `'2147483647 days'`,
      `'2562047788:00:54.775807'`,
      `'-1 mon +1 day'`,
      `'infinity'`,
      `'-infinity'`,
    ],
  },
  { type: 'interval day to second(2)', held: 'text', values: [`'-1 day -00:00:00.25'`, `'100:00:00.99'`] },
  {
    type: 'json',
    held: 'text',
    values: [
      `'{"b": 1,  "a":2, "b":3}'`,
      `'1.50'`,
      `'1e400'`,
      `'null'`,
      `'""'`,
      `'"\\u0000"'`,
      `'[ ]'`,
      `E'{"a":\\n 1}'`,
      `'"\u{1f600}"'`,
      `' 7 '`,
    ],
  },
  {
    type: 'jsonb',
    held: 'text',
    values: [
      `'{"b": 1, "a": 2, "b": 3}'`,
      `'1.50'`,
      `'1e400'`,
      `'null'`,
      `'""'`,
      `'[]'`,
      `'"\u{1f600}\\n"'`,
      `'123456789012345678901234567890.10'`,
    ],
  },
  { type: 'jsonpath', held: 'text', values: [`'$.a[*] ? (@ > 1)'`, `'strict $."b c"'`] },
  {
    type: 'integer[]',
    held: 'text',
    values: [`'{}'`, `'{1,NULL,-2147483648}'`, `'[0:1]={7,8}'`, `'[-2:-1][3:4]={{1,2},{3,NULL}}'`, `'{{{1}}}'`],
  },
  {
    type: 'text[]',
    held: 'text',
    values: [
      `'{}'`,
      `ARRAY['', NULL, 'NULL', 'null', ' ', 'a,b', '"q"', '\\', '{}', E'\\n', '\u{1f600}']`,
      `'[5:5]={x}'`,
    ],
  },
  { type: 'numeric[]', held: 'text', values: [`'{NaN,1.50,-Infinity}'`, `ARRAY[${'9'.repeat(50)}, NULL]`] },
  { type: 'numeric(6,2)[]', held: 'text', values: [`'{1,NULL,-0.01}'`] },
  { type: 'double precision[]', held: 'text', values: [`'{NaN,-0,5e-324,Infinity,0.1}'`, `'{}'`] },
  { type: 'real[]', held: 'text', values: [`'{NaN,-0,1e-45,16777217,0.1}'`] },
  { type: 'boolean[]', held: 'text', values: [`'{t,f,NULL}'`] },
  { type: 'bytea[]', held: 'text', values: [`ARRAY['\\x00ff'::bytea, '', NULL]`] },
  {
    type: 'timestamptz[]',
    held: 'text',
    values: [`ARRAY['infinity', '2024-03-31 02:30+01', '0044-03-15 00:00+00 BC', NULL]::timestamptz[]`],
  },
  {
    type: 'timestamp[]',
    held: 'text',
    values: [`ARRAY['-infinity', '2024-02-29 12:00:00.000001', NULL]::timestamp[]`],
  },
  { type: 'date[]', held: 'text', values: [`ARRAY['infinity', '2024-02-29', '0044-03-15 BC']::date[]`] },
  { type: 'interval[]', held: 'text', values: [`ARRAY['-1 day +00:00:01', '1 mon']::interval[]`] },
  { type: 'jsonb[]', held: 'text', values: [`ARRAY['{"a": [1, "x,y"]}', 'null', NULL]::jsonb[]`] },
  { type: 'json[]', held: 'text', values: [`ARRAY['{"a":1, "a":  2}', 'null', NULL]::json[]`] },
  { type: 'char(4)[]', held: 'text', values: [`ARRAY['ab', '', NULL]::char(4)[]`] },
  { type: 'mood[]', held: 'text', values: [`ARRAY['calm', '', 'it''s "odd"', 'a,b', NULL]::mood[]`] },
  { type: 'pair[]', held: 'text', values: [`ARRAY[ROW(1, 'a "b", c'), ROW(NULL, ''), NULL]::pair[]`] },
  { type: 'many', held: 'text', values: [`'[0:1]={7,8}'`, `'{}'`] },
  { type: 'mood', held: 'text', values: [`'calm'`, `'Calm'`, `'it''s "odd"'`, `''`, `'a,b'`] },
  {
    type: 'pair',
    held: 'text',
    values: [`ROW(1, 'a b')`, `ROW(NULL, NULL)`, `ROW(-7, '')`, `ROW(0, 'it''s "(,)" \\')`],
  },
  {
    type: 'nested',
    held: 'text',
    values: [`ROW(ROW(1, 'x,"y"'), '{1.50,NULL}', 'calm')::nested`, `ROW(NULL, NULL, '')::nested`],
  },
  { type: 'int4range', held: 'text', values: [`'empty'`, `'[1,5)'`, `'(,)'`, `'[-2147483648,]'`] },
  { type: 'numrange', held: 'text', values: [`'(1.50,2.0]'`, `'[NaN,NaN]'`, `'empty'`] },
  {
    type: 'tstzrange',
    held: 'text',
    values: [
      `'[2024-03-31 02:30+01,infinity)'`,
      `'(,"2024-01-01 00:00:00.000001+00"]'`,
      `'["0044-03-15 00:00:00+00 BC",)'`,
    ],
  },
  { type: 'tsrange', held: 'text', values: [`'["2024-02-29 12:00:00.5",)'`, `'empty'`] },
  { type: 'daterange', held: 'text', values: [`'[-infinity,2024-02-29]'`, `'(,)'`] },
  { type: 'floats', held: 'text', values: [`'[-0,0.1)'`, `'(-Infinity,5e-324]'`] },
  { type: 'int8multirange', held: 'text', values: [`'{}'`, `'{[1,3),[7,)}'`] },
  { type: 'tstzmultirange', held: 'text', values: [`'{["2024-03-31 02:30:00.5+01","2024-04-01 00:00+00"]}'`] },
  { type: 'inet', held: 'text', values: [`'10.0.0.1/8'`, `'::1'`, `'::ffff:1.2.3.4/96'`, `'0.0.0.0/0'`] },
  { type: 'cidr', held: 'text', values: [`'10.0.0.0/8'`, `'2001:db8::/32'`, `'0.0.0.0/0'`] },
  { type: 'macaddr', held: 'text', values: [`'08:00:2b:01:02:03'`] },
  { type: 'macaddr8', held: 'text', values: [`'08:00:2b:01:02:03:04:05'`] },
  { type: 'bit(3)', held: 'text', values: [`B'101'`, `B'000'`] },
  { type: 'bit(64)', held: 'text', values: [`B'${'1'.repeat(64)}'`, `B'1${'0'.repeat(63)}'`] },
  { type: 'bit varying', held: 'text', values: [`B''`, `B'0'`, `B'${'10'.repeat(99)}'`] },
  {
    type: 'money',
    held: 'text',
    values: [
      `'-92233720368547758.08'::numeric::money`,
      `'92233720368547758.07'::numeric::money`,
      `0::money`,
      `'-0.01'::numeric::money`,
    ],
  },
  { type: 'oid', held: 'text', values: ['0', '4294967295'] },
  { type: 'xid8', held: 'text', values: [`'18446744073709551615'`] },
  { type: 'tid', held: 'text', values: [`'(4294967295,65535)'`, `'(0,0)'`] },
  { type: 'pg_lsn', held: 'text', values: [`'FFFFFFFF/FFFFFFFF'`, `'0/0'`] },
  { type: 'oidvector', held: 'text', values: [`''`, `'1 2 4294967295'`] },
  { type: 'int2vector', held: 'text', values: [`''`, `'1 -2 3'`] },
  { type: 'regclass', held: 'text', values: [`'pg_catalog.pg_class'`, '0', `'4294967295'`], asText: 'type' },
  { type: 'point', held: 'text', values: [`'(0.1,-0)'`, `'(NaN,Infinity)'`, `'(5e-324,1e21)'`] },
  { type: 'line', held: 'text', values: [`'{1,-1,0.1}'`] },
  { type: 'lseg', held: 'text', values: [`'[(0,0),(0.1,1)]'`] },
  { type: 'box', held: 'text', values: [`'(1,1),(0,0.1)'`] },
  { type: 'path', held: 'text', values: [`'[(0,0),(1,1)]'`, `'((0,0),(1,1),(0.1,0))'`] },
  { type: 'polygon', held: 'text', values: [`'((0,0),(1,1),(0.1,0))'`] },
  { type: 'circle', held: 'text', values: [`'<(0.1,0),1e-5>'`] },
  { type: 'tsvector', held: 'text', values: [`''`, `'a:1A b:2,3 ''it''''s'' ''\\\\'''`] },
  { type: 'tsquery', held: 'text', values: [`''`, `'a & !(b | c:*A) <2> d'`] },
]

const MARIADB_TEXTS = [...TEXTS.slice(0, -1), `repeat('é\u{1f600}",', 9000)`, `'a\\nb\\r\\n\\tc'`, `'\\\\N'`, `x'0001'`]
const GEO = `ST_GeomFromText('POINT(0.1 -1)', 4326)`

export const MYSQL: readonly TypeCase[] = [
  { type: 'tinyint(1)', held: 'number', values: ['-128', '127', '0', '1', '2'] },
  { type: 'tinyint unsigned', held: 'number', values: ['0', '255'] },
  { type: 'smallint', held: 'number', values: ['-32768', '32767'] },
  { type: 'smallint unsigned', held: 'number', values: ['65535', '0'] },
  { type: 'mediumint', held: 'number', values: ['-8388608', '8388607'] },
  { type: 'mediumint unsigned', held: 'number', values: ['16777215', '0'] },
  { type: 'int', held: 'number', values: ['-2147483648', '2147483647'] },
  { type: 'int unsigned', held: 'number', values: ['4294967295', '0'] },
  { type: 'int(9) zerofill', held: 'number', values: ['7', '0', '4294967295'] },
  { type: 'bigint', held: 'number', values: ['-9223372036854775808', '9223372036854775807', '9007199254740993'] },
  { type: 'bigint unsigned', held: 'number', values: ['18446744073709551615', '0', '9223372036854775808'] },
  { type: 'bit(1)', held: 'bool', values: [`b'1'`, `b'0'`] },
  { type: 'bit(9)', held: 'number', values: ['511', '0'] },
  { type: 'bit(64)', held: 'number', values: ['18446744073709551615', '0', '1', '9223372036854775808'] },
  { type: 'year', held: 'number', values: ['0', '1901', '2155'] },
  { type: 'decimal(12,2)', held: 'number', values: ['-9999999999.99', '0', '0.10'] },
  { type: 'decimal(38,0)', held: 'number', values: [MOST_38, `-${MOST_38}`] },
  { type: 'decimal(38,38)', held: 'number', values: [`0.${MOST_38}`, `-0.${'0'.repeat(37)}1`] },
  { type: 'decimal(12,2) unsigned zerofill', held: 'number', values: ['1.50', '0'] },
  { type: 'decimal(65,30)', held: 'text', values: [`${'9'.repeat(35)}.${'9'.repeat(30)}`, '-1.50', '0'] },
  { type: 'decimal(65,0)', held: 'text', values: ['9'.repeat(65), `-${'9'.repeat(65)}`] },
  {
    type: 'float',
    held: 'float32',
    values: ['3.4028234e38', '1e-45', '-0e0', '0', '16777216', '16777215', '0.1', '-1.17549435e-38', '123456.789'],
  },
  { type: 'float(10,3)', held: 'float32', values: ['0.125', '-1234567.875', '16777.217'] },
  {
    type: 'double',
    held: 'float64',
    values: [
      '1.7976931348623157e308',
      '5e-324',
      '-0e0',
      '0',
      '0.1',
      '9007199254740993',
      '1e21',
      '-2.2250738585072014e-308',
      '123456789.123456789',
    ],
  },
  { type: 'double(20,5)', held: 'float64', values: ['0.1', '-123456789.12345'] },
  { type: 'char(5)', held: 'text', values: [`''`, `'ab'`, `' a b '`, `'\u{1f600}'`] },
  { type: 'char(5) CHARACTER SET binary', held: 'bytes', values: [`''`, `'ab'`, `x'00ff'`] },
  { type: 'varchar(40)', held: 'text', values: [`''`, `'ab  '`, `' '`, `'${'\u{1f600}'.repeat(40)}'`, `'a\\0b'`] },
  { type: 'varchar(40) CHARACTER SET latin1', held: 'text', values: [`'é€ÿ'`, `x'8081'`, `' a '`] },
  { type: 'varchar(40) CHARACTER SET utf16', held: 'text', values: [`'\u{1f600}é'`, `''`] },
  { type: 'varchar(40) CHARACTER SET utf32', held: 'text', values: [`'\u{1f600}é '`] },
  { type: 'varchar(40) CHARACTER SET ucs2', held: 'text', values: [`'é€'`] },
  { type: 'varchar(40) CHARACTER SET utf8mb3', held: 'text', values: [`'é€'`] },
  { type: 'varchar(40) CHARACTER SET sjis', held: 'text', values: [`'ソ表'`, `''`] },
  { type: 'varchar(40) CHARACTER SET gbk', held: 'text', values: [`'中文'`] },
  { type: 'varchar(40) COLLATE utf8mb4_bin', held: 'text', values: [`'a'`, `'A '`] },
  { type: 'tinytext', held: 'text', values: [`''`, `'ab  '`] },
  { type: 'text', held: 'text', values: MARIADB_TEXTS.slice(0, 9) },
  { type: 'longtext', held: 'text', values: MARIADB_TEXTS },
  { type: 'binary(4)', held: 'bytes', values: [`''`, `'ab'`, `x'00000000'`, `x'ff000000'`, `'    '`] },
  { type: 'varbinary(40)', held: 'bytes', values: [`''`, `x'00'`, `x'ff00ff00'`, `'ab  '`] },
  { type: 'blob', held: 'bytes', values: [`''`, `x'00ff0a2c22'`] },
  { type: 'longblob', held: 'bytes', values: [`repeat(x'00ff0a2c', 40000)`, `x'5c4e'`] },
  { type: 'date', held: 'days', values: [`'9999-12-31'`, `'1000-01-01'`, `'0001-01-01'`, `'${LEAP}'`, `'1582-10-10'`] },
  {
    type: 'date',
    held: 'text',
    values: [`'0000-00-00'`, `'2024-00-10'`, `'2024-05-00'`, `'0000-01-01'`, `'${LEAP}'`],
    asText: 'values',
  },
  {
    type: 'datetime',
    held: 'micros',
    values: [`'9999-12-31 23:59:59'`, `'0001-01-01 00:00:00'`, `'1969-12-31 23:59:59'`],
  },
  {
    type: 'datetime(6)',
    held: 'micros',
    values: [`'9999-12-31 23:59:59.999999'`, `'0001-01-01 00:00:00.000001'`, `'${LEAP} 12:00:00.5'`],
  },
  {
    type: 'datetime(6)',
    held: 'text',
    values: [`'0000-00-00 00:00:00'`, `'2024-00-00 12:00:00.5'`, `'0000-01-01 01:02:03'`, `'${LEAP} 12:00:00.5'`],
    asText: 'values',
  },
  {
    type: 'timestamp NULL',
    held: 'micros',
    values: [`'1970-01-01 00:00:01'`, `'2038-01-19 03:14:07'`, `'2024-03-31 01:30:00'`],
  },
  {
    type: 'timestamp(6) NULL',
    held: 'micros',
    values: [`'2024-10-27 00:30:00.000001'`, `'2024-10-27 01:30:00.999999'`],
  },
  {
    type: 'timestamp NULL',
    held: 'text',
    values: [`'0000-00-00 00:00:00'`, `'2024-10-27 00:30:00'`],
    asText: 'values',
  },
  { type: 'time', held: 'time', values: [`'-838:59:59'`, `'838:59:59'`, `'00:00:00'`, `'24:00:00'`, `'-00:00:01'`] },
  {
    type: 'time(6)',
    held: 'time',
    values: [`'-838:59:59.999999'`, `'-00:00:00.000001'`, `'100:00:00.5'`, `'12:30:00.5'`],
  },
  { type: `enum('a','B','it''s','1','é')`, held: 'text', values: [`'a'`, '2', `'it''s'`, `'1'`, `'é'`, `'nonsense'`] },
  { type: `enum('','x','a,b')`, held: 'text', values: [`'x'`, '1', `'a,b'`] },
  { type: `set('a','b','it''s')`, held: 'text', values: [`''`, `'a,it''s'`, '7', '2'] },
  {
    type: 'json',
    held: 'text',
    values: [`'{"b": 1,  "a":2, "b":3}'`, `'1.50'`, `'null'`, `'""'`, `'[1,  2]'`, `'"\u{1f600}"'`],
  },
  { type: 'uuid', held: 'text', values: [`'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`, `'${'0'.repeat(32)}'`] },
  { type: 'inet6', held: 'text', values: [`'::1'`, `'::ffff:1.2.3.4'`, `'::'`] },
  { type: 'inet4', held: 'text', values: [`'255.255.255.255'`, `'0.0.0.0'`] },
  {
    type: 'geometry',
    held: 'text',
    values: [GEO, `ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(0 0,1 1))')`],
  },
  { type: 'point', held: 'text', values: [GEO, `ST_GeomFromText('POINT(1e300 -5e-324)')`] },
  { type: 'polygon', held: 'text', values: [`ST_GeomFromText('POLYGON((0 0,1 0,1 1,0 0))', 3857)`] },
]

export const SQLITE: readonly TypeCase[] = [
  { type: 'INTEGER', held: 'number', values: ['-9223372036854775807 - 1', '9223372036854775807', '0'] },
  {
    type: 'REAL',
    held: 'float64',
    values: ['1.7976931348623157e308', '5e-324', '-0.0', '0.0', '0.1', '9e999', '-9e999', '7.0', '9007199254740993.0'],
  },
  { type: 'TEXT', held: 'text', values: [...TEXTS.slice(0, -1), `'a' || char(10) || 'b'`, `'a' || char(0) || 'b'`] },
  { type: 'TEXT COLLATE NOCASE', held: 'text', values: [`'a'`, `'A'`] },
  { type: 'BLOB', held: 'bytes', values: [`x''`, `x'00'`, `x'ff00ff'`, 'zeroblob(100000)'] },
  { type: 'BOOLEAN', held: 'bool', values: ['0', '1'] },
  { type: 'UUID', held: 'text', values: [`'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`] },
]
