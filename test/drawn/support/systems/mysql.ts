/** MariaDB: every keyword that its parser takes as a type; the judge is HEX, with the number of members and all digits of floats. */
import type { Place } from '../../../support/copy-systems.ts'
import { pick } from '../random.ts'
import type { DrawnSystem, DrawnType, Judged } from '../shape.ts'

/** What may stand behind the name of a type. */
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
  const words = await place.rows('SELECT WORD FROM information_schema.KEYWORDS ORDER BY WORD')
  const offered = words.flatMap(([word]) => SUFFIXES.map((suffix) => `${word}${suffix}`))
  const declared = new Set<string>()
  const taken = await offeredOf(place, offered)
  for (const type of taken) declared.add(type)
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

/** Of what the parser takes for a type, one of each that the server writes alike. */
async function offeredOf(place: Place, offered: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>()
  const all: string[] = []
  for (const type of offered) all.push(`CREATE OR REPLACE TABLE drawn_types (c ${type})`)
  const tries = all.map((text) => `BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; EXECUTE IMMEDIATE '${text.replaceAll("'", "''")}';
    INSERT IGNORE INTO drawn_found SELECT COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'drawn_types'; DROP TABLE IF EXISTS drawn_types; END`) // prettier-ignore
  await place.sql('CREATE TABLE drawn_found (name varchar(99) PRIMARY KEY)', ...tries)
  for (const [name] of await place.rows('SELECT name FROM drawn_found ORDER BY name')) found.add(name ?? '')
  return [...found]
}

async function judge(place: Place, table: string): Promise<Judged> {
  const described = await place.rows(
    `SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND CONCAT('\`', REPLACE(TABLE_NAME, '\`', '\`\`'), '\`') = '${table.replaceAll('\\', '\\\\').replaceAll("'", "''")}' ORDER BY ORDINAL_POSITION`,
  )
  const words = described.map(([name, type]) => {
    const quoted = quote(name ?? '')
    const opaque = /^(?:uuid|inet|geometry|point|polygon|line|multi|xmltype|vector)/.test(type ?? '')
    const number = opaque ? `''` : /^(?:float|double)/.test(type ?? '') ? `${quoted} + 0e0` : /^(?:enum|set|bit|year)/.test(type ?? '') ? `${quoted} + 0` : `''`
    return `CASE WHEN ${quoted} IS NULL THEN 'NULL' ELSE CONCAT_WS('|', HEX(${quoted}), ${opaque ? `''` : `HEX(CAST(${quoted} AS CHAR))`}, ${number}) END`
  }) // prettier-ignore
  const rows = await place.rows(`SELECT ${words.join(', ')} FROM ${table}`)
  return { columns: described.map(([name]) => name ?? ''), rows: rows.map((row) => row.map(String)) }
}

function quote(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

export const mysql: DrawnSystem = {
  system: 'mysql',
  types,
  first: [],
  loose: [`SET sql_mode = '', time_zone = '+00:00'`],
  options: (random) =>
    pick(random, ['', '', '', 'ENGINE=MyISAM', 'ENGINE=Aria', 'CHARACTER SET latin1', 'CHARACTER SET utf8mb3', 'CHARACTER SET utf16', 'CHARACTER SET sjis', 'ROW_FORMAT=COMPRESSED', 'WITH SYSTEM VERSIONING']), // prettier-ignore
  settings: (random, database) =>
    random(4) === 0
      ? [`ALTER DATABASE \`${database}\` CHARACTER SET ${pick(random, ['latin1', 'utf8mb3', 'utf16', 'ascii', 'utf8mb4 COLLATE utf8mb4_bin'])}`]
      : [], // prettier-ignore
  quote,
  tableOf: async (place) => {
    const [[name] = []] = await place.rows(
      `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'VIEW' AND TABLE_NAME NOT LIKE 'migration\\_%' AND TABLE_NAME NOT LIKE 'sluice\\_%'`,
    )
    return name === undefined || name === null ? '' : quote(name)
  },
  judge,
}
