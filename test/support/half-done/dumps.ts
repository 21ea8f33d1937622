/**
 * Databases of PostgreSQL as `pg_dump` writes them, with the OIDs and names of their server. Another server has other
 * OIDs and other positions of slots: these are replaced in the rows of the ledger, and nothing else is.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { placeOn, type Place } from '../copy-systems.ts'
import type { PostgresServer } from '../servers/postgresql.ts'
import { ELSEWHERE } from './copies.ts'
import { changesOf, numbersOf, renumbered, settleIn, type Numbers } from './numbers.ts'
import { literal, meant, rehashed } from './plans.ts'

const OF_LEDGER = ['public.migration_*', 'sluice_queue.*'] as const
const BORDER = '\n-- Rows of the ledger\n'
const SLOTS = 'SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database() AND NOT temporary'
const ROLES = 'SELECT quote_ident(rolname) FROM pg_roles WHERE oid >= 16384 AND rolname <> current_user'

type Head = {
  readonly called: readonly (readonly [string, string])[]
  readonly slots: readonly string[]
  readonly roles: readonly string[]
}

/**
 * Dumps a database.
 * @throws Error if `pg_dump` is older than the server; SLUICE_TEST_PG_BIN must name binaries of its version
 */
export async function dumpDatabase(place: Place, fixture: string): Promise<void> {
  const dump = (...more: readonly string[]): string =>
    execFileSync('pg_dump', ['--inserts', '--no-owner', ...more, place.url], { encoding: 'utf8', maxBuffer: 2 ** 26 })
      .split('\n')
      .filter((line) => line !== '' && !/^\\|^--(?: (?:Dumped|Name:|PostgreSQL) .*)?$|^SET \w+_timeout/.test(line))
      .join('\n')
  const [[ledgers] = []] = await place.rows(
    "SELECT count(*) FROM pg_class WHERE relname IN ('migration_ledger', 'sluice_runs')",
  )
  const objects = dump(...OF_LEDGER.map((tables) => `--exclude-table-data=${tables}`))
  const rows = ledgers === '0' ? '' : dump('--data-only', ...OF_LEDGER.map((tables) => `--table=${tables}`))
  const named = async (query: string): Promise<readonly string[]> =>
    (await place.rows(query)).map(([name]) => name ?? '')
  const head: Head = {
    called: [...(await numbersOf(place))],
    slots: await named(SLOTS),
    roles: (await named(ROLES)).filter((role) => objects.includes(` ${role}`)),
  }
  mkdirSync(dirname(fixture), { recursive: true })
  const text = `-- ${JSON.stringify(head)}\n${objects}${BORDER}${rows}\n`
    .replace(/\?host=[^"'\s]*/g, '?host=there')
    .replace(/(\w+:\/\/\w+):[^@\s'"]*@/g, '$1@')
    .replace(/[0-9a-f-]{36}\/\d{10}(?=')/g, ELSEWHERE)
    .replaceAll(`'${hostname()}'`, `'${ELSEWHERE}'`)
  writeFileSync(`${fixture}.sql.gz`, gzipSync(text, { level: 9 }))
}

/**
 * Restores dumps into new databases, with ledgers as if their programs had run on this server.
 * @param fixtures the source's first
 * @param reported statements in the source after the slot's start and before the applied position
 */
export async function loadDatabases(
  server: PostgresServer,
  fixtures: readonly string[],
  reported: readonly string[] = [],
): Promise<readonly Place[]> {
  const empty = []
  for (const fixture of fixtures) empty.push([fixture, await placeOn('postgresql', server.url())] as const)
  await fillDatabases(empty, reported)
  return empty.map(([, place]) => place)
}

/** The same for databases that exist and are empty. @param sides the source first */
export async function fillDatabases(
  sides: readonly (readonly [fixture: string, place: Place])[],
  reported: readonly string[] = [],
): Promise<void> {
  const loaded = []
  for (const [fixture, place] of sides) loaded.push(await loadObjects(place, fixture))
  const [source] = loaded
  if (source === undefined) throw new Error('no fixture')
  const positionOf = async (): Promise<string> =>
    (await source.place.rows('SELECT pg_current_wal_flush_lsn()'))[0]?.[0] ?? ''
  for (const { place, slots } of loaded)
    for (const slot of slots) await place.sql(`SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`)
  const begun = await positionOf()
  await source.place.sql(...reported)
  const applied = await positionOf()
  const here = new Map<string, string>()
  for (const { place, called } of loaded)
    for (const [old, now] of await settleIn(place, new Map(called))) here.set(old, now)
  const changed = await Promise.all(loaded.map(async ({ place }) => await changesOf(place)))
  for (const { place, rows } of loaded) {
    const start = /"start":"([^"]+)"/.exec(rows)?.[1] ?? ''
    const restamped = renumbered(rows, here)
      .replace(POSITION, (old) => (isBehind(old, start) ? applied : begun))
      .replace(BIRTH, (_, text: string) => literal(JSON.stringify(reborn(JSON.parse(meant(text)) as Birth, changed))))
      .replace(SWITCH, (_, text: string) => {
        const document = JSON.parse(meant(text)) as { readonly reverse?: { readonly birth: Birth } }
        if (document.reverse === undefined) return literal(JSON.stringify(document))
        const { birth } = document.reverse
        return literal(JSON.stringify({ ...document, reverse: { ...document.reverse, birth: reborn(birth, changed) } }))
      })
    await place.sql(rehashed(restamped))
  }
}

async function loadObjects(place: Place, fixture: string): Promise<Head & { place: Place; rows: string }> {
  const text = gunzipSync(readFileSync(`${fixture}.sql.gz`)).toString('utf8')
  const end = text.indexOf('\n')
  const head = JSON.parse(text.slice('-- '.length, end)) as Head
  const [objects = '', rows = ''] = text.slice(end).split(BORDER)
  await place.sql(...head.roles.map((role) => `DROP ROLE IF EXISTS ${role}; CREATE ROLE ${role}`), objects)
  return { ...head, place, rows }
}

const POSITION = /(?<![\w/-])[0-9A-F]{1,3}\/[0-9A-F]{5,8}(?![\w-])/g
/** What a cutover between two databases has recorded, with the start state of the reverse stream. */
const SWITCH = /'(\{"format":"sluice-cutover-between"(?:[^']|'')*\})'/g
const BIRTH = /'(\{"slot":(?:[^']|'')*\})'/g

function isBehind(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => {
    const [high = '0', low = '0'] = text.split('/')
    return (BigInt(`0x${high || '0'}`) << 32n) + BigInt(`0x${low}`)
  })
  return (a ?? 0n) > (b ?? 0n)
}

/** What a stream recorded of its source at its start, as far as it is used here. */
type Birth = {
  readonly publication: string
  readonly facts: Readonly<Record<string, string>>
  readonly shapes: Readonly<Record<string, string>>
}
type Shape = {
  readonly columns: readonly { readonly place: string }[]
  readonly nodes: readonly { readonly name: string; readonly parent: string | null }[]
}

/** @param sides the catalog of each database; the stream belongs to the database with its publication */
function reborn(startRecord: Birth, sides: readonly Numbers[]): Birth {
  const { publication, facts } = startRecord
  const changed = sides.find((one) => one.has(`publication ${publication}`)) ?? sides[0] ?? new Map<string, string>()
  const now = changed.get(`publication ${publication}`)
  const sends = facts['publication.sends']?.replace(
    /via root; .*/,
    `via root; ${changed.get(`generated ${publication}`) ?? ''}`,
  )
  const shapes = Object.entries(startRecord.shapes).map(([table, text]) => {
    const noted = JSON.parse(text) as Shape | { readonly shape: Shape }
    const shape =
      'shape' in noted ? { ...noted, shape: shaped(table, noted.shape, changed) } : shaped(table, noted, changed)
    return [table, JSON.stringify(shape)]
  })
  return {
    ...startRecord,
    facts:
      now === undefined
        ? facts
        : { ...facts, 'publication.changed': now, ...(sends === undefined ? {} : { 'publication.sends': sends }) },
    shapes: Object.fromEntries(shapes) as Birth['shapes'],
  }
}

function shaped(table: string, { columns, nodes, ...rest }: Shape, changed: Numbers): Shape {
  return {
    columns: columns.map((column) => ({ ...column, changed: changed.get(`column ${table} ${column.place}`) })),
    ...rest,
    nodes: nodes.map((node) =>
      node.parent === null
        ? node
        : { ...node, attached: changed.get(`partition ${node.name}`), bounds: changed.get(`bounds ${node.name}`) },
    ),
  }
}
