/**
 * MariaDB: every keyword that its parser accepts as a type. Values are compared by HEX, with the number of members and
 * all digits of floats.
 */

import { pick } from '../random.ts'
import type { DrawnSystem, DrawnType, Judged, Place } from '../shape.ts'

/** Possible suffixes of a type name. */
const SUFFIXES = [
  '',
  '(1)',
  '(5)',
  '(20)',
  '(6)',
  '(10,2)',
  '(65,30)',
  ` UNSIGNED`,
  ' UNSIGNED ZEROFILL',
  `('b','a','','é')`,
] as const

const POOL: readonly string[] = [
  `''`, `' '`, `'ab  '`, `'NULL'`, `'it''s "x"'`, `'😀é'`, `'A'`, `'a'`, `'ß'`, `'É'`, `'a\\nb\\r\\t\\0'`, `'\\\\N'`, `'b'`, `'a,b'`, `'b,a'`, '0', '1', '2', '-1', '127', '255', '-128', '32767', '65535', '8388607', '16777215',
  '2147483647', '4294967295', '9223372036854775807', '-9223372036854775808', '18446744073709551615', '0.1', '1.50', '-0.0', '1e38', '3.4028234e38', '1.7976931348623157e308', '5e-324', '1e-45', '99999999.99', `'9999999999999999999999999999999999.5'`,
  `'0000-00-00'`, `'2024-00-00'`, `'2024-02-29'`, `'0001-01-01'`, `'9999-12-31 23:59:59.999999'`, `'1000-01-01 00:00:00.1'`, `'1970-01-01 00:00:01'`, `'2038-01-19 03:14:07.999999'`, `'0000-00-00 00:00:00'`, `'2024-10-27 02:30:00'`,
  `'-838:59:59.999999'`, `'838:59:59'`, `'00:00:00'`, `'-00:00:00.000001'`, '1901', '2155', '0', `X''`, `X'00'`, `X'ff00'`, `X'80'`, `b'1'`, `b'101'`, '0xffffffffffffffff', `'{"a": 1, "a": 2}'`, `'[1e400]'`, `'null'`,
  `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`, `'::1'`, `'10.0.0.1'`, `'2001:db8::ff'`, `ST_GeomFromText('POINT(1 -0)')`, `ST_GeomFromText('POLYGON((0 0,1 1,2 0,0 0))', 4326)`, `ST_GeomFromText('GEOMETRYCOLLECTION EMPTY')`, `REPEAT('x', 300)`,
] // prettier-ignore

async function types(place: Place): Promise<readonly DrawnType[]> {
  const declared = new Set(await offeredOf(place))
  const collations = await place.rows(
    `SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME RLIKE '_(general_ci|bin|nopad_bin|unicode_ci|swedish_ci|czech_ci|uca1400_ai_ci|german2_ci)$' ORDER BY COLLATION_NAME`,
  )
  for (const [name] of collations)
    for (const text of ['varchar(20)', 'char(20)']) declared.add(`${text} COLLATE ${name}`)
  declared
    .add('text')
    .add('mediumtext')
    .add('longtext')
    .add('json')
    .add('longblob')
    .add('varbinary(20)')
    .add('timestamp(6) NULL')
  return [...declared].map((type) => ({ type, values: [...POOL, 'NULL'] }))
}

/** Types that the parser accepts; of those that the server prints in the same way, one. */
async function offeredOf(place: Place): Promise<readonly string[]> {
  const suffixes = SUFFIXES.map((one, at) => `SELECT ${at} AS at, ${literal(one)} AS suffix`).join(' UNION ALL ')
  await place.sql(
    'CREATE TABLE drawn_found (name varchar(99) PRIMARY KEY)',
    `BEGIN NOT ATOMIC
       FOR one IN (SELECT CONCAT(WORD, suffix) AS type FROM information_schema.KEYWORDS, (${suffixes}) s ORDER BY WORD, at) DO
         BEGIN
           DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;
           EXECUTE IMMEDIATE CONCAT('CREATE OR REPLACE TABLE drawn_types (c ', one.type, ')');
           INSERT IGNORE INTO drawn_found SELECT COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'drawn_types';
           DROP TABLE IF EXISTS drawn_types;
         END;
       END FOR;
     END`,
  )
  return (await place.rows('SELECT name FROM drawn_found ORDER BY name')).map(([name]) => name ?? '')
}

function literal(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}

const CHARACTER_SETS = ['latin1', 'utf8mb3', 'utf16', 'ascii', 'utf8mb4 COLLATE utf8mb4_bin'] as const

const TEXT_SETTINGS: readonly string[] = [
  ...['', 'ANSI', 'ANSI_QUOTES', 'PIPES_AS_CONCAT', 'NO_BACKSLASH_ESCAPES', 'PAD_CHAR_TO_FULL_LENGTH', 'TRADITIONAL', 'ORACLE', 'MSSQL', 'EMPTY_STRING_IS_NULL', 'TIME_ROUND_FRACTIONAL', 'REAL_AS_FLOAT', 'NO_AUTO_VALUE_ON_ZERO',
    'ONLY_FULL_GROUP_BY', 'IGNORE_SPACE', 'NO_UNSIGNED_SUBTRACTION', 'HIGH_NOT_PRECEDENCE', 'ALLOW_INVALID_DATES', 'NO_ZERO_DATE,NO_ZERO_IN_DATE,STRICT_ALL_TABLES'].map((one) => `sql_mode = '${one}'`),
  ...['+05:30', '-11:59', '+13:00'].map((one) => `time_zone = '${one}'`),
  ...['latin1', 'utf8mb3', 'utf16'].map((one) => `character_set_server = '${one}'`),
  `lc_time_names = 'de_DE'`, 'div_precision_increment = 0', 'group_concat_max_len = 4', 'max_sort_length = 8', `collation_connection = 'latin1_bin'`, 'sql_select_limit = 2', `character_set_results = 'latin1'`,
] // prettier-ignore

/**
 * Session variables of the server that have their default value. Those that would make every session unusable are
 * excluded, because a real server does not set them.
 */
const SWITCHES = `SELECT VARIABLE_NAME, GLOBAL_VALUE, ENUM_VALUE_LIST FROM information_schema.SYSTEM_VARIABLES WHERE VARIABLE_SCOPE = 'SESSION' AND VARIABLE_TYPE IN ('BOOLEAN', 'ENUM') AND READ_ONLY = 'NO' AND GLOBAL_VALUE = DEFAULT_VALUE
  AND VARIABLE_NAME NOT RLIKE 'READ_ONLY|^(WSREP|SQL_LOG_BIN|DEBUG|PROFILING|OPTIMIZER_TRACE|SLOW|LOG|MAX_STATEMENT|SQL_BIG_SELECTS|COLUMN_COMPRESSION|GTID|RPL|REPLICATE|BINLOG)' ORDER BY VARIABLE_NAME`
let switches: readonly string[] = ['autocommit = 0']

async function allTypes(place: Place): Promise<readonly DrawnType[]> {
  switches = (await place.rows(SWITCHES)).flatMap(([name, now, values]) =>
    (values ?? '').split(',').flatMap((value) => (value === now || value === '' ? [] : [`${name?.toLowerCase()} = '${value}'`])),
  ) // prettier-ignore
  return await types(place)
}

/** Settings for the comparison, independent of those of the server. */
const PLAIN = `SET STATEMENT sql_mode = '', time_zone = '+00:00', sql_select_limit = 18446744073709551615, group_concat_max_len = 1048576 FOR`

async function judge(place: Place, table: string): Promise<Judged> {
  const described = await place.rows(
    `${PLAIN} SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND CONCAT('\`', REPLACE(TABLE_NAME, '\`', '\`\`'), '\`') = '${table.replaceAll('\\', '\\\\').replaceAll("'", "''")}' ORDER BY ORDINAL_POSITION`,
  )
  const words = described.map(([name, type]) => {
    const quoted = quote(name ?? '')
    const opaque = /^(?:uuid|inet|geometry|point|polygon|line|multi|xmltype|vector)/.test(type ?? '')
    const number = opaque ? `''` : /^(?:float|double)/.test(type ?? '') ? `${quoted} + 0e0` : /^(?:enum|set|bit|year)/.test(type ?? '') ? `${quoted} + 0` : `''`
    return `CASE WHEN ${quoted} IS NULL THEN 'NULL' ELSE CONCAT_WS('|', HEX(${quoted}), ${opaque ? `''` : `HEX(CAST(${quoted} AS CHAR))`}, ${number}) END`
  }) // prettier-ignore
  const rows = await place.rows(`${PLAIN} SELECT ${words.join(', ')} FROM ${table}`)
  return { columns: described.map(([name]) => name ?? ''), rows: rows.map((row) => row.map(String)) }
}

function quote(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

export const mysql: DrawnSystem = {
  system: 'mysql',
  types: allTypes,
  first: [],
  loose: [`SET sql_mode = '', time_zone = '+00:00', autocommit = 1, sql_safe_updates = 0`],
  options: (random) =>
    pick(random, ['', '', '', 'ENGINE=MyISAM', 'ENGINE=Aria', 'CHARACTER SET latin1', 'CHARACTER SET utf8mb3', 'CHARACTER SET utf16', 'CHARACTER SET sjis', 'ROW_FORMAT=COMPRESSED', 'WITH SYSTEM VERSIONING']), // prettier-ignore
  settings: (random, database) => [
    ...(random(4) === 0 ? [`ALTER DATABASE \`${database}\` CHARACTER SET ${pick(random, CHARACTER_SETS)}`] : []),
    ...Array.from(
      { length: random(3) },
      () => `SET GLOBAL ${pick(random, random(2) === 0 ? TEXT_SETTINGS : switches)}`,
    ),
  ],
  quote,
  clauses: {
    retype: (column, type) => `MODIFY ${column} ${type}`,
    nullable: (column, type, isNullable) => `MODIFY ${column} ${type} ${isNullable ? 'NULL' : 'NOT NULL'}`,
    expression: (column, expression, kind) => `MODIFY ${column} bigint GENERATED ALWAYS AS (${expression}) ${kind}`,
    like: (name, table) => `CREATE TABLE ${name} LIKE ${table}`,
  },
  tableOf: async (place) => {
    const [[name] = []] = await place.rows(
      `${PLAIN} SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'VIEW' AND TABLE_NAME NOT LIKE 'migration\\_%' AND TABLE_NAME NOT LIKE 'sluice\\_%'`,
    )
    return name === undefined || name === null ? '' : quote(name)
  },
  judge,
}
